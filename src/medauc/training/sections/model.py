"""The recipe's section ``model``: the network."""

from typing import Literal

from pydantic import Field

from medauc.training.sections.base import Section

# The same names as in medauc.models.build, which would load torch and MONAI (a test compares).
ModelName = Literal["resnet10", "resnet18", "resnet50", "fullres"]
Stem = Literal["full", "half", "imagenet"]
Conversion = Literal["none", "acs"]
Norm = Literal["batch", "instance", "group"]
Pooling = Literal["mean", "max", "mean_max"]
BagPooling = Literal["mean", "max", "attention"]


class ModelSection(Section):
    """The network: name, width of its first stage, its stem, and 2D-to-3D conversion.

    ``upsample`` enlarges images before the first layer; ``norm: null`` keeps the network's own kind of
    normalisation. ``dropout`` acts on the pooled features, ``stochastic_depth`` on the last residual branch, less
    on those before it. ``bag_pooling`` joins the scores of several images where ``data.bags`` makes one sample of them.
    """

    name: ModelName = "resnet18"
    width: int = Field(64, ge=4, le=512)
    stem: Stem = "full"
    conversion: Conversion = "none"
    upsample: float = Field(1.0, ge=1, le=8)
    norm: Norm | None = None
    pooling: Pooling = "mean"
    dropout: float = Field(0.0, ge=0, le=0.9)
    stochastic_depth: float = Field(0.0, ge=0, le=0.9)
    bag_pooling: BagPooling = "attention"
    weights: str | None = None
