"""What was minimised, how, and which weights were kept, in the words of a methods section; stage by stage."""

from collections.abc import Callable, Iterator

from medauc.report.methods_augmentation import copies_sentence
from medauc.training.recipe import Recipe
from medauc.training.sections.optim import OptimSection

Cite = Callable[[str | None], str]

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
_SCHEDULES = {
    "none": "held constant",
    "stages": "lowered by a factor of {factor:g} after epochs {epochs}",
    "cosine": "falling along a cosine",
    "one_cycle": "one cycle: rising, then falling",
}
_SAM = "Foret P, Kleiner A, Mobahi H, Neyshabur B. Sharpness-aware minimization. ICLR 2021."
_ASAM = "Kwon J, Kim J, Park H, Choi IK. ASAM: adaptive sharpness-aware minimization. ICML 2021."
_SMOOTHING = (
    "Szegedy C, Vanhoucke V, Ioffe S, Shlens J, Wojna Z. Rethinking the Inception architecture. CVPR 2016."
)
_SWA = "Izmailov P, Podoprikhin D, Garipov T, Vetrov D, Wilson AG. Averaging weights. UAI 2018."


def objective_sentences(recipe: Recipe, cite: Cite) -> Iterator[str]:
    """Loss, optimizer, learning rate and batches of each stage."""
    stages = recipe.stages()
    if len(stages) == 1:
        yield from _objective(recipe, "The network was fitted", cite)
        yield _batches(recipe, "Batches")
        return
    yield "Training had two stages, of which the second started from the weights that the first had kept."
    for stage, place in zip(stages, ("first", "second"), strict=True):
        yield from _objective(stage, f"In the {place} stage the network was fitted", cite)
        yield _batches(stage, "Its batches")


def selection_sentences(recipe: Recipe, seed: int | None, cite: Cite) -> Iterator[str]:
    """How long each stage was trained, and which weights were kept."""
    training, stages = recipe.training, recipe.stages()
    lengths = [_length(stage) for stage in stages]
    averages = {
        "none": "",
        "ema": f" of exponentially averaged weights (decay {training.ema_decay:g})",
        "swa": f" of stochastically averaged weights{cite(_SWA) if training.weight_averaging == 'swa' else ''}",
    }
    averaged = averages[training.weight_averaging]
    seeded = "" if seed is None else f" (random seed {seed})"
    ran = (
        lengths[0] if len(lengths) == 1 else f"{lengths[0]} in the first stage and {lengths[1]} in the second"
    )
    if training.selection == "last":
        yield f"Training ran for {ran}{seeded}; the last epoch{averaged} was kept."
    else:
        of_both = " of both stages" if len(stages) > 1 else ""
        yield (
            f"Training ran for {ran}{seeded}; the epoch{of_both}{averaged} with the "
            "largest area under the ROC curve on validation was kept."
        )
    yield f"The test set was scored once.{copies_sentence(recipe.evaluation)}"


def _length(stage: Recipe) -> str:
    training = stage.training
    if training.selection == "last":
        return f"{training.max_epochs} epochs"
    early = (
        ""
        if training.patience is None
        else f", stopping after {training.patience} epochs without improvement"
    )
    return f"at most {training.max_epochs} epochs{early}"


def _objective(stage: Recipe, begin: str, cite: Cite) -> Iterator[str]:
    loss, source = _LOSSES[stage.loss.name]
    smoothing = getattr(stage.loss, "label_smoothing", 0.0)
    smoothed = f" with label smoothing of {smoothing:g}{cite(_SMOOTHING)}" if smoothing else ""
    optim, options = stage.optim, stage.loss.model_dump()
    optimizer, origin = _OPTIMIZERS[optim.name]
    adam = " in its Adam form" if getattr(optim, "mode", "sgd") == "adam" else ""
    epoch_decay = getattr(optim, "epoch_decay", 0.0)
    pulled = f", epoch decay {epoch_decay:g}" if epoch_decay else ""
    yield (
        f"{begin} by minimising {loss.format(**options)}{cite(source)}{smoothed} with "
        f"{optimizer}{cite(origin)}{adam}, learning rate {optim.lr:g} ({_falling(optim)}), "
        f"weight decay {optim.weight_decay:g}{pulled}."
    )
    if radius := getattr(optim, "sam_radius", 0.0):
        adaptive = getattr(optim, "sam_adaptive", False)
        kind = "adaptive sharpness-aware" if adaptive else "sharpness-aware"
        yield f"Gradients were those of {kind} minimisation (radius {radius:g}){cite(_ASAM if adaptive else _SAM)}."
    if optim.name in ("adamw", "sgd") and stage.loss.name == "aucm":
        yield "The dual variable was updated by projected gradient ascent."


def _falling(optim: OptimSection) -> str:
    schedule = optim.schedule
    epochs = ", ".join(map(str, schedule.epochs))
    falling = _SCHEDULES[schedule.name].format(factor=schedule.factor, epochs=epochs)
    if schedule.name == "cosine" and schedule.epochs:
        falling += f", the reference point moved after epochs {epochs}"
    warmed = f" after a linear rise over {schedule.warmup_epochs:g} epochs" if schedule.warmup_epochs else ""
    return falling + warmed


def _batches(stage: Recipe, begin: str) -> str:
    sampling = stage.sampling
    if sampling.name == "shuffled" or (sampling.positive_share is None and sampling.name == "auto"):
        drawn = "drawn without replacement in random order"
    elif sampling.name == "label_balanced":
        drawn = "balanced for one label after the other"
    else:
        share = 0.5 if sampling.positive_share is None else sampling.positive_share
        drawn = f"of which {100 * share:g}% were positive (for a single label)"
    whole = ", never splitting a patient over batches" if sampling.keep_groups else ""
    unit = "samples" if stage.data.bags.makes_bags else "images"
    return f"{begin} held {sampling.batch_size} {unit}, {drawn}{whole}."
