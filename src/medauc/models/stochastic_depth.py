"""Stochastic depth: residual branches that are left out at random in training."""

import torch
from monai.networks.blocks.convolutions import ResidualUnit
from monai.networks.nets.resnet import ResNetBlock, ResNetBottleneck
from torch import Tensor, nn

from medauc.sampling.part import draw_rows


class DropBranch:
    """Forward hook that sets the output of a branch to zero for a share ``rate`` of the images, in training.

    The outputs that stay are divided by ``1 - rate``, which preserves the expectation; evaluation changes nothing.

    >>> branch = nn.Identity()
    >>> handle = branch.register_forward_hook(DropBranch(0.5))
    >>> sorted(set(branch(torch.ones(100, 1)).flatten().tolist()))
    [0.0, 2.0]
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        """Drop the branch, each image with a draw of its own."""
        if not module.training:
            return output
        draws = draw_rows(torch.rand, len(output), *[1] * (output.dim() - 1), device=output.device)
        return output * ((draws >= self.rate) / (1 - self.rate)).to(output.dtype)


def set_stochastic_depth(network: nn.Module, rate: float) -> None:
    """Leave out residual branches of ``network`` at random: the l-th of L with probability ``rate * l / L``.

    Args:
        network: Network of MONAI's residual blocks.
        rate: Probability for the last block, in [0, 1).

    Source:
        Huang, Sun, Liu, Sedra, Weinberger, "Deep Networks with Stochastic Depth", ECCV 2016, section 3.
    """
    branches = [branch for module in network.modules() if (branch := _end_of_branch(module)) is not None]
    for number, branch in enumerate(branches, start=1):
        branch.register_forward_hook(DropBranch(rate * number / len(branches)))


def _end_of_branch(module: nn.Module) -> nn.Module | None:
    """The layer of a residual block whose output is added to the shortcut, if ``module`` is such a block."""
    end: nn.Module | None = None
    if isinstance(module, ResNetBlock):
        end = module.bn2
    elif isinstance(module, ResNetBottleneck):
        end = module.bn3
    elif isinstance(module, ResidualUnit):
        end = module.conv
    return end
