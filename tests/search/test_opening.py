"""Opening a search: what is refused, before anything is written, and what is written down."""

from dataclasses import replace

import numpy as np
import pytest
import yaml
from safetensors.numpy import save_file

from fixtures.made_up_search import LR, Stage
from medauc.errors import InputError
from medauc.training.origin import Origin, Source


@pytest.mark.parametrize(
    "change",
    [
        {"sampler": "random"},
        {"seed": 1},
        {"objective": "kfold", "folds": 3},
        {"pruner": "none"},
        {"space": {"optim.lr": [0.1, 0.2]}},
    ],
)  # fmt: skip
def test_a_folder_with_another_search_is_refused_with_what_differs(stage, change):
    stage.open(stage.definition(LR)).__exit__()
    different = {"space": LR} | change
    with pytest.raises(
        InputError, match=r"the search there is another one: .*name another folder with --out"
    ):
        stage.open(stage.definition(different.pop("space"), **different))


def test_a_folder_with_other_things_is_refused(stage):
    stage.out.mkdir()
    (stage.out / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="not empty and not a search"):
        stage.open(stage.definition(LR))


def with_positives(stage: Stage, count: int, patients: int) -> Stage:
    """The same with ``count`` positive samples in validation, of so many patients; negatives have their own each."""
    val = stage.plan.dataset.val
    positive = val.targets == 1
    val = val.take(~positive | (np.cumsum(positive) <= count))
    place = np.arange(len(val))
    groups = np.where(val.targets == 1, np.cumsum(val.targets == 1) % patients, 100 + place).astype(str)
    dataset = replace(stage.plan.dataset, val=replace(val, groups=groups))
    return replace(stage, plan=replace(stage.plan, dataset=dataset))


@pytest.mark.parametrize(("count", "patients", "what"), [(1, 1, "1 sample with"), (5, 1, "1 patient with")])
def test_one_positive_in_validation_is_refused_before_anything_is_trained(stage, count, patients, what):
    few = with_positives(stage, count, patients)
    with pytest.raises(InputError, match=f"validation has {what} a positive.*--objective kfold"):
        few.open(few.definition(LR))
    assert not stage.out.exists()


def test_two_patients_with_a_positive_are_enough(stage):
    few = with_positives(stage, 4, 2)
    few.open(few.definition(LR)).__exit__()


def test_weights_that_saw_what_folds_hold_out_are_refused_wherever_they_are_named(stage, tmp_path):
    source = Source("phantom2d", stage.plan.dataset.md5, 12, 40)
    files = []
    for name, sources in (("other", ()), ("same", (source,))):
        files.append(str(tmp_path / f"{name}.safetensors"))
        metadata = Origin("joint", sources, 0, "0", {}).metadata()
        save_file({"weight": np.zeros(1)}, files[-1], metadata)
    definition = stage.definition({"model.weights": files}, objective="kfold", folds=3)
    with pytest.raises(InputError, match=r"same\.safetensors was pretrained on the training images"):
        stage.open(definition)
    assert not stage.out.exists()
    stage.open(stage.definition({"model.weights": files})).__exit__()  # validation was not seen


def test_a_sampler_that_keeps_pickles_is_not_given_a_database(stage):
    with pytest.raises(InputError, match=r"--sampler cmaes: .* could run code here"):
        stage.open(stage.definition(LR, sampler="cmaes"), url="postgresql://me@127.0.0.1:9/none")


def test_refused_folds_leave_no_search_that_would_refuse_fewer(stage):
    with pytest.raises(InputError, match="fold"):
        stage.open(stage.definition(LR, objective="kfold", folds=60))
    assert not stage.out.exists()
    stage.open(stage.definition(LR, objective="kfold", folds=3)).__exit__()


def test_a_search_can_be_read_by_a_person(stage):
    stage.open(stage.definition(LR)).__exit__()
    written = yaml.safe_load((stage.out / "search.yaml").read_text())
    assert written["space"] == LR
    assert written["sampler"] == "tpe"
    assert written["recipe"]["optim"]["name"] == stage.plan.recipe.optim.name
