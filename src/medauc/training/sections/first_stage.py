"""The recipe's section ``first_stage``: what is trained before the objective that the other sections describe."""

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from medauc.training.sections.base import Section
from medauc.training.sections.following import follow_the_loss, require_fitting
from medauc.training.sections.loss import AnyLoss, CrossEntropySection
from medauc.training.sections.optim import AdamWSection, AnyOptim
from medauc.training.sections.sampling import SamplingSection


class FirstStageSection(Section):
    """A stage before the recipe's own, with loss, optimizer, schedule, batches and length of its own.

    The recipe's own stage starts from the best weights of this one, and is kept only if it improves on their
    validation AUC. Network, augmentation and weight averaging are the same in both.
    """

    loss: AnyLoss = CrossEntropySection()
    optim: AnyOptim = AdamWSection()
    sampling: SamplingSection = SamplingSection(positive_share=None)
    max_epochs: int = Field(20, ge=1, le=100_000)
    patience: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _what_is_left_out_follows_the_loss(cls, values: Any) -> Any:
        return follow_the_loss(values, CrossEntropySection().name)

    @model_validator(mode="after")
    def _optimizer_fits_the_loss(self) -> Self:
        require_fitting(self.loss, self.optim)
        return self
