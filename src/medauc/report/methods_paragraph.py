"""A methods paragraph to paste into a paper: what was trained and how it was judged, with references."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from medauc.evaluation import Evaluation, Figure
from medauc.report.methods_augmentation import augmentation_sentences, copies_sentence, listed
from medauc.report.methods_ensemble import chosen_on, ensemble_sentences
from medauc.report.words import METHOD_NAMES
from medauc.training.recipe import Recipe

_LOSSES = {
    "aucm": (
        "the AUC-margin loss ({version}, margin {margin:g})",
        "Yuan Z, Yan Y, Sonka M, Yang T. Large-scale robust deep AUC maximization. ICCV 2021.",
    ),
    "compositional": (
        "the compositional AUC loss ({version}, margin {margin:g})",
        "Yuan Z, Guo Z, Chawla N, Yang T. Compositional training for end-to-end deep AUC maximization. ICLR 2022.",
    ),
    "pairwise": (
        "a pairwise AUC loss ({surrogate} surrogate, margin {margin:g})",
        "Gao W, Zhou ZH. On the consistency of AUC pairwise optimization. IJCAI 2015.",
    ),
    "partial_auc": (
        "a partial AUC loss (false-positive rates up to {max_fpr:g})",
        "Zhu D, Li G, Wang B, Wu X, Yang T. When AUC meets DRO. ICML 2022.",
    ),
    "partial_auc_kl": (
        "a partial AUC loss with soft limits (temperature {temperature:g})",
        "Zhu D, Li G, Wang B, Wu X, Yang T. When AUC meets DRO. ICML 2022.",
    ),
    "average_precision": (
        "a loss for average precision (SOAP)",
        "Qi Q, Luo Y, Xu Z, Ji S, Yang T. Stochastic optimization of AUPRC. NeurIPS 2021.",
    ),
    "multiclass_auc": (
        "a multi-class AUC loss ({scheme}, {surrogate} surrogate)",
        "Hand DJ, Till RJ. A simple generalisation of the area under the ROC curve. Mach Learn 2001;45:171-186.",
    ),
    "cross_entropy": ("cross-entropy", None),
    "focal": (
        "the focal loss (gamma {gamma:g})",
        "Lin TY, Goyal P, Girshick R, He K, Dollar P. Focal loss for dense object detection. ICCV 2017.",
    ),
    "ldam": (
        "the LDAM loss (largest margin {max_margin:g})",
        "Cao K, Wei C, Gaidon A, Arechiga N, Ma T. Learning imbalanced datasets with LDAM loss. NeurIPS 2019.",
    ),
}
_OPTIMIZERS = {
    "pesg": ("proximal epoch stochastic gradient (PESG)", _LOSSES["aucm"][1]),
    "pdsca": ("PDSCA", _LOSSES["compositional"][1]),
    "adamw": ("AdamW", "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019."),
    "sgd": ("stochastic gradient descent", None),
}
_NETWORKS = {
    "resnet10": ("a ResNet-10", "He K, Zhang X, Ren S, Sun J. Deep residual learning. CVPR 2016."),
    "resnet18": ("a ResNet-18", "He K, Zhang X, Ren S, Sun J. Deep residual learning. CVPR 2016."),
    "resnet50": ("a ResNet-50", "He K, Zhang X, Ren S, Sun J. Deep residual learning. CVPR 2016."),
    "fullres": ("a small convolutional network at full resolution", None),
}
_SCHEDULES = {
    "stages": "lowered by a factor of {factor:g} after epochs {epochs}",
    "cosine": "falling along a cosine",
    "one_cycle": "one cycle: rising, then falling",
}
_HOLM = "Holm, Scand. J. Stat. 6 (1979) 65"
_INTENSITIES = {
    "train": "Intensities were standardised by the mean and standard deviation of the training images.",
    "unit": "Intensities were scaled to [0, 1].",
}

Cite = Callable[[str | None], str]


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
    yield from _objective(recipe, cite)
    yield from augmentation_sentences(recipe, cite)
    yield _batches(recipe)
    yield _selection(recipe, seed)
    yield from ensemble_sentences(recipe)


def _objective(recipe: Recipe, cite: Cite) -> Iterator[str]:
    loss, source = _LOSSES[recipe.loss.name]
    options = recipe.loss.model_dump()
    optimizer, origin = _OPTIMIZERS[recipe.optim.name]
    adam = " in its Adam form" if getattr(recipe.optim, "mode", "sgd") == "adam" else ""
    schedule = recipe.optim.schedule
    falling = (
        "held constant"
        if schedule.name == "none"
        else _SCHEDULES[schedule.name].format(
            factor=schedule.factor, epochs=", ".join(map(str, schedule.epochs))
        )
    )
    rate, decay = (
        f"learning rate {recipe.optim.lr:g} ({falling})",
        f"weight decay {recipe.optim.weight_decay:g}",
    )
    epoch_decay = getattr(recipe.optim, "epoch_decay", 0.0)
    pulled = f", epoch decay {epoch_decay:g}" if epoch_decay else ""
    yield (
        f"The network was fitted by minimising {loss.format(**options)}{cite(source)} with "
        f"{optimizer}{cite(origin)}{adam}, {rate}, {decay}{pulled}."
    )
    if recipe.optim.name in ("adamw", "sgd") and recipe.loss.name == "aucm":
        yield "The dual variable was updated by projected gradient ascent."


def _batches(recipe: Recipe) -> str:
    sampling = recipe.sampling
    if sampling.name == "shuffled" or (sampling.positive_share is None and sampling.name == "auto"):
        drawn = "drawn without replacement in random order"
    elif sampling.name == "label_balanced":
        drawn = "balanced for one label after the other"
    else:
        share = 0.5 if sampling.positive_share is None else sampling.positive_share
        drawn = f"of which {100 * share:g}% were positive (for a single label)"
    whole = ", never splitting a patient over batches" if sampling.keep_groups else ""
    return f"Batches held {sampling.batch_size} images, {drawn}{whole}."


def _selection(recipe: Recipe, seed: int | None) -> str:
    training = recipe.training
    early = (
        ""
        if training.patience is None
        else f", stopping after {training.patience} epochs without improvement"
    )
    averages = {
        "none": "",
        "ema": f" of exponentially averaged weights (decay {training.ema_decay:g})",
        "swa": " of stochastically averaged weights",
    }
    seeded = "" if seed is None else f" (random seed {seed})"
    averaged = averages[training.weight_averaging]
    return (
        f"Training ran for at most {training.max_epochs} epochs{early}{seeded}; the epoch{averaged} with the "
        f"largest area under the ROC curve on validation was kept. The test set was scored "
        f"once.{copies_sentence(recipe.evaluation)}"
    )


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
