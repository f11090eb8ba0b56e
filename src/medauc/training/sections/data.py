"""The recipe's section ``data``: which images, and how their intensities become network input."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, Field

from medauc.data import BagSpec, PhantomSpec, SubsetSpec
from medauc.training.sections.base import Section


@dataclass(frozen=True)
class PhantomSection(PhantomSpec):
    """The generated data set (phantom2d, phantom3d); other data sets do not look at it."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class SubsetSection(SubsetSpec):
    """A training set made smaller, rarer or noisier on purpose, to learn what that costs."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class BagsSection(BagSpec):
    """Several images of a patient, or the slices of a volume, as one sample; ``model.bag_pooling`` joins their scores."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


class DataSection(Section):
    """Which images, which class is positive, how intensities become network input; ``subset`` trains on a part only."""

    size: int = Field(28, ge=1, le=65536)
    positive_class: str | int | None = None
    normalization: Literal["train", "unit"] = "train"
    phantom: PhantomSection = PhantomSection()
    subset: SubsetSection = SubsetSection()
    bags: BagsSection = BagsSection()
