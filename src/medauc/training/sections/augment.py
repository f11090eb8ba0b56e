"""The recipe's section ``augment``: random changes of training images."""

from typing import Literal

from pydantic import Field

from medauc.training.sections.base import Positive, Probability, Section

# The same names as in medauc.data.augment, which would load torch (a test compares).
Padding = Literal["border", "zeros", "reflection"]


class AugmentSection(Section):
    """Random changes of training images (:class:`medauc.data.augment.Augment`); defaults switch each of them off."""

    flip: Probability | tuple[Probability, ...] = 0.0
    quarter_turns: bool = False
    rotation: float = Field(0.0, ge=0, le=180)
    scale: tuple[Positive, Positive] = (1.0, 1.0)
    shear: float = Field(0.0, ge=0, le=1)
    shift: float = Field(0.0, ge=0, le=1)
    crop: int = Field(0, ge=0, le=256)
    padding: Padding = "border"
    brightness: float = Field(0.0, ge=0, le=10)
    contrast: float = Field(0.0, ge=0, le=1)
    gamma: float = Field(0.0, ge=0, le=2)
    noise: float = Field(0.0, ge=0, le=10)
    voxel_scaling: bool = False
