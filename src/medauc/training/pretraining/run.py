"""Pretraining: from the training splits of data sets to a file of starting weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from safetensors.torch import save

from medauc import __version__
from medauc.data import Dataset
from medauc.data.augment import Augment
from medauc.data.bags import single_images
from medauc.data.normalize import Normalize, compute_statistics
from medauc.data.npz import file_md5
from medauc.errors import InputError
from medauc.files import write_bytes_atomically
from medauc.training.averaging import Averaging, ema_weight
from medauc.training.build import require_orientations
from medauc.training.fit import Device, choose_device
from medauc.training.origin import Method, Origin, Source
from medauc.training.precision import require_precision
from medauc.training.pretraining.batches import InterleavedBatches
from medauc.training.pretraining.losses import EpochLosses
from medauc.training.pretraining.objectives import JointPretraining, Pretraining, SelfSupervisedPretraining
from medauc.training.quiet import quiet_lightning
from medauc.training.recipe import Recipe
from medauc.training.sections.augment import AugmentSection


@dataclass(frozen=True)
class Pretrained:
    """Finished pretraining: the weights file, its MD5, what it was made from, and the mean loss of each epoch."""

    path: Path
    md5: str
    origin: Origin
    losses: list[float]


def pretrain(
    datasets: Sequence[Dataset],
    recipe: Recipe,
    out: Path,
    *,
    method: Method = "joint",
    seed: int = 0,
    device: Device = "auto",
    say: Callable[[str], object] | None = None,
) -> Pretrained:
    """Learn starting weights from the training splits of data sets; validation and test images are never read.

    Images of a bag are learned from one by one, each with the target of its bag.

    The file holds the network without its last layer and is given as ``model.weights``. Its metadata name
    method, data sets with their checksums, seed and recipe.

    Args:
        datasets: one or several, equal in axes and channels; sizes may differ.
        recipe: decides network, augmentation, optimizer, schedule, ``sampling.batch_size``, ``training.max_epochs``,
            precision and exponential averaging. Loss, early stopping and evaluation are not looked at.
        out: the file to write, ``.safetensors``.
        method: "joint" learns all labels at once by cross-entropy; "self-supervised" learns without labels
            what two random views of an image have in common (VICReg).
        seed: decides every random number.
        device: "auto" takes a GPU if there is one.
        say: told each epoch's loss.

    Raises:
        InputError: data sets, recipe and method do not go together, or the file cannot be written.
        TrainingDiverged: the loss was not finite.
    """
    datasets = [single_images(each) for each in datasets]
    _require_fitting(datasets, recipe, out, method)
    accelerator = choose_device(device)
    require_precision(recipe.training.precision, accelerator)
    module = _build(datasets, recipe, method, seed)
    losses = EpochLosses(say)
    callbacks: list[Callback] = [losses]
    if recipe.training.weight_averaging == "ema":
        callbacks.append(Averaging(ema_weight(recipe.training.ema_decay)))
    with quiet_lightning():
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=1,
            precision=recipe.training.precision,
            max_epochs=recipe.training.max_epochs,
            callbacks=callbacks,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        trainer.fit(module, InterleavedBatches(datasets, recipe.sampling.batch_size, seed).loader())
    sources = tuple(Source(each.name, each.md5, each.size, len(each.train)) for each in datasets)
    origin = Origin(method, sources, seed, __version__, recipe.model_dump(mode="json"))
    state = {name: value.detach().cpu().contiguous() for name, value in module.trunk().items()}
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomically(out, save(state, metadata=origin.metadata()))
    except OSError as error:
        raise InputError(
            f"{out}: cannot write the weights ({error.strerror}); name another with --out"
        ) from None
    return Pretrained(out, file_md5(out), origin, losses.means)


def _build(datasets: Sequence[Dataset], recipe: Recipe, method: Method, seed: int) -> Pretraining:
    dims, mode = datasets[0].spatial_dims, recipe.data.normalization
    normalize = [Normalize(dims, mode, compute_statistics(each.train.images, dims)) for each in datasets]
    augment = Augment(dims, **(recipe.augment or AugmentSection()).options())
    kind = JointPretraining if method == "joint" else SelfSupervisedPretraining
    return kind(datasets, normalize, augment, recipe, seed)


def _require_fitting(datasets: Sequence[Dataset], recipe: Recipe, out: Path, method: Method) -> None:
    if not datasets:
        raise InputError("pretrain: name a data set to learn from")
    if out.suffix != ".safetensors":
        raise InputError(f"--out {out}: weights are written as .safetensors; name such a file")
    first = datasets[0]
    for other in datasets[1:]:
        if (other.spatial_dims, other.channels) != (first.spatial_dims, first.channels):
            raise InputError(
                f"pretrain: {first.name} has {first.spatial_dims} axes and {first.channels} channels, {other.name} "
                f"{other.spatial_dims} and {other.channels}; pretrain on data sets of one kind"
            )
    for each in datasets:
        require_orientations(recipe, each.image_shape)
    if recipe.optim.name not in ("adamw", "sgd"):
        raise InputError(
            f"pretrain: optim.name {recipe.optim.name!r} needs an AUC loss; use --set loss.name=cross_entropy "
            "--set optim.name=adamw"
        )
    if method == "self-supervised" and recipe.augment is None:
        raise InputError(
            "pretrain: self-supervised learning compares augmented views; the recipe's augment is none"
        )
    if recipe.augment is not None and recipe.augment.mixup:
        raise InputError(
            "pretrain: mixup mixes images of one label, which pretraining leaves out; set augment.mixup=0"
        )
