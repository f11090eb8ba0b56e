"""The form of ``evaluation.json``: every figure with its interval, its size, its method and its source."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from medauc.errors import InputError
from medauc.files import save_text


class Strict(BaseModel):
    """Refuses unknown keys and changes after the fact."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Document(Strict):
    """What is written to a JSON file of its own and read back; ``kind`` is what an error calls it."""

    kind: ClassVar[str]

    def write(self, path: Path | str) -> None:
        """Write the file, whole or not at all.

        Raises:
            InputError: The file cannot be written.
        """
        save_text(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read the file.

        Raises:
            InputError: The file cannot be read or is none of this kind.
        """
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(f"{path} is not {cls.kind} of medauc: {where}: {first['msg']}") from None


class Figure(Strict):
    """One number with its interval.

    ``value`` and bounds are null where the number is undefined (0/0); a ratio by zero has only ``low``.
    ``n`` counts the samples that it rests on, ``method`` says how the interval was made, ``reference`` names
    the paper.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    n: int
    method: str
    reference: str

    def text(self, digits: int = 3) -> str:
        """Write the figure out for people.

        >>> Figure(value=0.91, low=0.87, high=0.9412, level=0.95, n=50, method="DeLong", reference="").text()
        '0.910 [0.870, 0.941]'
        """
        if self.value is None:
            return "undefined" if self.low is None else f"above {self.low:.{digits}f}"
        if self.low is None:
            return f"{self.value:.{digits}f} [no interval]"
        high = "no bound" if self.high is None else f"{self.high:.{digits}f}"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {high}]"


class PartialArea(Strict):
    """Area under a part of the ROC curve, where FPR <= ``max_fpr`` and TPR >= ``min_tpr`` (null: no bound).

    Standardised after McClish: 0.5 is useless and 1 is perfect; a two-way area is a share of its rectangle.
    """

    max_fpr: float | None
    min_tpr: float | None
    standardized: Figure


class RateAt(Strict):
    """Sensitivity where specificity is ``at``, or the reverse; the threshold comes from these same samples."""

    rate: Literal["sensitivity", "specificity"]
    at: float
    figure: Figure


class Discrimination(Strict):
    """How well a score ranks the samples of one split, for one label.

    ``n`` counts samples with a known target; ``prevalence`` is what a useless score has as AUPRC. The areas
    are null, and the lists empty, when a class is absent.
    """

    n: int
    n_positive: int
    n_negative: int
    n_groups: int
    prevalence: float
    auroc: Figure | None
    auprc: Figure | None
    partial: list[PartialArea] = []
    rates: list[RateAt] = []


class SplitEvaluation(Discrimination):
    """One split.

    With several labels ``n_positive`` counts samples with at least one positive label, ``auroc`` is the
    mean over ``macro_labels``, ``micro_auroc`` pools all labels, ``auprc`` is null (each label has its own
    baseline); ``labels`` holds each. With several classes the labels are one-vs-rest, and ``hand_till`` is
    the mean over pairs of classes.
    """

    labels: dict[str, Discrimination] = {}
    macro_labels: list[str] = []
    micro_auroc: Figure | None = None
    hand_till: Figure | None = None


class AtPrevalence(Strict):
    """What the same sensitivity and specificity give where a share ``prevalence`` is positive."""

    prevalence: float
    ppv: Figure
    npv: Figure
    flagged_per_1000: Figure


class OperatingPoint(Strict):
    """A threshold chosen on one split and what it does on another; ``guarantee`` says what it promises, and by what."""

    name: str
    label: str | None = None
    threshold: float
    chosen_on: str
    applied_to: str
    guarantee: str | None = None
    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: Figure
    specificity: Figure
    ppv: Figure
    npv: Figure
    accuracy: Figure
    balanced_accuracy: Figure
    f1: Figure
    mcc: Figure
    lr_positive: Figure
    lr_negative: Figure
    odds_ratio: Figure
    flagged_per_1000: Figure
    at_prevalence: AtPrevalence | None = None


class Curve(Strict):
    """A curve with a pointwise band; lists of equal length."""

    x: list[float]
    y: list[float]
    low: list[float]
    high: list[float]


class ProbabilityFigures(Strict):
    """How good probabilities are.

    Ideal are intercept 0, slope 1, observed/expected 1. Brier = reliability - resolution + uncertainty +
    within_bins. ``curve`` is the flexible calibration curve: probability, observed share, band;
    ``ici`` the mean distance of it from the diagonal.
    """

    intercept: Figure
    slope: Figure
    observed_expected: Figure
    brier: Figure
    reliability: float
    resolution: float
    uncertainty: float
    within_bins: float
    brier_skill: Figure
    log_loss: Figure
    ece: Figure
    ici: float | None
    spiegelhalter_p: float | None
    curve: Curve | None


class Calibration(Strict):
    """A map from scores to probabilities, fitted on one split, and the probabilities before and after it.

    ``map`` holds the method and its parameters (:class:`medauc.metrics.CalibrationMap`).
    ``uncalibrated`` says what "before" takes for a probability: the score itself, when all scores of the
    label lie in [0, 1], or its logistic function.
    """

    label: str | None = None
    method: str
    map: dict[str, str | float | list[float]]
    fitted_on: str
    applied_to: str
    uncalibrated: Literal["score", "logistic(score)"]
    before: ProbabilityFigures
    after: ProbabilityFigures


class NetBenefit(Strict):
    """Decision curve of the calibrated probabilities; treating no one has net benefit 0."""

    label: str | None = None
    prevalence: float
    level: float
    method: str
    reference: str
    threshold: list[float]
    net_benefit: list[float]
    low: list[float]
    high: list[float]
    treat_all: list[float]


class Difference(Strict):
    """One figure of a subgroup less the same figure of all other samples."""

    name: str
    difference: Figure
    p: float
    p_adjusted: float
    flagged: bool


class Subgroup(Strict):
    """Everything about the test samples that share one value of a column; ``note`` says what is missing."""

    column: str
    value: str
    label: str | None = None
    discrimination: Discrimination
    operating_points: list[OperatingPoint] = []
    calibration: ProbabilityFigures | None = None
    net_benefit: NetBenefit | None = None
    differences: list[Difference] = []
    note: str | None = None


class Runs(Strict):
    """Several trainings of one model, evaluated on the same samples; the other figures are their ensemble's."""

    names: list[str]
    label: str | None = None
    auroc: list[float]
    mean: Figure
    spread: float


class Evaluation(Document):
    """All figures computed from one table of predictions."""

    kind = "an evaluation"

    level: float
    positive_name: str | None = None
    label_names: list[str] = []
    splits: dict[str, SplitEvaluation]
    operating_points: list[OperatingPoint] = []
    calibration: list[Calibration] = []
    net_benefit: list[NetBenefit] = []
    subgroups: list[Subgroup] = []
    runs: list[Runs] = []
    warnings: list[str] = []

    @property
    def test(self) -> SplitEvaluation:
        """The figures that count."""
        return self.splits["test"]
