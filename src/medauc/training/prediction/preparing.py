"""Reading and preparing samples ahead of the network, in threads, a bounded number at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medauc.data.acquired import Acquired
from medauc.data.preparation import CT_WINDOWS, PreparationSpec, prepare
from medauc.errors import InputError
from medauc.training.inputs import Inputs
from medauc.training.prediction.samples import Item, Sample
from medauc.training.sections.data import DataSection

if TYPE_CHECKING:
    from medauc.data.readers import MedicalImage


@dataclass(frozen=True)
class Preparation:
    """How the model's images are made: as in its training."""

    spec: PreparationSpec
    size: int
    spatial_dims: int

    @classmethod
    def of(cls, data: DataSection, inputs: Inputs) -> "Preparation":
        """Take the recipe's preparation, at the shape and with the channels that the network knows.

        Args:
            data: the recipe's section.
            inputs: what the network takes; of a model of slices, its volumes have ``data.size`` of them.
        """
        shape = tuple(inputs.shape)
        if data.bags.slices is not None:
            depth = data.preparation.shape_of(data.size, 3)[data.bags.slices]
            shape = (*shape[: data.bags.slices], depth, *shape[data.bags.slices :])
        spec = replace(data.preparation, shape=shape, colour="rgb" if inputs.channels == 3 else "grey")
        return cls(spec, data.size, len(shape))


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sample whose images were read.

    Attributes:
        sample: which.
        images: uint8 (M, ...) of those that could be, M may be 0.
        acquired: how each of them was acquired.
        notes: what their reader noticed.
        errors: why the others could not be read.
    """

    sample: Sample
    images: NDArray[np.uint8]
    acquired: tuple[Acquired, ...]
    notes: tuple[str, ...]
    errors: tuple[str, ...]


def prepare_ahead(
    samples: Iterable[Sample], preparation: Preparation, jobs: int, ahead: int
) -> Iterator[Prepared]:
    """Read and prepare samples in threads, at most ``ahead`` of them before they are asked for, in their order."""
    with ThreadPoolExecutor(jobs, thread_name_prefix="medauc-read") as pool:
        waiting: deque[Future[Prepared]] = deque()
        try:
            for sample in samples:
                waiting.append(pool.submit(_prepared, sample, preparation))
                if len(waiting) >= ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _prepared(sample: Sample, preparation: Preparation) -> Prepared:
    images, acquired = list[NDArray[np.uint8]](), list[Acquired]()
    notes, errors = list[str](), list[str]()
    for item in sample.items:
        try:
            image = item.read()
            _require_fitting(image, preparation)
            pixels = prepare(image, preparation.spec, preparation.size, preparation.spatial_dims)
        except Exception as error:  # one file must not stop the others
            errors.append(_reason(error, item))
            continue
        images.append(pixels)
        acquired.append(Acquired.of(image, preparation.spatial_dims))
        notes += image.notes
    stacked = np.stack(images) if images else np.empty(0, np.uint8)
    return Prepared(sample, stacked, tuple(acquired), tuple(dict.fromkeys(notes)), tuple(errors))


def _require_fitting(image: "MedicalImage", preparation: Preparation) -> None:
    """Refuse what the model cannot take, before :func:`prepare` does so with advice for a training's recipe.

    Raises:
        InputError: it has too few or too many axes, its axes may point anywhere, or it is of another modality.
    """
    spec, size = preparation.spec, " x ".join(map(str, image.shape))
    if image.spatial_dims < preparation.spatial_dims:
        raise InputError(f"it is a flat image ({size}); the model takes volumes")
    if image.spatial_dims > preparation.spatial_dims and 1 not in image.shape:
        raise InputError(f"it is a volume ({size}); the model takes flat images")
    if spec.orientation is not None and image.affine is None:
        raise InputError(
            "its file does not say where its axes point; the model takes images turned to "
            f"{spec.orientation}, so give a format that says it (DICOM, NIfTI)"
        )
    if spec.intensity in CT_WINDOWS and image.modality not in (None, "CT"):
        raise InputError(f"it is {image.modality}; the model takes CT ({spec.intensity} window)")


def _reason(error: Exception, item: Item) -> str:
    """Why an image cannot be scored, without the name of its file, which stands in a column of its own."""
    if isinstance(error, InputError):
        return str(error).removeprefix(f"{item.path}: ")
    if isinstance(error, MemoryError):
        return "there is not enough memory for it"
    return f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
