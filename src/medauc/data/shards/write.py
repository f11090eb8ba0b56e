"""A data set written as shards: tar files as WebDataset has them, and an index of what lies where."""

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from medauc.data.cache.progress import ShowProgress, shown
from medauc.data.dataset import Dataset, Split
from medauc.data.shards import layout
from medauc.data.shards.layout import Description, StoredFile
from medauc.data.shards.names import DESCRIPTION
from medauc.errors import InputError
from medauc.files import atomic_path, write_text_atomically

Rows = npt.NDArray[np.int64]

SHARD_BYTES = 64 * 2**20
_BLOCK = 256  # images fetched at a time
_TAR_BLOCK = 512


def write_shards(
    dataset: Dataset,
    folder: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    seed: int = 0,
    progress: ShowProgress | None = None,
) -> Path:
    """Write every image, target, id, patient and further column of a data set; pixels stay as they are.

    Training samples are shuffled once over the shards, so that neighbours in the source (a site, a year) do not share
    one. With one label each shard of the training split holds one class, so that rare positives can be read without
    the negatives around them. Validation and test lie in their order. Equal data sets give equal bytes.

    In a shard a sample is two files of one name: ``<split>-<row>.npy``, its pixels, and ``<split>-<row>.json`` with
    ``id``, ``group``, ``target`` (0, 1, -1 unknown; a list where there are several labels) and further columns.

    Args:
        dataset: any data set; images that are bags of several are refused.
        folder: a new or empty folder.
        shard_bytes: about how large a tar file becomes; at least one sample.
        seed: of the shuffle.
        progress: shows how far it is; None shows a bar on a terminal.

    Returns:
        ``<folder>/shards.json``, which is written last: without it the set is not finished.

    Raises:
        InputError: the folder holds something or cannot be written, or ``dataset`` holds bags.
    """
    if any(len(split.images) != len(split) for split in dataset):
        raise InputError(f"{dataset.name} holds bags of several images; write it without data.bags")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not empty; name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with shown(progress) as show:
            found = _write_tars(dataset, folder, max(shard_bytes, 1), seed, show)
        index = [_write_array(folder / name, array) for name, array in found.arrays(dataset).items()]
        description = _describe(dataset, index, found.files)
        write_text_atomically(folder / DESCRIPTION, description.to_json())
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return folder / DESCRIPTION


class _Places(NamedTuple):
    """Where every sample came to lie, and the counts of pixel values in each shard."""

    shard: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    checksum: npt.NDArray[np.uint32]
    counts: list[npt.NDArray[np.int64]]
    files: list[StoredFile]

    def arrays(self, dataset: Dataset) -> dict[str, npt.NDArray[Any]]:
        """The index, by file name."""
        splits = list(dataset)
        columns = {
            layout.COLUMN.format(number): np.concatenate([split.metadata[name] for split in splits])
            for number, name in enumerate(dataset.train.metadata)
        }
        return {
            layout.IDS: np.concatenate([split.ids for split in splits]),
            layout.GROUPS: np.concatenate([split.groups for split in splits]),
            layout.TARGETS: np.concatenate([split.targets for split in splits]).astype(np.int8),
            layout.SHARD: self.shard,
            layout.OFFSET: self.offset,
            layout.CHECKSUM: self.checksum,
            layout.COUNTS: np.stack(self.counts),
            **columns,
        }


def _write_tars(
    dataset: Dataset, folder: Path, shard_bytes: int, seed: int, progress: ShowProgress
) -> _Places:
    total = sum(map(len, dataset))
    places = _Places(np.zeros(total, np.int32), np.zeros(total, np.int64), np.zeros(total, np.uint32), [], [])
    start = done = 0
    for name, split in dataset.splits.items():
        for label, rows in _strata(name, split, dataset.multi_label, seed):
            for number, part in enumerate(_parts(rows, split, shard_bytes)):
                path = folder / f"{label}-{number:06d}.tar"
                with atomic_path(path) as temporary:
                    writer = _Tar(temporary, dataset.channels)
                    offsets, checksums = writer.write(split, name, part)
                    places.files.append(_stored(temporary, path.name))
                places.shard[start + part] = len(places.counts)
                places.offset[start + part], places.checksum[start + part] = offsets, checksums
                places.counts.append(writer.counts)
                done += len(part)
                progress("writing shards", done, total)
        start += len(split)
    return places


