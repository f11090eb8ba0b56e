"""One image in sixteen tells the class: what a mean can reach at best, and that maximum and attention exceed it."""

import math
from statistics import NormalDist
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from medauc.data import BagSpec, BagSplit, PhantomSpec, Split, load_dataset, make_bags
from medauc.data.bags import bag_numbers
from medauc.metrics import roc_auc
from medauc.models import BagNetwork, BagPooling
from medauc.models.bags import set_attention

IMAGES, DETECTABILITY = 16, 4.0


class LinearObserver(nn.Module):
    """A linear score of the pixels, as the ideal observer of a single image of the phantom is."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(64, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.fc(images.flatten(1))


def tensors(split: Split) -> tuple[Tensor, Tensor, int]:
    assert isinstance(split, BagSplit)
    images = (torch.from_numpy(np.asarray(split.images)).float() - 128) / 16
    return images, torch.from_numpy(bag_numbers(split.lengths)), len(split)


@pytest.fixture(scope="module")
def aucs() -> dict[str, float]:
    """Test AUC of each pooling of the same linear score, trained by cross-entropy."""
    spec = PhantomSpec(
        n_train=300,
        n_val=2,
        n_test=1000,
        prevalence=0.5,
        detectability=DETECTABILITY,
        signal_width=1.5,
        bag_images=IMAGES,
    )
    data = make_bags(load_dataset("phantom2d", 8, phantom=spec), BagSpec())
    train, test = tensors(data.train), tensors(data.test)
    targets, found = torch.from_numpy(data.train.targets).float().unsqueeze(1), {}
    for pooling in get_args(BagPooling):
        torch.manual_seed(0)
        observer = LinearObserver()
        if pooling == "attention":
            set_attention(observer)
        network = BagNetwork(observer, pooling)
        optimizer = torch.optim.AdamW(network.parameters(), lr=0.01, weight_decay=0.1)
        for _ in range(60):
            loss = nn.functional.binary_cross_entropy_with_logits(network(*train), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            found[pooling] = roc_auc(data.test.targets, network(*test)[:, 0].numpy())
    return found


def test_maximum_and_attention_exceed_what_any_mean_of_linear_scores_can_reach(
    aucs: dict[str, float],
) -> None:
    """Averaging 16 images, of which one holds the signal, divides d' by the square root of 16."""
    limit = NormalDist().cdf(DETECTABILITY / math.sqrt(2 * IMAGES))
    noise = 2.6 * math.sqrt(limit * (1 - limit) / 500)  # wider than the 99% interval of an AUC of 500 and 500
    assert 0.6 < aucs["mean"] < limit + noise
    assert aucs["max"] > limit + noise
    assert aucs["attention"] > limit + noise
