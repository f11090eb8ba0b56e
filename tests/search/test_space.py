"""Search spaces: what is read, what is refused, which fields a trial has."""

from pathlib import Path

import optuna
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.errors import InputError
from medauc.search import default_space, parse_space, read_space
from medauc.search.parameters import Choices, Range
from medauc.search.space import Space, key_of, value_at
from medauc.training.plan import resolve_recipe
from medauc.training.recipe import Recipe
from medauc.training.sections.loss import LOSSES


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (
            "optim.lr: {low: -1, high: 1}",
            "optim.lr is -1 (allowed: > 0, <= 100)",
        ),
        ("loss.margin: [0.5, 200]", "loss.margin is 200"),
        ("optim.lrr: [1, 2]", "unknown key optim.lrr; did you mean 'lr'?"),
        ("loss.gamma: [1, 2]", "unknown key loss.gamma; it belongs to loss.name"),
        ("model.width: {low: 8.5, high: 64}", "model.width is 8.5: a whole number is needed"),
        (
            "model.width: {low: 8, high: 64, step: 2.5}",
            "model.width: step is 2.5: the field is a whole number",
        ),
        ("model.name: [resnet10, resnett]", "model.name is 'resnett'"),
        ("training.selection: [best, last]", "'selection' last takes the weights after max_epochs"),
        ("optim: 3", "optim: name a field by section and key"),
        ("optim.lr: 0.1", "optim.lr is 0.1: give a list of choices, or {low: ..., high: ..., log: true}"),
        ("optim.lr: [0.1]", "optim.lr: a list of choices needs two or more different values"),
        ("optim.lr: {low: 0.1}", "optim.lr: high is None: a range needs the numbers low and high"),
        ("optim.lr: {low: 1, high: 0.1}", "optim.lr: low is 1, high is 0.1: low has to be below high"),
        ("optim.lr: {low: 0, high: 0.1, log: true}", "a range with log: true needs a low above 0"),
        (
            "optim.lr: {low: 0.1, high: 0.2, logarithmic: true}",
            "unknown logarithmic (known: low, high, log, step)",
        ),
        ("optim.lr: {low: 0.1, high: 0.2, step: 1}", "optim.lr: step is 1 (allowed: > 0, <= 0.1)"),
        ("data.split.seed: [1, 2]", "data.split.seed: cannot be searched"),
        ("data.subset.samples: [10, 20]", "data.subset.samples: cannot be searched"),
        ("evaluation.calibration: [platt, beta]", "evaluation.calibration: cannot be searched"),
        ("- 1", "a search space is a YAML mapping"),
        ("{", "not valid YAML"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused_in_one_line_with_file_and_key(tmp_path, text, what):
    path = tmp_path / "space.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_space(path, Recipe())
    assert str(refused.value).startswith(f"{path}: ")
    assert what in str(refused.value)
    assert "\n" not in str(refused.value)


def test_numbers_and_categories_of_every_section_can_be_searched():
    asked = yaml.safe_load(
        """
        optim.lr: {low: 1e-4, high: 1e-1, log: true}
        loss.margin: [0.5, 1.0]
        model.width: {low: 8, high: 64, step: 8}
        model.stem: [full, half]
        model.norm: [null, instance]
        augment.flip: {low: 0, high: 0.5}
        optim.betas: [[0.9, 0.999], [0.5, 0.9]]
        evaluation.test_time_augmentation: [none, flips]
        """
    )
    space = parse_space(asked, Recipe(), "space.yaml")
    assert space.parameters["optim.lr"] == Range(1e-4, 1e-1, log=True)
    assert space.parameters["model.width"] == Range(8, 64, step=8, integer=True)
    assert parse_space(space.plain(), Recipe(), "again") == space
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(5):
        values = space.suggest(study.ask())
        recipe = space.recipe(values)
        assert values.keys() == space.parameters.keys()
        assert {key: value_at(recipe, key) for key in values} == values


def test_fields_of_a_loss_that_was_not_chosen_are_left_out():
    asked = {
        "loss.name": ["aucm", "focal"],
        "loss.gamma": {"low": 1, "high": 5},
        "loss.margin": [0.5, 1.0],
        "optim.lr": [0.1, 0.01],
    }
    space = parse_space(asked, Recipe(), "space.yaml")
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    seen = set()
    for _ in range(12):
        values = space.suggest(study.ask())
        own = "loss.margin" if values["loss.name"] == "aucm" else "loss.gamma"
        assert values.keys() == {"loss.name", "optim.lr", own}
        assert space.recipe(values).loss.name == values["loss.name"]
        seen.add(values["loss.name"])
    assert seen == {"aucm", "focal"}


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_every_loss_with_each_of_its_optimizers_has_a_default_space(name):
    for optimizer in LOSSES[name].optimizers:
        recipe = Recipe.model_validate({"loss": {"name": name}, "optim": {"name": optimizer}})
        space = default_space(recipe)
        assert "optim.lr" in space.parameters
        ends = [{key: found.ends[end] for key, found in space.parameters.items()} for end in (0, -1)]
        assert all(space.recipe(values) for values in ends)


def test_the_seed_method_searches_the_five_that_it_swept():
    recipe = resolve_recipe("adrenalmnist3d", recipe="seed").recipe
    five = {"optim.lr", "optim.epoch_decay", "optim.weight_decay", "optim.momentum", "loss.margin"}
    assert default_space(recipe).parameters.keys() == five


@given(low=st.floats(1e-6, 1), width=st.floats(1.5, 1e6), log=st.booleans(), count=st.integers(2, 9))
@settings(max_examples=50)
def test_points_of_a_range_lie_in_it_and_hold_its_ends(low, width, log, count):
    points = Range(low, low * width, log).points(count)
    assert len(points) == count
    assert points == tuple(sorted(points))
    assert points[0] == pytest.approx(low, rel=1e-5)
    assert points[-1] == pytest.approx(low * width, rel=1e-5)
    assert low <= points[0]
    assert points[-1] <= low * width


def test_steps_of_many_digits_are_what_the_sampler_draws():
    space = Space(Recipe(), {"loss.margin": Range(0.1234567, 0.9234567, step=0.4)})
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    drawn = {key_of(space.suggest(study.ask())) for _ in range(30)}
    assert drawn == {key_of(values) for values in space.settings or []}
    assert len(drawn) == 3


def test_steps_are_points_and_other_values_are_not_held():
    steps = Range(0.1, 0.5, step=0.2)
    assert steps.points() == (0.1, 0.3, 0.5)
    assert [steps.holds(value) for value in (0.1, 0.3, 0.2, 0.7, True, "a")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert Choices(([1, 2], None)).holds([1, 2])
    assert not Choices((1, 2)).holds(3)


def test_a_file_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(InputError, match="cannot read the search space"):
        read_space(tmp_path / "none.yaml", Recipe())
