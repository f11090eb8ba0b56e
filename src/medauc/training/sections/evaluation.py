"""The recipe's section ``evaluation``: what happens to the trained model."""

from typing import Annotated, Literal

from pydantic import Field

from medauc.training.sections.base import Section, Share


class EvaluationSection(Section):
    """What happens to the trained model: test-time augmentation, then :class:`medauc.evaluation.Settings`.

    The reported score is the mean raw score over ``flips`` (mirror images along the axes that training flips),
    ``octahedral`` (all flips and quarter turns that keep the shape: 8 of a square, 48 of a cube), or ``random``:
    the image and ``test_time_copies`` - 1 fixed draws of the training augmentation.
    """

    test_time_augmentation: Literal["none", "flips", "octahedral", "random"] = "none"
    test_time_copies: int = Field(16, ge=2, le=1024)
    calibration: Literal["none", "platt", "temperature", "beta", "isotonic", "auto"] = "platt"
    target_specificity: Share = 0.90
    target_sensitivity: Share = 0.95
    confidence: Share | None = 0.95
    cost_ratio: Annotated[float, Field(gt=0)] | None = None
    prevalence: Share | None = None
