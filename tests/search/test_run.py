"""A search's trainings: what they see, what becomes of those that fail or are given up; made up here."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import pandas as pd
import pytest

from fixtures.made_up_search import LR, MadeUp
from medauc.data.folds import without_test
from medauc.errors import InputError
from medauc.search import Found, Limits, TrialsFailed, write_result
from medauc.training.recipe import parse_recipe, read_recipe
from medauc.training.sections.ensemble import EnsembleSection
from medauc.training.unit import Outcome, Unit


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
