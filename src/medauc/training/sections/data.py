"""The recipe's section ``data``: which images, and how their intensities become network input."""

from dataclasses import dataclass
from typing import Literal

from pydantic import ConfigDict, Field

from medauc.data import BagSpec, PhantomSpec, SubsetSpec
from medauc.data.files import FilesSpec
from medauc.data.manifest import ColumnsSpec, SplitSpec
from medauc.data.preparation import PreparationSpec
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
    """Several images of a patient, or slices of a volume, as one sample; ``model.bag_pooling`` joins their scores."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class ColumnsSection(ColumnsSpec):
    """Which column of a manifest means what, and which values of the target are positive."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class SplitSection(SplitSpec):
    """How splits of own files are made: by chance, by time, by site, or as an earlier run had them."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class PreparationSection(PreparationSpec):
    """How own files become pixels of one shape: orientation, spacing, window, size."""

    __pydantic_config__ = ConfigDict(extra="forbid", allow_inf_nan=False)


class DataSection(Section):
    """Which images, which class is positive, how intensities become network input; ``subset`` trains on a part only.

    ``columns``, ``root``, ``split``, ``preparation``, ``spatial_dims`` and ``unreadable`` are for own files; other data
    sets do not look at them.
    """

    size: int = Field(28, ge=1, le=65536)
    positive_class: str | int | None = None
    normalization: Literal["train", "unit"] = "train"
    phantom: PhantomSection = PhantomSection()
    subset: SubsetSection = SubsetSection()
    bags: BagsSection = BagsSection()
    columns: ColumnsSection = ColumnsSection()
    root: str | None = None
    split: SplitSection | None = None
    preparation: PreparationSection = PreparationSection()
    spatial_dims: Literal[2, 3] | None = None
    unreadable: Literal["refuse", "drop"] = "refuse"

    @property
    def files(self) -> FilesSpec:
        """What is for own files."""
        return FilesSpec(
            self.columns, self.split, self.preparation, self.root, self.spatial_dims, self.unreadable
        )
