"""Scores of images, and the pooled features of every stage that they rest on, by one trained network."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medauc.data.mapped import ImageArray
from medauc.training.module import Classifier
from medauc.training.precision import for_scoring

FloatArray = NDArray[np.float64]


def score_with_features(module: Classifier, images: ImageArray) -> tuple[FloatArray, FloatArray]:
    """Score images as they are reported, and keep what the network saw in each.

    Args:
        module: in evaluation mode, on the device that computes.
        images: uint8 (N, *spatial) or (N, *spatial, 3), N at least 1; read a batch at a time.

    Returns:
        Raw scores (N, L), and features (N, F): the mean over space of every stage's channels, of the image itself,
        whatever copies the score averages over. Neither need be finite.
    """
    size, device = module.recipe.sampling.batch_size, module.device
    mixed = for_scoring(module.recipe.training.precision, device.type) == "bf16-mixed"
    scores, features = list[Tensor](), list[Tensor]()
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=mixed):
        for start in range(0, len(images), size):
            batch = torch.from_numpy(np.ascontiguousarray(images[start : start + size])).to(device)
            with _pooled_stages(module.network, len(batch)) as seen:
                scores.append(module(batch).double().cpu().reshape(len(batch), -1))
            features.append(torch.cat([torch.cat(parts) for parts in seen.values()], dim=1).cpu())
    return torch.cat(scores).numpy(), torch.cat(features).double().numpy()


def features_of(module: Classifier, images: ImageArray) -> FloatArray:
    """Features (N, F) of images, without the cost of test-time augmentation."""
    own = module.recipe
    plain = own.evaluation.model_copy(update={"test_time_augmentation": "none"})
    module.recipe = own.model_copy(update={"evaluation": plain})
    try:
        return score_with_features(module, images)[1]
    finally:
        module.recipe = own


def stages_of(network: nn.Module) -> list[nn.Module]:
    """The residual stages of a network, ``layer1`` to ``layer4`` of a ResNet, ``unit1`` to ``unit4`` of "fullres".

    The last stage alone, which sees what tells the classes apart, notices foreign images less well: of chest
    radiographs given to a network for breast ultrasound 39% exceeded the limit, 91% by all stages.
    """
    stage = re.compile(r"(encoder\.)?(layer|unit)\d")
    return [module for name, module in network.named_modules() if stage.fullmatch(name)]


@contextmanager
def _pooled_stages(network: nn.Module, count: int) -> Iterator[dict[nn.Module, list[Tensor]]]:
    """Collect the pooled outputs of each stage for the first ``count`` images: of several copies, the images."""
    seen: dict[nn.Module, list[Tensor]] = {stage: [] for stage in stages_of(network)}

    def keep(stage: nn.Module, _: object, output: Tensor) -> None:
        if sum(map(len, seen[stage])) < count:
            seen[stage].append(output.float().mean(dim=tuple(range(2, output.dim()))))

    hooks = [stage.register_forward_hook(keep) for stage in seen]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
