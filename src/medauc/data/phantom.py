"""Phantoms: a known signal in a correlated Gaussian background, with the best possible AUC known exactly.

Every image is a stationary, periodic Gaussian background (a smooth correlated part and a white floor);
positives hold a Gaussian blob of fixed place and height besides. No observer, human or network, ranks them
better than the ideal one, linear here (Hotelling): Barrett & Myers, Foundations of Image Science, chapter 13.
"""

import hashlib
from dataclasses import dataclass, fields
from math import erf, isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.dataset import BAG_COLUMN, SPLIT_NAMES, Dataset, Split, Splits
from medauc.errors import InputError

PHANTOM_DIMS = {"phantom2d": 2, "phantom3d": 3}
CLASS_NAMES = ("signal absent", "signal present")

_MEAN = 128.0  # grey levels
_SD = 16.0  # of one pixel; 128 is 8 of them away from either end of uint8
_WHITE_SHARE = 0.1  # of the variance; its 5.1 grey levels dwarf the 0.29 of rounding to uint8
_MAX_SIGNAL = 70.0  # grey levels; leaves 3.5 SD below 255 at the peak
_CHUNK_PIXELS = 1 << 19  # 4 MiB of float64 at a time: three times as fast as 32

_RANGES: dict[str, tuple[float, float]] = {
    "n_train": (2, 10_000_000),
    "n_val": (2, 10_000_000),
    "n_test": (2, 10_000_000),
    "prevalence": (0.0, 1.0),
    "detectability": (0.0, 10.0),
    "signal_width": (0.5, 100.0),
    "correlation_length": (0.0, 100.0),
    "bag_images": (1, 10_000),
    "seed": (0, 2**63 - 1),
}
_OPEN = ("prevalence",)  # the ends themselves are not allowed


@dataclass(frozen=True)
class PhantomSpec:
    """What decides a phantom besides its dimension and size.

    Attributes:
        n_train: Images in train, 2 or more.
        n_val: Images in val, 2 or more.
        n_test: Images in test, 2 or more.
        prevalence: Share of images with the signal, between 0 and 1; every split holds this share,
            rounded to whole images, and at least one image of each class.
        detectability: The ideal observer's d', 0 to 10; its AUC is Phi(d' / sqrt 2), 0.95 at 2.33.
        signal_width: Standard deviation of the blob, 0.5 to 100 pixels.
        correlation_length: Standard deviation of the background's Gaussian covariance function, 0 to 100
            pixels.
        bag_images: Images a bag, 1 to 10,000. With more than one, the counts above are bags, and of the images of a
            positive bag one alone, drawn at random, holds the signal (:mod:`medauc.data.bags`).
        seed: 0 or more. Equal seeds give equal images.

    Raises:
        InputError: A value is out of range; the line names it and the range.
    """

    n_train: int = 2000
    n_val: int = 400
    n_test: int = 1000
    prevalence: float = 0.10
    detectability: float = 2.33
    signal_width: float = 4.0
    correlation_length: float = 2.0
    bag_images: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            _check_range(field.name, getattr(self, field.name), whole=field.type is int)


def _check_range(name: str, value: Any, whole: bool) -> None:
    """Refuse a value of a wrong kind or outside its range."""
    low, high = _RANGES[name]
    kind = "a whole number" if whole else "a number"
    number = isinstance(value, int | np.integer) or (not whole and isinstance(value, float | np.floating))
    inside = number and not isinstance(value, bool) and isfinite(value) and low <= value <= high
    if not inside or (name in _OPEN and value in (low, high)):
        ends = f"between {low:g} and {high:g}" + (", both excluded" if name in _OPEN else "")
        raise InputError(f"phantom: {name} is {value!r}, it must be {kind} {ends}")


