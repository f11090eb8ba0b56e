"""How the images of a data set were acquired, before they were prepared."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

from medauc.data import BagSplit, Dataset
from medauc.data.acquired import Acquired, Range
from medauc.data.bags import SLICE
from medauc.data.cache.pool import cores
from medauc.data.files import is_files, manifest_of
from medauc.data.readers import hash_ids
from medauc.data.slices import SlicedImages
from medauc.errors import InputError
from medauc.training.sections.data import DataSection

MOST = 2000  # files that are read once more; the range of more is hardly wider


def range_of(dataset: Dataset, data: DataSection) -> Range | None:
    """Sizes, spacings and modalities of the files of training and validation; arrays are their own originals.

    Args:
        dataset: of any kind.
        data: the recipe's section, by which the files were found.

    Returns:
        None where none of the files can be read any more.
    """
    if dataset.entry is None and dataset.source is not None and is_files(dataset.source):
        found = _read(_files(dataset, dataset.source, data), len(_shape_of_files(dataset)))
        return Range.of(found) if found else None
    shape = _shape_of_files(dataset)
    return Range((shape, shape), colour=dataset.channels == 3)


def _shape_of_files(dataset: Dataset) -> tuple[int, ...]:
    """Shape of a prepared file: of slices that of their volume, which is what is predicted from."""
    images = dataset.train.images
    return images.base.shape[1:] if isinstance(images, SlicedImages) else dataset.image_shape


def _files(dataset: Dataset, source: Path, data: DataSection) -> list[Path]:
    """Files of training and validation, spread evenly over all where there are very many."""
    try:
        table = manifest_of(source, data.files, data.positive_class).table
    except InputError:  # moved since the training began
        return []
    own = {str(name) for split in (dataset.train, dataset.val) for name in _image_names(split)}
    names = hash_ids(table["id"].to_numpy(dtype=np.str_), dataset.salt)
    paths = table["path"][np.isin(names, list(own))].tolist()
    rows = np.linspace(0, len(paths) - 1, min(MOST, len(paths))).astype(np.int64)
    return [Path(paths[row]) for row in rows]


def _image_names(split: object) -> Iterable[str]:
    """Ids of single images; slices of a volume carry its name in front."""
    names = split.names if isinstance(split, BagSplit) else getattr(split, "ids", ())
    return (str(name).partition(SLICE)[0] for name in names)


def _read(paths: list[Path], spatial_dims: int) -> list[Acquired]:
    with ThreadPoolExecutor(min(cores(), 8)) as pool:
        read = pool.map(partial(_acquired, spatial_dims=spatial_dims), paths)
        return [found for found in read if found is not None]


def _acquired(path: Path, spatial_dims: int) -> Acquired | None:
    from medauc.data.readers import read_image

    try:
        return Acquired.of(read_image(path), spatial_dims)
    except InputError:
        return None
