"""From a data set and a recipe to the module and the batches that train it."""

import torch
from torch import nn

from medauc.data import BagSplit, Dataset
from medauc.data.augment import Augment
from medauc.data.augment.copies import require_turnable
from medauc.data.datamodule import ImageDataModule
from medauc.data.normalize import ImageStatistics, Normalize, compute_statistics
from medauc.errors import InputError
from medauc.models import BagNetwork, build_model
from medauc.training.inputs import Inputs
from medauc.training.module import Classifier
from medauc.training.objective import build_loss
from medauc.training.recipe import Recipe
from medauc.training.sections.augment import AugmentSection


def build_classifier(dataset: Dataset, recipe: Recipe, seed: int, stage: int = 1) -> Classifier:
    """Build network, loss, normalisation and augmentation for ``dataset``, with weights decided by ``seed``.

    Args:
        dataset: the data.
        recipe: of this stage (:meth:`medauc.training.Recipe.stages`).
        seed: decides every random number.
        stage: number of the stage, from 1.

    Raises:
        InputError: recipe and data do not fit together, or the recipe's weights do not fit its network.
    """
    augment = recipe.augment or AugmentSection()
    require_orientations(recipe, dataset.image_shape)
    _require_no_mixed_bags(dataset, augment)
    inputs = Inputs.of(dataset, compute_statistics(dataset.train.images, dataset.spatial_dims))
    balance = build_data_module(dataset, recipe, seed).prevalence
    loss = build_loss(recipe.loss, dataset.train.targets, balance, soft_targets=augment.makes_soft_targets)
    torch.manual_seed(seed)
    return assemble(inputs, recipe, loss, seed, stage)


def require_orientations(recipe: Recipe, shape: tuple[int, ...]) -> None:
    """Raise InputError when images of this shape cannot be turned as the recipe asks."""
    if recipe.augment is not None and recipe.augment.quarter_turns and len(set(shape)) > 1:
        raise InputError(f"augment.quarter_turns needs equal sides, images have {shape}; set it to false")
    if recipe.evaluation.test_time_augmentation == "octahedral":
        require_turnable(shape)


def _require_no_mixed_bags(dataset: Dataset, augment: AugmentSection) -> None:
    """Raise InputError when mixup, which pairs images with targets, meets bags."""
    if augment.mixup and isinstance(dataset.train, BagSplit):
        raise InputError(
            "augment.mixup mixes single images with their targets, a bag has one target; set it to 0"
        )


def assemble(inputs: Inputs, recipe: Recipe, loss: nn.Module, seed: int, stage: int = 1) -> Classifier:
    """Put a network, with weights from torch's random state, and what images go through before it together.

    Args:
        inputs: what the network takes and gives.
        recipe: names network, normalisation and augmentation.
        loss: what it is trained by.
        seed: of the training.
        stage: number of the stage, from 1.

    Raises:
        InputError: the recipe's weights do not fit its network.
    """
    network = build_model(
        spatial_dims=inputs.spatial_dims,
        in_channels=inputs.channels,
        num_outputs=len(inputs.labels),
        bag_pooling=recipe.model.bag_pooling if inputs.bags else None,
        **recipe.model.model_dump(exclude={"bag_pooling"}),
    )
    if isinstance(network, BagNetwork):
        network.images_at_once = recipe.images_a_batch
    statistics = ImageStatistics(tuple(inputs.mean), tuple(inputs.std))
    augment = recipe.augment or AugmentSection()
    return Classifier(
        network,
        loss,
        Normalize(inputs.spatial_dims, recipe.data.normalization, statistics),
        Augment(inputs.spatial_dims, **augment.options()),
        recipe,
        seed,
        stage,
    )


def build_data_module(dataset: Dataset, recipe: Recipe, seed: int) -> ImageDataModule:
    """Build the data module with the sampler that the recipe names.

    Raises:
        InputError: the data set has no batches of that kind.
    """
    sampling = recipe.sampling
    return ImageDataModule(
        dataset,
        sampling.batch_size,
        sampling.positive_share,
        seed,
        sampler=sampling.name,
        keep_groups=sampling.keep_groups,
        max_images=recipe.data.bags.max_images,
        window=sampling.window,
        epoch_batches=sampling.epoch_batches,
    )
