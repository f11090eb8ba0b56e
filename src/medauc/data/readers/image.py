"""What every reader returns, and the one exception that every reader raises."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from medauc.errors import InputError


class UnreadableImage(InputError):
    """A file that is not read: one line of the form ``<path>: why; what to do``.

    Attributes:
        reason: Why and what to do, without the name of any file, for where it outlasts the names; "" where it is not
            known apart from them.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class Refusal(Exception):
    """Why a file is not read, without its path; a reader raises it and ``read_image`` adds the path.

    Its text has no name of any file.

    Attributes:
        told: The same with names of folders or files that it is about.
    """

    def __init__(self, reason: str, told: str = "") -> None:
        super().__init__(reason)
        self.told = told or reason

    def about(self, path: object) -> UnreadableImage:
        """What is raised for the path that was to be read."""
        return UnreadableImage(f"{path}: {self.told}", str(self))


@dataclass(frozen=True, eq=False)
class MedicalImage:
    """The pixels of one image or volume and what its file tells about them.

    >>> image = MedicalImage(np.zeros((3, 4, 5), dtype=np.int16), spacing=(2.0, 0.5, 0.5))
    >>> image.spatial_dims, image.shape
    (3, (3, 4, 5))

    Attributes:
        pixels: ``(H, W)`` or ``(D, H, W)`` grey, ``(H, W, 3)`` where ``colour``; integers as stored, or after a
            rescale that maps integers to integers (CT: HU), else float32. Low is dark, whatever the file says.
        colour: Whether the last axis is red, green, blue.
        bits: Significant bits of a stored grey or colour value (8 for a usual PNG; DICOM's BitsStored).
        spacing: Millimetres from one pixel to the next along each spatial axis, in the order of the array's
            axes; ``None`` where the file does not tell.
        affine: ``(4, 4)`` float64 from array index ``(d, h, w, 1)`` to the patient's right, anterior, superior in
            millimetres (RAS+, the sense of nibabel); ``None`` for images of two dimensions or unknown position.
        modality: DICOM's short name ("CT", "MR", "DX"), ``None`` elsewhere.
        window: ``(low, high)`` in the units of ``pixels`` that the file proposes for display; not applied.
        tags: How the image was acquired, by DICOM keyword; never who was.
        notes: What a careful reader would want to know, one line each.
    """

    pixels: npt.NDArray[Any]
    colour: bool = False
    bits: int = 8
    spacing: tuple[float, ...] | None = None
    affine: npt.NDArray[np.float64] | None = None
    modality: str | None = None
    window: tuple[float, float] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def spatial_dims(self) -> int:
        """2 for an image, 3 for a volume."""
        return self.pixels.ndim - self.colour

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the spatial axes."""
        return self.pixels.shape[: self.spatial_dims]

    def with_notes(self, *notes: str) -> "MedicalImage":
        """The same image with further notes."""
        return replace(self, notes=(*self.notes, *notes)) if notes else self