def make_phantom(name: str, size: int = 28, spec: PhantomSpec | None = None) -> Dataset:
    """Generate a phantom.

    Args:
        name: ``"phantom2d"`` or ``"phantom3d"``.
        size: Pixels a side, 8 to 512.
        spec: Counts, prevalence, difficulty and seed; the defaults of :class:`PhantomSpec` if None.

    Returns:
        A data set with grey uint8 images of ``size`` pixels a side and its ``ideal_auc``, which is None for bags.

    Raises:
        InputError: A size out of range, or a signal so strong that it would leave the range of uint8.

    >>> data = make_phantom("phantom2d", 16, PhantomSpec(n_train=50, n_val=10, n_test=10))
    >>> data.train.images.shape, int(data.train.targets.sum()), round(data.ideal_auc, 3)
    ((50, 16, 16), 5, 0.95)
    """
    spec = spec or PhantomSpec()
    signal, power = phantom_model(name, size, spec)
    # One stream a split: another count of training images leaves the test images as they are.
    streams = np.random.SeedSequence(spec.seed).spawn(3)

    def split(index: int, count: int) -> Split:
        rng = np.random.default_rng(streams[index])
        return _make_split(SPLIT_NAMES[index], count, spec, signal, power, rng)

    splits = (split(0, spec.n_train), split(1, spec.n_val), split(2, spec.n_test))
    return Dataset(
        name,
        *splits,
        class_names=CLASS_NAMES,
        label_names=CLASS_NAMES[1:],
        source=None,
        md5=_content_md5(splits),
        ideal_auc=_auc(_detectability(signal, power)) if spec.bag_images == 1 else None,
    )


def ideal_auc(name: str, size: int = 28, spec: PhantomSpec | None = None) -> float:
    """AUC that no observer can exceed on a phantom: Phi(d' / sqrt 2), without generating it.

    ``d'`` is summed over frequencies from signal and spectrum: d'^2 = sum |S(f)|^2 / P(f) (Barrett & Myers).
    Rounding the images to uint8 adds 0.3% to the variance of the white floor; this is not counted.

    >>> round(ideal_auc("phantom3d", spec=PhantomSpec(detectability=1.0)), 4)
    0.7602
    """
    return _auc(_detectability(*phantom_model(name, size, spec or PhantomSpec())))


