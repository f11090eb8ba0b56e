"""A finished run, of one network or an ensemble, as one callable from images to scores."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medauc.data.bags import bag_numbers
from medauc.data.batches import BoundedBatches
from medauc.data.mapped import ImageArray
from medauc.data.slices import slices_of
from medauc.errors import InputError
from medauc.training.build import assemble, require_orientations
from medauc.training.checkpoint import BEST, load_weights
from medauc.training.combination import Combination
from medauc.training.ensemble_folder import EnsembleFolder, folder_at
from medauc.training.fit import Device, choose_device
from medauc.training.inputs import Inputs
from medauc.training.module import Classifier, TrainingDiverged
from medauc.training.precision import for_scoring
from medauc.training.recipe import Recipe, parse_recipe
from medauc.training.run_folder import RunFolder

if TYPE_CHECKING:
    import pandas as pd


class Predictor:
    """Scores images exactly as the run's ``predictions.csv`` was scored: normalisation, test-time copies, combination.

    Make it with :meth:`load`.

    Attributes:
        run: the folder that it was loaded from.
        inputs: shape of an image, channels, and a label for each score.
        modules: the networks by name, in evaluation mode on the device that computes.
    """

    def __init__(
        self,
        run: RunFolder,
        modules: Mapping[str, Classifier],
        inputs: Inputs,
        combination: Combination | None,
        device: str,
    ) -> None:
        self.run = run
        self.inputs = inputs
        self.modules = modules
        self._combination = combination
        self._device = torch.device(device)

    @classmethod
    def load(
        cls, folder: Path | str, device: Device = "auto", changes: Mapping[str, Any] | None = None
    ) -> Self:
        """Load all networks of a finished run.

        Args:
            folder: the run folder; of an ensemble that is the one that holds ``members``.
            device: "auto" takes a GPU if there is one.
            changes: keys of the recipe's section ``evaluation`` that replace the run's own, such as
                ``{"test_time_augmentation": "octahedral"}``.

        Raises:
            InputError: a change out of range, not a run folder, an unfinished run, or one that was trained before
                runs recorded what their network takes.
        """
        run = folder_at(Path(folder))
        _require_finished(run)
        combination = None
        members = {run.path.name: run}
        if isinstance(run, EnsembleFolder):
            combination = Combination.read(run.combination)
            members = {member.name: run.member(member.name) for member in combination.scored_by}
        loaded = {name: _load(member, changes or {}) for name, member in members.items()}
        where = choose_device(device)
        modules = {name: module.to(where) for name, (module, _) in loaded.items()}
        return cls(run, modules, next(iter(loaded.values()))[1], combination, where)

    @property
    def recipe(self) -> Recipe:
        """What the networks were trained by; those of an ensemble differ in the length of a refit at most."""
        return next(iter(self.modules.values())).recipe

    def __call__(self, images: ImageArray, starts: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """Score images, or bags of them.

        Args:
            images: uint8 in [0, 255], shape (N, H, W), (N, H, W, 3) or (N, D, H, W), of the size that the network
                was trained on.
            starts: for a model of bags, (N + 1,): images ``starts[i]`` to ``starts[i + 1] - 1`` are bag i. Without it
                each image is a bag of its own, and each volume (N, D, H, W) for a model of slices.

        Returns:
            Raw scores, higher is more positive: (N,), or (N, L) for several labels.

        Raises:
            InputError: images of another type, shape or number of channels, or bags for a model of single images.
            TrainingDiverged: a score is not finite.
        """
        if starts is not None and not self.inputs.bags:
            raise InputError("this model scores single images, not bags: leave starts out")
        if starts is None:
            images, starts = self._sliced(images)
        self._require_fitting(images)
        each = {name: self._scores(module, images, starts) for name, module in self.modules.items()}
        scores = next(iter(each.values())) if self._combination is None else self._combination.combine(each)
        return scores if self.inputs.multi_label else scores[:, 0]

    def predict_files(
        self,
        paths: Sequence[Path | str],
        *,
        root: Path | None = None,
        columns: Mapping[str, str] | None = None,
        jobs: int | None = None,
        hash_ids: str | None = None,
        dicom_sr: Path | None = None,
    ) -> "pd.DataFrame":
        """Score files as ``medauc predict`` does, prepared as in the run's training.

        Args:
            paths: image files, folders, manifests, ``.npz`` or ``.npy`` with many images.
            root: folder that a manifest's paths are relative to and may not leave; None is the manifest's own.
            columns: names of a manifest's columns by meaning ("path", "id", "group").
            jobs: images that are read at a time; None takes as many as there are cores, at most 8.
            hash_ids: salt; names become hashes of it and the name, paths are left out.
            dicom_sr: folder for a DICOM structured report of each DICOM image that is scored; needs highdicom.

        Returns:
            One row a sample: ``id``, ``path``, ``score``, ``probability``, ``flag_<rule>`` (of several labels, each
            with ``_<label>``), ``warnings`` and ``error``; a file that cannot be read has nothing but the last.

        Raises:
            InputError: a path that is not there, or a manifest that cannot be read.
        """
        import pandas as pd

        from medauc.training.prediction.rows import FileScoring

        scoring = FileScoring(
            self, paths, root=root, columns=columns, jobs=jobs, hash_ids=hash_ids, dicom_sr=dicom_sr
        )
        return pd.concat(list(scoring), ignore_index=True)

    def _sliced(self, images: ImageArray) -> tuple[ImageArray, NDArray[np.int64] | None]:
        """Volumes as bags of slices where the model takes those; else images as they are."""
        axis = self.recipe.data.bags.slices
        if axis is None or images.ndim != 4:
            return images, None
        return slices_of(images, axis), np.arange(len(images) + 1) * images.shape[1 + axis]

    def _scores(
        self, module: Classifier, images: ImageArray, starts: NDArray[np.int64] | None
    ) -> NDArray[np.float64]:
        """Scores of one network, (N, L)."""
        mixed = for_scoring(module.recipe.training.precision, self._device.type) == "bf16-mixed"
        found = [torch.empty(0, len(self.inputs.labels), dtype=torch.float64)]
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=mixed):
            for batch, bags, count in _batches(module.recipe, images, starts):
                scores = module(
                    batch.to(self._device), None if bags is None else bags.to(self._device), count
                )
                found.append(scores.double().cpu().reshape(count, -1))
        every = torch.cat(found).numpy()
        if not np.isfinite(every).all():
            raise TrainingDiverged(f"{int((~np.isfinite(every)).any(axis=1).sum())} scores are not finite")
        return every

    def _require_fitting(self, images: ImageArray) -> None:
        shape = tuple(self.inputs.shape) + ((3,) if self.inputs.channels == 3 else ())
        if images.dtype != np.uint8 or images.shape[1:] != shape:
            wanted = ", ".join(map(str, shape))
            raise InputError(
                f"images are {images.dtype} of shape {images.shape}; this model takes uint8 of shape (N, {wanted})"
            )


def _batches(
    recipe: Recipe, images: ImageArray, starts: NDArray[np.int64] | None
) -> Iterator[tuple[Tensor, Tensor | None, int]]:
    """Images, the number of each image's bag, and the number of samples, batch by batch."""
    size = recipe.sampling.batch_size
    if starts is None:
        for start in range(0, len(images), size):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + size]))
            yield batch, None, len(batch)
        return
    lengths = np.diff(starts)
    for bags in BoundedBatches(range(len(lengths)), lengths, size, recipe.images_a_batch):
        batch = torch.from_numpy(np.ascontiguousarray(images[starts[bags[0]] : starts[bags[-1] + 1]]))
        yield batch, torch.from_numpy(bag_numbers(lengths[bags])), len(bags)


def _load(run: RunFolder, changes: Mapping[str, Any]) -> tuple[Classifier, Inputs]:
    _require_finished(run)
    recipe, provenance = run.read_recipe()
    if provenance.inputs is None:
        raise InputError(
            f"{run.path}: its recipe.yaml has no run.inputs (trained by medauc {provenance.medauc}); train it anew"
        )
    if changes:
        values = recipe.model_dump()
        recipe = parse_recipe(values | {"evaluation": values["evaluation"] | changes}, str(run.path))
    require_orientations(recipe, provenance.inputs.shape)
    # The run's own weights replace those it started from, whose file need not be here any more.
    blank = recipe.model_copy(update={"model": recipe.model.model_copy(update={"weights": None})})
    module = assemble(provenance.inputs, blank, nn.Identity(), provenance.seed)
    load_weights(module.network, run.checkpoints / BEST)
    return module.eval(), provenance.inputs


def _require_finished(run: RunFolder) -> None:
    if not run.evaluation.exists():
        raise InputError(f"{run.path}: this run is not finished, so there is nothing to predict with")
