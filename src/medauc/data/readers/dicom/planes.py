"""Where the planes of a volume lie: their order, spacing and affine (PS3.3 C.7.6.2)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.dicom.elements import numbers
from medauc.data.readers.dicom.sequences import items_of
from medauc.data.readers.geometry import LPS_TO_RAS, Affine, affine_of_axes, usable_affine
from medauc.data.readers.image import Refusal

Vector = npt.NDArray[np.float64]

# Directions differ by rounding only below this; positions are equal below the second (mm).
_SAME_DIRECTION = 1e-3
_SAME_PLACE = 1e-3
# Steps that differ by less than this share are the same, as scanners round positions.
_SAME_STEP = 0.02


@dataclass(frozen=True)
class Plane:
    """One slice: position of its first pixel, unit vectors along its rows and columns (LPS), pixel spacing."""

    position: Vector | None = None
    along_row: Vector | None = None
    along_column: Vector | None = None
    spacing: tuple[float, float] | None = None

    @property
    def placed(self) -> bool:
        """Whether it is known where it lies."""
        return self.position is not None and self.along_row is not None

    @property
    def normal(self) -> Vector:
        """Unit vector out of a placed plane."""
        return np.cross(_known(self.along_row), _known(self.along_column))

    def coincides(self, other: "Plane") -> bool:
        """Whether two placed planes lie at one place, turned alike."""
        pairs = (
            (self.position, other.position),
            (self.along_row, other.along_row),
            (self.along_column, other.along_column),
        )
        return all(np.allclose(_known(one), _known(two), rtol=0, atol=_SAME_PLACE) for one, two in pairs)

    def moved(self, distance: float) -> "Plane":
        """A placed plane, moved along its normal."""
        return replace(self, position=_known(self.position) + distance * self.normal)


@dataclass(frozen=True)
class Stack:
    """Planes in order: indices into those given, spacing ``(d, h, w)``, affine (RAS+), notes."""

    order: tuple[int, ...]
    spacing: tuple[float, float, float] | None
    affine: Affine | None
    notes: tuple[str, ...] = ()


def plane_of(header: Any, *groups: Any) -> Plane:
    """The plane of a file, or of one frame by its functional groups (of the frame first, then those shared)."""
    position = orientation = spacing = None
    for group in groups:
        position = position or _nested(group, "PlanePositionSequence", "ImagePositionPatient", 3)
        orientation = orientation or _nested(group, "PlaneOrientationSequence", "ImageOrientationPatient", 6)
        spacing = spacing or _nested(group, "PixelMeasuresSequence", "PixelSpacing", 2)
    position = position or numbers(header, "ImagePositionPatient", 3)
    orientation = orientation or numbers(header, "ImageOrientationPatient", 6)
    spacing = spacing or pixel_spacing(header)
    row, column = _directions(orientation)
    usable = position is not None and max(map(abs, position)) < 1e7
    return Plane(np.array(position) if usable else None, row, column, _positive(spacing))


def pixel_spacing(header: Any) -> tuple[float, float] | None:
    """Millimetres between rows and between columns, at the patient or else at the detector."""
    for keyword in ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing"):
        if found := _positive(numbers(header, keyword, 2)):
            return found
    return None


def stacked(planes: Sequence[Plane]) -> Stack:
    """Order planes along their common normal.

    Raises:
        Refusal: They are turned against each other, or several lie at one place.
    """
    if not all(plane.placed for plane in planes):
        missing = sum(not plane.placed for plane in planes)
        note = f"{missing} of {len(planes)} slices do not say where they lie; their order is the file's"
        return Stack(tuple(range(len(planes))), None, None, (note,))
    first = planes[0]
    _check_directions(planes)
    normal = first.normal
    places = np.array([float(normal @ _known(plane.position)) for plane in planes])
    order = tuple(int(index) for index in np.argsort(places, kind="stable"))
    steps = np.diff(places[list(order)])
    if len(steps) and steps.min() < _SAME_PLACE:
        raise Refusal(
            f"{int((steps < _SAME_PLACE).sum())} of its {len(planes)} slices lie where another lies (times, echoes "
            "or repeats); put each volume into a folder of its own"
        )
    return _measured(planes, order, normal, steps)


def _measured(planes: Sequence[Plane], order: tuple[int, ...], normal: Vector, steps: Vector) -> Stack:
    """Spacing and affine of ordered planes."""
    start, end = planes[order[0]], planes[order[-1]]
    notes = _uneven(steps)
    if start.spacing is None or not len(steps):
        return Stack(order, None, None, notes)
    step = normal * float(np.median(steps))
    if not notes:  # even steps: the whole way, divided, is more exact than one step, and knows of a shear
        step = (_known(end.position) - _known(start.position)) / len(steps)
        if np.linalg.norm(np.cross(step, normal)) > 0.02 * np.linalg.norm(step):
            notes = (*notes, "its slices are shifted against each other (gantry tilt)")
    between_rows, between_columns = start.spacing
    axes = [
        step.tolist(),
        (_known(start.along_column) * between_rows).tolist(),
        (_known(start.along_row) * between_columns).tolist(),
    ]
    affine = usable_affine(LPS_TO_RAS @ affine_of_axes(axes, _known(start.position).tolist()))
    return Stack(order, (float(np.linalg.norm(step)), between_rows, between_columns), affine, notes)


def _uneven(steps: Vector) -> tuple[str, ...]:
    """A note where slices are missing or unevenly spaced."""
    if not len(steps):
        return ()
    usual = float(np.median(steps))
    wrong = np.flatnonzero(np.abs(steps - usual) > _SAME_STEP * usual)
    if not len(wrong):
        return ()
    at = int(wrong[0])
    others = f" and {len(wrong) - 1} other gaps differ too" if len(wrong) > 1 else ""
    return (f"slices {at + 1} and {at + 2} are {steps[at]:.4g} mm apart, others {usual:.4g} mm{others}",)


def _check_directions(planes: Sequence[Plane]) -> None:
    """Refuse planes that are turned against the first or have other pixel spacing."""
    first = planes[0]
    turned = sum(
        float(np.abs(_known(plane.along_row) - _known(first.along_row)).max()) > _SAME_DIRECTION
        or float(np.abs(_known(plane.along_column) - _known(first.along_column)).max()) > _SAME_DIRECTION
        for plane in planes
    )
    if turned:
        raise Refusal(
            f"{turned} of its {len(planes)} slices are turned against the first (scouts or several stacks); "
            "put each volume into a folder of its own"
        )
    if len({plane.spacing for plane in planes}) > 1:
        raise Refusal("its slices have different pixel spacings; put each volume into a folder of its own")


def _directions(orientation: tuple[float, ...] | None) -> tuple[Vector | None, Vector | None]:
    """Unit vectors along rows and columns, ``None`` where they are not at right angles."""
    if orientation is None:
        return None, None
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    lengths = np.linalg.norm(row), np.linalg.norm(column)
    if min(lengths) < 0.5 or max(lengths) > 2 or abs(row @ column) > 0.01 * lengths[0] * lengths[1]:
        return None, None
    return row / lengths[0], column / lengths[1]


def _nested(group: Any, sequence: str, keyword: str, count: int) -> tuple[float, ...] | None:
    """Numbers inside the first item of a sequence of a functional group."""
    inner = items_of(group, sequence)
    return numbers(inner[0], keyword, count) if inner else None


def _positive(spacing: tuple[float, ...] | None) -> tuple[float, float] | None:
    if spacing is None or min(spacing) <= 1e-6 or max(spacing) > 1e5:
        return None
    return spacing[0], spacing[1]


def _known(vector: Vector | None) -> Vector:
    assert vector is not None
    return vector
