import numpy as np
import pytest
import torch

from medauc.losses import AUCMLoss, CrossEntropyLoss, MultiLabelAUCMLoss
from medauc.optim import PESG, MinMax
from medauc.training.objective import build_loss, build_optimizer, build_schedule
from medauc.training.recipe import parse_recipe
from medauc.training.sections.loss import AUCMSection, CrossEntropySection
from medauc.training.sections.optim import AdamWSection, PESGSection, SGDSection

TARGETS = np.array([1, 0, 0, 0, 0])


def test_v1_weighs_with_the_prevalence_that_batches_have() -> None:
    shuffled = build_loss(AUCMSection(), TARGETS, positive_share=None)
    balanced = build_loss(AUCMSection(), TARGETS, positive_share=0.5)
    assert isinstance(shuffled, AUCMLoss)
    assert isinstance(balanced, AUCMLoss)
    assert float(shuffled.prevalence) == pytest.approx(0.2)
    assert float(balanced.prevalence) == pytest.approx(0.5)


def test_multi_label_prevalences_ignore_unknown_and_survive_absent_labels() -> None:
    targets = np.array([[1, 0], [0, 0], [-1, 0], [-1, 0]])
    loss = build_loss(AUCMSection(), targets, None)
    assert isinstance(loss, MultiLabelAUCMLoss)
    assert list(loss.prevalence) == pytest.approx([0.5, 0.125])


def test_balanced_cross_entropy_gives_both_classes_equal_weight() -> None:
    loss = build_loss(CrossEntropySection(positive_weight="balanced"), TARGETS, None)
    assert isinstance(loss, CrossEntropyLoss)
    scores = torch.zeros(5, requires_grad=True)
    loss(scores, torch.from_numpy(TARGETS)).backward()
    assert scores.grad is not None
    assert scores.grad[0].item() == pytest.approx(-scores.grad[1:].sum().item())


@pytest.mark.parametrize(
    ("section", "kind"), [(PESGSection, PESG), (AdamWSection, MinMax), (SGDSection, MinMax)]
)
def test_aucm_gets_its_ascent_from_every_optimizer(section: type, kind: type) -> None:
    network, loss = torch.nn.Linear(3, 1), AUCMLoss(version="v2")
    optimizer = build_optimizer(section(lr=0.05), network, loss)
    assert isinstance(optimizer, kind)
    loss(network(torch.randn(6, 3)), torch.tensor([0, 1, 0, 1, 0, 1])).backward()
    optimizer.step()
    assert loss.alpha.item() > 0  # the margin is far from reached, so ascent raises it


def test_cross_entropy_needs_no_wrapper() -> None:
    optimizer = build_optimizer(AdamWSection(), torch.nn.Linear(2, 1), CrossEntropyLoss())
    assert isinstance(optimizer, torch.optim.AdamW)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_one_cycle_ends_near_zero_and_drives_the_dual_too(name: str) -> None:
    recipe = parse_recipe(
        {
            "optim": {"name": name, "lr": 0.1, "loss_lr": 0.4, "schedule": {"name": "one_cycle"}},
            "training": {"max_epochs": 5},
        },
        "x",
    )
    loss = AUCMLoss()
    optimizer = build_optimizer(recipe.optim, torch.nn.Linear(2, 1), loss)
    built = build_schedule(recipe.optim, optimizer, total_steps=20)
    assert built is not None
    rates = []
    for _ in range(20):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        built[0].step()
    peak = np.max(rates, axis=0)
    assert peak[0] == pytest.approx(0.1, rel=0.05)
    assert peak[-1] == pytest.approx(0.4, rel=0.05)
    assert (np.array(rates[-1]) < peak / 100).all()


def test_stages_divide_the_rate_at_their_epochs() -> None:
    recipe = parse_recipe(
        {"optim": {"name": "sgd", "lr": 1.0, "schedule": {"name": "stages", "epochs": [2, 3]}}}, "x"
    )
    optimizer = build_optimizer(recipe.optim, torch.nn.Linear(2, 1), AUCMLoss())
    built = build_schedule(recipe.optim, optimizer, total_steps=100)
    assert built is not None
    assert built[1] == "epoch"
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        built[0].step()
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])


def test_pesg_ends_its_stages_itself() -> None:
    recipe = parse_recipe({"optim": {"schedule": {"name": "stages", "epochs": [2]}}}, "x")
    assert (
        build_schedule(recipe.optim, build_optimizer(recipe.optim, torch.nn.Linear(2, 1), AUCMLoss()), 1)
        is None
    )
    assert (
        build_schedule(PESGSection(), build_optimizer(PESGSection(), torch.nn.Linear(2, 1), AUCMLoss()), 1)
        is None
    )
