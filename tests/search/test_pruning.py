"""What a trial's worker is told after each epoch: the same when it is asked again, through kills and outages."""

import math
import random
from pathlib import Path
from typing import Any

import pytest
from optuna import Study
from optuna.exceptions import StorageInternalError
from optuna.pruners import SuccessiveHalvingPruner

from fixtures.made_up_search import LR, MadeUp
from medauc.errors import InputError
from medauc.search import Limits, Stopped, pruning
from medauc.search.halving import Halving
from medauc.search.pruning import GIVEN_UP, Pruning
from medauc.search.samplers import make_pruner
from medauc.search.storage import Unreachable, open_storage, open_study
from medauc.training.plan import resolve_recipe
from medauc.training.unit import Outcome, Unit, run_unit

TINY = [
    "data.phantom.n_train=40", "data.phantom.n_val=40", "data.phantom.n_test=40", "data.phantom.prevalence=0.3",
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16", "training.max_epochs=2",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _fresh() -> None:
    pruning._opened.cache_clear()


def trials_in(folder: Path, number: int) -> tuple[Study, list[Pruning]]:
    """A study of four epochs, whose rungs are at one, two and four, and what the workers of its trials ask."""
    study = open_study(open_storage(None, folder), "one")
    asked = [study.ask()._trial_id for _ in range(number)]
    return study, [Pruning(None, folder, "one", trial, "halving", 4) for trial in asked]


def test_where_no_study_is_none_is_made(tmp_path):
    trials_in(tmp_path, 1)
    before = (tmp_path / "journal.log").read_bytes()
    with pytest.raises(KeyError):
        Pruning(None, tmp_path, "another", 0, "halving", 4)(1, 0.5)
    assert (tmp_path / "journal.log").read_bytes() == before


def test_what_was_given_up_is_given_up_whoever_asks_again(tmp_path):
    study, (good, bad) = trials_in(tmp_path, 2)
    assert good(1, 0.9)
    assert not bad(1, 0.5)
    assert not bad(1, 0.5)
    assert not bad(2, 0.99), "a worker tried again goes on from there"
    assert GIVEN_UP in study.trials[1].user_attrs


def test_what_was_worth_going_on_with_stays_so_though_better_ones_came_meanwhile(tmp_path):
    study, (first, better) = trials_in(tmp_path, 2)
    assert first(1, 0.6)
    assert better(1, 0.9)
    assert first(1, 0.6)
    assert study.trials[0].intermediate_values == {1: 0.6}


def test_a_process_that_dies_before_the_verdict_is_written_leaves_it_to_the_next(tmp_path, monkeypatch):
    study, (good, bad) = trials_in(tmp_path, 2)
    good(1, 0.9)
    storage = pruning._opened(None, tmp_path, "one")[0]
    with monkeypatch.context() as patched:

        def killed(*_: Any) -> None:
            raise KeyboardInterrupt

        patched.setattr(storage, "set_trial_user_attr", killed)
        with pytest.raises(KeyboardInterrupt):
            bad(1, 0.5)
    assert study.trials[1].intermediate_values == {1: 0.5}
    assert not bad(1, 0.5)


def test_the_rungs_are_at_two_four_and_eight_ninths():
    shortest, usual, long = (make_pruner("halving", epochs) for epochs in (1, 9, 100))
    assert [(one.first, one.factor) for one in (shortest, usual, long)] == [(1, 2), (2, 2), (22, 2)]  # type: ignore[attr-defined]


def test_halving_judges_as_optunas_own_where_nothing_dies(tmp_path):
    study = open_study(open_storage(None, tmp_path), "one")
    rng = random.Random(0)
    ours, theirs, verdicts = Halving(1, 3), SuccessiveHalvingPruner(1, 3), []
    for _ in range(40):
        trial = study.ask()
        for epoch in range(1, 10):
            trial.report(rng.random(), epoch)
            frozen = study._storage.get_trial(trial._trial_id)
            verdicts.append(ours.prune(study, frozen))
            assert verdicts[-1] == theirs.prune(study, frozen)
            if verdicts[-1]:
                break
    assert set(verdicts) == {True, False}


def test_an_epoch_without_a_defined_auc_is_no_reason_to_end(tmp_path):
    _, (good, other) = trials_in(tmp_path, 2)
    good(1, 0.9)
    assert other(1, math.nan)
    assert not other(2, 0.5), "judged for the rung that it passed meanwhile"


def test_a_training_that_resumes_tells_its_last_epoch_again(tmp_path):
    recipe, told = resolve_recipe("phantom2d", overrides=TINY).recipe, []

    def killed(epochs: int, auc: float) -> bool:
        raise RuntimeError("ended before it could tell")

    def hears(epochs: int, auc: float) -> bool:
        told.append(epochs)
        return True

    broken = run_unit(Unit(tmp_path / "run", "phantom2d", recipe, watch=killed, device="cpu"))
    assert broken.error == "ended before it could tell"
    outcome = run_unit(Unit(tmp_path / "run", "phantom2d", recipe, watch=hears, device="cpu"))
    assert (outcome.error, told) == (None, [1, 2])


def test_a_short_outage_of_the_database_is_waited_for(tmp_path, monkeypatch):
    _, (own, _) = trials_in(tmp_path, 2)
    away = [Unreachable("no route"), StorageInternalError("gone"), Unreachable("no route")]
    pauses: list[float] = []
    opened = pruning._opened

    def flaky(url: str | None, folder: Path, name: str) -> Any:
        if away:
            raise away.pop()
        return opened(None, folder, name)

    monkeypatch.setattr(pruning, "_opened", flaky)
    monkeypatch.setattr(pruning.time, "sleep", pauses.append)
    assert Pruning("postgresql://u@h/d", own.folder, own.study, own.trial, "halving", 4)(1, 0.5)
    assert pauses == [0.5, 1.0, 2.0]


def test_a_long_outage_leaves_the_trial_to_be_gone_on_with(tmp_path, monkeypatch, stage):
    def away(*_: Any) -> Any:
        raise Unreachable("no route")

    def watch(epochs: int, auc: float) -> bool:
        return Pruning("postgresql://u@h/d", tmp_path, "one", 0, "halving", 4)(epochs, auc)

    monkeypatch.setattr(pruning, "_opened", away)
    monkeypatch.setattr(pruning, "_PATIENCE", 0.0)
    recipe = resolve_recipe("phantom2d", overrides=TINY).recipe
    outcome = run_unit(Unit(tmp_path / "run", "phantom2d", recipe, watch=watch, device="cpu"))
    assert (outcome.error, outcome.given_up) == (None, False)
    assert "cannot be reached: no route" in (outcome.lost or "")

    definition, limits = stage.definition(LR, pruner="none"), Limits(trials=1, seeds=1)
    with pytest.raises(Stopped, match="the same command goes on"):
        stage.search(definition, _Lost(), limits)
    assert [state for _, state, *_ in stage.search(definition, MadeUp(), limits)] == ["complete"]


class _Lost(MadeUp):
    def _train(self, unit: Unit) -> Outcome:
        return Outcome(unit, lost="the database is away")


def test_where_the_folder_is_not_seen_a_database_is_asked_for_and_nothing_is_made(tmp_path):
    elsewhere = Pruning(None, tmp_path / "elsewhere", "one", 0, "halving", 4)
    with pytest.raises(InputError, match="name a database with --storage"):
        elsewhere(1, 0.5)
    assert not list(tmp_path.iterdir())
