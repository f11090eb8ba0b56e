"""The model card: what a model is, for whom, how good, and where not to trust it, in Markdown."""

from collections.abc import Iterator
from pathlib import Path

from medauc import __version__
from medauc.evaluation import Evaluation, Figure, OperatingPoint, Predictions
from medauc.files import save_text
from medauc.report.answer import answer, warnings
from medauc.report.build import require_belonging
from medauc.report.flow import flow
from medauc.report.material import RunMaterial
from medauc.report.methods_paragraph import methods_paragraph
from medauc.report.words import map_text

_AUTHOR = "_For the author to fill in:_"


def write_model_card(
    path: Path | str,
    evaluation: Evaluation,
    predictions: Predictions,
    *,
    title: str,
    material: RunMaterial | None = None,
) -> None:
    """Write :func:`model_card`'s text to ``path``, whole or not at all.

    Raises:
        InputError: As :func:`model_card`, or the file cannot be written.
    """
    save_text(path, model_card(evaluation, predictions, title=title, material=material))


def model_card(
    evaluation: Evaluation, predictions: Predictions, *, title: str, material: RunMaterial | None = None
) -> str:
    r"""Write the card with the sections of Mitchell et al. (FAccT 2019); what no figure tells is left to the author.

    Args:
        evaluation: What :func:`medauc.evaluation.evaluate` made of ``predictions``.
        predictions: The table, for the sizes of the splits.
        title: Heading.
        material: What the training adds.

    Returns:
        Markdown. Text from outside is escaped.

    Raises:
        InputError: ``evaluation`` was made from another table.

    >>> from medauc.evaluation import evaluate
    >>> table = Predictions.from_arrays(
    ...     split="test", ids="abcdef", targets=[0, 0, 0, 1, 1, 1], scores=[1, 2, 9, 3, 4, 5])
    >>> print(model_card(evaluate(table), table, title="Reader *1*").splitlines()[0])
    # Reader \*1\*
    """
    require_belonging(evaluation, predictions)
    material = material or RunMaterial()
    blocks = [
        f"# {_plain(title)}",
        _plain(answer(evaluation, material.data_name)),
        *_details(evaluation, material),
        *_intended_use(),
        *_data(predictions, material),
        *_metrics(evaluation),
        *_points(evaluation),
        *_calibration(evaluation),
        *_subgroups(evaluation),
        *_caveats(evaluation, predictions),
        *_environment(material),
    ]
    return "\n\n".join(blocks) + "\n"


def _details(evaluation: Evaluation, material: RunMaterial) -> Iterator[str]:
    yield "## Model details"
    methods = methods_paragraph(evaluation, material.recipe, material.data_name, material.seed)
    yield _plain(methods.text)
    yield "\n".join(f"{place}. {_plain(text)}" for place, text in enumerate(methods.references, 1))
    wanted = "developers, version and date, licence, contact"
    yield f"{_AUTHOR} {wanted if material.recipe else 'what made the scores, ' + wanted}."


def _intended_use() -> Iterator[str]:
    yield "## Intended use"
    yield f"{_AUTHOR} purpose, users, patients, place in the clinical path; uses that are out of scope."


def _data(predictions: Predictions, material: RunMaterial) -> Iterator[str]:
    yield "## Data"
    yield _table(
        ["split", "what it does", "samples", "groups", "positive", "negative", "not fully known"],
        [
            [
                split.name,
                split.use,
                *map(str, (split.n, split.n_groups, split.n_positive, split.n_negative, split.n_unknown)),
            ]
            for split in flow(predictions, material.unscored, out_of_fold=material.is_out_of_fold)
        ],
    )
    if material.notes:
        yield "\n".join(f"* {_plain(note)}" for note in material.notes)
    yield f"{_AUTHOR} where the data come from, who is in them, how the reference standard was made."


