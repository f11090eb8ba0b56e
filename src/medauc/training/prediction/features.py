"""The pooled features of every stage that a network's scores rest on."""

import re
from functools import partial
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from medauc.data.mapped import ImageArray
from medauc.training.module import Classifier
from medauc.training.precision import for_scoring

FloatArray = NDArray[np.float64]


def features_of(module: Classifier, images: ImageArray) -> FloatArray:
    """Features of images, without the cost of test-time augmentation.

    Args:
        module: in evaluation mode, on the device that computes.
        images: uint8 (N, *spatial) or (N, *spatial, 3), N at least 1; read a batch at a time.

    Returns:
        The mean over space of every stage's channels, shape (N, F); need not be finite.
    """
    own, size = module.recipe, module.recipe.sampling.batch_size
    mixed = for_scoring(own.training.precision, module.device.type) == "bf16-mixed"
    plain = own.evaluation.model_copy(update={"test_time_augmentation": "none"})
    module.recipe = own.model_copy(update={"evaluation": plain})
    try:
        with (
            torch.inference_mode(),
            torch.autocast(module.device.type, torch.bfloat16, enabled=mixed),
            FeatureTap(module) as tap,
        ):
            for start in range(0, len(images), size):
                batch = np.ascontiguousarray(images[start : start + size])
                module(torch.from_numpy(batch).to(module.device))
        return tap.features()
    finally:
        module.recipe = own


class FeatureTap:
    """Keeps the features of all images that a network scores in a ``with`` block.

    Of the copies of a batch that test-time augmentation makes, the first counts, which is the batch itself.

    Args:
        module: the network that is listened to.
    """

    def __init__(self, module: Classifier) -> None:
        self._module = module
        self._stages = stages_of(module.network)
        self._batches: list[list[list[Tensor]]] = []
        self._expected = 0

    def __enter__(self) -> Self:
        """Begin to listen."""
        hooks = [self._module.register_forward_pre_hook(self._begin)]
        hooks += [
            stage.register_forward_hook(partial(self._keep, number))
            for number, stage in enumerate(self._stages)
        ]
        self._hooks = hooks
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        for hook in self._hooks:
            hook.remove()

    def features(self) -> FloatArray:
        """Features (N, F) of all images so far, in the order that they were scored in."""
        batches = [torch.cat([torch.cat(parts) for parts in stages], dim=1) for stages in self._batches]
        found: FloatArray = torch.cat(batches).double().cpu().numpy()
        return found

    def _begin(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._expected = len(inputs[0])
        self._batches.append([[] for _ in self._stages])

    def _keep(self, number: int, _: nn.Module, __: object, output: Tensor) -> None:
        kept = self._batches[-1][number]
        if sum(map(len, kept)) < self._expected:  # large bags go through the network in parts
            kept.append(output.float().mean(dim=tuple(range(2, output.dim()))))


def stages_of(network: nn.Module) -> list[nn.Module]:
    """The residual stages of a network, ``layer1`` to ``layer4`` of a ResNet, ``unit1`` to ``unit4`` of "fullres".

    The last stage alone, which sees what tells the classes apart, notices foreign images less well than all together.
    """
    stage = re.compile(r"(encoder\.)?(layer|unit)\d")
    return [module for name, module in network.named_modules() if stage.fullmatch(name)]
