"""The recipe's section ``evaluation``: what happens to the trained model."""

from typing import Annotated, Literal

from pydantic import Field

from medauc.training.sections.base import Section, Share


class EvaluationSection(Section):
    """What happens to the trained model: averaged flips at test time, then :class:`medauc.evaluation.Settings`."""

    test_time_augmentation: Literal["none", "flips"] = "none"
    calibration: Literal["none", "platt", "temperature", "beta", "isotonic", "auto"] = "platt"
    target_specificity: Share = 0.90
    target_sensitivity: Share = 0.95
    confidence: Share | None = 0.95
    cost_ratio: Annotated[float, Field(gt=0)] | None = None
    prevalence: Share | None = None