def _metrics(evaluation: Evaluation) -> Iterator[str]:
    test, percent = evaluation.test, f"{100 * evaluation.level:g}%"
    named = {
        "mean AUROC" if evaluation.label_names else "AUROC": test.auroc,
        "AUROC, labels pooled": test.micro_auroc,
        "AUROC over pairs of classes": test.hand_till,
        "AUPRC": test.auprc,
    }
    rows = [_row(name, figure) for name, figure in named.items() if figure is not None]
    for name, label in test.labels.items():
        rows += [
            _row(f"{kind} of {name}", figure)
            for kind, figure in (("AUROC", label.auroc), ("AUPRC", label.auprc))
            if figure is not None
        ]
    for runs in evaluation.runs:
        of = "" if runs.label is None else f" of {runs.label}"
        rows.append(_row(f"mean AUROC of {len(runs.names)} trainings{of}", runs.mean))
    yield "## Metrics"
    yield f"On the test split, with {percent} intervals."
    yield _table(["figure", "value and interval", "n", "interval by"], rows)


def _points(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.operating_points:
        return
    yield "## Operating points"
    yield "Thresholds were chosen on validation and applied to test; a score at or above one counts as positive."
    stated = evaluation.operating_points[0].at_prevalence
    at = "" if stated is None else f" at {100 * stated.prevalence:g}% positive"
    header = ["point", "threshold", "sensitivity", "specificity"]
    header += [f"{name}{at}" for name in ("PPV", "NPV", "flagged per 1,000")]
    yield _table(header, [_point(point) for point in evaluation.operating_points])


def _point(point: OperatingPoint) -> list[str]:
    predictive = point if point.at_prevalence is None else point.at_prevalence
    rates = (point.sensitivity, point.specificity, predictive.ppv, predictive.npv)
    name = point.name if point.label is None else f"{point.label}: {point.name}"
    return [
        name,
        f"{point.threshold:.4g}",
        *(rate.text() for rate in rates),
        predictive.flagged_per_1000.text(0),
    ]


def _calibration(evaluation: Evaluation) -> Iterator[str]:
    if not evaluation.calibration:
        return
    yield "## Calibration"
    yield _table(
        ["of", "map", "slope", "intercept", "observed / expected", "Brier score"],
        [
            [
                f"{fit.label or 'score'}, {when}",
                "none" if when == "before" else map_text(fit),
                *(
                    figure.text()
                    for figure in (
                        figures.slope,
                        figures.intercept,
                        figures.observed_expected,
                        figures.brier,
                    )
                ),
            ]
            for fit in evaluation.calibration
            for when, figures in (("before", fit.before), ("after", fit.after))
        ],
    )


def _subgroups(evaluation: Evaluation) -> Iterator[str]:
    yield "## Subgroups"
    if not evaluation.subgroups:
        yield "None were evaluated: the table of predictions has no column that makes any."
        return
    yield _table(
        ["subgroup", "n", "positive", "AUROC", "differs from the rest"],
        [
            [
                f"{part.column} {part.value}" + ("" if part.label is None else f" ({part.label})"),
                str(part.discrimination.n),
                str(part.discrimination.n_positive),
                part.note or (part.discrimination.auroc.text() if part.discrimination.auroc else ""),
                ", ".join(item.name for item in part.differences if item.flagged) or "not shown",
            ]
            for part in evaluation.subgroups
        ],
    )


def _caveats(evaluation: Evaluation, predictions: Predictions) -> Iterator[str]:
    yield "## Caveats and recommendations"
    found = warnings(evaluation, predictions)
    if found:
        yield "\n".join(f"* {_plain(sentence)}" for sentence in found)
    yield f"{_AUTHOR} ethical considerations, known failures, what to check before use elsewhere."


def _environment(material: RunMaterial) -> Iterator[str]:
    yield "## Environment"
    facts = {"card made with": f"medauc {__version__}", **material.environment}
    yield "\n".join(f"* {_plain(name)}: {_plain(value)}" for name, value in facts.items())


def _row(name: str, figure: Figure) -> list[str]:
    return [name, figure.text(), str(figure.n), figure.method]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text that Markdown takes for nothing else."""
    for mark in "\\`*_<>|#":
        text = text.replace(mark, f"\\{mark}")
    return " ".join(text.split())
