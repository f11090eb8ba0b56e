"""What an audit keeps of an image: figures, digests and a thumbnail, never the image itself."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medauc.audit.grids import THUMBNAIL_SIDES, corners, grey, rim, shrink, to_bytes

QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


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
        patient: a salted hash of the DICOM PatientID, equal for equal patients within one audit only.
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
    flat = values.reshape(len(values), -1).astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    finite = np.isfinite(flat)
    if not finite.all():
        flat = np.where(finite, flat, np.nan)
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
            **{name: float(column[number]) for name, column in statistics.items() if name != "quantiles"},
            quantiles=tuple(statistics["quantiles"][number].tolist()),
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
    values = np.ascontiguousarray(pixels)
    if values.dtype.kind in "iu" and values.size and values.min() >= 0 and values.max() <= 255:
        values = values.astype(np.uint8)
    elif values.dtype != np.uint8:
        values = values.astype(np.float64)
    made = hashlib.blake2b(repr(values.shape).encode(), digest_size=16)
    made.update(values.tobytes())
    return made.hexdigest()


def _statistics(flat: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    """Figures of each row; NaN stands for pixels that are not finite."""
    with np.errstate(all="ignore"):
        if np.isnan(flat).any():
            return _statistics_with_gaps(flat)
        return {
            "low": flat.min(axis=1),
            "high": flat.max(axis=1),
            "mean": flat.mean(axis=1, dtype=np.float64),
            "sd": flat.std(axis=1, dtype=np.float64),
            "quantiles": np.quantile(flat, QUANTILES, axis=1).T,
        }


def _statistics_with_gaps(flat: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    rows = [row[np.isfinite(row)] for row in flat]
    kept = [row if row.size else np.array([np.nan]) for row in rows]
    return {
        "low": np.array([row.min() for row in kept]),
        "high": np.array([row.max() for row in kept]),
        "mean": np.array([row.mean(dtype=np.float64) for row in kept]),
        "sd": np.array([row.std(dtype=np.float64) for row in kept]),
        "quantiles": np.array([np.quantile(row, QUANTILES) for row in kept]),
    }


def _mean(values: NDArray[np.floating]) -> float:
    kept = values[np.isfinite(values)]
    return float(kept.mean(dtype=np.float64)) if kept.size else float("nan")
