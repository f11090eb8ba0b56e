"""How images were acquired, as far as their files tell: size, spacing, modality, colour."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from medauc.data.readers import MedicalImage

Number = TypeVar("Number", int, float)
_TOLERANCE = 1e-3  # relative; files round millimetres


@dataclass(frozen=True)
class Acquired:
    """What is known about one image before it is prepared.

    Attributes:
        size: pixels along each spatial axis.
        spacing: mm along each spatial axis; None where the file does not tell.
        modality: such as "CT"; None where the file does not tell.
        colour: whether it has channels that differ.
    """

    size: tuple[int, ...]
    spacing: tuple[float, ...] | None = None
    modality: str | None = None
    colour: bool = False

    @classmethod
    def of(cls, image: "MedicalImage", spatial_dims: int) -> Self:
        """Take it from an image that was read; a volume of one slice counts as flat where that is wanted."""
        from medauc.data.preparation import holds_colour

        size, spacing = image.shape, image.spacing
        if len(size) > spatial_dims and 1 in size:
            thin = size.index(1)
            size = size[:thin] + size[thin + 1 :]
            spacing = None if spacing is None else spacing[:thin] + spacing[thin + 1 :]
        return cls(size, spacing, image.modality, holds_colour(image))


@dataclass(frozen=True)
class Range:
    """What the images of training and validation had.

    Attributes:
        sizes: least and largest number of pixels along each axis.
        spacings: likewise in mm; None where no image told.
        modalities: all that were named.
        colour: whether any image had colour.
    """

    sizes: tuple[tuple[int, ...], tuple[int, ...]]
    spacings: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    modalities: tuple[str, ...] = ()
    colour: bool = False

    @classmethod
    def of(cls, images: Sequence[Acquired]) -> Self:
        """Gather one or more images, all flat or all volumes.

        >>> Range.of([Acquired((20, 30)), Acquired((25, 28))]).sizes
        ((20, 28), (25, 30))
        """
        spacings = [image.spacing for image in images if image.spacing]
        return cls(
            _bounds([image.size for image in images]),
            _bounds(spacings) if spacings else None,
            tuple(sorted({image.modality for image in images if image.modality})),
            any(image.colour for image in images),
        )

    def complaints(self, image: Acquired) -> list[str]:
        """Say in what an image lies outside of this range; nothing where it does not.

        >>> Range(((28, 28), (28, 28)), modalities=("CT",)).complaints(Acquired((512, 512), modality="MR"))
        ['size 512 x 512 (trained on 28 x 28)', 'modality MR (trained on CT)']
        """
        found = []
        if not _within(image.size, self.sizes):
            found.append(f"size {_product(image.size)} (trained on {_span(self.sizes)})")
        if self.spacings and image.spacing is None:
            found.append(f"spacing unknown (trained on {_span(self.spacings)} mm)")
        elif self.spacings and image.spacing and not _within(image.spacing, self.spacings):
            found.append(f"spacing {_product(image.spacing)} mm (trained on {_span(self.spacings)} mm)")
        if self.modalities and image.modality and image.modality not in self.modalities:
            found.append(f"modality {image.modality} (trained on {', '.join(self.modalities)})")
        if image.colour and not self.colour:
            found.append("in colour (trained on grey images)")
        return found


def _bounds(rows: Sequence[tuple[Number, ...]]) -> tuple[tuple[Number, ...], tuple[Number, ...]]:
    columns = list(zip(*rows, strict=True))
    return tuple(min(column) for column in columns), tuple(max(column) for column in columns)


def _within(values: Sequence[float], bounds: tuple[Sequence[float], Sequence[float]]) -> bool:
    low, high = bounds
    return len(values) == len(low) and all(
        least * (1 - _TOLERANCE) <= value <= most * (1 + _TOLERANCE)
        for value, least, most in zip(values, low, high, strict=True)
    )


def _span(bounds: tuple[Sequence[float], Sequence[float]]) -> str:
    low, high = (_product(side) for side in bounds)
    return low if low == high else f"{low} to {high}"


def _product(values: Sequence[float]) -> str:
    return " x ".join(f"{value:g}" for value in values)
