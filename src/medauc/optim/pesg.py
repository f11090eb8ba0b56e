"""Proximal Epoch Stochastic Gradient: descent on network, a and b, ascent on alpha, pull to a reference."""

from collections.abc import Callable, Iterable, Iterator
from copy import deepcopy
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, StateDict
from torch.optim.sgd import sgd

from medauc.optim.variables import variables_of, without

MomentumStyle = Literal["torch", "libauc"]

_FUSED_DEVICES = ("cpu", "cuda")
_PLUG_IN_LIMIT = 999.0
_BUCKET_ELEMENTS = 2**20


class PESG(Optimizer):
    r"""Stochastic descent-ascent for AUC-margin losses (Proximal Epoch Stochastic Gradient).

    With ``v`` the network's weights and the loss's primal variables (a, b), every step does

    * ``d = clip(grad, +-clip_value) + epoch_decay (v - v_ref) + weight_decay v``
    * ``v <- v - lr * buffer``, where the buffer averages ``d`` over the steps (see ``momentum_style``)
    * ``alpha <- max(0, alpha + lr * grad)`` on the loss's dual variables: no momentum, decay or clipping.

    ``v_ref`` is the value of ``v`` before its first step; :meth:`end_stage` moves it to the average of ``v``
    over the steps since. The loss's variables form two param groups of their own, marked by ``group["role"]``
    ``"primal"`` and ``"dual"``, so schedulers, ``zero_grad`` and ``state_dict`` reach them; they may also be
    among ``params`` (as in ``module.parameters()``) and are then taken out there. Weight decay, epoch decay
    and clipping hold for a and b as for the weights, as in the paper.

    Args:
        params: the network's parameters, or param groups as dicts.
        loss: min-max loss whose variables are optimised along: one of :mod:`medauc.losses`, or any module
            with tensors ``a``, ``b`` and ``alpha``. None optimises ``params`` only.
        lr: step size of descent and ascent, >= 0.
        margin: margin in the ascent step of ``momentum_style="libauc"``; None takes ``loss.margin``.
        momentum: factor mu in [0, 1), for ``"libauc"`` [0, 1].
        momentum_style: ``"torch"``: ``buffer <- mu buffer + d``, as in torch.optim.SGD. ``"libauc"``: that
            library's convention, ``buffer <- (1 - mu) buffer + mu d``, so that 0.9 weighs the newest gradient
            by 0.9, with its ascent step ``alpha <- clip(alpha + lr (2 (margin + b - a) - 2 alpha), 0, 999)``,
            a and b after descent. Both start with ``buffer = d``.
        epoch_decay: pull towards the reference, >= 0; 0 keeps neither reference nor average.
        weight_decay: pull towards zero, >= 0.
        clip_value: bound on each element of the gradient, > 0; ``math.inf`` for none.

    Raises:
        ValueError: an argument out of range, or a loss without the variables that are needed.

    Reference:
        Yuan, Yan, Sonka, Yang: Large-scale Robust Deep AUC Maximization, ICCV 2021, arXiv 2012.03173.

    >>> from medauc.losses import AUCMLoss
    >>> net, loss = torch.nn.Linear(3, 1), AUCMLoss()
    >>> optimizer = PESG(net.parameters(), loss, lr=0.1)
    >>> loss(net(torch.randn(8, 3)), torch.tensor([0, 0, 0, 0, 0, 1, 1, 1])).backward()
    >>> optimizer.step()
    >>> [group["role"] for group in optimizer.param_groups]
    ['weights', 'primal', 'dual']
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        loss: nn.Module | None = None,
        lr: float | Tensor = 0.1,
        margin: float | None = None,
        momentum: float = 0.9,
        momentum_style: MomentumStyle = "torch",
        epoch_decay: float = 2e-3,
        weight_decay: float = 1e-5,
        clip_value: float = 1.0,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "momentum_style": momentum_style,
            "epoch_decay": epoch_decay,
            "weight_decay": weight_decay,
            "clip_value": clip_value,
            "role": "weights",
            "stage_steps": 0,
        }
        groups = _as_groups(params)
        if loss is not None:
            primal, dual = variables_of(loss)
            for group in groups:
                group["params"] = without(group["params"], [*primal, *dual])
            groups = [group for group in groups if group["params"]]
            groups += [{"params": primal, "role": "primal"}] if primal else []
            groups += [{"params": dual, "role": "dual", "margin": _plug_in_margin(loss, margin)}]
            if momentum_style == "libauc" and (
                len(primal) != 2 or len(dual) != 1 or groups[-1]["margin"] is None
            ):
                raise ValueError("momentum_style='libauc' needs a loss with a, b, alpha and a margin")
        super().__init__(groups, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, e.g. of layers that are unfrozen later; what it does not set is as given to PESG.

        Raises:
            ValueError: an option out of range.
        """
        super().add_param_group(param_group)
        _check_options(self.param_groups[-1])

    @overload
    def step(self, closure: None = None) -> None: ...

    @overload
    def step(self, closure: Callable[[], float]) -> float: ...

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Do one step of descent, then of ascent, on the gradients as they stand, which stay as they are.

        Args:
            closure: evaluates the model anew, calls ``backward`` and returns the loss; called once.
        """
        value = None
        if closure is not None:
            with torch.enable_grad():
                value = closure()
        for group in self.param_groups:
            if group["role"] != "dual":
                self._descend(group)
        for group in self.param_groups:
            if group["role"] == "dual":
                self._ascend(group)
        return value

    @torch.no_grad()
    def end_stage(self, lr_factor: float = 10.0) -> None:
        """Divide every group's learning rate, and move the reference to the average iterate of the stage.

        A scheduler that computes the learning rate from the initial one (LambdaLR, OneCycleLR, ...)
        overwrites that
        division: with such a scheduler use ``lr_factor=1``.

        Args:
            lr_factor: divisor of the learning rate, > 0.

        Raises:
            ValueError: ``lr_factor`` is not positive.
        """
        if not lr_factor > 0:
            raise ValueError(f"lr_factor must be positive, got {lr_factor}")
        for group in self.param_groups:
            group["lr"] = group["lr"] / lr_factor
            tracked = self._tracked(group["params"])
            if tracked and group["stage_steps"]:
                torch._foreach_copy_(self._states(tracked, "reference"), self._states(tracked, "average"))
            group["stage_steps"] = 0

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continue exactly where :meth:`state_dict` was taken; the argument is copied, not shared."""
        super().load_state_dict(deepcopy(state_dict))

    def _descend(self, group: dict[str, Any]) -> None:
        if all(param.grad is None for param in group["params"]):
            return
        group["stage_steps"] += 1
        for bucket in _buckets(group["params"]):
            if params := [param for param in bucket if param.grad is not None]:
                self._descend_bucket(group, params)
            if tracked := self._tracked(bucket):
                torch._foreach_lerp_(self._states(tracked, "average"), tracked, 1 / group["stage_steps"])

    def _descend_bucket(self, group: dict[str, Any], params: list[Tensor]) -> None:
        gradients = [_aligned_gradient(param) for param in params]
        directions = list(torch._foreach_clamp_min(gradients, -group["clip_value"]))
        torch._foreach_clamp_max_(directions, group["clip_value"])
        decay = group["weight_decay"]
        if group["epoch_decay"]:
            # clip(g) + e (v - r) + w v = [clip(g) - e r] + (e + w) v: SGD does all but the bracket itself.
            self._track(params)
            torch._foreach_add_(directions, self._states(params, "reference"), alpha=-group["epoch_decay"])
            decay = decay + group["epoch_decay"]
        self._momentum_step(group, params, directions, decay)

    def _momentum_step(
        self, group: dict[str, Any], params: list[Tensor], directions: list[Tensor], decay: float
    ) -> None:
        """Let torch's SGD do momentum and update, apart for params at their first step (``buffer = d``)."""
        old, dampening = _momentum_factors(group["momentum"], group["momentum_style"])
        fresh = [old != 0 and "momentum_buffer" not in self.state[param] for param in params]
        for wanted in {*fresh}:
            chosen = [i for i, is_fresh in enumerate(fresh) if is_fresh is wanted]
            members = [params[i] for i in chosen]
            buffers: list[Tensor | None] = [self.state[param].get("momentum_buffer") for param in members]
            fused = all(p.device.type in _FUSED_DEVICES and p.is_floating_point() for p in members)
            sgd(
                members,
                [directions[i] for i in chosen],
                buffers,
                foreach=not fused,
                fused=fused,
                lr=group["lr"],
                weight_decay=decay,
                momentum=old,
                dampening=dampening,
                nesterov=False,
                maximize=False,
            )
            if wanted:
                for param, buffer in zip(members, buffers, strict=True):
                    self.state[param]["momentum_buffer"] = buffer

    def _ascend(self, group: dict[str, Any]) -> None:
        for alpha in group["params"]:
            if alpha.grad is None:
                continue
            if group["momentum_style"] == "torch":
                alpha.add_(alpha.grad * group["lr"]).clamp_(min=0)
            else:
                a, b = next(other["params"] for other in self.param_groups if other["role"] == "primal")
                alpha.add_((group["margin"] + b - a - alpha) * (2 * group["lr"])).clamp_(0, _PLUG_IN_LIMIT)

    def _track(self, params: list[Tensor]) -> None:
        """Set reference and average of params that are at their first step to their present value."""
        for param in params:
            state = self.state[param]
            if "reference" not in state:
                state["reference"], state["average"] = param.clone(), param.clone()

    def _tracked(self, params: list[Tensor]) -> list[Tensor]:
        return [param for param in params if "average" in self.state.get(param, ())]

    def _states(self, params: list[Tensor], name: str) -> list[Tensor]:
        return [self.state[param][name] for param in params]


