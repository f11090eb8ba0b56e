"""The recipe's section ``training``: length, precision, averaging of weights."""

from typing import Annotated, Literal

from pydantic import Field

from medauc.training.sections.base import Section


class TrainingSection(Section):
    """Length, early stopping (``patience: null`` never stops early), precision and weight averaging."""

    max_epochs: int = Field(100, ge=1, le=100_000)
    patience: Annotated[int, Field(ge=1)] | None = 15
    monitor: Literal["val_auc"] = "val_auc"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    weight_averaging: Literal["none", "ema", "swa"] = "none"
    ema_decay: float = Field(0.99, gt=0, lt=1)
    swa_start: float = Field(0.75, ge=0, lt=1)
