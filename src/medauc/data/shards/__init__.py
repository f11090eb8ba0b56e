"""Data sets in shards: tar files of prepared images with an index, read from a folder or streamed over HTTP.

The tar files are those of WebDataset: any of its readers opens them, without the index. The index says where each image
lies, so that batches are drawn by class and position as from an array.
"""

import importlib
from typing import TYPE_CHECKING, Any

from medauc.data.shards.names import is_shards, is_url

if TYPE_CHECKING:
    from medauc.data.shards.images import ShardedImages as ShardedImages
    from medauc.data.shards.load import load_shards as load_shards
    from medauc.data.shards.write import write_shards as write_shards

_LATER = {"ShardedImages": "images", "load_shards": "load", "write_shards": "write"}

__all__ = ["ShardedImages", "is_shards", "is_url", "load_shards", "write_shards"]


def __getattr__(name: str) -> Any:
    """Import a name from the module that defines it when it is first used (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module 'medauc.data.shards' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medauc.data.shards.{_LATER[name]}"), name)
