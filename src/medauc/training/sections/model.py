"""The recipe's section ``model``: the network."""

from typing import Literal

from pydantic import Field

from medauc.training.sections.base import Section

# The same names as in medauc.models.build, which would load torch and MONAI (a test compares).
ModelName = Literal["resnet18", "resnet50", "fullres"]
Stem = Literal["full", "half", "imagenet"]
Conversion = Literal["none", "acs"]


class ModelSection(Section):
    """The network: name, width of its first stage, its stem, and 2D-to-3D conversion."""

    name: ModelName = "resnet18"
    width: int = Field(64, ge=4, le=512)
    stem: Stem = "full"
    conversion: Conversion = "none"
    weights: str | None = None
