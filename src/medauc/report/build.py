"""One page that holds everything: figures, numbers, images, recipe; it opens offline in any browser."""

from dataclasses import dataclass
from pathlib import Path

from medauc import __version__
from medauc.errors import InputError
from medauc.evaluation import Evaluation, Predictions
from medauc.files import save_text
from medauc.report.answer import answer, warnings
from medauc.report.checklist import SECTIONS, checklist
from medauc.report.flow import flow
from medauc.report.forest_plots import label_plot
from medauc.report.gallery import ConfidentError, most_confident_errors
from medauc.report.images import png_data_uri, views
from medauc.report.material import RunMaterial
from medauc.report.methods_paragraph import methods_paragraph
from medauc.report.page import Plot, asset, environment, plotly_script
from medauc.report.panels import Panel, build_panel
from medauc.report.training_plots import history_plots


@dataclass(frozen=True)
class Card:
    """One confident error with its pictures as ``(name, data URI)``, and a line on them."""

    error: ConfidentError
    pictures: list[tuple[str, str]]
    caption: str = ""


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
    save_text(path, page)


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
    require_belonging(evaluation, predictions)
    material = material or RunMaterial()
    test = predictions.select("test")
    panels = [
        build_panel(evaluation, test, label, number)
        for number, label in enumerate(predictions.labels or (None,))
    ]
    cards = _cards(predictions, evaluation, material)
    anchors = _anchors(evaluation, panels, material, has_errors=bool(cards))
    return (
        environment()
        .get_template("report.html.jinja")
        .render(
            title=title,
            evaluation=evaluation,
            material=material,
            answer=answer(evaluation, material.data_name),
            warnings=warnings(evaluation, predictions),
            notes=[*material.notes, *predictions.notes],
            overview=_overview(evaluation),
            panels=panels,
            flow=flow(predictions, material.unscored, out_of_fold=material.is_out_of_fold),
            multiclass=predictions.is_multiclass,
            history=_history(material),
            cards=cards,
            methods=methods_paragraph(evaluation, material.recipe, material.data_name, material.seed),
            checklist=checklist(anchors),
            anchors=anchors,
            section_names=SECTIONS,
            version=__version__,
            style=asset("report.css"),
            script=asset("report.js"),
            plotly=plotly_script(),
        )
    )


def require_belonging(evaluation: Evaluation, predictions: Predictions) -> None:
    """Raise InputError unless the sizes and labels of both agree."""
    sizes = {name: split.n for name, split in evaluation.splits.items()}
    if sizes != {name: predictions.select(name).n for name in predictions.splits} or (
        tuple(evaluation.label_names) != predictions.labels
    ):
        raise InputError("the evaluation does not belong to these predictions; evaluate them anew")


def _anchors(
    evaluation: Evaluation, panels: list[Panel], material: RunMaterial, *, has_errors: bool
) -> dict[str, str]:
    """Id in the page of each section that it has; those of single labels stand in one section."""
    of_labels = {
        "ranking": evaluation.test.auroc is not None,
        "operating_points": bool(evaluation.operating_points),
        "calibration": bool(evaluation.calibration),
        "usefulness": bool(evaluation.net_benefit),
        "subgroups": any(panel.subgroup_plot for panel in panels),
    }
    others = {
        "errors": has_errors,
        "training": material.history is not None,
        "splits": True,
        "recipe": material.recipe is not None,
        "methods": True,
        "environment": bool(material.environment),
    }
    together = bool(evaluation.label_names)
    return {name: "ranking" if together else name for name, there in of_labels.items() if there} | {
        name: name for name, there in others.items() if there
    }


def _overview(evaluation: Evaluation) -> Plot | None:
    if not evaluation.label_names:
        return None
    description = "AUROC of each label and their mean, with intervals; the numbers are in the table below"
    return Plot("AUROC by label", description, label_plot(evaluation, evaluation.test))


def _history(material: RunMaterial) -> list[Plot]:
    return [] if material.history is None else [Plot(*found) for found in history_plots(material.history)]


def _cards(predictions: Predictions, evaluation: Evaluation, material: RunMaterial) -> list[Card]:
    return [
        Card(
            error,
            [(name, png_data_uri(view)) for name, view in views(material.images[error.id])],
            material.captions.get(error.id, ""),
        )
        if error.id in material.images
        else Card(error, [])
        for error in most_confident_errors(predictions, evaluation)
    ]
