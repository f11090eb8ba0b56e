"""A methods paragraph to paste into a paper: what was trained and how it was judged, with references."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from medauc.evaluation import Evaluation, Figure
from medauc.report.methods_augmentation import augmentation_sentences, listed
from medauc.report.methods_bags import bag_sentences
from medauc.report.methods_ensemble import chosen_on, ensemble_sentences
from medauc.report.methods_objective import Cite, objective_sentences, selection_sentences
from medauc.report.words import METHOD_NAMES
from medauc.training.recipe import Recipe

_NETWORKS = {
    "resnet10": ("a ResNet-10", "He K, Zhang X, Ren S, Sun J. Deep residual learning. CVPR 2016."),
    "resnet18": ("a ResNet-18", "He K, Zhang X, Ren S, Sun J. Deep residual learning. CVPR 2016."),
    "resnet50": ("a ResNet-50", "He K, Zhang X, Ren S, Sun J. Deep residual learning. CVPR 2016."),
    "fullres": ("a small convolutional network at full resolution", None),
}
_HOLM = "Holm, Scand. J. Stat. 6 (1979) 65"
_INTENSITIES = {
    "train": "Intensities were standardised by the mean and standard deviation of the training images.",
    "unit": "Intensities were scaled to [0, 1].",
}


@dataclass(frozen=True)
class Paragraph:
    """Sentences with citation numbers in brackets, and the references in that order."""

    text: str
    references: list[str]


def methods_paragraph(
    evaluation: Evaluation, recipe: Recipe | None, data_name: str | None, seed: int | None
) -> Paragraph:
    """Say what was done in the words of a methods section; nothing that was not done.

    Args:
        evaluation: What was computed.
        recipe: What was trained; ``None`` for predictions from elsewhere, which leaves the evaluation half.
        data_name: Name of the data set.
        seed: Seed of the training.
    """
    cited: list[str] = []

    def cite(reference: str | None) -> str:
        if reference is None:
            return ""
        if reference not in cited:
            cited.append(reference)
        return f" [{cited.index(reference) + 1}]"

    sentences = [] if recipe is None else list(_training(recipe, data_name, seed, cite))
    sentences += _evaluation(evaluation, recipe, cite)
    return Paragraph(" ".join(sentences), cited)


def _training(recipe: Recipe, data_name: str | None, seed: int | None, cite: Cite) -> Iterator[str]:
    network, source = _NETWORKS[recipe.model.name]
    width = f" with {recipe.model.width} channels in its first stage" if recipe.model.width != 64 else ""
    acs = (
        " whose 2D kernels were applied along the three axes (ACS)"
        if recipe.model.conversion == "acs"
        else ""
    )
    weights = recipe.model.weights
    start = "from scratch" if weights is None else f"starting from the weights {Path(weights).name}"
    data = f" on {data_name} ({recipe.data.size} pixels a side)" if data_name else ""
    yield f"We trained {network}{cite(source)}{width}{acs} {start}{data}."
    yield _INTENSITIES[recipe.data.normalization]
    yield from bag_sentences(recipe, cite)
    yield from objective_sentences(recipe, cite)
    yield from augmentation_sentences(recipe, cite)
    yield from selection_sentences(recipe, seed, cite)
    yield from ensemble_sentences(recipe)


def _evaluation(evaluation: Evaluation, recipe: Recipe | None, cite: Cite) -> Iterator[str]:
    test, percent = evaluation.test, f"{100 * evaluation.level:g}%"
    if evaluation.runs and (recipe is None or recipe.ensemble.is_single):
        names = len(evaluation.runs[0].names)
        where = "validation" if "val" in evaluation.splits else "test"
        yield f"Scores of {names} trainings were divided by their standard deviation on {where} and averaged."
    if test.auroc is not None:
        of = "averaged over labels " if evaluation.label_names else ""
        yield (
            f"Discrimination on the {test.n} test samples is given as area under the ROC curve {of}"
            f"with its {percent} confidence interval ({_how(test.auroc, cite)})"
            + (f" and as average precision ({_how(test.auprc, cite)})." if test.auprc is not None else ".")
        )
    if test.micro_auroc is not None:
        yield f"All labels pooled have an area of their own ({_how(test.micro_auroc, cite)})."
    if test.hand_till is not None:
        yield f"Classes are also compared pair by pair ({_how(test.hand_till, cite)})."
    ranked = [test, *test.labels.values()]
    partial = next((found.partial[0].standardized for found in ranked if found.partial), None)
    rate = next((found.rates[0].figure for found in ranked if found.rates), None)
    if partial is not None and rate is not None:
        yield (
            f"Partial areas are standardised ({_how(partial, cite)}); sensitivity at fixed specificity, and the "
            f"reverse, is given with intervals ({_how(rate, cite)})."
        )
    if evaluation.operating_points:
        point = evaluation.operating_points[0]
        rules = listed(list(dict.fromkeys(point.name for point in evaluation.operating_points)))
        yield (
            f"Thresholds ({rules}) were chosen on {chosen_on(recipe)} and applied to the test set; proportions have "
            f"{percent} intervals ({_how(point.sensitivity, cite)})."
        )
    for fit in evaluation.calibration[:1]:
        yield (
            f"Scores were mapped to probabilities by {METHOD_NAMES[fit.method]}, fitted on {chosen_on(recipe)}; "
            f"calibration is described by intercept and slope ({_how(fit.after.intercept, cite)}), Brier score"
            f"{cite(fit.after.brier.reference)} and calibration error ({_how(fit.after.ece, cite)})."
        )
    for curve in evaluation.net_benefit[:1]:
        yield f"Clinical usefulness is shown by decision curves{cite(curve.reference)}."
    columns = list(dict.fromkeys(found.column for found in evaluation.subgroups))
    if columns:
        yield (
            f"Subgroups by {listed(columns)} were each compared with the remaining samples; p values were adjusted by "
            f"Holm's method{cite(_HOLM)}."
        )


def _how(figure: Figure, cite: Cite) -> str:
    return figure.method + cite(figure.reference or None)
