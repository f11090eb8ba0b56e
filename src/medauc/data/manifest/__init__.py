"""Own files: which images there are, what their targets, patients and splits are.

A :class:`Manifest` is read from a table (:func:`read_manifest`) or made of a folder with one sub-folder a class
(:func:`manifest_of_folder`); :func:`medauc.data.load_files` turns it into a data set.
"""

from medauc.data.manifest.checks import require_files, require_trainable, require_whole_groups
from medauc.data.manifest.columns import ColumnsSpec
from medauc.data.manifest.folder import manifest_of_folder
from medauc.data.manifest.split import SplitSpec, split_manifest
from medauc.data.manifest.table import Manifest, is_manifest, read_manifest

__all__ = [
    "ColumnsSpec",
    "Manifest",
    "SplitSpec",
    "is_manifest",
    "manifest_of_folder",
    "read_manifest",
    "require_files",
    "require_trainable",
    "require_whole_groups",
    "split_manifest",
]
