"""Memory that really ends, by a limit on address space, and workers that are killed for want of it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY, medauc_environment
from fixtures.confined import Confined, KilledOnce
from medauc.benchmark.finished import row_of
from medauc.training import memory
from medauc.training.deaths import KILLED, OUT_OF_MEMORY, after_death
from medauc.training.executor import LocalExecutor
from medauc.training.memory import OutOfMemory, lower_batch, telling_out_of_memory
from medauc.training.plan import resolve_recipe
from medauc.training.recipe import Recipe
from medauc.training.run_folder import RunFolder
from medauc.training.unit import Unit, run_unit

HALVE = "training.out_of_memory=halve_batch"


def recipe_of(settings: list[str], *more: str) -> Recipe:
    return resolve_recipe("phantom2d", overrides=[*settings, *more]).recipe


@pytest.mark.slow
def test_a_batch_that_does_not_fit_is_told_or_halved(tmp_path, settings):
    large = [*settings, "data.size=48", "data.phantom.n_train=300", "model.width=24", "training.max_epochs=1"]
    path = os.pathsep.join([str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "fixtures.scarce", "256", *large],
        cwd=tmp_path,
        env=medauc_environment(tmp_path, PYTHONPATH=path),
        capture_output=True,
        text=True,
        check=False,
    )
    statuses = [line for line in done.stdout.splitlines() if line.startswith("status ")]
    assert statuses == ["status 0", "status 1", "status 0", "status 0"], done.stderr
    (told,) = done.stderr.splitlines()
    assert told.removesuffix(" (--debug shows where)") == (
        "medauc: out of memory on the CPU: lower sampling.batch_size (now 256), or allow half of it with "
        "--set training.out_of_memory=halve_batch; or lower data.size (now 48) or model.width"
    )
    for folder in ("halved", "stopped"):
        recipe, run = RunFolder(tmp_path / folder).read_recipe()
        assert (recipe.sampling.batch_size, run.asked) == (128, {"sampling": 256})
        left, expected = (
            [
                (tmp_path / name / file).read_bytes()
                for file in ("predictions.csv", "checkpoints/best.safetensors")
            ]
            for name in (folder, "half")
        )
        assert left == expected, "it is the training of half the batch, from its start"
    assert done.stdout.count("trained with batches of 128, since 256 did not fit into memory") == 2


@pytest.mark.parametrize(
    "error",
    [MemoryError("no array"), RuntimeError("... DefaultCPUAllocator: can't allocate memory: you tried ...")],
)
def test_every_kind_is_told_the_same(settings, error):
    with (
        pytest.raises(OutOfMemory, match="on the GPU: lower"),
        telling_out_of_memory(recipe_of(settings), "cuda"),
    ):
        raise error
    with (
        pytest.raises(RuntimeError, match="of another kind"),
        telling_out_of_memory(recipe_of(settings), "cpu"),
    ):
        raise RuntimeError("of another kind")


def test_half_the_batch_is_tried_once_and_resumed_as_what_was_asked_for(tmp_path, settings, invoke):
    recipe = recipe_of(settings, HALVE, "first_stage={max_epochs: 1}", "first_stage.sampling.batch_size=8")
    assert run_unit(Unit(tmp_path / "run", "phantom2d", recipe)).error is None
    assert lower_batch(tmp_path / "run", recipe)
    assert not (tmp_path / "run" / "metrics.csv").exists(), "nothing of the larger batches is left"
    trained, run = RunFolder(tmp_path / "run").read_recipe()
    assert trained.batch_sizes == {"sampling": 8, "first_stage": 4}
    assert run.asked == {"sampling": 16, "first_stage": 8}
    assert not lower_batch(tmp_path / "run", recipe), "once"
    (tmp_path / "run" / "evaluation.json").unlink()
    assert run_unit(Unit(tmp_path / "run", "phantom2d", recipe)).error is None
    resumed = invoke("train", "phantom2d", "--resume", "--out", "run")
    assert resumed.status == 0
    assert "trained with batches of 8, since 16 did not fit into memory" in resumed.out
    row = row_of(tmp_path / "run", name="mine", commit="", predictions="")
    assert row.name == "mine (half the batch)", "it is not averaged with the others"
    assert "sampling.batch_size" in row.changes
    other = recipe_of(settings, HALVE, "first_stage={max_epochs: 1}", "sampling.batch_size=32")
    assert "sampling.batch_size (16 -> 32)" in (
        run_unit(Unit(tmp_path / "run", "phantom2d", other)).error or ""
    )


def test_what_is_not_allowed_or_too_small_stays(tmp_path, settings):
    for number, recipe in enumerate(
        [recipe_of(settings), recipe_of(settings, HALVE, "sampling.batch_size=3")]
    ):
        folder = tmp_path / str(number)
        assert not lower_batch(folder, recipe), "there is no run yet"
        assert run_unit(Unit(folder, "phantom2d", recipe)).error is None
        assert not lower_batch(folder, recipe)
        assert (folder / "metrics.csv").exists()


def test_deaths_are_told_and_tried_again_as_their_cause_demands(tmp_path, settings):
    unit = Unit(tmp_path / "run", "phantom2d", recipe_of(settings, HALVE))
    assert run_unit(unit).error is None
    assert after_death(unit, 1, KILLED) is None
    assert RunFolder(unit.folder).read_recipe()[1].asked is None, "it may have been anybody's kill"
    assert after_death(unit, 1, OUT_OF_MEMORY) is None
    assert RunFolder(unit.folder).read_recipe()[1].asked == {"sampling": 16}
    told = after_death(unit, 2, OUT_OF_MEMORY)
    assert told is not None
    assert (
        "died 2 times (killed by the system, out of memory); lower sampling.batch_size (asked for: 16)"
        in (told.error or "")
    )


def test_only_kills_of_its_own_group_since_then_are_a_workers(tmp_path, monkeypatch):
    group = tmp_path / "unified"
    monkeypatch.setattr(memory, "_group_files", lambda process: iter([tmp_path / "absent", group]))
    group.write_text("low 0\noom 7\noom_kill 2\n")
    kills = memory.OomKills.of(os.getpid())
    assert not kills.any_more(), "those before are another's"
    group.write_text("low 0\noom 9\noom_kill 3\n")
    assert kills.any_more()
    assert kills.file == group
    monkeypatch.setattr(memory, "_group_files", lambda process: iter(()))
    assert memory.OomKills.of(os.getpid()).file == Path("/proc/vmstat")


LARGE = ["data.size=48", "data.phantom.n_train=300", "model.width=24", "training.max_epochs=1"]


def assert_halved(run: Path, half: Path, asked: int) -> None:
    assert RunFolder(run).read_recipe()[1].asked == {"sampling": asked}
    assert (run / "predictions.csv").read_bytes() == (half / "predictions.csv").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("allowed", [True, False])
def test_a_worker_that_is_refused_memory(tmp_path, settings, allowed):
    """It may have hardly more than half the batch needed; whatever is trained next is not harmed."""
    large = [*settings, *LARGE, f"training.out_of_memory={'halve_batch' if allowed else 'stop'}"]
    half = Unit(tmp_path / "half", "phantom2d", recipe_of(large, "sampling.batch_size=128"))
    whole = recipe_of(large, "sampling.batch_size=256")
    unit = Unit(tmp_path / "run", "phantom2d", whole, part=Confined(tmp_path / "mark"))
    other = Unit(tmp_path / "other", "phantom2d", recipe_of(settings))
    with LocalExecutor(1, threads=1) as executor:
        found = {one.unit.folder.name: one.error for one in executor.run([half, unit, other])}
    told = found.pop("run")
    assert found == {"half": None, "other": None}
    if allowed:
        assert told is None
        assert_halved(unit.folder, half.folder, asked=256)
    else:
        assert "out of memory on the CPU: lower sampling.batch_size (now 256), or allow half" in (told or "")


@pytest.mark.slow
def test_a_worker_that_is_killed_for_want_of_memory(tmp_path, settings, monkeypatch):
    """The kill is real, and counted where the kernel would count it."""
    count = tmp_path / "memory.events"
    monkeypatch.setattr(memory, "_group_files", lambda process: iter(()))
    monkeypatch.setattr(memory, "_WHOLE_MACHINE", count)
    half = Unit(tmp_path / "half", "phantom2d", recipe_of(settings, "sampling.batch_size=8"))
    unit = Unit(tmp_path / "run", "phantom2d", recipe_of(settings, HALVE), watch=KilledOnce(count))
    with LocalExecutor(1, threads=1) as executor:
        outcomes = list(executor.run([half, unit]))
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert_halved(unit.folder, half.folder, asked=16)
