"""The recipe's section ``optim``: one class an optimizer, whose keys are the arguments of its constructor."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from medauc.training.sections.base import Section

Rate = Annotated[float, Field(gt=0, le=100)]
Decay = Annotated[float, Field(ge=0, le=10)]
Momentum = Annotated[float, Field(ge=0, lt=1)]
Fraction = Annotated[float, Field(gt=0, le=1)]


class ScheduleSection(Section):
    """How the learning rate falls: at the end of each stage, along a cosine, or up and down once.

    ``stages`` divides it by ``factor`` at the end of each epoch number in ``epochs`` (with PESG and PDSCA the
    reference point moves there too); ``cosine`` falls to zero, and with PESG and PDSCA moves the reference at
    ``epochs``; ``one_cycle`` warms up for ``warmup`` of all steps. The others rise linearly for ``warmup_epochs``
    first.
    """

    name: Literal["none", "stages", "cosine", "one_cycle"] = "none"
    epochs: tuple[Annotated[int, Field(ge=1)], ...] = ()
    factor: float = Field(10.0, gt=1)
    warmup: float = Field(0.25, ge=0, lt=1)
    warmup_epochs: float = Field(0.0, ge=0, le=1000)

    @model_validator(mode="after")
    def _keys_belong_to_the_schedule(self) -> Self:
        if self.name == "stages" and not self.epochs:
            raise ValueError("name 'stages' needs 'epochs', the ends of the stages")
        if self.epochs and self.name not in ("stages", "cosine"):
            raise ValueError("'epochs' lists the ends of stages: give it with name 'stages' or 'cosine' only")
        if self.warmup_epochs and self.name == "one_cycle":
            raise ValueError(
                "'warmup_epochs' is for the other schedules: 'one_cycle' has 'warmup', a share of all steps"
            )
        return self


class OptimSection(Section):
    """Base of the optimizers' sections; ``loss_lr`` is for a, b and alpha of a min-max loss, null takes ``lr``."""

    name: str
    lr: Rate
    loss_lr: Rate | None = None
    weight_decay: Decay
    schedule: ScheduleSection = ScheduleSection()


class SharpnessAware(OptimSection):
    """What optimizers share that :class:`medauc.optim.SAM` can wrap; ``sam_radius`` 0 leaves it out."""

    sam_radius: float = Field(0.0, ge=0, le=10)
    sam_adaptive: bool = False


class Plain(SharpnessAware):
    """Optimizers without a reference point."""

    @model_validator(mode="after")
    def _cosine_has_no_stages(self) -> Self:
        if self.schedule.name == "cosine" and self.schedule.epochs:
            raise ValueError(
                "schedule 'epochs' of a cosine move the reference of pesg and pdsca: leave them out"
            )
        return self


class PESGSection(SharpnessAware):
    """Proximal Epoch Stochastic Gradient (:class:`medauc.optim.PESG`); ``betas`` belongs to mode ``adam``."""

    name: Literal["pesg"] = "pesg"
    mode: Literal["sgd", "adam"] = "sgd"
    lr: Rate = 0.1
    momentum: Momentum = 0.9
    momentum_style: Literal["torch", "libauc"] = "torch"
    betas: tuple[Momentum, Momentum] = (0.9, 0.999)
    epoch_decay: Decay = 2e-3
    weight_decay: Decay = 1e-5
    clip_value: Annotated[float, Field(gt=0)] | None = 1.0


class PDSCASection(OptimSection):
    """Primal-dual compositional descent (:class:`medauc.optim.PDSCA`)."""

    name: Literal["pdsca"] = "pdsca"
    lr: Rate = 0.1
    inner_lr: Annotated[float, Field(ge=0, le=100)] = 0.01
    inner_steps: int = Field(1, ge=1, le=1000)
    beta0: Fraction = 0.9
    beta1: Fraction = 0.9
    epoch_decay: Decay = 2e-3
    weight_decay: Decay = 1e-5
    clip_value: Annotated[float, Field(gt=0)] | None = 1.0


class AdamWSection(Plain):
    """Adam with decoupled weight decay (torch's)."""

    name: Literal["adamw"] = "adamw"
    lr: Rate = 1e-3
    weight_decay: Decay = 0.01


class SGDSection(Plain):
    """Stochastic gradient descent with momentum (torch's)."""

    name: Literal["sgd"] = "sgd"
    lr: Rate = 0.1
    momentum: Momentum = 0.9
    weight_decay: Decay = 1e-5


AnyOptim = Annotated[
    PESGSection | PDSCASection | AdamWSection | SGDSection,
    Field(discriminator="name"),
]
