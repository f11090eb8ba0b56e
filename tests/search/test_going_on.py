"""Searches that are stopped and continued, shared by several processes, left by dead ones; trainings are made up."""

import threading
from pathlib import Path

import pytest

from fixtures.made_up_search import LR, MadeUp
from medauc.search import Limits, Stopped
from medauc.search.job import Job
from medauc.search.processes import Presence
from medauc.search.pruning import GIVEN_UP, Pruning
from medauc.search.storage import open_storage


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


def test_presence_ends_with_its_process(tmp_path: Path):
    one, other = (Presence(tmp_path / "processes", tmp_path / ".lock") for _ in range(2))
    assert one.is_alive(other.token)
    assert one.is_alive(one.token)
    other.close()
    assert not one.is_alive(other.token)
    assert not one.is_alive("never-there")
    one.close()
