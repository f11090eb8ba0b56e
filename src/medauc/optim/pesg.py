"""Proximal Epoch Stochastic Gradient: descent on network, a and b, ascent on alpha, pull to a reference."""

from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.optimizer import StateDict

from medauc.optim.proximal import ProximalMinMax, can_fuse, sgd_step
from medauc.optim.variables import require_one_phase

Mode = Literal["sgd", "adam"]
MomentumStyle = Literal["torch", "libauc"]

_PLUG_IN_LIMIT = 999.0


class PESG(ProximalMinMax):
    r"""Stochastic descent-ascent for AUC-margin losses (Proximal Epoch Stochastic Gradient).

    With ``v`` the network's weights and the loss's primal variables (a, b), every step does

    * ``d = clip(grad, +-clip_value) + epoch_decay (v - v_ref) + weight_decay v``
    * ``v <- v - lr * buffer``, where the buffer averages ``d`` over the steps (see ``momentum_style``), or, with
      ``mode="adam"``, Adam's step with ``d`` for the gradient: first moment over root of the second, both
      corrected for their start at zero
    * ``alpha <- max(0, alpha + lr * grad)`` on the loss's dual variables: no momentum, moments, decay or clipping,
      in either mode.

    ``v_ref`` is the value of ``v`` before its first step; :meth:`end_stage` moves it to the average of ``v``
    over the steps since. The loss's variables form two param groups of their own, marked by ``group["role"]``
    ``"primal"`` and ``"dual"``, so schedulers, ``zero_grad`` and ``state_dict`` reach them; they may also be
    among ``params`` (as in ``module.parameters()``) and are then taken out there. Weight decay, epoch decay
    and clipping hold for a and b as for the weights, as in the paper. In Adam form weight decay is part of
    ``d``, hence of the moments, as in torch.optim.Adam (and unlike AdamW).

    Args:
        params: the network's parameters, or param groups as dicts.
        loss: min-max loss whose variables are optimised along: one of :mod:`medauc.losses`, or any module
            with tensors ``a``, ``b`` and ``alpha``. None optimises ``params`` only.
        lr: step size of descent and ascent, >= 0; Adam wants about a hundredth of what SGD does.
        margin: margin in the ascent step of ``momentum_style="libauc"``; None takes ``loss.margin``.
        momentum: factor mu in [0, 1), for ``"libauc"`` [0, 1]; used with ``mode="sgd"``.
        momentum_style: ``"torch"``: ``buffer <- mu buffer + d``, as in torch.optim.SGD. ``"libauc"``: that
            library's convention, ``buffer <- (1 - mu) buffer + mu d``, so that 0.9 weighs the newest gradient
            by 0.9, with its ascent step ``alpha <- clip(alpha + lr (2 (margin + b - a) - 2 alpha), 0, 999)``,
            a and b after descent. Both start with ``buffer = d``. In Adam form it decides the ascent only.
        epoch_decay: pull towards the reference, >= 0; 0 keeps neither reference nor average.
        weight_decay: pull towards zero, >= 0.
        clip_value: bound on each element of the gradient, > 0; ``math.inf`` for none.
        mode: ``"sgd"`` or ``"adam"``.
        betas: decay of Adam's first and second moment, each in [0, 1).
        eps: added to the root of Adam's second moment, >= 0.
        loss_lr: step size of a, b and alpha; None takes ``lr``. At Adam's small rates alpha, which ascends
            plainly, needs hundreds of steps to arrive: give about 0.1 there.

    Raises:
        ValueError: an argument out of range, or a loss without the variables that are needed or for PDSCA.

    Reference:
        Yuan, Yan, Sonka, Yang: Large-scale Robust Deep AUC Maximization, ICCV 2021, arXiv 2012.03173;
        Kingma, Ba: Adam, ICLR 2015, arXiv 1412.6980.

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
        mode: Mode = "sgd",
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        loss_lr: float | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "margin": getattr(loss, "margin", None) if margin is None else margin,
            "momentum": momentum,
            "momentum_style": momentum_style,
            "epoch_decay": epoch_decay,
            "weight_decay": weight_decay,
            "clip_value": clip_value,
            "mode": mode,
            "betas": betas,
            "eps": eps,
        }
        if loss is not None:
            require_one_phase(loss)
        super().__init__(params, loss, defaults, loss_lr)
        if loss is not None and momentum_style == "libauc":
            sizes = [len(group["params"]) for group in self._groups_of_role("primal", "dual")]
            if sizes != [2, 1] or defaults["margin"] is None:
                raise ValueError("momentum_style='libauc' needs a loss with a, b, alpha and a margin")

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
        for group in self._groups_of_role("weights", "primal"):
            self._descend(group)
        for group in self._groups_of_role("dual"):
            self._ascend(group)
        return value

    def load_state_dict(self, state_dict: StateDict) -> None:
        """Continue exactly where :meth:`state_dict` was taken; the argument is copied, not shared."""
        super().load_state_dict(state_dict)
        for param, state in self.state.items():
            if (
                "step" in state
            ):  # torch leaves it where it was saved; the fused kernel wants it beside its param
                state["step"] = state["step"].to(param.device)

    def _update(
        self, group: dict[str, Any], params: list[Tensor], directions: list[Tensor], decay: float
    ) -> None:
        step = self._adam_step if group["mode"] == "adam" else self._momentum_step
        step(group, params, directions, decay)

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
            sgd_step(members, [directions[i] for i in chosen], buffers, group["lr"], decay, old, dampening)
            if wanted:
                for param, buffer in zip(members, buffers, strict=True):
                    self.state[param]["momentum_buffer"] = buffer

    def _adam_step(
        self, group: dict[str, Any], params: list[Tensor], directions: list[Tensor], decay: float
    ) -> None:
        fused = can_fuse(params)
        for param in params:
            state = self.state[param]
            if "exp_avg" not in state:
                state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(param), torch.zeros_like(param)
                state["step"] = torch.zeros((), dtype=torch.float32, device=param.device if fused else "cpu")
        beta1, beta2 = group["betas"]
        adam(
            params,
            directions,
            self._states(params, "exp_avg"),
            self._states(params, "exp_avg_sq"),
            [],
            self._states(params, "step"),
            foreach=not fused,
            fused=fused,
            amsgrad=False,
            beta1=beta1,
            beta2=beta2,
            lr=group["lr"],
            weight_decay=decay,
            eps=group["eps"],
            maximize=False,
        )

    def _ascend(self, group: dict[str, Any]) -> None:
        if group["momentum_style"] == "torch":
            super()._ascend(group)
            return
        a, b = next(self._groups_of_role("primal"))["params"]
        for alpha in group["params"]:
            if alpha.grad is not None:
                alpha.add_((group["margin"] + b - a - alpha) * (2 * group["lr"])).clamp_(0, _PLUG_IN_LIMIT)

    def _ranges(self, group: dict[str, Any]) -> dict[str, tuple[bool, str]]:
        momentum, style = group["momentum"], group["momentum_style"]
        return super()._ranges(group) | {
            "momentum_style": (style in ("torch", "libauc"), "'torch' or 'libauc'"),
            "momentum": (0 <= momentum <= 1 and (momentum < 1 or style == "libauc"), "in [0, 1)"),
            "mode": (group["mode"] in ("sgd", "adam"), "'sgd' or 'adam'"),
            "betas": (all(0 <= beta < 1 for beta in group["betas"]), "in [0, 1)"),
            "eps": (group["eps"] >= 0, ">= 0"),
        }


def _momentum_factors(momentum: float, style: MomentumStyle) -> tuple[float, float]:
    """Weight of the old buffer, and one minus that of the new direction, as torch's SGD takes them."""
    if style == "torch" or momentum == 0:
        return momentum, 0.0
    return 1 - momentum, 1 - momentum
