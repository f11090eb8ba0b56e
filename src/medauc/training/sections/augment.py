"""The recipe's section ``augment``: random changes of training images."""

from typing import Any, Literal

from pydantic import Field

from medauc.training.sections.base import Positive, Probability, Section

# The same names as in medauc.data.augment, which would load torch (a test compares).
Padding = Literal["border", "zeros", "reflection"]
Partners = Literal["same_class", "any"]


class AugmentSection(Section):
    """Random changes of training images (:class:`medauc.data.augment.Augment`); defaults switch each of them off.

    ``mixup`` mixes each image with another of its batch (:class:`medauc.data.augment.Mixup`): of its own class,
    which every loss takes, or with ``mixup_partners: any``, for losses that take targets between 0 and 1.
    """

    flip: Probability | tuple[Probability, ...] = 0.0
    quarter_turns: bool = False
    rotation: float = Field(0.0, ge=0, le=180)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    shear: float = Field(0.0, ge=0, le=1)
    shift: float = Field(0.0, ge=0, le=1)
    crop: int = Field(0, ge=0, le=256)
    elastic: float = Field(0.0, ge=0, le=0.4)
    elastic_spacing: float = Field(0.25, ge=0.05, le=1)
    warp_share: Probability = 1.0
    padding: Padding = "border"
    blur: float = Field(0.0, ge=0, le=100)
    brightness: float = Field(0.0, ge=0, le=10)
    contrast: float = Field(0.0, ge=0, le=1)
    gamma: float = Field(0.0, ge=0, le=2)
    speckle: Probability = 0.0
    noise: float = Field(0.0, ge=0, le=10)
    voxel_scaling: bool = False
    erase: Probability = 0.0
    mixup: float = Field(0.0, ge=0, le=100)
    mixup_partners: Partners = "same_class"

    @property
    def makes_soft_targets(self) -> bool:
        """Whether targets between 0 and 1 reach the loss."""
        return self.mixup > 0 and self.mixup_partners == "any"

    def options(self) -> dict[str, Any]:
        """Arguments for the constructor of Augment."""
        return self.model_dump(exclude={"mixup", "mixup_partners"})
