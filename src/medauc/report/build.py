"""One page that holds everything: figures, numbers, images, recipe; it opens offline in any browser."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from medauc import __version__
from medauc.errors import InputError
from medauc.evaluation import Calibration, Evaluation, OperatingPoint, Predictions
from medauc.files import write_text_atomically
from medauc.report import plots
from medauc.report.gallery import ConfidentError, most_confident_errors
from medauc.report.images import png_data_uri, views
from medauc.report.material import RunMaterial

_CALIBRATION_ROWS = (
    ("Brier score", "brier", "0"),
    ("Calibration error (ECE)", "ece", "0"),
    ("Intercept", "intercept", "0"),
    ("Slope", "slope", "1"),
    ("Observed / expected", "observed_expected", "1"),
)


@dataclass(frozen=True)
class Plot:
    """One drawn figure: its heading, what it shows in words, and its plotly.js specification."""

    title: str
    description: str
    spec: plots.Spec

    @property
    def json(self) -> Markup:
        """The specification, safe inside a script element."""
        text = json.dumps(self.spec, allow_nan=False, separators=(",", ":"))
        return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


@dataclass(frozen=True)
class Panel:
    """The figures and tables of one label."""

    label: str | None
    plots: list[Plot]
    points: list[OperatingPoint]
    calibration: Calibration | None


@dataclass(frozen=True)
class Card:
    """One confident error with its pictures as ``(name, data URI)``."""

    error: ConfidentError
    pictures: list[tuple[str, str]]


def write_report(
    path: Path | str,
    evaluation: Evaluation,
    predictions: Predictions,
    *,
    title: str,
    material: RunMaterial | None = None,
) -> None:
    """Write :func:`build_report`'s page to ``path``, whole or not at all.

    Raises:
        InputError: As :func:`build_report`, or the file cannot be written.
    """
    page = build_report(evaluation, predictions, title=title, material=material)
    try:
        write_text_atomically(Path(path), page)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from None


def build_report(
    evaluation: Evaluation, predictions: Predictions, *, title: str, material: RunMaterial | None = None
) -> str:
    """Render the page.

    Args:
        evaluation: What :func:`medauc.evaluation.evaluate` made of ``predictions``.
        predictions: The table, for curves and histograms.
        title: Heading and window title.
        material: What the training adds; without it the page shows what the table alone tells.

    Returns:
        HTML that needs no other file and no network. Text from outside is escaped.

    Raises:
        InputError: ``evaluation`` was made from another table.

    >>> from medauc.evaluation import evaluate
    >>> table = Predictions.from_arrays(
    ...     split="test", ids="abcdef", targets=[0, 0, 0, 1, 1, 1], scores=[1, 2, 9, 3, 4, 5])
    >>> page = build_report(evaluate(table), table, title="Reader 1 <draft>")
    >>> "<h1>Reader 1 &lt;draft&gt;</h1>" in page
    True
    """
    sizes = {name: split.n for name, split in evaluation.splits.items()}
    if sizes != {name: predictions.select(name).n for name in predictions.splits} or (
        tuple(evaluation.label_names) != predictions.labels
    ):
        raise InputError("the evaluation does not belong to these predictions; evaluate them anew")
    material = material or RunMaterial()
    test = predictions.select("test")
    history = [] if material.history is None else plots.history_plots(material.history)
    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            title=title,
            evaluation=evaluation,
            material=material,
            overview=_overview(evaluation),
            panels=[_panel(evaluation, test, label) for label in predictions.labels or (None,)],
            history=[Plot(name, description, spec) for name, description, spec in history],
            cards=_cards(predictions, evaluation, material),
            calibration_rows=_CALIBRATION_ROWS,
            version=__version__,
            style=Markup((Path(__file__).parent / "report.css").read_text(encoding="utf-8")),
            plotly=Markup(_plotly_script()),
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("medauc.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}%"
    return environment


@cache
def _plotly_script() -> str:
    from plotly.offline import get_plotlyjs  # slow to import

    return str(get_plotlyjs())


def _overview(evaluation: Evaluation) -> Plot | None:
    if not evaluation.label_names:
        return None
    description = "AUROC of each label and their mean, with intervals; the numbers are in the table below"
    return Plot("AUROC by label", description, plots.label_plot(evaluation, evaluation.test))


def _panel(evaluation: Evaluation, test: Predictions, label: str | None) -> Panel:
    points = [point for point in evaluation.operating_points if point.label == label]
    calibration = next((fit for fit in evaluation.calibration if fit.label == label), None)
    if not test.has_both_classes(label):
        return Panel(label, [], points, calibration)
    target, score = test.known(label)
    found = evaluation.test if label is None else evaluation.test.labels[label]
    auroc = found.auroc.text() if found.auroc else "undefined"
    auprc = found.auprc.text() if found.auprc else "undefined"
    positive = evaluation.positive_name or "positive"
    thresholds = "; vertical lines are the thresholds from validation" if points else ""
    drawn = [
        Plot("ROC curve", f"AUROC {auroc}", plots.roc_plot(target, score, points, evaluation.level)),
        Plot(
            "Precision and recall",
            f"AUPRC {auprc}; a useless score has {found.prevalence:.3f}",
            plots.precision_recall_plot(target, score),
        ),
        Plot(
            "Scores by class",
            f"{positive} hatched{thresholds}",
            plots.score_plot(target, score, points, positive),
        ),
    ]
    if calibration is not None:
        errors = f"ECE {calibration.before.ece.text()} before, {calibration.after.ece.text()} after"
        drawn.append(Plot("Calibration", errors, plots.calibration_plot(target, score, calibration)))
    return Panel(label, drawn, points, calibration)


def _cards(predictions: Predictions, evaluation: Evaluation, material: RunMaterial) -> list[Card]:
    return [
        Card(error, [(name, png_data_uri(view)) for name, view in views(material.images[error.id])])
        if error.id in material.images
        else Card(error, [])
        for error in most_confident_errors(predictions, evaluation)
    ]
