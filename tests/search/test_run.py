"""A search's decisions, with trainings that are made up: stopped, continued, shared, failed, pruned, raced."""

import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors.numpy import save_file

from fixtures.made_up_search import LR, MadeUp, Stage
from medauc.data.folds import without_test
from medauc.errors import InputError
from medauc.search import Found, Limits, Stopped, TrialsFailed, write_result
from medauc.search.job import Job
from medauc.search.processes import Presence
from medauc.search.pruning import GIVEN_UP, Pruning
from medauc.search.storage import open_storage
from medauc.training.origin import Origin, Source
from medauc.training.recipe import parse_recipe, read_recipe
from medauc.training.sections.ensemble import EnsembleSection
from medauc.training.unit import Outcome, Unit


def test_stopped_anywhere_and_continued_it_does_what_it_would_have_done(stages):
    limits = Limits(trials=8, seeds=3)
    whole = MadeUp()
    expected = stages("whole").search(stages("whole").definition(LR), whole, limits)
    assert {state for _, state, *_ in expected} == {"complete", "pruned"}
    for stop_after in (1, 2, 5):
        stage, executor = stages(f"stopped{stop_after}"), MadeUp(stop_after=stop_after)
        with pytest.raises(Stopped, match="the same command goes on"):
            stage.search(stage.definition(LR), executor, limits)
        rest = MadeUp()
        assert stage.search(stage.definition(LR), rest, limits) == expected
        both = [unit.folder.relative_to(stage.out) for unit in (*executor.done, *rest.done)]
        assert len(set(both)) == len(whole.done)
        assert len(both) == len(whole.done), "what was finished is not repeated"


def test_what_a_killed_process_had_half_written_is_removed_but_not_what_others_are_writing(stage):
    with stage.open(stage.definition(LR)):
        half = stage.out / ".search.html.1f0c.tmp"
        others = stage.out / "trials" / "0000" / "seed0" / ".recipe.yaml.1f0c.tmp"
        others.parent.mkdir(parents=True)
        for path in (half, others):
            path.write_text("half")
    with stage.open(stage.definition(LR)):
        assert not half.exists()
        assert others.exists()


def test_more_trials_go_on_where_fewer_ended(stages):
    first, once = stages("in two steps"), stages("at once")
    definition = first.definition(LR, sampler="random", pruner="none")
    first.search(definition, MadeUp(), Limits(trials=3, seeds=1))
    in_two = first.search(definition, MadeUp(), Limits(trials=6, seeds=1))
    assert in_two == once.search(definition, MadeUp(), Limits(trials=6, seeds=1))


def test_the_first_trial_is_the_recipe_itself_and_what_is_found_is_better(stage):
    executor = MadeUp()
    with stage.open(stage.definition(LR)) as search:
        search.run(executor, Limits(trials=25, seeds=3, stop_early=False))
        found = write_result(search)
    assert executor.done[0].recipe == stage.plan.recipe
    assert found.winner is not None
    assert found.winner.values["optim.lr"] == pytest.approx(0.01, rel=1.0)
    assert found.winner.start is not None
    assert found.winner.start <= found.winner.found.value
    assert len(found.winner.seeds) > 1, "the leader raced"
    trials = search.book.trials()
    assert [row.curves[0] for row in found.rows] == [trial.curve for trial in trials], "as the pruner saw it"
    assert [len(row.curves) for row in found.rows] == [len(trial.seeds) for trial in trials]
    assert all(len(curve) == 9 for curve in found.rows[found.winner.index].curves)
    best = read_recipe(stage.out / "best.yaml")
    assert parse_recipe(best, "best.yaml").optim.lr == found.winner.values["optim.lr"]
    assert (stage.out / "best.yaml").read_text().startswith("# The best of a search on phantom2d")
    assert Found.read(stage.out / "search.json") == found
    table = pd.read_csv(stage.out / "trials.csv")
    assert list(table["trial"]) == list(range(25))
    assert table["auc"].notna().sum() == (table["state"] == "complete").sum() == found.winner.candidates


def test_no_training_is_given_the_test_split(stage):
    executor = MadeUp()
    stage.search(stage.definition(LR), executor, Limits(trials=3, seeds=2))
    data = stage.plan.dataset
    for unit in executor.done:
        assert unit.part is not None
        seen = unit.part(data)
        assert len(seen.test) == 0
        assert [len(seen.train), len(seen.val)] == [40, 40]
    assert len(without_test(data).test.images) == 0


