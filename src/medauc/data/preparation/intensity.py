"""Which values of an image become black and white, and the way from one to the other."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medauc.data.preparation.spec import Intensity
from medauc.errors import InputError

if TYPE_CHECKING:
    from medauc.data.readers import MedicalImage

# Low and high in Hounsfield units, level -+ width / 2: the typical values of D. J. Bell, A. Murphy et al., "Windowing
# (CT)", radiopaedia.org/articles/windowing-ct. Presets of viewers differ; OHIF: liver 150, 90, bone 2500, 480.
CT_WINDOWS: dict[str, tuple[float, float]] = {
    "lung": (-1350, 150),  # width 1500, level -600
    "soft_tissue": (-150, 250),  # 400, 50 (abdomen)
    "mediastinum": (-125, 225),  # 350, 50
    "bone": (-500, 1300),  # 1800, 400 (spine)
    "brain": (0, 80),  # 80, 40
    "liver": (-45, 105),  # 150, 30
}
_TAILS = (0.5, 99.5)  # percent
_DEVIATIONS = 3.0
_BLOCK = 1 << 16  # values at a time: float32 and float64 of them stay in the processor's cache
_BOUND = 1e9  # grey levels; keeps what is far outside the window within float32


def window_of(image: "MedicalImage", intensity: Intensity | tuple[float, float]) -> tuple[float, float]:
    """Values of ``image`` that become 0 and 255, before anything is resampled.

    * two numbers: themselves;
    * "lung", "soft_tissue", "mediastinum", "bone", "brain", "liver": :data:`CT_WINDOWS`, for CT in Hounsfield units;
    * "dicom_window": what the file itself proposes for display;
    * "percentile": the 0.5th and the 99.5th percentile of the image; lowest and highest value if they are equal;
    * "zscore": three standard deviations about the mean, of the pixels above the image's lowest value (the
      background of a masked or padded image is no part of the statistics), of all where only one value is above;
    * "auto": the whole range of the stored values up to 8 bits, so that 8-bit images stay as they are; else
      what the file proposes; else "percentile".

    Args:
        image: With finite pixels.
        intensity: One of the above.

    Returns:
        Low and high; equal where the image is constant.

    Raises:
        InputError: A window for CT on something that cannot be CT, or "dicom_window" on a file that proposes none.

    >>> CT_WINDOWS["lung"]
    (-1350, 150)
    """
    if isinstance(intensity, tuple):
        return intensity
    if intensity in CT_WINDOWS:
        _check_hounsfield(image, intensity)
        return CT_WINDOWS[intensity]
    if intensity == "dicom_window":
        return _proposed(image)
    if intensity == "zscore":
        return _zscore(image.pixels)
    if intensity == "auto" and _few_bits(image):
        return 0, 2**image.bits - 1
    if intensity == "auto" and image.window is not None:
        return image.window
    low, high = np.percentile(image.pixels, _TAILS)
    if low == high:  # nearly all pixels are equal, as in a mask of something small
        low, high = image.pixels.min(), image.pixels.max()
    return float(low), float(high)


def to_levels(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.float32]:
    """Grey levels, float32, not yet rounded or clipped: the window's low is 0, its high 255.

    >>> to_levels(np.array([-1000, -300, 400], dtype=np.int16), (-1000, 400)).tolist()
    [0.0, 127.5, 255.0]
    """
    low, high = window
    if high <= low:  # a constant image says nothing
        return np.zeros(pixels.shape, dtype=np.float32)
    exact: NDArray[Any] = pixels.astype(np.float32 if np.can_cast(pixels.dtype, np.float32) else np.float64)
    exact -= low  # in place: a fresh array a step takes most of the time for volumes
    exact *= 255 / (high - low)
    if exact.dtype == np.float32 and pixels.dtype.kind != "f":
        return exact
    return np.clip(exact, -_BOUND, _BOUND, out=exact).astype(np.float32, copy=False)


def rounded(levels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Grey levels within 0 and 255, to the nearest whole number, half to even; ``levels`` is used up.

    >>> rounded(np.array([-3, 0.5, 1.5, 300], dtype=np.float32)).tolist()
    [0, 0, 2, 255]
    """
    np.clip(levels, 0, 255, out=levels)
    return np.rint(levels, out=levels).astype(np.uint8)


def to_bytes(pixels: NDArray[Any], window: tuple[float, float]) -> NDArray[np.uint8]:
    """:func:`rounded` of :func:`to_levels`, a few planes at a time: half the time, and no wide copy of the whole."""
    found = np.empty(pixels.shape, dtype=np.uint8)
    step = max(1, _BLOCK * len(pixels) // pixels.size)
    for start in range(0, len(pixels), step):
        planes = slice(start, start + step)
        found[planes] = rounded(to_levels(pixels[planes], window))
    return found


def finite(pixels: NDArray[Any]) -> NDArray[Any]:
    """Replace what is no number: NaN and -inf by the lowest value there is, inf by the highest.

    Raises:
        InputError: No pixel is a finite number.
    """
    if not np.issubdtype(pixels.dtype, np.floating):
        return pixels
    good = np.isfinite(pixels)
    if good.all():
        return pixels
    if not good.any():
        raise InputError("no pixel is a finite number")
    low, high = pixels[good].min(), pixels[good].max()
    found: NDArray[Any] = np.nan_to_num(pixels, nan=low, posinf=high, neginf=low)
    return found


def _few_bits(image: "MedicalImage") -> bool:
    """True if the values are stored ones of 8 bits or fewer, not rescaled to anything else."""
    if image.bits > 8 or not np.issubdtype(image.pixels.dtype, np.integer):
        return False
    if image.bits == 8 and image.pixels.dtype == np.uint8:
        return True  # nothing else fits in
    return bool(image.pixels.min() >= 0 and image.pixels.max() < 2**image.bits)


def _check_hounsfield(image: "MedicalImage", name: str) -> None:
    remedy = "set data.preparation.intensity to auto, percentile or [low, high]"
    if image.modality not in (None, "CT"):
        raise InputError(f"{name} is a window for CT, this is {image.modality}; {remedy}")
    if _few_bits(image):
        raise InputError(
            f"{name} is a window in Hounsfield units, this holds {image.bits}-bit grey values; {remedy}"
        )


def _proposed(image: "MedicalImage") -> tuple[float, float]:
    if image.window is None:
        raise InputError(
            "it proposes no window for display; set data.preparation.intensity to auto, percentile or [low, high]"
        )
    return image.window


def _zscore(pixels: NDArray[Any]) -> tuple[float, float]:
    above = pixels[pixels > pixels.min()]
    varied = above.size > 0 and above.min() < above.max()  # a mask has one value above its background
    values = (above if varied else pixels).astype(np.float64)
    mean, spread = float(values.mean()), _DEVIATIONS * float(values.std())
    return mean - spread, mean + spread
