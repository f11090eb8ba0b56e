"""The recipe's section ``sampling``: how batches are drawn."""

from typing import Literal

from pydantic import Field

from medauc.training.sections.base import Section, Share


class SamplingSection(Section):
    """How batches of ``batch_size`` samples, over all processes, are drawn.

    ``auto`` balances for one label and shuffles for several, or when ``positive_share`` is null; a balancing
    sampler that is named takes a null share as 0.5. ``keep_groups`` never splits a patient over batches.
    Of a set in shards ``window`` shards of a class are mixed at a time. ``epoch_batches`` makes an epoch of that many
    batches, so that a set of many images is scored and saved more often; the next epoch goes on where it stopped.
    """

    name: Literal["auto", "class_balanced", "label_balanced", "shuffled"] = "auto"
    batch_size: int = Field(64, ge=2, le=65536)
    positive_share: Share | None = 0.5
    keep_groups: bool = False
    window: int = Field(16, ge=1, le=65536)
    epoch_batches: int | None = Field(None, ge=1)
