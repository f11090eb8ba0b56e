"""What is trained next: no setting twice, grids, sweeps, the end of a search by gain or time; trainings are made up."""

from collections.abc import Sequence
from types import SimpleNamespace

import pytest

from fixtures.made_up_search import LR, MadeUp
from medauc.search import Limits, Stopped, write_result
from medauc.training.unit import Outcome, Unit


def test_no_setting_is_tried_twice_and_when_all_are_it_ends(stages):
    space = {
        "loss.margin": [0.5, 1.0],
        "optim.lr": {"low": 0.1, "high": 0.3, "step": 0.2},
        "sampling.batch_size": {"low": 15, "high": 16},
    }
    limits, whole, stopped = Limits(trials=60, seeds=1, stop_early=False), stages("whole"), stages("stopped")
    definition = whole.definition(space, pruner="none")
    expected = whole.search(definition, MadeUp(), limits)
    tried = [values for _, _, values, *_ in expected]
    assert len(set(tried)) == len(tried) == 2 * 2 * 2
    with pytest.raises(Stopped):
        stopped.search(definition, MadeUp(stop_after=6), limits)
    assert stopped.search(definition, MadeUp(), limits) == expected
    with stopped.open(definition) as search:
        assert search.book.ending == "after 8 trials, which are all settings of the space"
        search.run(MadeUp(), limits)
    assert (stopped.out / "journal.log").read_text().count("all settings of the space") == 1, "written once"


@pytest.mark.parametrize("sampler", ["grid", "sweep"])
def test_a_grid_has_every_combination_and_a_sweep_one_change_at_a_time(stage, sampler):
    space = {"optim.lr": [0.001, 0.01, 0.1], "loss.margin": [0.5, 1.0]}
    definition = stage.definition(space, sampler=sampler, pruner="none")
    found = stage.search(definition, MadeUp(), Limits(trials=50, seeds=1))
    tried = {(dict(values)["optim.lr"], dict(values)["loss.margin"]) for _, _, values, *_ in found}
    if sampler == "grid":
        assert tried == {(lr, margin) for lr in (0.001, 0.01, 0.1) for margin in (0.5, 1.0)}
    else:
        own = (stage.plan.recipe.optim.lr, stage.plan.recipe.loss.margin)  # type: ignore[union-attr]
        assert tried == {own, *((lr, 1.0) for lr in (0.001, 0.01, 0.1)), (own[0], 0.5)}
    assert len(found) == len(tried)


@pytest.mark.parametrize("sampler", ["random", "cmaes"])
def test_other_samplers_and_pruners_find_it_too(stage, sampler):
    pruner = {"random": "median", "cmaes": "halving"}[sampler]
    definition = stage.definition(LR, sampler=sampler, pruner=pruner)
    with stage.open(definition) as search:
        search.run(MadeUp(), Limits(trials=20, seeds=1, stop_early=False))
        found = write_result(search)
    assert found.winner is not None
    assert 1e-3 < found.winner.values["optim.lr"] < 1e-1


def test_how_often_it_is_stopped_does_not_change_when_it_ends(stages, monkeypatch):
    """What is to be gained falls between two looks: one more look, after a stop, would end it earlier."""
    limits, asked = Limits(trials=28, seeds=2), []

    def gain(space: object, known: Sequence[object], seed: int) -> float:
        asked.append(len(known))
        return 1.0 if len(known) <= 20 else 0.0

    monkeypatch.setattr("medauc.search.choosing.expected_gain", gain)
    whole, stopped = stages("whole"), stages("stopped")
    definition = whole.definition(LR, pruner="none", sampler="random")
    expected = whole.search(definition, MadeUp(), limits)
    looks = [*asked]
    assert looks == [20, 25]
    asked.clear()
    with pytest.raises(Stopped):
        stopped.search(definition, MadeUp(stop_after=26), limits)
    assert asked == [20]
    assert stopped.search(definition, MadeUp(), limits) == expected
    assert asked == looks


def test_it_stops_when_further_gain_is_within_noise(stage):
    with stage.open(stage.definition(LR)) as search:
        search.run(MadeUp(noise=2.0), Limits(trials=40, seeds=2))
        found = write_result(search)
    assert 20 <= len(found.rows) < 40
    assert found.ending is not None
    assert "less than the standard error" in found.ending


def test_after_its_time_no_further_fold_is_begun_and_the_next_start_goes_on(stage, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("medauc.search.choosing.time", SimpleNamespace(monotonic=lambda: now[0]))
    definition = stage.definition(LR, objective="kfold", folds=3, pruner="none")
    executor = MadeUp()
    plain = executor._train

    def slowly(unit: Unit) -> Outcome:
        now[0] += 40.0
        return plain(unit)

    monkeypatch.setattr(executor, "_train", slowly)
    found = stage.search(definition, executor, Limits(trials=1, seeds=1, minutes=1.0))
    assert [state for _, state, *_ in found] == ["running"]
    assert [unit.folder.name for unit in executor.done] == ["seed0-fold0", "seed0-fold1"]
    found = stage.search(definition, MadeUp(), Limits(trials=1, seeds=1))
    assert [state for _, state, *_ in found] == ["complete"]


def test_after_its_time_nothing_is_begun(stage):
    executor = MadeUp()
    with stage.open(stage.definition(LR)) as search:
        search.run(executor, Limits(trials=5, minutes=0.0))
        assert write_result(search).winner is None
    assert not executor.done
