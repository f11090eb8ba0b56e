"""Primal-Dual Stochastic Compositional Adaptive method: AUC descent taken at weights that looked ahead."""

from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor, nn
from torch.optim.optimizer import StateDict

from medauc.optim.proximal import ProximalMinMax, buckets, clipped_gradients, sgd_step


class PDSCA(ProximalMinMax):
    r"""Stochastic minimisation of ``L_AUC(w - inner_lr grad L_CE(w))``, for compositional losses.

    With ``v`` the weights ``w`` and the loss's a and b, one cycle is

    * inner phase, at ``w``: ``y = w - inner_lr * clip(grad L_CE(w))``, repeated ``inner_steps`` times from ``y``,
      then the look-ahead ``u <- (1 - beta0) u + beta0 y``, which starts as the first ``w``
    * outer phase, at ``u``: ``z <- (1 - beta1) z + beta1 clip(grad L_AUC(u))``, which starts as the first gradient,
      ``v <- v - lr * (z + epoch_decay (v - v_ref) + weight_decay v)``,
      ``alpha <- max(0, alpha + lr * grad)``

    where ``clip`` bounds each element to +-clip_value. The gradient of the composition has one more factor,
    ``I - inner_lr Hess L_CE(w)``; it is left out, as in first-order meta-learning, which saves a second
    backward pass through the gradient. a and b are no function of the inner step and are taken as they are.

    ``step(closure)`` runs a whole cycle: it calls the closure ``inner_steps + 1`` times, each on the weights
    and in the phase of its turn, and sets gradients to None between. Without a closure each ``step()`` takes
    the gradients of one phase and leaves the network at the weights of the next: ``w`` before an inner phase
    (so between cycles), ``u`` before the outer one. The optimizer sets ``loss.phase`` to the phase that is due.

    Param groups, ``v_ref`` and :meth:`end_stage` are as in :class:`~medauc.optim.PESG`. ``inner_lr`` belongs to
    the objective: neither schedulers nor ``end_stage`` change it.

    Args:
        params: the network's parameters, or param groups as dicts.
        loss: a loss with the attribute ``phase``, such as :class:`~medauc.losses.CompositionalAUCLoss`.
        lr: step size of the outer descent and of the ascent, >= 0.
        inner_lr: step size of the inner descent, >= 0; 0 leaves the plain AUC loss. Where it is large the weights
            ahead rank well but ``w`` itself, which is what remains, may not.
        inner_steps: inner steps in each cycle, >= 1.
        beta0: share of the newest estimate in the look-ahead u, in (0, 1].
        beta1: share of the newest gradient in the outer gradient z, in (0, 1].
        epoch_decay: pull towards the reference, >= 0; 0 keeps neither reference nor average.
        weight_decay: pull towards zero, >= 0.
        clip_value: bound on each element of either gradient, > 0; ``math.inf`` for none.
        loss_lr: step size of a, b and alpha; None takes ``lr``.

    Raises:
        ValueError: an argument out of range, or a loss without phase or dual variable.

    Reference:
        Yuan, Guo, Chawla, Yang: Compositional Training for End-to-End Deep AUC Maximization, ICLR 2022.

    >>> from medauc.losses import CompositionalAUCLoss
    >>> net, loss = torch.nn.Linear(3, 1), CompositionalAUCLoss(version="v2")
    >>> optimizer = PDSCA(net.parameters(), loss, lr=0.1)
    >>> scores, targets = torch.randn(8, 3), torch.tensor([0, 0, 0, 0, 0, 1, 1, 1])
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     value = loss(net(scores), targets)
    ...     value.backward()
    ...     return value
    >>> value = optimizer.step(closure)
    >>> loss.phase
    'inner'
    """

    loss: Any

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        loss: nn.Module,
        lr: float | Tensor = 0.1,
        inner_lr: float = 0.01,
        inner_steps: int = 1,
        beta0: float = 0.9,
        beta1: float = 0.9,
        epoch_decay: float = 2e-3,
        weight_decay: float = 1e-5,
        clip_value: float = 1.0,
        loss_lr: float | None = None,
    ) -> None:
        if not hasattr(loss, "phase"):
            raise ValueError(f"{type(loss).__name__} has no phase: PDSCA needs a CompositionalAUCLoss")
        defaults = {
            "lr": lr,
            "inner_lr": inner_lr,
            "inner_steps": inner_steps,
            "beta0": beta0,
            "beta1": beta1,
            "epoch_decay": epoch_decay,
            "weight_decay": weight_decay,
            "clip_value": clip_value,
            "inner_done": 0,
        }
        super().__init__(params, loss, defaults, loss_lr)
        self.loss = loss
        self._set_inner_done(0)

    def __getstate__(self) -> dict[str, Any]:
        """Copy and pickle the loss along, whose phase is set from here."""
        return {**super().__getstate__(), "loss": self.loss}

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Do one phase, or with a closure all that are left of the cycle (a whole one, unless phases were mixed).

        Args:
            closure: evaluates the model anew, calls ``backward`` and returns the loss; called once a phase.

        Returns:
            What the closure returned last: the AUC loss at the look-ahead.
        """
        if closure is None:
            self._take_phase()
            return None
        while True:
            with torch.enable_grad():
                value = closure()
            if self._take_phase():
                return value
            self.zero_grad()  # not every closure clears what it is about to add to

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continue exactly where :meth:`state_dict` was taken, also amid a cycle; the argument is not shared."""
        super().load_state_dict(state_dict)
        self._set_inner_done(self.param_groups[0]["inner_done"])

    def _take_phase(self) -> bool:
        """Take the phase that is due; returns whether it ended the cycle."""
        done, wanted = self.param_groups[0]["inner_done"], self.param_groups[0]["inner_steps"]
        if done < wanted:
            for group in self._groups_of_role("weights"):
                self._look_ahead(group, last=done + 1 == wanted)
            self._set_inner_done(done + 1)
            return False
        for group in self._groups_of_role("weights", "primal"):
            self._come_back(group)
            self._descend(group)
        for group in self._groups_of_role("dual"):
            self._ascend(group)
        self._set_inner_done(0)
        return True

    def _set_inner_done(self, count: int) -> None:
        for group in self.param_groups:
            group["inner_done"] = count
        self.loss.phase = "inner" if count < self.param_groups[0]["inner_steps"] else "outer"

    def _look_ahead(self, group: dict[str, Any], last: bool) -> None:
        for bucket in buckets(group["params"]):
            if params := [param for param in bucket if param.grad is not None]:
                for param in params:
                    if "weights" not in self.state[param]:
                        self.state[param]["weights"] = param.clone()
                directions = clipped_gradients(params, group["clip_value"])
                sgd_step(params, directions, [None] * len(params), group["inner_lr"], decay=0.0)
            if last and (moved := self._moved(bucket)):
                for param in moved:
                    if "lookahead" not in self.state[param]:
                        self.state[param]["lookahead"] = self.state[param]["weights"].clone()
                torch._foreach_lerp_(self._states(moved, "lookahead"), moved, group["beta0"])
                torch._foreach_copy_(moved, self._states(moved, "lookahead"))

    def _come_back(self, group: dict[str, Any]) -> None:
        if moved := self._moved(group["params"]):
            torch._foreach_copy_(moved, [self.state[param].pop("weights") for param in moved])

    def _moved(self, params: list[Tensor]) -> list[Tensor]:
        """Params that the inner phase of this cycle has moved; their state holds the weights of before."""
        return [param for param in params if "weights" in self.state.get(param, ())]

    def _smoothed(self, group: dict[str, Any], params: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        for param, gradient in zip(params, gradients, strict=True):
            if "outer_gradient" not in self.state[param]:
                self.state[param]["outer_gradient"] = gradient.clone()
        averages = self._states(params, "outer_gradient")
        torch._foreach_lerp_(averages, gradients, group["beta1"])
        torch._foreach_copy_(gradients, averages)
        return gradients

    def _update(
        self, group: dict[str, Any], params: list[Tensor], directions: list[Tensor], decay: float
    ) -> None:
        sgd_step(params, directions, [None] * len(params), group["lr"], decay)

    def _ranges(self, group: dict[str, Any]) -> dict[str, tuple[bool, str]]:
        return super()._ranges(group) | {
            "inner_lr": (group["inner_lr"] >= 0, ">= 0"),
            "inner_steps": (group["inner_steps"] >= 1, ">= 1"),
            "beta0": (0 < group["beta0"] <= 1, "in (0, 1]"),
            "beta1": (0 < group["beta1"] <= 1, "in (0, 1]"),
        }
