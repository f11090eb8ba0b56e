import pytest
import torch

from medauc.data import PhantomSpec, load_dataset
from medauc.data.batches import Batch
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


def scores_of(settings, images, **evaluation):
    """Scores by the same network under a section ``evaluation``."""
    recipe = parse_recipe(settings | {"evaluation": evaluation}, "x")
    with torch.no_grad():
        return build_classifier(DATA, recipe, seed=0).eval()(images)


def test_octahedral_copies_make_scores_that_no_turn_changes() -> None:
    images = torch.from_numpy(DATA.test.images)
    plain = scores_of(SMALL, images)
    scores = scores_of(SMALL, images, test_time_augmentation="octahedral")
    views = [
        view for turns in range(4) for view in (images.rot90(turns, (1, 2)), images.rot90(turns, (1, 2)).mT)
    ]
    torch.testing.assert_close(scores, torch.stack([scores_of(SMALL, view) for view in views]).mean(0))
    for view in views:
        torch.testing.assert_close(scores_of(SMALL, view, test_time_augmentation="octahedral"), scores)
    assert not torch.allclose(scores_of(SMALL, views[2]), plain)


def test_random_copies_score_each_image_by_itself() -> None:
    images = torch.from_numpy(DATA.test.images)
    settings = SMALL | {"augment": {"rotation": 20, "noise": 0.1, "erase": 0.3, "mixup": 1.0}}
    random = {"test_time_augmentation": "random", "test_time_copies": 5}
    together = scores_of(settings, images, **random)
    torch.manual_seed(7)
    alone = torch.cat([scores_of(settings, image[None], **random) for image in images])
    torch.testing.assert_close(together, alone)
    assert not torch.allclose(together, scores_of(settings, images))
    assert not torch.allclose(together, scores_of(settings, images, **random | {"test_time_copies": 6}))
    unchanged = scores_of(SMALL, images)
    torch.testing.assert_close(scores_of(SMALL, images, **random), unchanged)


def test_validation_in_training_makes_no_copies() -> None:
    recipe = parse_recipe(SMALL | {"evaluation": {"test_time_augmentation": "octahedral"}}, "x")
    module, seen = build_classifier(DATA, recipe, seed=0).eval(), []
    module.network.register_forward_hook(lambda *_: seen.append(1))
    batch = Batch(torch.from_numpy(DATA.val.images), torch.from_numpy(DATA.val.targets), torch.arange(10))
    with torch.no_grad():
        module.validation_step(batch, 0)
        assert len(seen) == 1
        module.predict_step(batch, 0)
    assert len(seen) == 9


def test_mixtures_reach_network_and_loss() -> None:
    """With mixup of any two the loss sees shares; the reported targets stay those of the larger part."""
    values = SMALL | {"loss": {"name": "cross_entropy"}, "augment": {"mixup": 1.0, "mixup_partners": "any"}}
    module = build_classifier(DATA, parse_recipe(values, "x"), seed=0)
    seen: list[torch.Tensor] = []
    module.loss.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[1]))
    targets = torch.from_numpy(DATA.train.targets)
    batch = Batch(torch.from_numpy(DATA.train.images), targets, torch.arange(20))
    outputs = module.train().training_step(batch, 0)
    again = module.training_step(batch, 0)
    assert torch.equal(outputs["targets"], targets)
    soft = seen[0]
    assert ((soft > 0) & (soft < 1)).any()
    assert torch.equal((soft > 0.5).long(), targets)
    assert torch.equal(seen[1], soft)
    torch.testing.assert_close(again["loss"], outputs["loss"])