def _as_groups(params: Iterable[Tensor] | Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    entries: list[Any] = [params] if isinstance(params, Tensor) else list(params)
    if not entries or not isinstance(entries[0], dict):
        entries = [{"params": entries}]
    return [{**group, "params": list(group["params"])} for group in entries]


def _buckets(params: list[Tensor]) -> Iterator[list[Tensor]]:
    """Runs of params small enough for the CPU's cache, where what one foreach call wrote the next one reads.

    On other devices all params are one bucket.
    """
    bucket: list[Tensor] = []
    size = 0
    for param in params:
        if bucket and param.device.type == "cpu" and size + param.numel() > _BUCKET_ELEMENTS:
            yield bucket
            bucket, size = [], 0
        bucket.append(param)
        size += param.numel()
    yield bucket


def _plug_in_margin(loss: nn.Module, margin: float | None) -> float | None:
    return getattr(loss, "margin", None) if margin is None else margin


def _momentum_factors(momentum: float, style: MomentumStyle) -> tuple[float, float]:
    """Weight of the old buffer, and one minus that of the new direction, as torch's SGD takes them."""
    if style == "torch" or momentum == 0:
        return momentum, 0.0
    return 1 - momentum, 1 - momentum


def _aligned_gradient(param: Tensor) -> Tensor:
    """The gradient laid out in memory as the parameter is: the fused kernel walks both as flat arrays."""
    grad = param.grad
    assert grad is not None
    return grad if grad.stride() == param.stride() else torch.empty_like(param).copy_(grad)


def _check_options(group: dict[str, Any]) -> None:
    ranges = {
        "lr": (group["lr"] >= 0, ">= 0"),
        "epoch_decay": (group["epoch_decay"] >= 0, ">= 0"),
        "weight_decay": (group["weight_decay"] >= 0, ">= 0"),
        "clip_value": (group["clip_value"] > 0, "> 0 (math.inf for no clipping)"),
        "momentum_style": (group["momentum_style"] in ("torch", "libauc"), "'torch' or 'libauc'"),
        "momentum": (
            0 <= group["momentum"] <= 1 and (group["momentum"] < 1 or group["momentum_style"] == "libauc"),
            "in [0, 1)",
        ),
    }
    for name, (valid, allowed) in ranges.items():
        if not valid:
            raise ValueError(f"{name} must be {allowed}, got {group[name]}")
