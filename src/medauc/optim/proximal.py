"""What PESG and PDSCA share: param groups of a min-max loss, the pull to a reference, stages, the ascent."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.optimizer import Optimizer, StateDict
from torch.optim.sgd import sgd

from medauc.optim.variables import variables_of, without

_FUSED_DEVICES = ("cpu", "cuda")
_BUCKET_ELEMENTS = 2**20


class ProximalMinMax(Optimizer, ABC):
    """Descent on weights and a loss's primal variables with a pull to a reference, ascent on its dual ones.

    The loss's variables form two param groups of their own, marked by ``group["role"]`` ``"primal"`` and
    ``"dual"`` beside the network's ``"weights"``. A subclass says, in :meth:`_update`, how descended params
    use their clipped gradients.

    Args:
        params: the network's parameters, or param groups as dicts.
        loss: min-max loss whose variables are optimised along, or None.
        defaults: options of every group; ``lr``, ``epoch_decay``, ``weight_decay`` and ``clip_value`` among them.
        loss_lr: learning rate of the loss's variables; None takes ``lr``.

    Raises:
        ValueError: an option out of range, or a loss without a dual variable.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        loss: nn.Module | None,
        defaults: dict[str, Any],
        loss_lr: float | None,
    ) -> None:
        groups = _as_groups(params)
        if loss is not None:
            primal, dual = variables_of(loss)
            for group in groups:
                group["params"] = without(group["params"], [*primal, *dual])
            groups = [group for group in groups if group["params"]]
            rate = defaults["lr"] if loss_lr is None else loss_lr
            groups += [{"params": primal, "role": "primal", "lr": rate}] if primal else []
            groups += [{"params": dual, "role": "dual", "lr": rate}]
        super().__init__(groups, {**defaults, "role": "weights", "stage_steps": 0})

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, e.g. of layers that are unfrozen later; what it does not set is as first given.

        Raises:
            ValueError: an option out of range.
        """
        super().add_param_group(param_group)
        for name, (valid, allowed) in self._ranges(self.param_groups[-1]).items():
            if not valid:
                raise ValueError(f"{name} must be {allowed}, got {self.param_groups[-1][name]}")

    @torch.no_grad()
    def end_stage(self, lr_factor: float = 10.0) -> None:
        """Divide every group's learning rate, and move the reference to the average iterate of the stage.

        A scheduler that computes the learning rate from the initial one (LambdaLR, OneCycleLR, ...)
        overwrites that division: with such a scheduler use ``lr_factor=1``.

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

    @abstractmethod
    def _update(
        self, group: dict[str, Any], params: list[Tensor], directions: list[Tensor], decay: float
    ) -> None:
        """Move params along directions to which ``decay`` times each param is still to be added."""

    def _ranges(self, group: dict[str, Any]) -> dict[str, tuple[bool, str]]:
        """Of each option: whether the group's value is allowed, and what is."""
        return {
            "lr": (group["lr"] >= 0, ">= 0"),
            "epoch_decay": (group["epoch_decay"] >= 0, ">= 0"),
            "weight_decay": (group["weight_decay"] >= 0, ">= 0"),
            "clip_value": (group["clip_value"] > 0, "> 0 (math.inf for no clipping)"),
        }

    def _groups_of_role(self, *roles: str) -> Iterator[dict[str, Any]]:
        return (group for group in self.param_groups if group["role"] in roles)

    def _descend(self, group: dict[str, Any]) -> None:
        if all(param.grad is None for param in group["params"]):
            return
        group["stage_steps"] += 1
        for bucket in buckets(group["params"]):
            if params := [param for param in bucket if param.grad is not None]:
                self._descend_bucket(group, params)
            if tracked := self._tracked(bucket):
                torch._foreach_lerp_(self._states(tracked, "average"), tracked, 1 / group["stage_steps"])

    def _descend_bucket(self, group: dict[str, Any], params: list[Tensor]) -> None:
        directions = self._smoothed(group, params, clipped_gradients(params, group["clip_value"]))
        decay = group["weight_decay"]
        if group["epoch_decay"]:
            # d + e (v - r) + w v = [d - e r] + (e + w) v: torch's optimizers do all but the bracket itself.
            self._track(params)
            torch._foreach_add_(directions, self._states(params, "reference"), alpha=-group["epoch_decay"])
            decay = decay + group["epoch_decay"]
        self._update(group, params, directions, decay)

    def _smoothed(self, group: dict[str, Any], params: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """What takes the gradients' place before the pulls are added; may be overwritten by the caller."""
        return gradients

    def _ascend(self, group: dict[str, Any]) -> None:
        for alpha in group["params"]:
            if alpha.grad is not None:
                alpha.add_(alpha.grad * group["lr"]).clamp_(min=0)

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


def buckets(params: list[Tensor]) -> Iterator[list[Tensor]]:
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


def clipped_gradients(params: list[Tensor], clip_value: float) -> list[Tensor]:
    """New tensors: each gradient with its elements limited to +-clip_value."""
    gradients = [_aligned_gradient(param) for param in params]
    if all(gradient.device.type == "cpu" for gradient in gradients):
        # One pass over the memory; foreach, which saves launches on other devices, has no clamp of both sides.
        return [gradient.clamp(-clip_value, clip_value) for gradient in gradients]
    directions = list(torch._foreach_clamp_min(gradients, -clip_value))
    torch._foreach_clamp_max_(directions, clip_value)
    return directions


def can_fuse(params: list[Tensor]) -> bool:
    """Whether torch has one kernel for the whole step of these params."""
    return all(param.device.type in _FUSED_DEVICES and param.is_floating_point() for param in params)


def sgd_step(
    params: list[Tensor],
    directions: list[Tensor],
    buffers: list[Tensor | None],
    lr: float | Tensor,
    decay: float,
    momentum: float = 0.0,
    dampening: float = 0.0,
) -> None:
    """One step of torch's SGD in as few kernels as the device allows; fills ``buffers`` that are None."""
    fused = can_fuse(params)
    sgd(
        params,
        directions,
        buffers,
        foreach=not fused,
        fused=fused,
        lr=lr,  # type: ignore[arg-type]  # a tensor too, which torch's signature leaves out
        weight_decay=decay,
        momentum=momentum,
        dampening=dampening,
        nesterov=False,
        maximize=False,
    )


def _as_groups(params: Iterable[Tensor] | Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    entries: list[Any] = [params] if isinstance(params, Tensor) else list(params)
    if not entries or not isinstance(entries[0], dict):
        entries = [{"params": entries}]
    return [{**group, "params": list(group["params"])} for group in entries]


def _aligned_gradient(param: Tensor) -> Tensor:
    """The gradient laid out in memory as the parameter is: the fused kernel walks both as flat arrays."""
    grad = param.grad
    assert grad is not None
    return grad if grad.stride() == param.stride() else torch.empty_like(param).copy_(grad)
