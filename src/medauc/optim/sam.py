"""Sharpness-aware minimisation: any optimizer, fed with gradients from the worst point nearby."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, StateDict

from medauc.optim.pdsca import PDSCA

_LOSS_ROLES = ("primal", "dual")
_TINY = 1e-12  # keeps a gradient of zero from dividing by zero


class SAM(Optimizer):
    r"""Steps an optimizer with the gradient at the point where the loss is about worst within ``radius``.

    A step calls its closure twice, on the same batch: at the weights ``w``, and at ``w + e`` with

    * ``e = radius * g / ||g||``, ``g`` the gradient at ``w`` over all weights, or
    * ``e = radius * w^2 g / ||w g||`` (elementwise products) if ``adaptive``, which does not depend on how the
      weights of neighbouring layers are scaled.

    It then restores ``w`` to the bit and lets the optimizer step with the gradient of ``w + e``. Only the
    network's weights move to ``w + e``: a, b and alpha of a min-max loss, groups whose ``role`` is ``"primal"``
    or ``"dual"`` (as :class:`~medauc.optim.PESG` and :class:`~medauc.optim.MinMax` mark them), stay. Param
    groups and state are the optimizer's own, so schedulers drive both. In several processes gradients are equal
    on all, so ``e`` is, too.

    The closure has to be the same function both times: no other batch, augmentation or dropout mask.

    Args:
        optimizer: what takes the step; not :class:`~medauc.optim.PDSCA`, which evaluates at other weights itself.
        radius: length of ``e``, >= 0; 0 is the given optimizer, to the bit and at its cost. Else a step costs
            two forward and backward passes, and memory of one more copy of the weights.
        adaptive: scale ``e`` by the weights; wants about ten times the radius.
        network: its buffers (running statistics of batch normalisation) are left as the pass at ``w`` made them.
        loss: its buffers (states of samples, remembered scores) are changed by one pass, that at ``w + e``.

    Raises:
        ValueError: a radius below zero or not finite, or an optimizer that evaluates in phases.

    Reference:
        Foret, Kleiner, Mobahi, Neyshabur: Sharpness-Aware Minimization, ICLR 2021, arXiv 2010.01412, equation 2;
        adaptive: Kwon, Kim, Park, Choi: ASAM, ICML 2021, arXiv 2102.11600.

    >>> weight = torch.nn.Parameter(torch.tensor([2.0]))
    >>> optimizer = SAM(torch.optim.SGD([weight], lr=0.1), radius=0.5)
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     value = weight.square().sum()
    ...     value.backward()
    ...     return value
    >>> value = optimizer.step(closure)  # the gradient at 2.5 is 5
    >>> weight.data
    tensor([1.5000])
    """

    optimizer: Optimizer

    def __init__(
        self,
        optimizer: Optimizer,
        radius: float = 0.05,
        *,
        adaptive: bool = False,
        network: nn.Module | None = None,
        loss: nn.Module | None = None,
    ) -> None:
        if not 0 <= radius < float("inf"):
            raise ValueError(f"radius must be >= 0 and finite, got {radius}")
        if hasattr(loss, "phase") or isinstance(optimizer, PDSCA):
            raise ValueError(
                "PDSCA evaluates its loss in phases, at weights of its own choice: SAM cannot wrap it"
            )
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self.optimizer = optimizer
        self.radius = radius
        self.adaptive = adaptive
        self.network = network
        self.loss = loss
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle all parts along; groups and state stay shared with the wrapped optimizer."""
        own = {name: getattr(self, name) for name in ("optimizer", "radius", "adaptive", "network", "loss")}
        return {**super().__getstate__(), **own}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the wrapped optimizer."""
        if "optimizer" not in self.__dict__:  # called by Optimizer.__init__
            super().add_param_group(param_group)
        else:
            self.optimizer.add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float:  # type: ignore[override]
        """Evaluate at the weights and near them, then step.

        Args:
            closure: clears the gradients, evaluates the model, calls ``backward`` and returns the loss; called
                twice.

        Returns:
            What the closure returned last: the loss at the worse point nearby.

        Raises:
            ValueError: no closure.
        """
        if closure is None:
            raise ValueError("SAM evaluates the model twice: call step(closure)")
        if self.radius == 0:
            return self.optimizer.step(closure)
        loss_before = _copies(self.loss)
        with torch.enable_grad():
            closure()
        network_after = _copies(self.network)
        _restore(self.loss, loss_before)
        params = [p for p in self._weights() if p.grad is not None]
        kept = [param.clone() for param in params]
        if params:
            torch._foreach_add_(params, self._ascent(params))
        with torch.enable_grad():
            value = closure()
        if params:
            torch._foreach_copy_(params, kept)
        _restore(self.network, network_after)
        self.optimizer.step()
        return value

    def state_dict(self) -> StateDict:
        """State of the wrapped optimizer; between steps there is no other."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continue exactly where :meth:`state_dict` was taken; the argument is not shared."""
        self.optimizer.load_state_dict(deepcopy(state_dict))
        self._share()

    def _ascent(self, params: list[Tensor]) -> list[Tensor]:
        """The move from the weights to the worst point nearby."""
        gradients = [param.grad for param in params if param.grad is not None]
        scaled = list(torch._foreach_mul(gradients, params)) if self.adaptive else gradients
        factor = self.radius / (torch.nn.utils.get_total_norm(scaled) + _TINY)
        moves = torch._foreach_mul(scaled, params) if self.adaptive else scaled
        return list(torch._foreach_mul(moves, factor))

    def _weights(self) -> Iterable[Tensor]:
        for group in self.param_groups:
            if group.get("role") not in _LOSS_ROLES:
                yield from group["params"]

    def _share(self) -> None:
        self.param_groups = self.optimizer.param_groups
        self.state = self.optimizer.state


def _copies(module: nn.Module | None) -> list[Tensor]:
    return [] if module is None else [buffer.clone() for buffer in module.buffers()]


def _restore(module: nn.Module | None, copies: list[Tensor]) -> None:
    if module is not None:
        for buffer, copy in zip(module.buffers(), copies, strict=True):
            buffer.copy_(copy)
