"""What can be decided about an evaluation before it is made."""

from dataclasses import dataclass
from typing import Literal

from medauc.errors import InputError

CalibrationChoice = Literal["none", "platt", "temperature", "beta", "isotonic", "auto"]


@dataclass(frozen=True)
class Settings:
    """Choices for :func:`medauc.evaluation.evaluate`; all are made before anything is seen.

    Attributes:
        level: Confidence of every interval, in (0, 1).
        target_specificity: Specificity of the second operating point, in (0, 1).
        target_sensitivity: Sensitivity of the third, in (0, 1), and of the guaranteed one.
        confidence: Confidence of the guaranteed sensitivity, in (0, 1); ``None`` leaves that point out.
        cost_ratio: Cost of a missed positive over that of a false alarm, above 0; ``None`` leaves that point out.
        prevalence: Share of positives where the model will be used, in (0, 1), for PPV, NPV and net benefit there.
        calibration: Method of :func:`medauc.metrics.fit_calibration`, or ``"none"``.
        positive_name: What a target of 1 means ("malignant"), for people to read.
        subgroups: Columns to evaluate by value; ``None``: every further column with 2 to 12 values, numbers in
            quarters; empty: none.
        smallest_subgroup: Cases of a class that a subgroup needs for figures of its own, 2 or more.

    Raises:
        InputError: A value out of its range.

    >>> Settings(level=95)
    Traceback (most recent call last):
    medauc.errors.InputError: evaluation: level must lie between 0 and 1, got 95
    """

    level: float = 0.95
    target_specificity: float = 0.90
    target_sensitivity: float = 0.95
    confidence: float | None = 0.95
    cost_ratio: float | None = None
    prevalence: float | None = None
    calibration: CalibrationChoice = "platt"
    positive_name: str | None = None
    subgroups: tuple[str, ...] | None = None
    smallest_subgroup: int = 5

    def __post_init__(self) -> None:
        shares = {
            "level": self.level,
            "specificity": self.target_specificity,
            "sensitivity": self.target_sensitivity,
            "confidence": self.confidence,
            "prevalence": self.prevalence,
        }
        for name, share in shares.items():
            if share is not None and not 0.0 < share < 1.0:
                raise InputError(f"evaluation: {name} must lie between 0 and 1, got {share}")
        if self.cost_ratio is not None and not 0.0 < self.cost_ratio < float("inf"):
            raise InputError(f"evaluation: the cost ratio must be above 0, got {self.cost_ratio}")
        if self.smallest_subgroup < 2:
            raise InputError(
                f"evaluation: the smallest subgroup must be 2 or more, got {self.smallest_subgroup}"
            )
