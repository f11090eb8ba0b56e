from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medauc.data import PhantomSpec, load_dataset
from medauc.training import Provenance, RunFolder, parse_recipe
from medauc.training.members import Member, epochs_of_refit, members_of, recipe_of, refits_of
from medauc.training.sections.ensemble import EnsembleSection


@given(
    folds=st.none() | st.integers(2, 20),
    members=st.integers(1, 100),
    seeds=st.lists(st.integers(0, 400_000), min_size=1, max_size=3, unique=True),
)
def test_no_two_networks_share_a_seed_or_a_name(folds, members, seeds) -> None:
    section = EnsembleSection(folds=folds, members=members, refit=folds is not None)
    every = [[*members_of(section, seed), *refits_of(section, seed)] for seed in seeds]
    expected = members * ((folds or 0) + 1)
    assert all(len({member.name for member in each}) == expected for each in every)
    assert len({member.seed for each in every for member in each}) == expected * len(seeds)


def finished(folder: Path, stages: list[list[float]], **training: object) -> RunFolder:
    """A run folder with this validation AUC by stage and epoch."""
    run = RunFolder(folder)
    recipe = parse_recipe({"training": training}, "a test")
    phantom = load_dataset("phantom2d", phantom=PhantomSpec(n_train=20, n_val=10, n_test=10))
    run.create(recipe, Provenance.of(phantom, 0, "cpu"))
    lines = ["stage,epoch,val_auc"]
    lines += [
        f"{stage},{epoch},{auc}" for stage, part in enumerate(stages, 1) for epoch, auc in enumerate(part)
    ]
    run.metrics.write_text("\n".join(lines) + "\n")
    return run


def test_refit_runs_for_the_median_of_the_best_epochs(tmp_path) -> None:
    curves = [
        [0.6, 0.9, 0.7],
        [0.8, 0.8, 0.8, 0.8],
        [0.9, 0.1],
        [0.1, 0.2, 0.3, 0.4, 0.3],
    ]  # best after 2, 4, 1, 4
    runs = [finished(tmp_path / str(place), [curve]) for place, curve in enumerate(curves)]
    assert epochs_of_refit(runs) == (3,)
    assert epochs_of_refit(runs[:3]) == (2,)
    assert epochs_of_refit(runs[2:]) == (3,)  # 2.5


def test_without_selection_all_epochs_are_repeated(tmp_path) -> None:
    run = finished(tmp_path / "run", [[0.9, 0.1, 0.1]], selection="last", patience=None)
    assert epochs_of_refit([run]) == (3,)


def test_a_second_stage_that_seldom_improves_is_left_out_of_the_refit(tmp_path) -> None:
    improves = [finished(tmp_path / f"a{n}", [[0.5, 0.8, 0.7], [0.7, 0.7, 0.9]]) for n in range(2)]
    fails = [finished(tmp_path / f"b{n}", [[0.5, 0.8], [0.7, 0.8]]) for n in range(3)]
    assert epochs_of_refit([*improves, *fails[:2]]) == (2, 3)
    assert epochs_of_refit([*improves, *fails]) == (2,)


def test_what_a_refit_trains() -> None:
    recipe = parse_recipe(
        {
            "first_stage": {"max_epochs": 9, "patience": 3},
            "training": {"max_epochs": 50, "patience": 5},
            "ensemble": {"folds": 3, "refit": True},
        },
        "a test",
    )
    refit = Member("refit", 300)
    both = recipe_of(refit, recipe, (4, 7))
    assert [stage.training.max_epochs for stage in both.stages()] == [4, 7]
    assert {stage.training.patience for stage in both.stages()} == {None}
    assert both.training.selection == "last"
    alone = recipe_of(refit, recipe, (4,))
    assert [stage.loss.name for stage in alone.stages()] == ["cross_entropy"]
    assert alone.training.max_epochs == 4
    fold = recipe_of(Member("fold", 0, 0), recipe, None)
    assert fold.model_copy(update={"ensemble": recipe.ensemble}) == recipe
    assert fold.ensemble.is_single


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"folds": 1}, r"ensemble\.folds is 1 \(allowed: >= 2, <= 20"),
        ({"members": 0}, r"ensemble\.members is 0 \(allowed: >= 1, <= 100"),
        ({"members": -2}, r"ensemble\.members is -2"),
        ({"refit": True}, "refit needs folds"),
        ({"fold": 3}, r"unknown key ensemble\.fold; did you mean 'folds'"),
    ],
)
def test_sections_that_make_no_sense_are_refused(section, message) -> None:
    with pytest.raises(ValueError, match=message):
        parse_recipe({"ensemble": section}, "a test")
