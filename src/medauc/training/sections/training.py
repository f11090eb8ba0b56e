"""The recipe's section ``training``: length, which weights are kept, precision, averaging of weights."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medauc.training.sections.base import Section


class TrainingSection(Section):
    """Length, early stopping (``patience: null`` never stops early), precision and weight averaging.

    ``selection``: keep the weights of the ``best`` epoch by validation AUC, or those after the ``last`` one,
    which needs no validation split. ``out_of_memory: halve_batch`` begins a training that does not fit into memory
    anew, once, with half the batch.
    """

    max_epochs: int = Field(100, ge=1, le=100_000)
    patience: Annotated[int, Field(ge=1)] | None = 15
    monitor: Literal["val_auc"] = "val_auc"
    selection: Literal["best", "last"] = "best"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    weight_averaging: Literal["none", "ema", "swa"] = "none"
    ema_decay: float = Field(0.99, gt=0, lt=1)
    swa_start: float = Field(0.75, ge=0, lt=1)
    out_of_memory: Literal["stop", "halve_batch"] = "stop"

    @model_validator(mode="after")
    def _last_weights_come_after_all_epochs(self) -> Self:
        if self.selection == "last" and self.patience is not None:
            raise ValueError("'selection' last takes the weights after max_epochs: set 'patience' to null")
        return self
