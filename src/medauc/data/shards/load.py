"""Opening a set of shards in a folder or at an address."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.cache.folder import ABOUT, cache_folder, make_folder
from medauc.data.dataset import SPLIT_NAMES, Dataset, Split
from medauc.data.npy import as_texts, map_npy
from medauc.data.shards import layout
from medauc.data.shards.fetch import fetch_file, fetch_text
from medauc.data.shards.images import ShardArray, ShardedImages
from medauc.data.shards.layout import Description, parse_description
from medauc.data.shards.names import DESCRIPTION, folder_of, is_url
from medauc.data.shards.store import FolderStore, Store, StreamStore
from medauc.errors import InputError
from medauc.files import write_text_atomically

Array = npt.NDArray[Any]
# As written: type and possible numbers of axes; whatever else is in the index are strings.
_TYPES: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    layout.SHARD: (np.int32, (1,)),
    layout.OFFSET: (np.int64, (1,)),
    layout.CHECKSUM: (np.uint32, (1,)),
    layout.TARGETS: (np.int8, (1, 2)),
    layout.COUNTS: (np.int64, (3,)),
}


def load_shards(source: str | Path) -> Dataset:
    """Open a data set in shards; only the index is read, of an address fetched.

    Args:
        source: a folder that :func:`~medauc.data.shards.write_shards` has written, or the http(s) address of one.
            What is fetched from an address lies in the cache folder, see
            :class:`~medauc.data.shards.store.StreamStore`.

    Returns:
        The data set, its images :class:`~medauc.data.shards.ShardedImages`.

    Raises:
        InputError: the set is not there, not finished, damaged or unreachable.
    """
    if is_url(source):
        address = str(source).split("?")[0].rstrip("/").removesuffix("/" + DESCRIPTION)
        text = fetch_text(f"{address}/{DESCRIPTION}")
        description = parse_description(text, f"{address}/{DESCRIPTION}")
        folder = _fetch_index(address, text, description)
        return _open(folder, text, description, StreamStore(address, folder, description.shards), address)
    folder = folder_of(Path(source))
    path = folder / DESCRIPTION
    try:
        text = path.read_text(encoding="utf-8", errors="replace")  # as of an address
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from None
    description = parse_description(text, path)
    _require_files(folder, description)
    return _open(folder, text, description, FolderStore(folder, description.shards))


def _fetch_index(address: str, text: str, description: Description) -> Path:
    """Fetch the index of a set into a folder of the cache, which is named by its content."""
    folder = make_folder(make_folder(cache_folder()) / hashlib.sha256(text.encode()).hexdigest()[:32])
    for file in description.index:
        if not _is_whole(folder / file.name, file.bytes):
            fetch_file(f"{address}/{file.name}", folder / file.name, file)
    # As an entry of the cache, which `medauc cache` lists and cleans.
    about = {"count": description.total, "row_shape": description.image_shape, "source": address}
    write_text_atomically(folder / ABOUT, json.dumps(about) + "\n")
    return folder


def _require_files(folder: Path, description: Description) -> None:
    """Refuse a folder with a file missing or cut short."""
    for file in (*description.index, *description.shards):
        if not _is_whole(folder / file.name, file.bytes):
            raise InputError(
                f"{folder / file.name} is missing or not {file.bytes:,} bytes long; copy the set again or write it anew"
            )


def _is_whole(path: Path, size: int) -> bool:
    try:
        return path.stat().st_size == size
    except OSError:
        return False


def _open(
    folder: Path, text: str, description: Description, store: Store, address: str | None = None
) -> Dataset:
    """Map the index, check that it fits, and cut it into splits."""
    index = {file.name: _map(folder / file.name, description.total) for file in description.index}
    _require_sound(folder, description, index)
    base = ShardArray(
        store,
        description.image_shape,
        *(index[name] for name in (layout.SHARD, layout.OFFSET, layout.CHECKSUM, layout.COUNTS)),
    )
    columns = {name: index[layout.COLUMN.format(number)] for number, name in enumerate(description.columns)}
    splits, start = [], 0
    for name in SPLIT_NAMES:
        rows = np.arange(start, start + description.counts[name])
        part = slice(start, start + len(rows))
        splits.append(
            Split(
                ShardedImages(base, rows),
                index[layout.TARGETS][part].astype(np.int64),
                index[layout.IDS][part],
                index[layout.GROUPS][part],
                {column: values[part] for column, values in columns.items()},
            )
        )
        start += len(rows)
    train, val, test = splits
    return Dataset(
        description.name,
        train,
        val,
        test,
        class_names=description.class_names,
        label_names=description.label_names,
        source=folder,
        md5=hashlib.md5(text.encode(), usedforsecurity=False).hexdigest(),
        notes=description.notes,
        made_splits=description.made_splits,
        address=address,
    )


def _map(path: Path, count: int) -> Array:
    """Map an array of the index without executing anything in it."""
    try:
        array = np.asarray(map_npy(path))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no array of an index ({' '.join(str(error).split())[:200]})") from None
    if path.name != layout.COUNTS and array.shape[:1] != (count,):
        rows = len(array) if array.ndim else "no"
        raise InputError(f"{path} has {rows} rows, shards.json speaks of {count}")
    return array


def _require_sound(folder: Path, description: Description, index: dict[str, Array]) -> None:
    """Refuse an index that would read beside the images, or that is not of such a set."""
    wrong = next((name for name, array in index.items() if not _is_of_kind(name, array)), None)
    wrong = wrong or _misfit(description, index)
    if wrong is not None:
        raise InputError(f"{folder / wrong} does not fit {DESCRIPTION}; write the shards anew")


def _is_of_kind(name: str, array: Array) -> bool:
    """Whether an array has the type that was written, and as many axes."""
    if name in _TYPES:
        dtype, axes = _TYPES[name]
        return array.dtype.newbyteorder("=") == dtype and array.ndim in axes
    try:
        return array.ndim == 1 and array.dtype.kind == "U" and len(as_texts(array)) == len(array)
    except ValueError:
        return False


def _misfit(description: Description, index: dict[str, Array]) -> str | None:
    """Name of the first array whose values do not fit the files and the other arrays; None where all do."""
    shard, offset, targets, counts = (
        index[name] for name in (layout.SHARD, layout.OFFSET, layout.TARGETS, layout.COUNTS)
    )
    shape, sizes = description.image_shape, np.array([file.bytes for file in description.shards])
    channels = 3 if len(shape) == 3 and shape[-1] == 3 else 1
    pixels = int(np.prod(shape, dtype=np.int64))
    if shard.min() < 0 or shard.max() >= len(sizes):
        return layout.SHARD
    if offset.min() < 0 or (offset > sizes[shard] - pixels).any():
        return layout.OFFSET
    labels = (len(description.label_names),) if description.multi_label else ()
    if targets.shape[1:] != labels or targets.min() < -1 or targets.max() > 1:
        return layout.TARGETS
    held = np.bincount(shard, minlength=len(sizes)) * (pixels // channels)
    if (
        counts.shape != (len(sizes), channels, 256)
        or counts.min() < 0
        or (counts > held[:, None, None]).any()
    ):
        return layout.COUNTS
    return layout.COUNTS if (counts.sum(axis=-1) != held[:, None]).any() else None
