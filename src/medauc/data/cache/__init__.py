"""Prepared images on disk: made once from the files, then memory-mapped by every training.

:func:`open_cache` is the door. Each set of files with each preparation is a folder of its own below
:func:`cache_folder`, named by a digest of both, so nothing in it can ever be out of date.
"""

from typing import TYPE_CHECKING

from medauc import lazy

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
else:
    __getattr__, __dir__, __all__ = lazy.attach(
        __name__,
        {
            "folder": [
                "CacheEntry",
                "cache_folder",
                "clean_cache",
                "forget_files",
                "in_units",
                "index_bytes",
                "list_cache",
                "read_limit",
                "write_limit",
            ],
            "open": ["Failure", "PreparedImages", "open_cache"],
            "progress": ["ShowProgress"],
        },
    )