def _strata(name: str, split: Split, multi_label: bool, seed: int) -> Iterator[tuple[str, Rows]]:
    """Samples that share shards, in the order in which they are written."""
    if name != "train":
        yield name, np.arange(len(split))
        return
    order = np.random.default_rng(seed).permutation(len(split))
    if multi_label:
        yield name, order
        return
    for label, target in (("positive", 1), ("negative", 0)):
        yield f"{name}-{label}", order[split.targets[order] == target]


def _parts(rows: Rows, split: Split, shard_bytes: int) -> Iterator[Rows]:
    """Rows of each tar file, of about equal number."""
    if not len(rows):
        return
    pixels = split.images.size // max(len(split), 1)
    a_sample = -(-pixels // _TAR_BLOCK) * _TAR_BLOCK + 4 * _TAR_BLOCK  # headers and the JSON file
    count = -(-len(rows) * a_sample // max(shard_bytes, a_sample))
    yield from np.array_split(rows, count)


class _Tar:
    """Writes one tar file; equal samples give equal bytes.

    Attributes:
        counts: how often each value occurs, (channels, 256).
    """

    def __init__(self, path: Path, channels: int) -> None:
        self.path = path
        self.counts = np.zeros((channels, 256), dtype=np.int64)

    def write(self, split: Split, name: str, rows: Rows) -> tuple[list[int], list[int]]:
        """Write samples; return where the pixels of each begin, and their CRC-32."""
        offsets, checksums = [], []
        with tarfile.open(self.path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for start in range(0, len(rows), _BLOCK):
                block = rows[start : start + _BLOCK]
                for row, pixels in zip(block.tolist(), split.images[block], strict=True):
                    raw = np.ascontiguousarray(pixels).tobytes()
                    file = _npy(pixels)
                    offsets.append(tar.offset + _TAR_BLOCK + len(file) - len(raw))
                    checksums.append(zlib.crc32(raw))
                    _add(tar, f"{name}-{row:09d}.npy", file)
                    _add(tar, f"{name}-{row:09d}.json", _about(split, row))
                    self._count(pixels)
        return offsets, checksums

    def _count(self, pixels: npt.NDArray[np.uint8]) -> None:
        for channel, values in enumerate(pixels.reshape(-1, len(self.counts)).T):
            self.counts[channel] += np.bincount(values, minlength=256)


def _npy(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(pixels), allow_pickle=False)
    return buffer.getvalue()


def _about(split: Split, row: int) -> bytes:
    """What is known of a sample; so that a tar file says it without the index."""
    further = {name: str(values[row]) for name, values in split.metadata.items()}
    own = {"id": str(split.ids[row]), "group": str(split.groups[row]), "target": split.targets[row].tolist()}
    return json.dumps(further | own, ensure_ascii=False, sort_keys=True).encode(errors="surrogateescape")


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no owner, no time
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


def _write_array(path: Path, array: npt.NDArray[Any]) -> StoredFile:
    with atomic_path(path) as temporary:
        with temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        return _stored(temporary, path.name)


def _stored(path: Path, name: str) -> StoredFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(name=name, bytes=path.stat().st_size, sha256=digest)


def _describe(dataset: Dataset, index: list[StoredFile], shards: list[StoredFile]) -> Description:
    return Description(
        name=dataset.name,
        image_shape=dataset.train.images.shape[1:],
        counts={"train": len(dataset.train), "val": len(dataset.val), "test": len(dataset.test)},
        class_names=dataset.class_names,
        label_names=dataset.label_names,
        multi_label=dataset.multi_label,
        columns=tuple(dataset.train.metadata),
        index=tuple(index),
        shards=tuple(shards),
        notes=dataset.notes,
        made_splits=dataset.made_splits,
        md5=dataset.md5,
    )
