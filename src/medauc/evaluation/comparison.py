"""The form of ``comparison.json``: models on the same samples, and every paired difference."""

from typing import Literal

from medauc.evaluation.figures import Document, Figure, Strict


class ModelFigures(Strict):
    """One model's areas; ``auprc`` is null for the mean over labels, which have baselines of their own."""

    name: str
    auroc: Figure
    auprc: Figure | None


class NonInferiority(Strict):
    """Whether the second model is worse than the first by less than ``margin``.

    ``largest_deficit`` is the upper bound of AUROC(first) - AUROC(second), one-sided with confidence
    ``(1 + level) / 2``; ``shown`` says that it lies below the margin. Not adjusted for the number of pairs.
    """

    margin: float
    largest_deficit: float
    shown: bool


class AucDifference(Strict):
    """AUROC of ``first`` less AUROC of ``second``; ``p_holm`` is adjusted over all differences of its table.

    ``auprc_difference`` is null for the mean over labels and where cases are too few for an interval.
    """

    first: str
    second: str
    difference: Figure
    z: float
    p: float
    p_holm: float
    auprc_difference: Figure | None = None
    noninferiority: NonInferiority | None = None


class OverallTest(Strict):
    """Chi-square test that all models have one AUROC."""

    chi2: float
    df: int
    p: float


class Ranking(Strict):
    """AUROC of each model and of each pair the difference; ``overall`` for three models or more."""

    models: list[ModelFigures]
    differences: list[AucDifference]
    overall: OverallTest | None


class ModelPoint(Strict):
    """A threshold that a model's own validation chose, and its rates on the samples compared."""

    model: str
    point: str
    threshold: float
    sensitivity: Figure
    specificity: Figure


class CallDifference(Strict):
    """Rate of ``first`` less rate of ``second`` at their operating points, with McNemar's exact test.

    ``only_first`` of the ``n`` positives (for sensitivity) or negatives are called rightly by ``first`` alone.
    ``p_holm`` is adjusted over all pairs, both rates and all labels at one ``point``.
    """

    point: str
    rate: Literal["sensitivity", "specificity"]
    first: str
    second: str
    n: int
    only_first: int
    only_second: int
    difference: Figure
    p: float
    p_holm: float


class LabelComparison(Strict):
    """The comparison in one label; ``label`` is null when there is one target without a name."""

    label: str | None
    n: int
    n_positive: int
    n_negative: int
    ranking: Ranking
    points: list[ModelPoint]
    calls: list[CallDifference]


class Comparison(Document):
    """Models compared on the samples of one split; ``mean`` is over labels, null for one target without a name."""

    kind = "a comparison"

    split: str
    level: float
    names: list[str]
    n: int
    n_groups: int
    left_out: dict[str, int]
    labels: list[LabelComparison]
    mean: Ranking | None
    warnings: list[str]
