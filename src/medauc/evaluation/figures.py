"""The form of ``evaluation.json``: every figure with its interval, its confidence level and its method."""

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from medauc.errors import InputError
from medauc.files import write_text_atomically


class Strict(BaseModel):
    """Refuses unknown keys and changes after the fact."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(Strict):
    """One number with its interval; ``value`` and bounds are null where the number is undefined (0/0)."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    method: str

    def text(self, digits: int = 3) -> str:
        """Write the figure out for people.

        >>> Figure(value=0.91, low=0.87, high=0.9412, level=0.95, method="DeLong").text()
        '0.910 [0.870, 0.941]'
        """
        if self.value is None or self.low is None or self.high is None:
            return "undefined"
        return f"{self.value:.{digits}f} [{self.low:.{digits}f}, {self.high:.{digits}f}]"


class Discrimination(Strict):
    """How well a score ranks the samples of one split, for one label.

    ``n`` counts samples with a known target; ``prevalence`` is what a useless score has as AUPRC. The areas
    are null when a class is absent.
    """

    n: int
    n_positive: int
    n_negative: int
    prevalence: float
    auroc: Figure | None
    auprc: Figure | None


class SplitEvaluation(Discrimination):
    """One split.

    With several labels ``n_positive`` counts samples with at least one positive label, ``auroc`` is the
    mean over ``macro_labels``, ``auprc`` is null (each label has its own baseline); ``labels`` holds each.
    """

    n_groups: int
    labels: dict[str, Discrimination] = {}
    macro_labels: list[str] = []


class OperatingPoint(Strict):
    """A threshold chosen on one split and what it does on another."""

    name: str
    label: str | None = None
    threshold: float
    chosen_on: str
    applied_to: str
    tp: int
    fp: int
    tn: int
    fn: int
    sensitivity: Figure
    specificity: Figure
    ppv: Figure
    npv: Figure


class Calibration(Strict):
    """Platt's map ``1 / (1 + exp(-(slope * score + intercept)))`` and the errors before and after it.

    ``uncalibrated`` says what "before" takes for a probability: the score itself, when all scores of the
    label lie in [0, 1], or its logistic function.
    """

    label: str | None = None
    slope: float
    intercept: float
    fitted_on: str
    applied_to: str
    uncalibrated: Literal["score", "logistic(score)"]
    brier: Figure
    ece: Figure
    brier_uncalibrated: Figure
    ece_uncalibrated: Figure


class Evaluation(Strict):
    """All figures computed from one table of predictions."""

    level: float
    positive_name: str | None = None
    label_names: list[str] = []
    splits: dict[str, SplitEvaluation]
    operating_points: list[OperatingPoint] = []
    calibration: list[Calibration] = []
    warnings: list[str] = []

    @property
    def test(self) -> SplitEvaluation:
        """The figures that count."""
        return self.splits["test"]

    def write(self, path: Path | str) -> None:
        """Write ``evaluation.json``, whole or not at all.

        Raises:
            InputError: The file cannot be written.
        """
        try:
            write_text_atomically(Path(path), self.model_dump_json(indent=2) + "\n")
        except OSError as error:
            raise InputError(f"{path} cannot be written: {error.strerror or error}") from None

    @classmethod
    def read(cls, path: Path | str) -> Self:
        """Read ``evaluation.json``.

        Raises:
            InputError: The file cannot be read or is not an evaluation.
        """
        try:
            return cls.model_validate_json(Path(path).read_bytes())
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror or error}") from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the file"
            raise InputError(f"{path} is not an evaluation of medauc: {where}: {first['msg']}") from None
