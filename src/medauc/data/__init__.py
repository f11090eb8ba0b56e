"""Data sets: the catalog, the phantoms, own files, and loading them as uint8 arrays.

>>> from medauc.data import load_dataset, PhantomSpec
>>> data = load_dataset("phantom2d", phantom=PhantomSpec(n_train=20, n_val=10, n_test=10))
>>> data.train.images.dtype, data.train.targets.shape
(dtype('uint8'), (20,))
"""

import importlib
from typing import TYPE_CHECKING, Any

from medauc.data.bags import BagSpec, BagSplit, make_bags
from medauc.data.catalog import CatalogEntry, PublishedResult
from medauc.data.dataset import Dataset, Split
from medauc.data.known import CATALOG
from medauc.data.listing import DatasetDetail, DatasetRow, FileRow, dataset_detail, dataset_rows
from medauc.data.load import folder_of_data, load_dataset, parse_name
from medauc.data.npz import file_md5, read_npz
from medauc.data.phantom import PhantomSpec, ideal_auc, make_phantom
from medauc.data.subset import SubsetSpec, take_subset

if TYPE_CHECKING:
    from medauc.data.arrays import load_arrays as load_arrays
    from medauc.data.files import FilesSpec as FilesSpec
    from medauc.data.files import load_files as load_files

_LATER = {"FilesSpec": "files", "load_arrays": "arrays", "load_files": "files"}  # they need pandas

__all__ = [
    "CATALOG",
    "BagSpec",
    "BagSplit",
    "CatalogEntry",
    "Dataset",
    "DatasetDetail",
    "DatasetRow",
    "FileRow",
    "FilesSpec",
    "PhantomSpec",
    "PublishedResult",
    "Split",
    "SubsetSpec",
    "dataset_detail",
    "dataset_rows",
    "file_md5",
    "folder_of_data",
    "ideal_auc",
    "load_arrays",
    "load_dataset",
    "load_files",
    "make_bags",
    "make_phantom",
    "parse_name",
    "read_npz",
    "take_subset",
]


def __getattr__(name: str) -> Any:
    """Import a name from the module that defines it when it is first used (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module 'medauc.data' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medauc.data.{_LATER[name]}"), name)
