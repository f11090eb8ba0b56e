"""Real worker processes: they train what ``train`` would, die without harm, and leave the others alone."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock

from fixtures.deadly import Deadly
from fixtures.told_apart import ToldApart
from medauc.training.executor import LocalExecutor, threads_for
from medauc.training.plan import resolve_recipe
from medauc.training.recipe import Recipe
from medauc.training.unit import Outcome, Unit, run_unit

TINY = [
    "data.phantom.n_train=40", "data.phantom.n_val=40", "data.phantom.n_test=40", "data.phantom.prevalence=0.3",
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16",
]  # fmt: skip


def tiny(*more: str) -> Recipe:
    return resolve_recipe("phantom2d", overrides=[*TINY, "training.max_epochs=2", *more]).recipe


@pytest.fixture(scope="module")
def executor() -> Iterator[LocalExecutor]:
    with LocalExecutor(jobs=1, threads=1) as made:
        yield made


def left_by(folder: Path) -> tuple[bytes, bytes]:
    return (folder / "checkpoints" / "best.safetensors").read_bytes(), (
        folder / "predictions.csv"
    ).read_bytes()


def run_all(executor: LocalExecutor, *units: Unit) -> dict[str, Outcome]:
    return {outcome.unit.folder.name: outcome for outcome in executor.run(units)}


def test_a_worker_trains_what_this_process_would_and_a_failure_stops_nobody(tmp_path, executor, monkeypatch):
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    units = [
        Unit(tmp_path / "first", "phantom2d", tiny(), 0),
        Unit(tmp_path / "wrong", "phantom2d", tiny("data.positive_class=purple"), 0),
        Unit(tmp_path / "second", "phantom2d", tiny(), 1),
    ]
    found = run_all(executor, *units)
    assert found["first"].error is found["second"].error is None
    assert "has no class 'purple'" in (found["wrong"].error or "")
    assert found["wrong"].details is None, "the user is at fault: no traceback"
    assert not (tmp_path / "wrong").exists()
    assert {path.name for path in tmp_path.iterdir()} <= {"first", "second", ".wrong.lock"}, (
        "no log: nothing was said"
    )
    here = run_unit(Unit(tmp_path / "here", "phantom2d", tiny(), 1))
    assert here.error is None
    assert left_by(tmp_path / "here") == left_by(tmp_path / "second") != left_by(tmp_path / "first")


def test_a_finished_run_is_taken_as_it_is_and_another_recipe_is_refused(tmp_path, executor):
    unit = Unit(tmp_path / "run", "phantom2d", tiny(), 0)
    assert run_all(executor, unit)["run"].resumed is False
    stamp = (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    again = run_all(executor, unit)["run"]
    assert (again.error, again.resumed) == (None, True)
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == stamp
    other = run_all(executor, Unit(tmp_path / "run", "phantom2d", tiny("loss.margin=0.5"), 0))["run"]
    assert "loss.margin (1.0 -> 0.5)" in (other.error or "")


def test_an_unexpected_error_is_told_with_its_traceback_in_the_log(tmp_path, executor):
    outcome = run_all(executor, Unit(tmp_path / "run", "phantom2d", tiny(), 0, part=len))["run"]
    assert "object of type 'Dataset' has no len()" in (outcome.error or "")
    assert "Traceback" in (tmp_path / "run.log").read_text()


def test_a_dead_worker_is_replaced(tmp_path, executor):
    (tmp_path / "marks").mkdir()
    unit = Unit(tmp_path / "hurt", "phantom2d", tiny(), 0, part=Deadly(tmp_path / "marks", 1))
    assert run_all(executor, unit)["hurt"].error is None
    assert len(list((tmp_path / "marks").iterdir())) == 1


def test_workers_of_a_process_that_is_one_of_several_train_alone(tmp_path, monkeypatch):
    values = {"TORCHELASTIC_RUN_ID": "one", "WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1",
              "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}  # fmt: skip
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    unit = Unit(tmp_path / "run", "phantom2d", tiny(), 0, part=ToldApart(tmp_path / "told"))
    with LocalExecutor(jobs=1, threads=1) as executor:
        assert run_all(executor, unit)["run"].error is None
    assert (tmp_path / "told").read_text() == "1 []"
    assert os.environ["RANK"] == "1", "only the worker's environment"


@pytest.mark.slow
def test_what_kills_its_workers_is_given_up_and_the_others_go_on(tmp_path, executor):
    (tmp_path / "marks").mkdir()
    units = [
        Unit(tmp_path / "dies", "phantom2d", tiny(), 0, part=Deadly(tmp_path / "marks", 99)),
        Unit(tmp_path / "lives", "phantom2d", tiny(), 0),
    ]
    found = run_all(executor, *units)
    assert "died 2 times (killed; was there enough memory?)" in (found["dies"].error or "")
    assert len(list((tmp_path / "marks").iterdir())) == 2
    assert found["lives"].error is None


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_of_a_training_changes_nothing(tmp_path, executor):
    recipe = tiny("training.max_epochs=15", "data.phantom.n_train=100")
    whole = Unit(tmp_path / "whole", "phantom2d", recipe, 0)
    assert run_all(executor, whole)["whole"].error is None
    unit = Unit(tmp_path / "broken", "phantom2d", recipe, 0)
    outcomes = executor.run(_kill_while_running(unit, executor))
    assert [outcome.error for outcome in outcomes] == [None]
    assert left_by(tmp_path / "whole") == left_by(tmp_path / "broken")


def _kill_while_running(unit: Unit, executor: LocalExecutor) -> Iterator[Unit]:
    """Gives a unit; a thread kills the worker after its third epoch."""

    def kill() -> None:
        metrics = unit.folder / "metrics.csv"
        while not metrics.exists() or len(metrics.read_text().splitlines()) < 4:
            time.sleep(0.01)
        (task,) = executor.busy.values()
        assert task.worker.process.pid is not None
        os.kill(task.worker.process.pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    yield unit
    thread.join()
    assert (unit.folder / "evaluation.json").exists()


def test_giving_up_stops_what_runs(tmp_path, executor):
    endless = Unit(tmp_path / "run", "phantom2d", tiny("training.max_epochs=500"), 0)
    outcomes = executor.run([Unit(tmp_path / "short", "phantom2d", tiny(), 0), endless])
    assert next(outcomes).unit.folder.name == "short"
    outcomes.close()  # as Ctrl-C would
    assert not executor.busy
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_two_processes_do_not_train_one_folder(tmp_path):
    with FileLock(tmp_path / ".run.lock"):
        outcome = run_unit(Unit(tmp_path / "run", "phantom2d", tiny(), 0))
    assert "another process is training it" in (outcome.error or "")
    assert not (tmp_path / "run").exists()


def test_cores_are_shared(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert [threads_for(jobs) for jobs in (1, 2, 3, 16)] == [8, 4, 2, 1]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert [threads_for(jobs) for jobs in (1, 2, 3, 16)] == [3, 3, 2, 1]


@pytest.mark.parametrize("options", [{"jobs": 0}, {"threads": 0}])
def test_no_jobs_and_no_threads_are_refused(options):
    with pytest.raises(ValueError, match="1 or more"):
        LocalExecutor(**options)