def phantom_model(
    name: str, size: int, spec: PhantomSpec
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Signal and background spectrum of a phantom.

    Returns:
        The signal s in grey levels, shape (size,) * dims, and the eigenvalues P of the background's
        circulant covariance K, same shape, in the order of ``numpy.fft.fftn``: K s = ifftn(P fftn(s)).

    Raises:
        InputError: As :func:`make_phantom`.
    """
    if not isinstance(size, int) or not 8 <= size <= 512:
        raise InputError(f"{name}: size is {size!r}, it must be a whole number between 8 and 512")
    dims = PHANTOM_DIMS[name]
    power = _background_power(size, dims, spec.correlation_length)
    blob = _blob(size, dims, spec.signal_width)
    signal = blob * (spec.detectability / _detectability(blob, power))
    if signal.max() > _MAX_SIGNAL:
        raise InputError(
            f"phantom: detectability {spec.detectability:g} needs a signal of {signal.max():.0f} grey "
            f"levels, more than the {_MAX_SIGNAL:g} that fit; lower it or raise signal_width"
        )
    return signal, power


def _background_power(size: int, dims: int, correlation_length: float) -> npt.NDArray[np.float64]:
    """Eigenvalues of the covariance: a Gaussian spectrum and a white floor, of total variance SD^2."""
    smooth = np.exp(-2 * np.pi**2 * correlation_length**2 * _radius2(np.fft.fftfreq(size), dims))
    power: npt.NDArray[np.float64] = _SD**2 * ((1 - _WHITE_SHARE) * smooth / smooth.mean() + _WHITE_SHARE)
    return power


def _blob(size: int, dims: int, width: float) -> npt.NDArray[np.float64]:
    """Gaussian blob of height 1 in the middle."""
    axis = np.arange(size) - (size - 1) / 2  # between pixels where need be: flips leave the signal in place
    blob: npt.NDArray[np.float64] = np.exp(-_radius2(axis, dims) / (2 * width**2))
    return blob


def _radius2(axis: npt.NDArray[Any], dims: int) -> npt.NDArray[np.float64]:
    """Squared distance from zero on a grid with the same coordinates along every axis."""
    grid = np.stack(np.meshgrid(*[axis.astype(np.float64)] * dims, indexing="ij"))
    squared: npt.NDArray[np.float64] = np.square(grid).sum(axis=0)
    return squared


def _detectability(signal: npt.NDArray[np.float64], power: npt.NDArray[np.float64]) -> float:
    """Ideal observer's d' = sqrt(s^T K^-1 s), summed over frequencies."""
    return float(np.sqrt((np.abs(np.fft.fftn(signal)) ** 2 / power).sum() / signal.size))


def _auc(detectability: float) -> float:
    """Phi(d' / sqrt 2)."""
    return 0.5 * (1.0 + erf(detectability / 2))


def positives_in(count: int, prevalence: float) -> int:
    """Positives among ``count`` images: the share in whole images, at least one of each class.

    >>> positives_in(1000, 0.1), positives_in(3, 0.01)
    (100, 1)
    """
    return min(max(round(prevalence * count), 1), count - 1)


def _make_split(
    name: str,
    count: int,
    spec: PhantomSpec,
    signal: npt.NDArray[np.float64],
    power: npt.NDArray[np.float64],
    rng: np.random.Generator,
) -> Split:
    """Draw one split: targets in random order, then images chunk by chunk."""
    targets = rng.permutation(np.arange(count) < positives_in(count, spec.prevalence)).astype(np.int64)
    holds_signal = _one_image_each(targets, spec.bag_images, rng)
    images = np.empty((len(holds_signal), *signal.shape), np.uint8)
    step = max(1, _CHUNK_PIXELS // signal.size)
    for start in range(0, len(images), step):
        chunk = slice(start, start + step)
        present = holds_signal[chunk].reshape(-1, *[1] * signal.ndim)
        grey = _MEAN + present * signal + _background(len(present), power, rng)
        images[chunk] = np.clip(np.rint(grey), 0, 255)
    ids = np.array([f"{name}-{i:05d}" for i in range(count)])
    if spec.bag_images == 1:
        return Split(images, targets, ids, ids)
    bags = np.repeat(ids, spec.bag_images)
    names = np.array([f"{bag}-{i:03d}" for bag in ids for i in range(spec.bag_images)])
    return Split(images, np.repeat(targets, spec.bag_images), names, bags, {BAG_COLUMN: bags})


def _one_image_each(
    targets: npt.NDArray[np.int64], images: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """1 for the image of each positive bag that holds the signal, 0 for all others."""
    if images == 1:  # nothing is drawn: phantoms of single images stay as they were
        return targets
    chosen = rng.integers(images, size=len(targets))
    held: npt.NDArray[np.int64] = targets[:, None] * (np.arange(images) == chosen[:, None])
    return held.ravel()


def _background(
    count: int, power: npt.NDArray[np.float64], rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Samples of covariance K exactly, periodic, shape (count, *power.shape).

    Complex white noise is coloured to the spectrum; real and imaginary part are two independent samples,
    because the spectrum is even.
    """
    white = rng.standard_normal((-(-count // 2), *power.shape, 2)).view(np.complex128)[..., 0]
    field = np.fft.ifftn(white * np.sqrt(power * power.size), axes=range(1, power.ndim + 1))
    return np.concatenate([field.real, field.imag])[:count]


def _content_md5(splits: Splits) -> str:
    """Checksum of what was generated."""
    digest = hashlib.md5(usedforsecurity=False)
    for split in splits:
        digest.update(np.asarray(split.images).data)
        digest.update(split.targets.data)
    return digest.hexdigest()
