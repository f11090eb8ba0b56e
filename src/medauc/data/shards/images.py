"""Images in shards, as an array of which only what is indexed is read."""

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from medauc.data.dataset import channels_of
from medauc.data.mapped import MappedImages, Rows
from medauc.data.shards.store import Store
from medauc.errors import InputError

Bytes = npt.NDArray[np.uint8]

_OPEN = 256  # tar files mapped at a time
_REQUESTS = 8  # single images fetched at a time
_MANY = 4  # images of a tar file, from which on it is fetched as a whole
_CHUNK_BYTES = 4_000_000


class ShardArray:
    """All images of a set, (M, *shape) uint8.

    Args:
        store: where the tar files are.
        shape: of one image.
        shard: tar file of each image, (M,).
        offset: where in it the pixels begin, (M,).
        checksum: CRC-32 of the pixels, (M,).
        counts: how often each pixel value occurs in each tar file, (shards, channels, 256).
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        store: Store,
        shape: tuple[int, ...],
        shard: npt.NDArray[np.int32],
        offset: npt.NDArray[np.int64],
        checksum: npt.NDArray[np.uint32],
        counts: npt.NDArray[np.int64],
    ) -> None:
        self.store = store
        self.shape = (len(shard), *shape)
        self.ndim = len(self.shape)
        self.shard = shard
        self.offset = offset
        self.checksum = checksum
        self.counts = counts
        self._pixels = int(np.prod(shape))
        self._maps: OrderedDict[int, Bytes] = OrderedDict()

    def read(self, rows: Rows, *, whole: bool) -> Bytes:
        """Read images.

        Args:
            rows: which, (N,).
            whole: fetch tar files that are not here as a whole, since more of them will be read; else fetch the
                images alone.

        Returns:
            (N, *shape).

        Raises:
            InputError: they cannot be fetched, or are not those of the index.
        """
        found = np.empty((len(rows), self._pixels), dtype=np.uint8)
        shards, offsets = self.shard[rows].tolist(), self.offset[rows].tolist()
        maps = {shard: self._map(shard, whole) for shard in dict.fromkeys(shards)}
        away = []
        for place, (shard, offset) in enumerate(zip(shards, offsets, strict=True)):
            pixels = maps[shard]
            if pixels is None:
                away.append(place)
            else:
                found[place] = pixels[offset : offset + self._pixels]
        if away:
            with ThreadPoolExecutor(_REQUESTS) as pool:
                images = pool.map(self._fetch, rows[away].tolist())
                for place, image in zip(away, images, strict=True):
                    found[place] = image
        return found.reshape(-1, *self.shape[1:])

    def _map(self, shard: int, whole: bool) -> Bytes | None:
        """Bytes of a tar file; None where it is not here and not to be fetched."""
        path = self.store.here(shard)
        if path is None:
            self._maps.pop(shard, None)  # it made room for others, which its pages would not
            if not whole:
                return None
            path = self.store.whole(shard)
        if shard not in self._maps:
            self._forget()
            try:
                self._maps[shard] = np.asarray(np.memmap(path, np.uint8, mode="r"))
            except FileNotFoundError:  # another process made room
                return self._map(shard, whole)
            except OSError as error:
                raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
        self._maps.move_to_end(shard)
        return self._maps[shard]

    def _forget(self) -> None:
        """Let go of tar files that were removed, and of the one that was not read for longest."""
        for shard in [shard for shard in self._maps if self.store.is_gone(shard)]:
            del self._maps[shard]
        if len(self._maps) >= _OPEN:
            self._maps.popitem(last=False)

    def _fetch(self, row: int) -> Bytes:
        shard, offset = int(self.shard[row]), int(self.offset[row])
        raw = self.store.part(shard, offset, self._pixels)
        if zlib.crc32(raw) != self.checksum[row]:
            raise InputError(
                f"{self.store.files[shard].name}: an image in it is not that of the index; write the shards anew"
            )
        return np.frombuffer(raw, dtype=np.uint8)


class ShardedImages(MappedImages):
    """Chosen images of a set in shards; only what is indexed is read.

    Of tar files that are not here, many neighbours are read by fetching the whole file, single images alone.

    Args:
        base: all images of the set.
        rows: which of them, in which order, (N,).
        ahead: tells the tar files that will be read next; with it all are fetched as a whole, ahead of time.
    """

    base: ShardArray  # type: ignore[assignment]

    def __init__(
        self, base: ShardArray, rows: Rows, ahead: Callable[[], Sequence[int]] | None = None
    ) -> None:
        self.base = base
        self.rows = rows
        self._ahead = ahead

    @property
    def shards(self) -> npt.NDArray[np.int32]:
        """Number of the tar file of each image, (N,)."""
        return self.base.shard[self.rows]

    def streamed(self, ahead: Callable[[], Sequence[int]]) -> Self:
        """The same images for a training whose sampler says what it will read."""
        return type(self)(self.base, self.rows, ahead)

    def require_room(self, window: int, kinds: int) -> None:
        """Raise InputError unless a window of each of several kinds, and the one after it, can be here together."""
        self.base.store.require_room(min(window * kinds, len(np.unique(self.shards))))

    def __getitem__(self, key: int | slice | npt.NDArray[Any]) -> Bytes:
        """Read one image, or those that a slice, indices or a mask name."""
        rows = self.rows[key]
        chosen = np.atleast_1d(rows)
        if self._ahead is not None:
            self.base.store.expect(self._ahead())
            whole = True
        else:
            shards = np.unique(self.base.shard[chosen])
            whole = len(chosen) >= _MANY * len(shards)
            if whole and len(shards):
                following = range(int(shards[-1]), min(int(shards[-1]) + 3, len(self.base.counts)))
                self.base.store.expect(following)
        found = self.base.read(chosen, whole=whole)
        return found if np.ndim(rows) else found[0]

    def value_counts(self) -> npt.NDArray[np.int64]:
        """How often each pixel value occurs, (channels, 256): from the index where whole tar files are meant."""
        held = np.bincount(self.shards, minlength=len(self.base.counts))
        all_held = np.bincount(self.base.shard, minlength=len(self.base.counts))
        if ((held == 0) | (held == all_held)).all() and len(np.unique(self.rows)) == len(self.rows):
            found: npt.NDArray[np.int64] = self.base.counts[held > 0].sum(axis=0)
            return found
        return sum(map(self._counts_of, self._blocks()), np.zeros(self.base.counts.shape[1:], np.int64))

    def _blocks(self) -> Iterable[Rows]:
        """Rows by where they lie, some megabytes at a time."""
        order = self.rows[np.lexsort((self.base.offset[self.rows], self.shards))]
        step = max(1, _CHUNK_BYTES * len(self) // max(self.size, 1))
        return (order[start : start + step] for start in range(0, len(order), step))

    def _counts_of(self, rows: Rows) -> npt.NDArray[np.int64]:
        channels = channels_of(self.shape)
        pixels = self.base.read(rows, whole=True).reshape(-1, channels)
        return np.stack([np.bincount(values, minlength=256) for values in pixels.T])
