"""What an audit keeps of an image: figures, digests and a thumbnail, never the image itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from medauc.audit.grids import THUMBNAIL_SIDES, corners, grey, rim, shrink, to_bytes

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
MOST_SORTED = 2_000_000  # pixels of an image that quantiles are taken of

Numbers = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class ImageFacts:
    """One image.

    Attributes:
        shape: pixels along each axis, (H, W) or (D, H, W); empty where the image could not be read.
        colour: has three channels.
        digest: of shape and pixels; equal digests are equal images, whatever file format holds them.
        finite: share of pixels that are finite numbers; all figures below are of these.
        low: lowest pixel value.
        high: highest.
        mean: mean value.
        sd: standard deviation.
        quantiles: at ``QUANTILES``.
        border: mean of the outermost pixels.
        corner: mean of the corner pixels.
        padding: share of pixels that have exactly the value of the first corner.
        thumbnail: uint8, 32 x 32 or 16 x 16 x 16; None where the image could not be read.
        bits: significant bits of a stored value; None where unknown.
        spacing: millimetres along each axis; None where unknown.
        orientation: three letters for the directions that the axes point to, as in "SPL"; None where unknown.
        modality: "CT", "MR" and so on; None where unknown.
        tags: how the image was acquired.
        notes: what its reader remarked.
        file_bytes: size of the file; None for an array.
        file_digest: of the file's bytes.
        file_type: ending of its name.
        phi: keywords of DICOM elements that hold identifying values; never the values.
        patient: a salted hash of the DICOM PatientID, equal for equal patients within one audit only; of a
            series, the first that its files name.
        several_patients: the files of the series name different patients.
        error: why the image could not be read; None where it could.
    """

    shape: tuple[int, ...] = ()
    colour: bool = False
    digest: str = ""
    finite: float = 0.0
    low: float = float("nan")
    high: float = float("nan")
    mean: float = float("nan")
    sd: float = float("nan")
    quantiles: tuple[float, ...] = (float("nan"),) * len(QUANTILES)
    border: float = float("nan")
    corner: float = float("nan")
    padding: float = float("nan")
    thumbnail: NDArray[np.uint8] | None = None
    bits: int | None = None
    spacing: tuple[float, ...] | None = None
    orientation: str | None = None
    modality: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    file_bytes: int | None = None
    file_digest: str | None = None
    file_type: str | None = None
    phi: tuple[str, ...] = ()
    patient: str | None = None
    several_patients: bool = False
    error: str | None = None

    @property
    def constant(self) -> bool:
        """All pixels have one value (or none is finite)."""
        return self.error is None and not self.high > self.low


def facts_of_images(images: NDArray[np.generic], colour: bool = False) -> list[ImageFacts]:
    """Measure images of one shape.

    Args:
        images: any numeric type, shape (B, H, W), (B, D, H, W), or (B, H, W, 3) where ``colour``.
        colour: the last axis holds colour channels.

    >>> from medauc.audit.facts import facts_of_images
    >>> found, = facts_of_images(np.arange(16, dtype=np.uint8).reshape(1, 4, 4))
    >>> found.shape, found.low, found.high, found.mean, found.corner, found.padding
    ((4, 4), 0.0, 15.0, 7.5, 7.5, 0.0625)
    """
    values = np.asarray(grey(images, colour))
    shape = values.shape[1:]
    exact = np.float64 if values.dtype.kind in "iu" and values.dtype.itemsize > 2 else np.float32
    flat: Numbers = values.reshape(len(values), -1).astype(exact)
    finite = np.isfinite(flat)
    if not finite.all():
        flat[~finite] = np.nan
    statistics = _statistics(flat)
    edge = rim(shape).reshape(-1)
    at_corners = np.ravel_multi_index(corners(shape), shape)
    side = THUMBNAIL_SIDES[len(shape)]
    thumbnails = to_bytes(shrink(values, (side,) * len(shape)))
    return [
        ImageFacts(
            shape=shape,
            colour=colour,
            digest=digest_of(images[number]),
            finite=float(finite[number].mean()),
            low=float(statistics.low[number]),
            high=float(statistics.high[number]),
            mean=float(statistics.mean[number]),
            sd=float(statistics.sd[number]),
            quantiles=tuple(statistics.quantiles[number].tolist()),
            border=_mean(row[edge]),
            corner=_mean(row[at_corners]),
            padding=float((row == row[0]).mean()),
            thumbnail=thumbnails[number],
        )
        for number, row in enumerate(flat)
    ]


def digest_of(pixels: NDArray[np.generic]) -> str:
    """Digest of an image's shape and pixels, equal for equal numbers whatever type holds them.

    >>> digest_of(np.zeros((2, 2), np.uint8)) == digest_of(np.zeros((2, 2), np.int16))
    True
    >>> digest_of(np.zeros((2, 2), np.uint8)) == digest_of(np.zeros((4, 1), np.uint8))
    False
    """
    values = np.asarray(pixels)
    kept = _narrowest(values)
    made = hashlib.blake2b(repr(values.shape).encode(), digest_size=16)
    for part in values if values.ndim > 2 else values[None]:  # a slice at a time: volumes are large
        made.update(np.ascontiguousarray(part, dtype=kept).tobytes())
    return made.hexdigest()


def _narrowest(values: NDArray[np.generic]) -> np.dtype[np.generic]:
    """Type that holds the values as they are, the same whatever type they come in."""
    if values.dtype == np.uint8 or not values.size:
        return np.dtype(np.uint8)
    if values.dtype.kind == "f" and not (np.isfinite(values).all() and (np.rint(values) == values).all()):
        return np.dtype(np.float64)
    low, high = values.min(), values.max()
    if low >= 0 and high <= 255:
        return np.dtype(np.uint8)
    return np.dtype(np.int32 if low >= -(2**31) and high < 2**31 else np.float64)


class _Statistics(NamedTuple):
    """Figures of several images."""

    low: Numbers
    high: Numbers
    mean: Numbers
    sd: Numbers
    quantiles: Numbers


def _statistics(flat: Numbers) -> _Statistics:
    """Figures of each row; NaN stands for pixels that are not finite."""
    if np.isnan(flat).any():
        rows = [row[np.isfinite(row)] for row in flat]
        each = [_statistics(row[None]) if row.size else _NOTHING for row in rows]
        return _Statistics(*(np.concatenate(figures) for figures in zip(*each, strict=True)))
    return _Statistics(
        flat.min(axis=1),
        flat.max(axis=1),
        flat.mean(axis=1, dtype=np.float64),
        flat.std(axis=1, dtype=np.float64),
        np.quantile(_thinned(flat), QUANTILES, axis=1).T,
    )


_GAP = np.full(1, np.nan)
_NOTHING = _Statistics(_GAP, _GAP, _GAP, _GAP, np.full((1, len(QUANTILES)), np.nan))


def _mean(values: Numbers) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean(dtype=np.float64)) if kept.size else float("nan")


def _thinned(flat: Numbers) -> Numbers:
    """Every k-th value of each row, at most ``MOST_SORTED``: enough for quantiles of a large volume."""
    return flat[:, :: -(-flat.shape[1] // MOST_SORTED)]
