"""Data sets in shards: tar files of prepared images with an index, read from a folder or streamed over HTTP.

The tar files are those of WebDataset: any of its readers opens them, without the index. The index says where each image
lies, so that batches are drawn by class and position as from an array.
"""

from typing import TYPE_CHECKING

from medauc import lazy

if TYPE_CHECKING:
    from medauc.data.shards.images import ShardedImages as ShardedImages
    from medauc.data.shards.load import load_shards as load_shards
    from medauc.data.shards.names import is_shards as is_shards
    from medauc.data.shards.names import is_url as is_url
    from medauc.data.shards.write import write_shards as write_shards
else:
    __getattr__, __dir__, __all__ = lazy.attach(
        __name__,
        {
            "images": ["ShardedImages"],
            "load": ["load_shards"],
            "names": ["is_shards", "is_url"],
            "write": ["write_shards"],
        },
    )
