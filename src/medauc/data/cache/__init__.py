"""Prepared images on disk: made once from the files, then memory-mapped by every training.

:func:`open_cache` is the door. Each set of files with each preparation is a folder of its own below
:func:`cache_folder`, named by a digest of both, so nothing in it can ever be out of date.
"""

from medauc.data.cache.folder import (
    CacheEntry,
    cache_folder,
    clean_cache,
    forget_files,
    in_units,
    index_bytes,
    list_cache,
    read_limit,
    write_limit,
)
from medauc.data.cache.open import Failure, PreparedImages, open_cache
from medauc.data.cache.progress import ShowProgress

__all__ = [
    "CacheEntry",
    "Failure",
    "PreparedImages",
    "ShowProgress",
    "cache_folder",
    "clean_cache",
    "forget_files",
    "in_units",
    "index_bytes",
    "list_cache",
    "open_cache",
    "read_limit",
    "write_limit",
]
