"""Any torch optimizer made to ascend on the dual variables of a min-max loss."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, overload

import torch
from torch import nn
from torch.optim.optimizer import Optimizer, StateDict

from medauc.optim.variables import require_one_phase, variables_of, without


class MinMax(Optimizer):
    """Lets a primal optimizer (AdamW, SGD, ...) train a min-max loss, MONAI's ``AUCMLoss`` included.

    The loss's primal variables (a, b) join the given optimizer as a param group without weight decay, its
    dual ones (alpha) as a group that the optimizer maximises over; after each step the duals are projected
    onto >= 0. Param groups and state are the given optimizer's own, so a scheduler of either, made after
    this, drives both.

    Args:
        optimizer: the network's optimizer; it must know the option ``maximize``, as those of torch.optim do.
            Loss variables that it holds already stay (a, b) or are moved to the ascending group (alpha).
        loss: a loss of :mod:`medauc.losses`, or any module with tensors ``a``, ``b`` and ``alpha``.
        loss_lr: learning rate of the loss's variables; None takes the optimizer's. An adaptive optimizer moves
            them by about this much a step, and alpha has to come near the margin, a and b near the mean scores:
            with small rates give a larger one here. A OneCycleLR scheduler sets one maximum for all groups
            unless ``max_lr`` is a list.

    Raises:
        ValueError: the loss has no dual variable or is one for PDSCA, or the optimizer cannot maximise.

    >>> from medauc.losses import AUCMLoss
    >>> net, loss = torch.nn.Linear(3, 1), AUCMLoss(version="v2")
    >>> optimizer = MinMax(torch.optim.AdamW(net.parameters(), lr=1e-3), loss, loss_lr=0.01)
    >>> loss(net(torch.randn(4, 3)), torch.tensor([0, 0, 1, 1])).backward()
    >>> optimizer.step()
    >>> round(loss.alpha.item(), 4)
    0.01
    """

    optimizer: Optimizer

    def __init__(self, optimizer: Optimizer, loss: nn.Module, loss_lr: float | None = None) -> None:
        require_one_phase(loss)
        primal, dual = variables_of(loss)
        if "maximize" not in optimizer.defaults:
            raise ValueError(
                f"{type(optimizer).__name__} lacks the option 'maximize' that dual variables need"
            )
        for group in optimizer.param_groups:
            group["params"] = without(group["params"], dual)
        optimizer.param_groups[:] = [group for group in optimizer.param_groups if group["params"]]
        present = [param for group in optimizer.param_groups for param in group["params"]]
        own_lr = optimizer.defaults["lr"] if loss_lr is None else loss_lr
        if missing := without(primal, present):
            optimizer.add_param_group(
                {"params": missing, "weight_decay": 0.0, "lr": own_lr, "role": "primal"}
            )
        optimizer.add_param_group(
            {"params": dual, "weight_decay": 0.0, "maximize": True, "lr": own_lr, "role": "dual"}
        )
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self.optimizer = optimizer
        self._share()

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle the wrapped optimizer along; groups and state stay shared with it."""
        return {**super().__getstate__(), "optimizer": self.optimizer}

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group to the wrapped optimizer."""
        if "optimizer" not in self.__dict__:  # called by Optimizer.__init__
            super().add_param_group(param_group)
        else:
            self.optimizer.add_param_group(param_group)

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Step the wrapped optimizer, then project the dual variables.

        Args:
            closure: evaluates the model anew, calls ``backward`` and returns the loss.
        """
        value = self.optimizer.step() if closure is None else self.optimizer.step(closure)
        with torch.no_grad():
            for group in self.param_groups:
                if group.get("role") == "dual":
                    torch._foreach_clamp_min_(group["params"], 0.0)
        return value

    def state_dict(self) -> StateDict:
        """State of the wrapped optimizer, the loss's variables included."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continue exactly where :meth:`state_dict` was taken; the argument is not shared."""
        self.optimizer.load_state_dict(deepcopy(state_dict))
        self._share()

    def _share(self) -> None:
        self.param_groups = self.optimizer.param_groups
        self.state = self.optimizer.state
