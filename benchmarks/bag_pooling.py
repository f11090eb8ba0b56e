"""Test AUC of bags pooled by mean, maximum and attention, where one image of sixteen holds the signal.

The phantom tells what can be reached: the ideal observer scores a bag by the mean likelihood ratio of its images; what
averages linear scores of images has d' divided by the square root of their number. Each pooling trains the same small
ResNet with the same seeds. Run: python benchmarks/bag_pooling.py [--seeds 3]
"""

import argparse
import json
import math
import statistics
import tempfile
from pathlib import Path
from statistics import NormalDist
from typing import get_args

import numpy as np
import torch

from medauc.files import write_text_atomically
from medauc.metrics import roc_auc
from medauc.models import BagPooling
from medauc.training import resolve, train

IMAGES, DETECTABILITY = 16, 4.0
SETTINGS = [
    "data.size=10", "data.phantom.n_train=300", "data.phantom.n_val=100", "data.phantom.n_test=1000",
    "data.phantom.prevalence=0.5", f"data.phantom.detectability={DETECTABILITY}", "data.phantom.signal_width=1.5",
    f"data.phantom.bag_images={IMAGES}", "data.bags.max_images=null", "model.name=resnet10", "model.width=8",
    "model.stem=half", "augment=none", "loss.name=cross_entropy", "optim.lr=0.01", "sampling.batch_size=32",
    "training.max_epochs=8", "training.patience=null",
]  # fmt: skip
RESULT = Path(__file__).parent / "results" / "bag_pooling.json"


def ideal_auc(bags: int = 200_000) -> float:
    """AUC of the mean likelihood ratio, from simulated responses of the ideal observer to single images."""
    rng = np.random.default_rng(0)
    response = rng.standard_normal((bags, IMAGES), dtype=np.float32)
    targets = np.arange(bags) % 2
    response[:, 0] += DETECTABILITY * targets
    ratio = np.exp(DETECTABILITY * response - DETECTABILITY**2 / 2).mean(axis=1)
    return roc_auc(targets, ratio)


def test_auc(pooling: str, seed: int) -> float:
    """Train one network and score the test bags; the data are the same for every seed."""
    plan = resolve("phantom2d", overrides=[*SETTINGS, f"model.bag_pooling={pooling}"])
    with tempfile.TemporaryDirectory() as folder:
        run = train(plan.dataset, plan.recipe, Path(folder) / "run", seed=seed, device="cpu")
    assert run.evaluation.test.auroc is not None
    return run.evaluation.test.auroc.value


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    torch.set_num_threads(1)
    found: dict[str, object] = {
        "ideal_observer": round(ideal_auc(), 3),
        "limit_of_a_mean_of_linear_scores": round(NormalDist().cdf(DETECTABILITY / math.sqrt(2 * IMAGES)), 3),
        "settings": SETTINGS,
    }
    for pooling in get_args(BagPooling):
        aucs = [test_auc(pooling, seed) for seed in seeds]
        found[pooling] = {"mean": round(statistics.mean(aucs), 3), "each": [round(auc, 3) for auc in aucs]}
        print(pooling, found[pooling], flush=True)
    write_text_atomically(RESULT, json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
