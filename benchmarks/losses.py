"""Processor time of each loss's forward and backward against LibAUC 2.0.1's, batches of 128 and 4096, one thread.

Both get raw scores; LibAUC's losses want their sigmoid, which is part of its time. Half of each batch is positive, as
class-balanced samplers make it. Run with the peers' environment (see README.md here):
benchmarks/.venv-peers/bin/python benchmarks/losses.py
"""

import argparse
import json
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from medauc import losses

# LibAUC imports torchvision, whose CUDA wheels look for these operators and stop on a CPU build without them.
_operators = torch.library.Library("torchvision", "DEF")
for _name in ("nms", "qnms"):
    _operators.define(f"{_name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import libauc  # noqa: E402
from libauc import losses as peers  # noqa: E402
from libauc.losses import auc as peer_auc  # noqa: E402

RESULT = Path(__file__).parent / "results" / "losses.json"
TABLE = RESULT.with_suffix(".md")
BATCHES = (128, 4096)
SAMPLES = 10_000  # of the training set: losses with a state for each sample hold that many
LABELS = 10
TARGET = 0.7
MOST_SECONDS = 1.5  # for all rounds of the slower contender

Call = Callable[[Tensor, Tensor, Tensor], Tensor]


class Pair(NamedTuple):
    """A loss and its counterpart, both called with raw scores (N,) or (N, L), targets and index."""

    own: Call
    peer: Call | None
    labels: int = 1


def wanting_sigmoid(loss: Callable[..., Tensor]) -> Call:
    return lambda scores, targets, index: loss(scores.sigmoid(), targets.float(), index=index)


def column(loss: Callable[..., Tensor]) -> Call:
    """For a counterpart that wants (N, 1)."""
    return lambda scores, targets, index: loss(scores[:, None], targets[:, None], index)


def two_phases(loss: losses.CompositionalAUCLoss) -> Call:
    """A whole cycle: cross-entropy, then AUC."""

    def call(scores: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        loss.phase = "inner"
        first = loss(scores, targets, index)
        loss.phase = "outer"
        return first + loss(scores, targets, index)

    return call


def peer_two_phases(loss: "peers.CompositionalAUCLoss") -> Call:
    def call(scores: Tensor, targets: Tensor, index: Tensor) -> Tensor:
        loss.step = 0
        total = loss(scores[:, None].sigmoid(), targets[:, None].float())
        return total + loss(scores[:, None].sigmoid(), targets[:, None].float())

    return call


def pairs() -> dict[str, Pair]:
    n, positives = SAMPLES, SAMPLES // 2
    aucm, pairwise = losses.AUCMLoss, losses.PairwiseAUCLoss
    sigmoid = {"activation": "sigmoid"}
    kl = losses.PartialAUCKLLoss
    return {
        "aucm v1": Pair(aucm(), column(wanting_sigmoid(peers.AUCMLoss(version="v1")))),
        "aucm v2": Pair(aucm(version="v2"), column(wanting_sigmoid(peers.AUCMLoss(version="v2")))),
        f"aucm v1, {LABELS} labels": Pair(
            losses.MultiLabelAUCMLoss(LABELS),
            wanting_sigmoid(peers.MultiLabelAUCMLoss(num_labels=LABELS)),
            LABELS,
        ),
        "compositional, a cycle": Pair(
            two_phases(losses.CompositionalAUCLoss()), peer_two_phases(peers.CompositionalAUCLoss())
        ),
        "pairwise squared_hinge": Pair(
            pairwise("squared_hinge", **sigmoid),
            column(wanting_sigmoid(peers.PairwiseAUCLoss(surr_loss="squared_hinge"))),
        ),
        "pairwise square": Pair(
            pairwise("square", **sigmoid), column(wanting_sigmoid(peers.PairwiseAUCLoss(surr_loss="squared")))
        ),
        "pairwise logistic": Pair(
            pairwise("logistic", **sigmoid),
            column(wanting_sigmoid(peers.PairwiseAUCLoss(surr_loss="logistic"))),
        ),
        "pairwise sigmoid": Pair(pairwise("sigmoid", **sigmoid), None),
        "partial_auc": Pair(
            losses.PartialAUCLoss(n, max_fpr=0.2),
            column(wanting_sigmoid(peer_auc.pAUC_CVaR_Loss(n, positives, beta=0.2))),
        ),
        "partial_auc_kl": Pair(kl(n), column(wanting_sigmoid(peer_auc.pAUC_DRO_Loss(n)))),
        "partial_auc_kl, two-way": Pair(
            kl(n, positive_temperature=1.0), column(wanting_sigmoid(peer_auc.tpAUC_KL_Loss(n)))
        ),
        "average_precision": Pair(losses.AveragePrecisionLoss(n), column(wanting_sigmoid(peers.APLoss(n)))),
        f"average_precision, {LABELS} labels": Pair(
            losses.AveragePrecisionLoss(n, num_labels=LABELS),
            wanting_sigmoid(peers.mAPLoss(n, num_labels=LABELS)),
            LABELS,
        ),
        "multiclass_auc": Pair(losses.MultiClassAUCLoss(2), None),
        "cross_entropy": Pair(
            losses.CrossEntropyLoss(),
            lambda scores, targets, index: peers.CrossEntropyLoss()(scores, targets.float()),
        ),
        "focal": Pair(
            losses.FocalLoss(alpha=0.25),
            lambda scores, targets, index: peers.FocalLoss()(scores, targets.float()),
        ),
        "ldam": Pair(losses.LDAMLoss(positives, positives), None),
    }


def batch(size: int, labels: int) -> tuple[Tensor, Tensor, Tensor]:
    """Scores that overlap, as in the middle of a training; the first half of the rows positive."""
    generator = torch.Generator().manual_seed(0)
    shape = (size, labels) if labels > 1 else (size,)
    targets = (torch.arange(size) < size // 2).long()
    if labels > 1:
        targets = torch.stack([targets.roll(shift * size // labels) for shift in range(labels)], 1)
    scores = torch.randn(shape, generator=generator) + targets
    return scores.requires_grad_(), targets, torch.arange(size)


def seconds_of(call: Call, arguments: tuple[Tensor, Tensor, Tensor], repeats: int) -> float:
    """Processor time of one forward and backward: what else runs on the machine hardly shows in it."""
    start = time.process_time()
    for _ in range(repeats):
        arguments[0].grad = None
        call(*arguments).sum().backward()
    return (time.process_time() - start) / repeats


def compare(pair: Pair, size: int, rounds: int) -> dict[str, float]:
    """Medians in microseconds; both take turns, so that a slow moment hits both."""
    contenders = {"medauc": pair.own} | ({"libauc": pair.peer} if pair.peer else {})
    arguments = batch(size, pair.labels)
    slowest = max(seconds_of(call, arguments, 1) for call in contenders.values())
    repeats = max(1, round(0.01 / slowest))
    rounds = max(1, min(rounds, round(MOST_SECONDS / (slowest * repeats))))
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            taken[name].append(seconds_of(call, arguments, repeats) * 1e6)
    result = {f"{name}_us": round(statistics.median(values), 1) for name, values in taken.items()}
    if pair.peer:
        result["ratio"] = round(result["medauc_us"] / result["libauc_us"], 3)
    return result


def table(result: dict[str, dict[str, dict[str, float]]]) -> str:
    lines = [
        "# Losses: forward and backward, one CPU thread",
        "",
        "Medians of processor time in microseconds, class-balanced batches; `medauc / LibAUC` is to be at most "
        f"{TARGET}. Written by `benchmarks/losses.py`.",
        "",
        "| loss | batch | medauc | LibAUC 2.0.1 | medauc / LibAUC |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, sizes in result.items():
        for size, row in sizes.items():
            peer = f"{row['libauc_us']:.0f} | {row['ratio']:.2f}" if "ratio" in row else "none | "
            lines.append(f"| {name} | {size} | {row['medauc_us']:.0f} | {peer} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", help="measure the losses whose names contain this, and write nothing")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    known = pairs()
    chosen = {name: pair for name, pair in known.items() if (options.only or "") in name}
    if not chosen:
        parser.error(f"--only {options.only}: no loss; known: {', '.join(known)}")
    measured = {
        name: {str(size): compare(pair, size, options.rounds) for size in BATCHES}
        for name, pair in chosen.items()
    }
    print(table(measured))
    if options.only is None:
        versions = {
            "python": platform.python_version(),
            "torch": torch.__version__,
            "libauc": libauc.__version__,
        }
        content = {"versions": versions, "machine": platform.machine(), "threads": 1, "losses": measured}
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(json.dumps(content, indent=2) + "\n")
        TABLE.write_text(table(measured))


if __name__ == "__main__":
    main()
