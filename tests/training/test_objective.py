import numpy as np
import pytest
import torch

from medauc.errors import InputError
from medauc.losses import AUCMLoss, CrossEntropyLoss, MultiLabelAUCMLoss
from medauc.optim import PESG, SAM, MinMax
from medauc.training.objective import build_loss, build_optimizer, build_schedules, end_stage
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
    [(scheduler, every)] = build_schedules(recipe.optim, optimizer, 4, 20)
    assert every == "step"
    rates = []
    for _ in range(20):
        rates.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        scheduler.step()
    peak = np.max(rates, axis=0)
    assert peak[0] == pytest.approx(0.1, rel=0.05)
    assert peak[-1] == pytest.approx(0.4, rel=0.05)
    assert (np.array(rates[-1]) < peak / 100).all()


def test_stages_divide_the_rate_at_their_epochs() -> None:
    recipe = parse_recipe(
        {"optim": {"name": "sgd", "lr": 1.0, "schedule": {"name": "stages", "epochs": [2, 3]}}}, "x"
    )
    optimizer = build_optimizer(recipe.optim, torch.nn.Linear(2, 1), AUCMLoss())
    [(scheduler, every)] = build_schedules(recipe.optim, optimizer, 25, 100)
    assert every == "epoch"
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    assert rates == pytest.approx([1.0, 1.0, 0.1, 0.01])


def rates_of(schedule: dict[str, object], epochs: int = 4, steps: int = 5, **optim: object) -> np.ndarray:
    """Rate of the weights at each step, shape (epochs, steps), and the optimizer, which never has a gradient."""
    section = parse_recipe({"optim": {"lr": 1.0, "schedule": schedule, **optim}}, "x").optim
    optimizer = build_optimizer(section, torch.nn.Linear(2, 1), AUCMLoss())
    schedules = build_schedules(section, optimizer, steps, epochs * steps)
    rates = np.zeros((epochs, steps))
    for epoch, step in np.ndindex(epochs, steps):
        rates[epoch, step] = optimizer.param_groups[0]["lr"]
        optimizer.step(lambda: 0.0)
        for scheduler, every in schedules:
            if every == "step" or step == steps - 1:
                scheduler.step()
        if step == steps - 1:
            end_stage(section, optimizer, epoch + 1)
    return rates


STAGES = {"name": "stages", "epochs": [2, 3], "factor": 10.0}
OPTIMIZERS = [{"name": "adamw"}, {"name": "pesg"}, {"name": "pesg", "sam_radius": 0.1}]


@pytest.mark.parametrize("optim", OPTIMIZERS, ids=str)
def test_warm_up_multiplies_every_schedule(optim: dict[str, object]) -> None:
    ramp = np.minimum(1.0, 0.001 + 0.999 * np.arange(20) / 10).reshape(4, 5)  # two epochs of five steps
    for schedule in ({"name": "none"}, {"name": "cosine"}, STAGES):
        plain, warmed = rates_of(schedule, **optim), rates_of({**schedule, "warmup_epochs": 2}, **optim)
        np.testing.assert_allclose(warmed, plain * ramp, rtol=1e-9)
    np.testing.assert_allclose(rates_of(STAGES, **optim)[:, 0], [1.0, 1.0, 0.1, 0.01])
    cosine = 0.5 + 0.5 * np.cos(np.pi * np.arange(20) / 20)
    np.testing.assert_allclose(rates_of({"name": "cosine"}, **optim).ravel(), cosine, atol=1e-9)


def test_stages_of_pesg_along_a_cosine_move_the_reference_and_leave_the_rate() -> None:
    schedule = {"name": "cosine", "epochs": [1, 3]}
    np.testing.assert_array_equal(rates_of(schedule, name="pesg"), rates_of({"name": "cosine"}, name="pesg"))
    section = parse_recipe({"optim": {"lr": 0.1, "schedule": schedule, "sam_radius": 0.1}}, "x").optim
    network = torch.nn.Linear(2, 1)
    optimizer = build_optimizer(section, network, AUCMLoss())
    start = network.weight.detach().clone()

    def closure() -> float:
        optimizer.zero_grad()
        value = network(torch.ones(1, 2)).sum()
        value.backward()
        return float(value.detach())

    optimizer.step(closure)
    state = optimizer.state[network.weight]
    assert torch.equal(state["reference"], start)
    end_stage(section, optimizer, 2)
    assert torch.equal(state["reference"], start)
    end_stage(section, optimizer, 3)
    assert torch.equal(state["reference"], network.weight)  # the average of one iterate


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        ({"name": "one_cycle", "warmup_epochs": 1}, "has 'warmup'"),
        ({"name": "one_cycle", "epochs": [1]}, "'stages' or 'cosine'"),
        ({"name": "stages"}, "needs 'epochs'"),
        ({"name": "cosine", "epochs": [1]}, "reference of pesg and pdsca"),
    ],
)
def test_keys_of_another_schedule_are_refused(schedule: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_recipe({"optim": {"name": "sgd", "schedule": schedule}}, "x")


def test_sharpness_aware_optimizers_wrap_what_they_are_given() -> None:
    network, loss = torch.nn.Linear(2, 1), AUCMLoss()
    built = build_optimizer(AdamWSection(sam_radius=0.1, sam_adaptive=True), network, loss)
    assert isinstance(built, SAM)
    assert isinstance(built.optimizer, MinMax)
    assert (built.radius, built.adaptive, built.network, built.loss) == (0.1, True, network, loss)
    with pytest.raises(InputError, match="sam_radius"):
        parse_recipe({"loss": {"name": "compositional"}, "optim": {"sam_radius": 0.1}}, "x")
