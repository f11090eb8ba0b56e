"""What partial AUC and average precision are for: problems where a linear model must choose between figures.

Two features, each better for one figure. Thresholds leave room below what ten seeds gave (docs/losses/
partial_auc.md and average_precision.md quote them).
"""

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from medauc.losses import AUCMLoss, AveragePrecisionLoss, CrossEntropyLoss, PartialAUCKLLoss, PartialAUCLoss
from medauc.metrics import partial_auc
from medauc.optim import PESG
from medauc.sampling import ClassBalancedBatchSampler

SEEDS = range(3)


def mimics(samples, seed):
    """Half positive. Feature 0 separates far better, but 15% of the negatives lie beyond the positives in it."""
    generator = torch.Generator().manual_seed(seed)
    targets = (torch.rand(samples, generator=generator) < 0.5).long()
    mimic = (torch.rand(samples, generator=generator) < 0.15) & (targets == 0)
    features = torch.randn(samples, 2, generator=generator)
    features += torch.stack([3.0 * targets + 4.0 * mimic, 1.3 * targets], 1)
    return features, targets


def atypical(samples, seed):
    """5% positive, of which a third lie on the far side of the negatives in feature 0, others clear of them."""
    generator = torch.Generator().manual_seed(seed)
    targets = (torch.rand(samples, generator=generator) < 0.05).long()
    odd = (torch.rand(samples, generator=generator) < 0.3) & (targets == 1)
    features = torch.randn(samples, 2, generator=generator)
    features += torch.stack([3.0 * targets - 8.0 * odd, 1.5 * targets], 1)
    return features, targets


def area_to_ten_percent(targets: Tensor, scores: Tensor) -> float:
    """Mean sensitivity at false-positive rates up to 0.1."""
    return partial_auc(targets.numpy(), scores.numpy(), max_fpr=0.1, standardized=False) / 0.1


def precision(targets: Tensor, scores: Tensor) -> float:
    return float(average_precision_score(targets, scores))


RAW = {"activation": "none"}  # of a linear model: a convex problem, which one start solves as well as another
OBJECTIVES = {
    "aucm": lambda targets: AUCMLoss(version="v2"),
    "aucm of raw scores": lambda targets: AUCMLoss(version="v2", **RAW),
    "cross-entropy": lambda targets: CrossEntropyLoss(),
    "cvar": lambda targets: PartialAUCLoss.for_targets(targets, max_fpr=0.1, **RAW),
    "two-way cvar": lambda targets: PartialAUCLoss.for_targets(targets, max_fpr=0.1, min_tpr=0.3, **RAW),
    "kl": lambda targets: PartialAUCKLLoss.for_targets(targets, temperature=0.2, **RAW),
    "two-way kl": lambda targets: PartialAUCKLLoss.for_targets(
        targets, temperature=0.2, positive_temperature=1.0, **RAW
    ),
    "soap": lambda targets: AveragePrecisionLoss.for_targets(targets, **RAW),
}
FIGURE = {mimics: area_to_ten_percent, atypical: precision}


@cache
def figure_on_test(problem, objective: str, seed: int) -> float:
    """Figure of a linear model, trained for 300 steps, on 10,000 samples it has not seen."""
    features, targets = problem(2000, seed)
    loss = OBJECTIVES[objective](targets)
    torch.manual_seed(seed)
    network = nn.Linear(2, 1)
    params = list(network.parameters())
    optimizer = torch.optim.Adam(params, lr=0.05)
    if objective.startswith("aucm"):  # raw scores are larger than sigmoids, and so are their gradients
        optimizer = PESG(params, loss, lr=0.02 if "raw" in objective else 0.1)
    steps = 0
    while steps < 300:
        for index in _batches(targets, objective, seed + steps):
            optimizer.zero_grad()
            loss(network(features[index]), targets[index][:, None], index).backward()
            optimizer.step()
            steps += 1
    features, targets = problem(10_000, 1000)
    with torch.no_grad():
        return FIGURE[problem](targets, network(features).squeeze(1))


def _batches(targets: Tensor, objective: str, seed: int) -> list[Tensor]:
    if objective == "cross-entropy":
        return list(torch.randperm(len(targets)).split(64))
    return [torch.as_tensor(batch) for batch in ClassBalancedBatchSampler(targets, 64, seed=seed)]


@cache
def best_linear(problem) -> float:
    """The best figure that any direction reaches on the test set."""
    features, targets = problem(10_000, 1000)
    angles = np.linspace(-np.pi, np.pi, 61)
    directions = torch.tensor(np.stack([np.cos(angles), np.sin(angles)]), dtype=torch.float32)
    return max(FIGURE[problem](targets, scores) for scores in (features @ directions).T)


def mean_figure(problem, objective: str) -> float:
    return float(np.mean([figure_on_test(problem, objective, seed) for seed in SEEDS]))


@pytest.mark.parametrize("objective", ["cvar", "two-way cvar", "kl", "two-way kl"])
def test_partial_auc_beats_aucm_where_a_minority_mimics_positives(objective):
    for seed in SEEDS:
        assert figure_on_test(mimics, objective, seed) > figure_on_test(mimics, "aucm", seed) + 0.05
    found = mean_figure(mimics, objective)
    assert found > mean_figure(mimics, "aucm") + 0.12
    assert found > mean_figure(mimics, "aucm of raw scores")
    assert found > 0.85 * best_linear(mimics)


@pytest.mark.parametrize("rival", ["aucm", "aucm of raw scores", "cross-entropy"])
def test_average_precision_beats_where_hopeless_positives_drag(rival):
    assert mean_figure(atypical, "soap") > mean_figure(atypical, rival) + 0.1
    assert min(figure_on_test(atypical, "soap", seed) for seed in SEEDS) > 0.88 * best_linear(atypical)
