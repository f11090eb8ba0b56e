"""The recipe's section ``loss``: one class a loss, whose keys are the arguments of the loss's constructor.

What a constructor wants to know of the training set (prevalences, numbers of samples, labels and classes) is
taken from its targets and is no key. A test compares keys, defaults, optimizers and samplers with
:mod:`medauc.losses.registry`, which would load torch.
"""

from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field

from medauc.training.sections.base import Section, Share

Margin = Annotated[float, Field(gt=0, le=100)]
Weight = Annotated[float, Field(gt=0)]
Activation = Literal["sigmoid", "none"]
Surrogate = Literal["square", "squared_hinge", "logistic", "sigmoid"]
Temperature = Annotated[float, Field(gt=0, le=1000)]
Newest = Annotated[float, Field(gt=0, le=1)]


class LossSection(Section):
    """Base of the losses' sections.

    Attributes:
        optimizers: values of ``optim.name`` that can train the loss, the default one first.
        sampler: how batches are drawn where the section ``sampling`` does not say.
        soft_targets: whether the loss takes targets between 0 and 1, as mixup of any two samples makes.
    """

    name: str
    optimizers: ClassVar[tuple[str, ...]] = ("adamw", "sgd")
    sampler: ClassVar[Literal["class_balanced", "shuffled"]] = "class_balanced"
    soft_targets: ClassVar[bool] = False

    def options(self) -> dict[str, Any]:
        """Arguments for the loss's constructor."""
        return self.model_dump(exclude={"name"})


class AUCMargin(LossSection):
    """What the AUC-margin losses share: ``v1`` weighs with the prevalence, ``v2`` needs none."""

    soft_targets = True

    margin: Margin = 1.0
    version: Literal["v1", "v2"] = "v1"
    activation: Activation = "sigmoid"


class AUCMSection(AUCMargin):
    """AUC-margin loss."""

    optimizers = ("pesg", "adamw", "sgd")

    name: Literal["aucm"] = "aucm"


class CompositionalSection(AUCMargin):
    """AUC-margin loss at weights that a step of cross-entropy looked ahead to."""

    optimizers = ("pdsca",)

    name: Literal["compositional"] = "compositional"


class PairwiseSection(LossSection):
    """Mean over pairs of a surrogate of their difference; ``memory`` scores of each class join from earlier batches."""

    soft_targets = True

    name: Literal["pairwise"] = "pairwise"
    surrogate: Surrogate = "squared_hinge"
    margin: Margin = 1.0
    activation: Activation = "none"
    memory: int = Field(0, ge=0, le=1_000_000)


class OfSamples(LossSection):
    """What the losses with a state for each sample share."""

    surrogate: Literal["squared_hinge", "logistic", "sigmoid"] = "squared_hinge"
    margin: Margin = 1.0
    activation: Activation = "sigmoid"


class PartialAUCSection(OfSamples):
    """Partial AUC with sharp limits: false-positive rates up to ``max_fpr``, sensitivities from ``min_tpr``."""

    name: Literal["partial_auc"] = "partial_auc"
    max_fpr: float = Field(0.3, gt=0, le=1)
    min_tpr: Annotated[float, Field(ge=0, lt=1)] | None = None
    state_lr: float = Field(0.3, ge=0, lt=1)


class PartialAUCKLSection(OfSamples):
    """Partial AUC with soft limits: the lower a temperature, the more the hardest samples weigh."""

    name: Literal["partial_auc_kl"] = "partial_auc_kl"
    temperature: Temperature = 1.0
    positive_temperature: Temperature | None = None
    gamma: Newest = 0.9


class AveragePrecisionSection(OfSamples):
    """Average precision (SOAP)."""

    name: Literal["average_precision"] = "average_precision"
    gamma: Newest = 0.9


class MultiClassAUCSection(LossSection):
    """AUC of several classes, of which a binary target has two: one against the rest, or one against one."""

    name: Literal["multiclass_auc"] = "multiclass_auc"
    scheme: Literal["ovr", "ovo"] = "ovr"
    surrogate: Surrogate = "squared_hinge"
    margin: Margin = 1.0
    activation: Literal["softmax", "none"] = "softmax"


class CrossEntropySection(LossSection):
    """Cross-entropy; ``positive_weight`` multiplies the terms of positives, ``balanced`` evens out the classes.

    ``label_smoothing`` s takes positives as 1 - s / 2 and negatives as s / 2.
    """

    sampler = "shuffled"
    soft_targets = True

    name: Literal["cross_entropy"] = "cross_entropy"
    positive_weight: Weight | Literal["balanced"] | None = None
    label_smoothing: float = Field(0.0, ge=0, lt=1)


class FocalSection(LossSection):
    """Focal loss: ``gamma`` fades out samples that are right, ``alpha`` weighs positives (negatives 1 - alpha)."""

    sampler = "shuffled"

    name: Literal["focal"] = "focal"
    gamma: float = Field(2.0, ge=0, le=100)
    alpha: Share | Literal["balanced"] | None = None


class LDAMSection(LossSection):
    """Margins that are wider for the rarer class; ``scale`` multiplies the scores."""

    sampler = "shuffled"

    name: Literal["ldam"] = "ldam"
    max_margin: Margin = 0.5
    scale: float = Field(1.0, gt=0, le=1000)
    positive_weight: Weight | Literal["balanced"] | None = None


AnyLoss = Annotated[
    AUCMSection
    | CompositionalSection
    | PairwiseSection
    | PartialAUCSection
    | PartialAUCKLSection
    | AveragePrecisionSection
    | MultiClassAUCSection
    | CrossEntropySection
    | FocalSection
    | LDAMSection,
    Field(discriminator="name"),
]

LOSSES: dict[str, type[LossSection]] = {
    section.model_fields["name"].default: section for section in get_args(get_args(AnyLoss)[0])
}


def section_of(name: Any) -> type[LossSection]:
    """The section class of a loss; AUCM's for a name that no loss has, which validation will refuse."""
    return LOSSES.get(name, AUCMSection) if isinstance(name, str) else AUCMSection
