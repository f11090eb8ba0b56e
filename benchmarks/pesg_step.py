"""Time one PESG step (SGD and Adam form) and one PDSCA cycle on ResNet18 (11 M parameters), CPU: medauc, LibAUC
2.0.1 and torch's fused SGD.

Also follows LibAUC's optimizer for 50 steps and a stage end, and reports how far medauc's weights come apart
from it. Run with the peers' environment (see README.md here): benchmarks/.venv-peers/bin/python
benchmarks/pesg_step.py
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import torch
from monai.networks.nets import resnet18
from torch import Tensor, nn

from medauc.losses import AUCMLoss, CompositionalAUCLoss
from medauc.optim import PDSCA, PESG

# LibAUC imports torchvision, whose CUDA wheels look for these operators and stop on a CPU build without them.
_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import libauc  # noqa: E402
from libauc.losses import AUCMLoss as PeerLoss  # noqa: E402
from libauc.optimizers import PDSCA as PeerPDSCA  # noqa: E402, N811
from libauc.optimizers import PESG as PeerPESG  # noqa: E402, N811

RESULT = Path(__file__).parent / "results" / "pesg_step.json"
SETTINGS = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}


def contenders(network: nn.Module) -> dict[str, Callable[[], None]]:
    """What to time: a step, for PDSCA a cycle of two; each on its own copy with the same random gradients."""
    adam = {"mode": "adam", "lr": 1e-3, "weight_decay": 1e-4}
    ours = {"epoch_decay": 2e-3}
    peers = {"epoch_decay": 2e-3, "verbose": False, "device": "cpu"}

    def params() -> list[nn.Parameter]:
        return with_gradients(deepcopy(network), 0.01)

    def peer_loss() -> nn.Module:
        loss = PeerLoss(device="cpu")
        with_gradients(loss, 0.1)
        return loss

    def loss(kind: type[AUCMLoss] = AUCMLoss) -> nn.Module:
        loss = kind()
        with_gradients(loss, 0.1)
        return loss

    peer_outer = peer_loss()
    pdsca, peer_pdsca = PDSCA(params(), loss(CompositionalAUCLoss)), PeerPDSCA(params(), peer_outer, **peers)

    def own_cycle() -> None:
        pdsca.step()
        pdsca.step()

    def peer_cycle() -> None:
        gradient, peer_outer.alpha.grad = peer_outer.alpha.grad, None  # by which it tells an inner step
        peer_pdsca.step()
        peer_outer.alpha.grad = gradient
        peer_pdsca.step()

    return {
        "medauc": PESG(params(), loss(), **ours, **SETTINGS).step,
        "medauc_libauc_style": PESG(params(), loss(), momentum_style="libauc", **ours, **SETTINGS).step,
        "libauc": PeerPESG(params(), peer_loss(), **peers, **SETTINGS).step,
        "sgd_fused": torch.optim.SGD(params(), fused=True, **SETTINGS).step,
        "medauc_adam": PESG(params(), loss(), **ours, **adam).step,
        "libauc_adam": PeerPESG(params(), peer_loss(), **peers, **adam).step,
        "medauc_pdsca_cycle": own_cycle,
        "libauc_pdsca_cycle": peer_cycle,
    }


def with_gradients(module: nn.Module, scale: float) -> list[nn.Parameter]:
    """The module's parameters, given random gradients that depend on nothing but their shapes."""
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator).mul_(scale)
    return list(module.parameters())


def time_steps(turns: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each turn; the contenders alternate, so that a slow moment hits all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(rounds + 5):
        for name, turn in turns.items():
            start = time.perf_counter()
            turn()
            if number >= 5:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def trajectory_difference(own_loss_in_both: bool, mode: str = "sgd", steps: int = 50) -> float:
    """Largest difference of any weight, a, b or alpha from LibAUC's over the steps, a stage end halfway."""
    torch.manual_seed(0)
    images, targets = torch.randn(steps, 32, 1, 16, 16), (torch.rand(steps, 32, 1) < 0.3).float()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 1))
    peer_net = deepcopy(net)
    loss = AUCMLoss(version="v2" if own_loss_in_both else "v1", activation="none")
    peer_loss = deepcopy(loss) if own_loss_in_both else PeerLoss(version="v1")
    settings = {"epoch_decay": 2e-3, "mode": mode, **SETTINGS}
    ours = PESG(net.parameters(), loss, momentum_style="libauc", **settings)
    peer = PeerPESG(list(peer_net.parameters()), peer_loss, verbose=False, **settings)
    for reference, parameter in zip(peer.model_ref, peer.param_groups[0]["params"], strict=True):
        reference.copy_(parameter.detach())  # LibAUC draws the reference at random, the paper starts at v_0
    largest = 0.0
    for step in range(steps):
        for model, objective, optimizer in ((net, loss, ours), (peer_net, peer_loss, peer)):
            optimizer.zero_grad()
            objective.zero_grad()
            objective(model(images[step]).sigmoid(), targets[step]).backward()
            optimizer.step()
        if step == steps // 2:
            ours.end_stage(lr_factor=10)
            peer.update_regularizer(decay_factor=10)
        pairs = zip(
            [*net.parameters(), *loss.parameters()],
            [*peer_net.parameters(), *peer_loss.parameters()],
            strict=True,
        )
        largest = max(largest, *(difference(own, other) for own, other in pairs))
    return largest


def difference(own: Tensor, other: Tensor) -> float:
    return (own.detach() - other.detach().reshape(own.shape)).abs().max().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, os.cpu_count() or 1])
    options = parser.parse_args()
    network = resnet18(spatial_dims=2, n_input_channels=1, num_classes=1)
    result = {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "versions": {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "libauc": libauc.__version__,
        },
        "cpu": {"machine": platform.machine(), "cores": os.cpu_count()},
        "rounds": options.rounds,
        "largest_difference_from_libauc_over_50_steps": {
            "libauc_loss_v1_against_own_loss_v1": trajectory_difference(own_loss_in_both=False),
            "own_loss_v2_in_both": trajectory_difference(own_loss_in_both=True),
            "adam_form_own_loss_v2_in_both": trajectory_difference(own_loss_in_both=True, mode="adam"),
        },
        "threads": {},
    }
    for threads in dict.fromkeys(options.threads):
        torch.set_num_threads(threads)
        seconds = time_steps(contenders(network), options.rounds)
        median = {name: statistics.median(values) * 1e3 for name, values in seconds.items()}
        result["threads"][str(threads)] = {
            "median_ms": {name: round(value, 2) for name, value in median.items()},
            "fastest_ms": {name: round(min(values) * 1e3, 2) for name, values in seconds.items()},
            "medauc_over_libauc": round(median["medauc"] / median["libauc"], 3),
            "medauc_over_sgd_fused": round(median["medauc"] / median["sgd_fused"], 2),
            "adam_medauc_over_libauc": round(median["medauc_adam"] / median["libauc_adam"], 3),
            "pdsca_medauc_over_libauc": round(median["medauc_pdsca_cycle"] / median["libauc_pdsca_cycle"], 3),
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
