"""Time one PESG step on ResNet18 (11 M parameters), CPU: medauc, LibAUC 2.0.1 and torch's fused SGD.

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
from copy import deepcopy
from pathlib import Path

import torch
from monai.networks.nets import resnet18
from torch import Tensor, nn

from medauc.losses import AUCMLoss
from medauc.optim import PESG

# LibAUC imports torchvision, whose CUDA wheels look for these operators and stop on a CPU build without them.
_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import libauc  # noqa: E402
from libauc.losses import AUCMLoss as PeerLoss  # noqa: E402
from libauc.optimizers import PESG as PeerPESG  # noqa: E402, N811

RESULT = Path(__file__).parent / "results" / "pesg_step.json"
SETTINGS = {"lr": 0.01, "momentum": 0.9, "weight_decay": 1e-4}


def contenders(network: nn.Module) -> dict[str, torch.optim.Optimizer]:
    """One optimizer each on its own copy of the network, with the same random gradients."""
    copies = {name: deepcopy(network) for name in ("medauc", "medauc_libauc_style", "libauc", "sgd_fused")}
    for copy in copies.values():
        generator = torch.Generator().manual_seed(0)
        for parameter in copy.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator).mul_(0.01)
    params = {name: list(copy.parameters()) for name, copy in copies.items()}
    ours = {"epoch_decay": 2e-3, **SETTINGS}
    peer = PeerPESG(params["libauc"], with_gradients(PeerLoss()), epoch_decay=2e-3, verbose=False, **SETTINGS)
    return {
        "medauc": PESG(params["medauc"], with_gradients(AUCMLoss()), **ours),
        "medauc_libauc_style": PESG(
            params["medauc_libauc_style"], with_gradients(AUCMLoss()), momentum_style="libauc", **ours
        ),
        "libauc": peer,
        "sgd_fused": torch.optim.SGD(params["sgd_fused"], fused=True, **SETTINGS),
    }


def with_gradients(loss: nn.Module) -> nn.Module:
    for parameter in loss.parameters():
        parameter.grad = torch.full_like(parameter, 0.1)
    return loss


def time_steps(optimizers: dict[str, torch.optim.Optimizer], rounds: int) -> dict[str, list[float]]:
    """Seconds of each step; the contenders take turns, so that a slow moment hits all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in optimizers}
    for turn in range(rounds + 5):
        for name, optimizer in optimizers.items():
            start = time.perf_counter()
            optimizer.step()
            if turn >= 5:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def trajectory_difference(own_loss_in_both: bool, steps: int = 50) -> float:
    """Largest difference of any weight, a, b or alpha from LibAUC's over the steps, a stage end halfway."""
    torch.manual_seed(0)
    images, targets = torch.randn(steps, 32, 1, 16, 16), (torch.rand(steps, 32, 1) < 0.3).float()
    net = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 14 * 14, 1))
    peer_net = deepcopy(net)
    loss = AUCMLoss(version="v2" if own_loss_in_both else "v1", activation="none")
    peer_loss = deepcopy(loss) if own_loss_in_both else PeerLoss(version="v1")
    ours = PESG(net.parameters(), loss, epoch_decay=2e-3, momentum_style="libauc", **SETTINGS)
    peer = PeerPESG(list(peer_net.parameters()), peer_loss, epoch_decay=2e-3, verbose=False, **SETTINGS)
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
        }
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
