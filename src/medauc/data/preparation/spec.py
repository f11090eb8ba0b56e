"""What decides how a decoded image becomes uint8 pixels of one shape."""

from dataclasses import dataclass, replace
from math import isfinite, prod
from typing import Any, Literal, Self, TypeVar, get_args

from medauc.errors import InputError

Fit = Literal["resize", "crop_pad"]
Colour = Literal["auto", "grey", "rgb"]
NamedWindow = Literal["lung", "soft_tissue", "mediastinum", "bone", "brain", "liver"]
Intensity = Literal[
    "auto",
    "percentile",
    "zscore",
    "dicom_window",
    "lung",
    "soft_tissue",
    "mediastinum",
    "bone",
    "brain",
    "liver",
]

MAX_PIXELS = 2**28  # of one prepared image: 256 MB
Number = TypeVar("Number", int, float)
_MAX_SPACING = 1000.0  # mm
_DIRECTIONS = ("RL", "AP", "SI")


@dataclass(frozen=True)
class PreparationSpec:
    """How decoded images become uint8 pixels of one shape.

    Attributes:
        shape: Pixels a side, or one number an axis: (H, W) or (D, H, W). None takes the recipe's ``data.size`` on
            every side.
        spacing: Millimetres between pixels, one number or one an axis (of the array after ``orientation``);
            images are resampled to it, so ``fit`` must be "crop_pad". None keeps each image's own grid.
        orientation: Where the three axes of a volume's array point, each letter the end an axis runs to: right or
            left, anterior or posterior, superior or inferior. "SPL" is slices upward, rows to the back, columns to
            the left. None keeps the axes as they are stored.
        fit: How an image gets its shape. "resize" stretches it, each axis by itself. "crop_pad" cuts
            the middle out and surrounds what is too small with black.
        intensity: How values become 0 to 255: :func:`medauc.data.preparation.intensity.window_of` says what each
            name does. Two numbers [low, high] are a window in the image's own units (Hounsfield for CT).
        colour: "grey" makes colour images grey, "rgb" grey ones colour, "auto" leaves each as it is.

    Raises:
        InputError: A value out of range, or two that exclude each other.

    >>> PreparationSpec(spacing=1.0, fit="crop_pad", intensity=(-1000, 400)).shape_of(28, spatial_dims=3)
    (28, 28, 28)
    """

    shape: int | tuple[int, ...] | None = None
    spacing: float | tuple[float, ...] | None = None
    orientation: str | None = None
    fit: Fit = "resize"
    intensity: Intensity | tuple[float, float] = "auto"
    colour: Colour = "auto"

    def __post_init__(self) -> None:
        _check_axes("shape", self.shape, whole=True, highest=65536)
        _check_axes("spacing", self.spacing, whole=False, highest=_MAX_SPACING)
        _check_orientation(self.orientation)
        _check_choice("fit", self.fit, get_args(Fit))
        _check_choice("colour", self.colour, get_args(Colour))
        _check_intensity(self.intensity)
        if self.spacing is not None and self.fit == "resize":
            raise InputError(
                "preparation: resizing to a shape undoes the spacing; with spacing set fit to crop_pad "
                "(data.preparation.fit: crop_pad)"
            )

    def settled(self, size: int, spatial_dims: int) -> Self:
        """The same preparation with shape, spacing and window written out for every axis, so that equal ones are equal.

        Args:
            size: Pixels a side where ``shape`` is None.
            spatial_dims: 2 or 3.

        Raises:
            InputError: As :meth:`shape_of` and :meth:`spacing_of`.

        >>> PreparationSpec(intensity=(0, 10)).settled(8, 2) == PreparationSpec((8, 8), intensity=(0.0, 10.0))
        True
        """
        spacing = self.spacing_of(spatial_dims)
        return replace(
            self,
            shape=self.shape_of(size, spatial_dims),
            spacing=None if spacing is None else tuple(float(step) for step in spacing),
            intensity=self.intensity if isinstance(self.intensity, str) else _floats(self.intensity),
        )

    def shape_of(self, size: int, spatial_dims: int) -> tuple[int, ...]:
        """Spatial shape of every prepared image.

        Args:
            size: Pixels a side where ``shape`` is None.
            spatial_dims: 2 or 3.

        Raises:
            InputError: ``shape`` has another number of axes, or more than 2^28 pixels.
        """
        shape = _per_axis("shape", size if self.shape is None else self.shape, spatial_dims)
        if prod(shape) > MAX_PIXELS:
            raise InputError(
                f"preparation: shape {shape} has {prod(shape):,} pixels, {MAX_PIXELS:,} are allowed"
            )
        return shape

    def spacing_of(self, spatial_dims: int) -> tuple[float, ...] | None:
        """Spacing along each axis in millimetres; None keeps the grid.

        Raises:
            InputError: ``spacing`` has another number of axes.
        """
        return None if self.spacing is None else _per_axis("spacing", self.spacing, spatial_dims)


def _per_axis(name: str, value: Number | tuple[Number, ...], dims: int) -> tuple[Number, ...]:
    if not isinstance(value, tuple):
        return (value,) * dims
    if len(value) != dims:
        raise InputError(f"preparation: {name} {value} has {len(value)} axes, the images have {dims}")
    return value


def _floats(window: tuple[float, float]) -> tuple[float, float]:
    return float(window[0]), float(window[1])


def _check_axes(name: str, value: Any, whole: bool, highest: float) -> None:
    """Refuse what is neither None nor one to three numbers in range."""
    if value is None:
        return
    numbers = value if isinstance(value, tuple) else (value,)
    kinds = (int,) if whole else (int, float)
    right = all(
        isinstance(number, kinds) and not isinstance(number, bool) and 0 < number <= highest
        for number in numbers
    )
    if not right or (isinstance(value, tuple) and len(value) not in (2, 3)):
        kind = "whole numbers" if whole else "numbers"
        raise InputError(
            f"preparation: {name} is {value!r}, it must be one, two or three {kind} above 0, at most {highest:g}"
        )


def _check_orientation(codes: Any) -> None:
    if codes is None:
        return
    pairs = [pair for letter in str(codes) for pair in _DIRECTIONS if letter in pair]
    if not isinstance(codes, str) or len(codes) != 3 or sorted(pairs) != sorted(_DIRECTIONS):
        raise InputError(
            f"preparation: orientation is {codes!r}, it must be three letters, one of each pair R/L, A/P and S/I, "
            "such as SPL"
        )


def _check_choice(name: str, value: Any, options: tuple[str, ...]) -> None:
    if value not in options:
        raise InputError(f"preparation: {name} is {value!r}, it must be one of {', '.join(options)}")


def _check_intensity(value: Any) -> None:
    if isinstance(value, str):
        return _check_choice("intensity", value, get_args(Intensity))
    numbers = value if isinstance(value, tuple) else ()
    right = all(
        isinstance(number, int | float) and not isinstance(number, bool) and isfinite(number)
        for number in numbers
    )
    if len(numbers) != 2 or not right or numbers[0] >= numbers[1]:
        raise InputError(
            f"preparation: intensity is {value!r}, it must be a name or two numbers [low, high], low below high"
        )
    return None