def test_folds_are_trained_on_train_and_validation_and_averaged(stage):
    executor = MadeUp(noise=0.0)
    definition = stage.definition(LR, objective="kfold", folds=3, pruner="none")
    with stage.open(definition) as search:
        search.run(executor, Limits(trials=3, seeds=1))
        found = write_result(search)
    assert [unit.folder.name for unit in executor.done[:3]] == ["seed0-fold0", "seed0-fold1", "seed0-fold2"]
    parts = [unit.part(stage.plan.dataset) for unit in executor.done[:3]]  # type: ignore[misc]
    held_out = [name for part in parts for name in part.val.ids]
    assert len(held_out) == len(set(held_out)) == 80
    assert not any("test" in name for name in held_out)
    assert all(len(part.test) == 0 for part in parts)
    first = [json.loads((unit.folder / "evaluation.json").read_text()) for unit in executor.done[:3]]
    aucs = [one["splits"]["val"]["auroc"]["value"] for one in first]
    assert len(set(aucs)) == 3
    assert found.rows[0].auc == pytest.approx(sum(aucs) / 3)
    assert found.winner is not None
    assert found.winner.found.n == 180


def test_what_is_given_up_ends_early_is_marked_and_leaves_no_checkpoint(stage):
    executor = MadeUp(noise=0.0)
    with stage.open(stage.definition(LR)) as search:
        search.run(executor, Limits(trials=12, seeds=1))
        trials = search.book.trials()
    pruned = [trial for trial in trials if trial.state == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial.seeds[0].epochs == len(trial.curve) < 9
        assert not trial.aucs
    assert not list(stage.out.rglob("*.ckpt"))
    worst = min((unit.recipe.optim.lr for unit in executor.done), key=lambda lr: -abs(lr - 0.01))
    assert any(trial.values["optim.lr"] == worst for trial in pruned)


def test_a_failing_trial_stops_nobody_and_three_at_the_start_stop_all(stage, stages):
    executor = MadeUp(fails=lambda unit: "loss is not finite" if unit.recipe.optim.lr > 0.05 else None)
    found = stage.search(stage.definition(LR), executor, Limits(trials=8, seeds=1))
    states = [state for _, state, *_ in found]
    assert len(states) == 8
    assert "failed" in states
    assert "complete" in states
    other = stages("hopeless")
    with pytest.raises(InputError, match="no trial of 3 could be trained, the last: disk on fire"):
        other.search(other.definition(LR), MadeUp(fails=lambda unit: "disk on fire"), Limits(trials=8))


@pytest.mark.parametrize(("details", "kind"), [(None, InputError), ("Traceback ...", TrialsFailed)])
def test_a_search_whose_trials_all_failed_says_so_each_time(stage, monkeypatch, details, kind):
    limits, message = Limits(trials=2), "no trial of 2 could be trained, the last: disk on fire"
    executor = MadeUp()
    monkeypatch.setattr(executor, "_train", lambda unit: Outcome(unit, "disk on fire", details))
    for _ in range(2):
        with pytest.raises(kind, match=message):
            stage.search(stage.definition(LR), executor, limits)
    assert len(executor.done) == 2, "the second time there is nothing to begin"


def test_failures_that_nobody_is_at_fault_for_are_told_as_such(stage, monkeypatch):
    executor = MadeUp(fails=lambda unit: "segmentation fault")
    plain = executor._train
    monkeypatch.setattr(
        executor, "_train", lambda unit: plain(unit).__class__(unit, "segmentation fault", "Traceback ...")
    )
    with pytest.raises(TrialsFailed, match="segmentation fault"):
        stage.search(stage.definition(LR), executor, Limits(trials=8))


def test_values_that_are_no_recipe_together_fail_alone(stage):
    space = {
        "augment.mixup_partners": ["same_class", "any"],
        "loss.name": ["aucm", "focal"],
        "augment.mixup": [0.5, 1.0],
    }
    executor = MadeUp()
    with stage.open(stage.definition(space, sampler="random", pruner="none")) as search:
        search.run(executor, Limits(trials=12, seeds=1))
        trials = search.book.trials()
    failed = [trial for trial in trials if trial.state == "failed"]
    assert all(trial.values["augment.mixup_partners"] == "any" for trial in failed)
    assert all("does not take" in (trial.seeds[0].error or "") for trial in failed)
    assert len(trials) == 8, "there are no others"


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


def test_two_at_one_search_share_the_work(stage):
    definition, limits, executors = stage.definition(LR), Limits(trials=12, seeds=2), [MadeUp(), MadeUp()]
    searches = [stage.open(definition) for _ in executors]
    threads = [
        threading.Thread(target=search.run, args=(executor, limits))
        for search, executor in zip(searches, executors, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done = [unit.folder for executor in executors for unit in executor.done]
    assert len(done) == len(set(done)), "nothing is trained twice"
    trials = searches[0].book.trials()
    assert [trial.index for trial in trials] == list(range(12))
    assert all(trial.state in ("complete", "pruned") for trial in trials)
    assert len({seed.owner for trial in trials for seed in trial.seeds.values()}) == 2
    for search in searches:
        search.__exit__()


def test_what_a_living_process_is_at_is_left_to_it_and_a_dead_ones_is_taken_up(stage):
    definition = stage.definition(LR)
    with stage.open(definition) as other:
        other.book.begin()
        with stage.open(definition) as search:
            search.run(MadeUp(), Limits(trials=1, seeds=1))
            assert [trial.state for trial in search.book.trials()] == ["running"]
            assert search.elsewhere == 1
    executor = MadeUp()
    assert stage.search(definition, executor, Limits(trials=1, seeds=1))[0][1] == "complete"
    assert [unit.folder.parent.name for unit in executor.done] == ["0000"]


def test_what_was_given_up_stays_so_when_its_process_dies_before_it_is_written_down(stage):
    definition = stage.definition(LR)
    with stage.open(definition) as search:
        trial = search.book.begin()
        unit = search.place.unit(Job(trial, 0), None)
        unit.folder.mkdir(parents=True)
        (unit.folder / "metrics.csv").write_text("stage,epoch\n1,0\n1,1\n")
        pruning = unit.watch
        assert isinstance(pruning, Pruning)
        assert pruning(1, 0.1)
        open_storage(None, stage.out).set_trial_user_attr(trial.optuna, GIVEN_UP, True)
    executor = MadeUp()
    found = stage.search(definition, executor, Limits(trials=2, seeds=1))
    assert [state for _, state, *_ in found] == ["pruned", "complete"]
    assert [unit.folder.parent.name for unit in executor.done] == ["0001"]


def test_a_trial_that_a_process_died_over_before_it_had_values_leaves_no_gap(stages):
    stage, whole = stages("half"), stages("whole")
    definition, limits = stage.definition(LR), Limits(trials=4, seeds=1)
    with stage.open(definition) as search:
        search.book.begin()
        search.book.study.enqueue_trial({"optim.lr": 0.5})
        search.book.study.ask()
        search.book.study.enqueue_trial({"optim.lr": 0.6})
    assert stage.search(definition, MadeUp(), limits) == whole.search(definition, MadeUp(), limits)


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


@dataclass
class SideBySide(MadeUp):
    """Both folds of further seeds are in training when the first of them fails; ``left`` tells what it takes away."""

    left: list[bool] = field(default_factory=list)

    def run(self, units: Iterable[Unit]) -> Iterator[Outcome]:
        waiting = iter(units)
        for unit in waiting:
            if unit.seed == 0:
                yield from super().run([unit])
                continue
            other = next(waiting)
            checkpoint = other.folder / "checkpoints" / "last.ckpt"
            ended = list(super().run([unit, other]))
            yield Outcome(unit, "loss is not finite")
            self.left.append(checkpoint.exists())
            yield ended[1]
            self.left.append(checkpoint.exists())


def test_a_fold_that_fails_takes_no_checkpoint_from_one_that_still_trains(stage):
    definition = stage.definition(LR, objective="kfold", folds=2, pruner="none")
    executor = SideBySide()
    stage.search(definition, executor, Limits(trials=2, seeds=2, stop_early=False))
    assert executor.left[:2] == [True, False]
    assert not list(stage.out.rglob("*.ckpt"))


def test_after_its_time_nothing_is_begun(stage):
    executor = MadeUp()
    with stage.open(stage.definition(LR)) as search:
        search.run(executor, Limits(trials=5, minutes=0.0))
        assert write_result(search).winner is None
    assert not executor.done


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


def test_folds_go_by_the_column_that_the_recipe_names(stage):
    data, recipe = stage.plan.dataset, stage.plan.recipe
    sites = {name: [f"site {row % 3}" for row in range(len(data.splits[name]))] for name in ("train", "val")}
    splits = {
        name: replace(data.splits[name], metadata=pd.DataFrame({"site": column}))
        for name, column in sites.items()
    }
    section = EnsembleSection(folds=5, folds_by="site")
    plan = replace(
        stage.plan, dataset=replace(data, **splits), recipe=recipe.model_copy(update={"ensemble": section})
    )
    by_site = replace(stage, plan=plan)
    executor = MadeUp()
    by_site.search(by_site.definition(LR, objective="kfold", folds=3), executor, Limits(trials=1, seeds=1))
    for unit in executor.done:
        seen = unit.part(plan.dataset)
        assert not set(seen.val.metadata["site"]) & set(seen.train.metadata["site"])


def test_a_folder_with_other_things_is_refused(stage):
    stage.out.mkdir()
    (stage.out / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="not empty and not a search"):
        stage.open(stage.definition(LR))


def test_a_search_can_be_read_by_a_person(stage):
    stage.open(stage.definition(LR)).__exit__()
    written = yaml.safe_load((stage.out / "search.yaml").read_text())
    assert written["space"] == LR
    assert written["sampler"] == "tpe"
    assert written["recipe"]["optim"]["name"] == stage.plan.recipe.optim.name


def test_presence_ends_with_its_process(tmp_path: Path):
    one, other = (Presence(tmp_path / "processes", tmp_path / ".lock") for _ in range(2))
    assert one.is_alive(other.token)
    assert one.is_alive(one.token)
    other.close()
    assert not one.is_alive(other.token)
    assert not one.is_alive("never-there")
    one.close()
