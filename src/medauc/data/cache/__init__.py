"""Prepared images on disk: made once from the files, then memory-mapped by every training.

:func:`open_cache` is the door. Each set of files with each preparation is a folder of its own below
:func:`cache_folder`, named by a digest of both, so nothing in it can ever be out of date.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medauc.data.cache.folder import CacheEntry as CacheEntry
    from medauc.data.cache.folder import cache_folder as cache_folder
    from medauc.data.cache.folder import clean_cache as clean_cache
    from medauc.data.cache.folder import forget_files as forget_files
    from medauc.data.cache.folder import in_units as in_units
    from medauc.data.cache.folder import index_bytes as index_bytes
    from medauc.data.cache.folder import list_cache as list_cache
    from medauc.data.cache.folder import read_limit as read_limit
    from medauc.data.cache.folder import write_limit as write_limit
    from medauc.data.cache.open import Failure as Failure
    from medauc.data.cache.open import PreparedImages as PreparedImages
    from medauc.data.cache.open import open_cache as open_cache
    from medauc.data.cache.progress import ShowProgress as ShowProgress

_HOME = {
    "CacheEntry": "folder",
    "Failure": "open",
    "PreparedImages": "open",
    "ShowProgress": "progress",
    "cache_folder": "folder",
    "clean_cache": "folder",
    "forget_files": "folder",
    "in_units": "folder",
    "index_bytes": "folder",
    "list_cache": "folder",
    "open_cache": "open",
    "read_limit": "folder",
    "write_limit": "folder",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a name from the module that defines it when it is first used (PEP 562): a worker needs none of them."""
    if name not in _HOME:
        raise AttributeError(f"module 'medauc.data.cache' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medauc.data.cache.{_HOME[name]}"), name)
