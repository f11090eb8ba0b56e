"""Data sets: the catalog, the phantoms, own files, and loading them as uint8 arrays.

>>> from medauc.data import load_dataset, PhantomSpec
>>> data = load_dataset("phantom2d", phantom=PhantomSpec(n_train=20, n_val=10, n_test=10))
>>> data.train.images.dtype, data.train.targets.shape
(dtype('uint8'), (20,))
"""

from typing import TYPE_CHECKING

from medauc import lazy

if TYPE_CHECKING:
    from medauc.data.arrays import load_arrays as load_arrays
    from medauc.data.bags import BagSpec as BagSpec
    from medauc.data.bags import BagSplit as BagSplit
    from medauc.data.bags import make_bags as make_bags
    from medauc.data.catalog import CatalogEntry as CatalogEntry
    from medauc.data.catalog import PublishedResult as PublishedResult
    from medauc.data.dataset import Dataset as Dataset
    from medauc.data.dataset import Split as Split
    from medauc.data.files import FilesSpec as FilesSpec
    from medauc.data.files import load_files as load_files
    from medauc.data.known import CATALOG as CATALOG
    from medauc.data.listing import DatasetDetail as DatasetDetail
    from medauc.data.listing import DatasetRow as DatasetRow
    from medauc.data.listing import FileRow as FileRow
    from medauc.data.listing import dataset_detail as dataset_detail
    from medauc.data.listing import dataset_rows as dataset_rows
    from medauc.data.load import folder_of_data as folder_of_data
    from medauc.data.load import load_dataset as load_dataset
    from medauc.data.load import parse_name as parse_name
    from medauc.data.npz import file_md5 as file_md5
    from medauc.data.npz import read_npz as read_npz
    from medauc.data.phantom import PhantomSpec as PhantomSpec
    from medauc.data.phantom import ideal_auc as ideal_auc
    from medauc.data.phantom import make_phantom as make_phantom
    from medauc.data.subset import SubsetSpec as SubsetSpec
    from medauc.data.subset import take_subset as take_subset
else:
    __getattr__, __dir__, __all__ = lazy.attach(
        __name__,
        {
            "arrays": ["load_arrays"],
            "bags": ["BagSpec", "BagSplit", "make_bags"],
            "catalog": ["CatalogEntry", "PublishedResult"],
            "dataset": ["Dataset", "Split"],
            "files": ["FilesSpec", "load_files"],
            "known": ["CATALOG"],
            "listing": ["DatasetDetail", "DatasetRow", "FileRow", "dataset_detail", "dataset_rows"],
            "load": ["folder_of_data", "load_dataset", "parse_name"],
            "npz": ["file_md5", "read_npz"],
            "phantom": ["PhantomSpec", "ideal_auc", "make_phantom"],
            "subset": ["SubsetSpec", "take_subset"],
        },
    )
