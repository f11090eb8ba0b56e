"""Repeated validation: the winner and the starting recipe on splits that no trial was judged by."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from fixtures.made_up_search import LR, MadeUp, Stage
from medauc.metrics import resampled_mean
from medauc.report import build_search_page
from medauc.search import Found, Limits, Search, Stopped, write_result
from medauc.search.book import Seed
from medauc.search.repeats import FreshSplits
from medauc.training import fit
from medauc.training.claim import claimed
from medauc.training.origin import Origin, Source
from medauc.training.run_folder import RunFolder
from medauc.training.sections.ensemble import EnsembleSection
from medauc.training.unit import Outcome, Unit, run_unit

LIMITS = Limits(trials=4, seeds=2, repeats=3)


def found_of(stage: Stage, executor: MadeUp, limits: Limits = LIMITS, **changes: object) -> Found:
    with stage.open(stage.definition(LR, **changes)) as search:
        search.run(executor, limits)
        return write_result(search)


def anew(executor: MadeUp) -> list[Unit]:
    return [unit for unit in executor.done if unit.folder.name.startswith("split")]


def test_winner_and_start_are_trained_last_on_the_same_fresh_splits(stage):
    executor = MadeUp()
    found = found_of(stage, executor)
    units, winner = anew(executor), found.winner
    assert winner is not None
    assert winner.index != 0
    assert executor.done[-6:] == units
    assert [unit.folder.parent.name for unit in units] == [f"{winner.index:04d}", "0000"] * 3
    assert [unit.seed for unit in units] == [0, 0, 1, 1, 2, 2]
    assert all(unit.watch is None for unit in units), "nothing is given up"
    assert {unit.recipe.optim.lr for unit in units[1::2]} == {stage.plan.recipe.optim.lr}

    data, judged = stage.plan.dataset, []
    for one, other in zip(units[::2], units[1::2], strict=True):
        parts = [unit.part(data) for unit in (one, other)]  # type: ignore[misc]
        assert list(parts[0].val.ids) == list(parts[1].val.ids)
        judged.append(frozenset(parts[0].val.ids))
        assert not judged[-1] & set(parts[0].train.ids)
        assert judged[-1] | set(parts[0].train.ids) == {*data.train.ids, *data.val.ids}
        assert len(parts[0].test) == 0
        assert parts[0].val.targets.mean() == pytest.approx(parts[0].train.targets.mean(), abs=0.03)
        assert len(judged[-1]) == len(data.val)
    assert len({*judged, frozenset(data.val.ids)}) == 4, "no two are alike, and none is the search's own"

    repeated = winner.repeated
    assert repeated is not None
    assert repeated.mean.value == pytest.approx(np.mean(repeated.aucs))
    assert repeated.sd == pytest.approx(np.std(repeated.aucs, ddof=1))
    assert repeated.optimism == pytest.approx(winner.found.value - np.mean(repeated.aucs))
    halves = 1.0  # as many are judged as are trained on
    gain = resampled_mean(np.subtract(repeated.aucs, repeated.start), halves)
    assert repeated.gain is not None
    assert (repeated.gain.value, repeated.gain.low) == pytest.approx((gain.value, max(gain.low, -1.0)))
    said = "\n".join(winner.lines)
    assert f"trained anew on 3 fresh splits: {repeated.mean.text()}, SD {repeated.sd:.3f} (optimism" in said
    page = build_search_page(found)
    assert f"<td>{repeated.gain.text()}</td>" in page
    assert "Nadeau" in page
    assert not list(stage.out.rglob("*.ckpt"))


def test_stopped_among_them_it_goes_on_and_a_dead_ones_split_is_taken_up(stages):
    whole, executor = stages("whole"), MadeUp()
    expected = found_of(whole, executor)
    count = len(executor.done)
    stage, first, rest = stages("stopped"), MadeUp(stop_after=count - 3), MadeUp()
    with pytest.raises(Stopped):
        found_of(stage, first)
    found = found_of(stage, rest)
    assert found.winner == expected.winner
    assert len(first.done) + len(rest.done) == count, "what was finished is not repeated"
    assert found_of(stage, MadeUp(stop_after=0)).winner == expected.winner, "nothing is left to do"
    assert found_of(stage, again := MadeUp(), replace(LIMITS, repeats=4)).winner is not None
    assert len(again.done) == 2, "more may be asked for"


def test_the_starting_recipe_is_its_own_comparison_where_it_wins(stage):
    executor = MadeUp()
    found = found_of(stage, executor, Limits(trials=1, seeds=1, repeats=2))
    assert [unit.folder.parent.name for unit in anew(executor)] == ["0000", "0000"]
    assert found.winner is not None
    assert found.winner.repeated is not None
    assert found.winner.repeated.gain is None
    assert len(found.winner.repeated.aucs) == 2


def test_a_failed_one_is_told_and_left_out(stage):
    executor = MadeUp(fails=lambda unit: "disk on fire" if unit.folder.name == "split1" else None)
    found = found_of(stage, executor)
    assert found.winner is not None
    assert found.winner.repeated is not None
    assert len(found.winner.repeated.aucs) == len(found.winner.repeated.start) == 2
    assert "2 trainings failed, the last: disk on fire" in found.notes


def test_there_are_none_where_folds_go_by_a_column_or_weights_saw_the_images(stage, tmp_path):
    section = EnsembleSection(folds=5, folds_by="site")
    plan = replace(stage.plan, recipe=stage.plan.recipe.model_copy(update={"ensemble": section}))
    by_site = replace(stage, plan=plan).definition(LR, objective="kfold", folds=3)
    assert "folds go by site" in str(FreshSplits(plan.dataset, by_site).refusal)
    assert FreshSplits(plan.dataset, replace(stage, plan=plan).definition(LR)).refusal is None

    origin = Origin("joint", (Source("phantom2d", stage.plan.dataset.md5, 12, 40),), 0, "0", {})
    save_file({"weight": np.zeros(1)}, weights := tmp_path / "seen.safetensors", origin.metadata())
    executor, definition = MadeUp(), stage.definition({"model.weights": [None, str(weights)]})
    with stage.open(definition) as search:
        search.run(executor, LIMITS)
        found = write_result(search)
    assert not anew(executor)
    assert any("not trained on fresh splits: model.weights has seen" in note for note in found.notes)


def test_their_share_is_that_of_the_search_and_patients_stay_whole(stage):
    definition, data = stage.definition(LR), stage.plan.dataset
    small = replace(data, val=data.val.take(slice(0, 16)))
    assert FreshSplits(small, definition).folds == round(56 / 16)
    assert FreshSplits(small, stage.definition(LR, objective="kfold", folds=3)).folds == 3
    few = replace(data, val=data.val.take(np.flatnonzero(data.val.targets == 0)[:2]))
    carriers = int((data.train.targets == 1).sum())
    assert FreshSplits(few, definition).folds == min(20, carriers), "each side needs a positive"
    train, val = (
        replace(split, groups=np.array([f"{name}{row // 4}" for row in range(len(split))]))
        for name, split in (("train", data.train), ("val", data.val))
    )
    part = FreshSplits(replace(data, train=train, val=val), definition).part(0)
    seen = part(replace(data, train=train, val=val))
    assert not set(seen.train.groups) & set(seen.val.groups)


def left_of(stage: Stage, trial: int, split: int) -> Path:
    """A checkpoint in the folder of a fresh split, as a killed process leaves it."""
    left = RunFolder(stage.out / "trials" / f"{trial:04d}" / f"split{split}").checkpoints / "last.ckpt"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_text("large")
    return left


@dataclass
class Real(MadeUp):
    """Trains as the command would."""

    def _train(self, unit: Unit) -> Outcome:
        return run_unit(unit)


def ctrl_c(*_: object) -> None:
    raise KeyboardInterrupt


@dataclass
class Grid:
    """A search of two settings, the second of which is better, with one seed each."""

    stage: Stage

    def open(self) -> Search:
        return self.stage.open(
            self.stage.definition({"optim.lr": [0.1, 0.01]}, sampler="grid", pruner="none")
        )

    def run(self, trials: int, repeats: int, stop_after: int | None = None, **more: float) -> list[Unit]:
        """Units that were trained."""
        executor = MadeUp(stop_after=stop_after)
        with self.open() as search, nullcontext() if stop_after is None else pytest.raises(Stopped):
            search.run(executor, Limits(trials=trials, seeds=1, repeats=repeats, **more))  # type: ignore[arg-type]
        return executor.done


@pytest.fixture
def grid(stage: Stage) -> Grid:
    return Grid(stage)


def test_what_a_dead_process_left_of_a_split_is_removed_once_another_trial_has_won(grid):
    grid.run(1, 2, stop_after=2)
    left = left_of(grid.stage, 0, 1)
    with grid.open() as other:
        other.book.begin_seed(other.book.trials()[0], 1)
        assert [unit.folder.parent.name for unit in grid.run(2, 2)] == ["0001"]
        assert left.exists(), "it is not known yet who wins"
    again = grid.run(2, 2)
    assert [unit.folder.parent.name for unit in again] == ["0000", "0001", "0001"]
    assert not left.exists()


def test_what_is_more_than_is_asked_for_is_removed_unless_somebody_is_at_it(grid):
    grid.run(1, 2)
    with grid.open() as other:
        other.book.begin_repeat(other.book.trials()[0], 2)
        left = left_of(grid.stage, 0, 2)
        grid.run(1, 2)
        assert left.exists(), "a living process trains it"
    grid.run(1, 2, minutes=0.0)
    assert left.exists(), "after its time a search leaves all as it is"
    with claimed(left.parent.parent):
        grid.run(1, 2)
        assert left.exists(), "its worker outlives its process for a moment"
    grid.run(1, 2)
    assert not left.exists()


def test_a_split_that_was_tidied_is_trained_when_it_is_asked_for_again(stage, monkeypatch):
    recipe = stage.plan.recipe
    training = recipe.training.model_copy(update={"max_epochs": 1, "patience": None})
    stage = replace(stage, plan=replace(stage.plan, recipe=recipe.model_copy(update={"training": training})))
    definition = stage.definition(LR, pruner="none")

    def search(repeats: int, executor: MadeUp) -> list[Seed]:
        with stage.open(definition) as found:
            found.run(executor, Limits(trials=1, seeds=1, repeats=repeats))
            return [*found.book.trials()[0].repeats.values()]

    search(1, MadeUp())
    with monkeypatch.context() as patched:
        patched.setattr(fit, "fit_stages", ctrl_c)
        with pytest.raises(Stopped):
            search(2, Real())
    left = left_of(stage, 0, 1)
    search(1, MadeUp())
    assert not left.exists(), "fewer are asked for"
    found = search(2, Real())
    assert [one.error for one in found] == [None, None]
    assert (left.parent.parent / "evaluation.json").exists()
