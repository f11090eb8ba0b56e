"""The recipe's section ``sampling``: how batches are drawn."""

from typing import Literal

from pydantic import Field

from medauc.training.sections.base import Section, Share


class SamplingSection(Section):
    """How batches of ``batch_size`` samples, over all processes, are drawn.

    ``auto`` balances for one label and shuffles for several, or when ``positive_share`` is null; a balancing
    sampler that is named takes a null share as 0.5. ``keep_groups`` never splits a patient over batches.
    """

    name: Literal["auto", "class_balanced", "label_balanced", "shuffled"] = "auto"
    batch_size: int = Field(64, ge=2, le=65536)
    positive_share: Share | None = 0.5
    keep_groups: bool = False
