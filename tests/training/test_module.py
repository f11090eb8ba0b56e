import pytest
import torch

from medauc.data import PhantomSpec, load_dataset
from medauc.training import Recipe, TrainingDiverged, parse_recipe
from medauc.training.build import build_classifier

DATA = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=20, n_val=10, n_test=10))
SMALL = {"model": {"width": 4, "stem": "imagenet"}}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_not_finite_stops_before_the_step(value: float) -> None:
    module = build_classifier(DATA, parse_recipe(SMALL, "x"), seed=0)
    for parameter in module.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    module.on_before_optimizer_step(optimizer)
    next(module.parameters()).grad.view(-1)[0] = value
    with pytest.raises(TrainingDiverged, match=r"gradient is .*lower optim\.lr"):
        module.on_before_optimizer_step(optimizer)


def test_test_time_flips_average_over_the_axes_that_training_flips() -> None:
    settings = SMALL | {"augment": {"flip": [0.0, 0.5]}}
    flipping = parse_recipe(settings | {"evaluation": {"test_time_augmentation": "flips"}}, "x")
    module = build_classifier(DATA, flipping, seed=0).eval()
    plain = build_classifier(DATA, parse_recipe(settings, "x"), seed=0).eval()
    images = torch.from_numpy(DATA.test.images)
    with torch.no_grad():
        expected = (plain(images) + plain(images.flip(2))) / 2
        torch.testing.assert_close(module(images), expected)


def test_equal_seeds_give_equal_networks() -> None:
    first, second, other = (build_classifier(DATA, Recipe(**SMALL), seed) for seed in (0, 0, 1))
    weights = [next(module.network.parameters()) for module in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
