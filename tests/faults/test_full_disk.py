"""A full disk at every moment: one line, status 1, nothing half-written, and it goes on when there is room."""

import os
import resource
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from conftest import medauc_arguments, medauc_environment
from fixtures.kills import content, require_whole, train_arguments


def assert_full(outcome, *words: str) -> None:
    assert outcome.status == 1, outcome.err
    lines = [line for line in outcome.err.splitlines() if line]
    assert len(lines) == 1, outcome.err
    for word in ("medauc: no space left to write ", "--resume", *words):
        assert word in lines[0]


def fill(folder: Path, free: int) -> Path:
    """Fill a disk until ``free`` bytes are left, in whole pages; remove the file to free it."""
    ballast = folder / "ballast"
    with ballast.open("wb") as file:
        file.write(bytes(shutil.disk_usage(folder).free - free))
    return ballast


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> dict[str, object]:
    """What the undisturbed run leaves, filled by the first test that needs it."""
    return {}


def train_through(invoke, disk: Path, settings: list[str], free: int, expected: dict[str, object]) -> str:
    """Train on a disk of ``free`` bytes, then with room; tell at which file it ended first."""
    if not expected:
        whole = disk.parent / "whole"
        assert invoke(*train_arguments(whole, settings)).status == 0
        expected.update(content(whole))
    run, ballast = disk / "run", fill(disk, free)
    first = invoke(*train_arguments(run, settings))
    assert_full(first, str(disk))
    assert [path for path in disk.rglob(".*") if path.is_file()] == [], "half of a file, or a claim"
    require_whole(run)
    ballast.unlink()
    last = invoke(*train_arguments(run, settings))
    assert last.status == 0, last.err
    assert content(run) == expected
    return first.err.partition("left to write ")[2].partition(" (")[0].removeprefix(f"{disk}/")


@pytest.mark.parametrize("free", [0, 120_000, 400_000])
def test_a_training_goes_on_when_there_is_room(invoke, disk, settings, expected, free):
    train_through(invoke, disk("size=24m"), settings, free, expected)


PAGE = 4096


def pages(*files: Path) -> int:
    return sum(-(-file.stat().st_size // PAGE) for file in files)


@pytest.mark.slow
def test_a_disk_may_be_full_at_every_file(invoke, disk, settings, tmp_path):
    """Of one epoch: with a second one there is room for two checkpoints, and so for all small files after them."""
    place, expected, short = disk("size=24m"), {}, [*settings, "training.max_epochs=1"]
    met = {train_through(invoke, place, short, 0, expected)}
    whole = tmp_path / "whole"
    validated = pages(whole / "recipe.yaml", whole / "checkpoints" / "best.safetensors")
    trained = validated + pages(whole / "metrics.csv", whole / "checkpoints" / "last.ckpt")
    small = [*range(validated - 1, validated + 2), *range(trained - 2, trained + 12)]
    for free in [*range(15, trained, 15), *small, trained + 400]:
        shutil.rmtree(place / "run", ignore_errors=True)
        met.add(train_through(invoke, place, short, free * PAGE, expected))
    assert met >= {
        "run/recipe.yaml", "run/checkpoints/best.safetensors", "run/checkpoints/last.ckpt", "run/metrics.csv",
        "run/reference.npz", "run/report.html",
    }, met  # fmt: skip


def test_a_limit_on_file_sizes_is_told_the_same(tmp_path, settings):
    """What an ordinary user's disk cannot show here: the kernel refuses to write more than a limit."""
    done = subprocess.run(
        medauc_arguments(*train_arguments(tmp_path / "run", [*settings, "model.width=16"])),
        cwd=tmp_path,
        env=medauc_environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert "no space left to write" in line
    assert "best.safetensors (File too large)" in line
    assert not list((tmp_path / "run").rglob(".*"))
    assert not (tmp_path / "run" / "checkpoints" / "best.safetensors").exists()


def test_figures_and_pages_are_whole_or_not_there(invoke, disk, options, tmp_path):
    assert invoke("train", "phantom2d", *options, "--out", "run").status == 0
    place = disk("size=1m")
    fill(place, 4096)
    shutil.copy(tmp_path / "run" / "predictions.csv", tmp_path / "scores.csv")
    for arguments in (
        ["evaluate", "scores.csv", "--out", place / "evaluation.json"],
        ["report", "scores.csv", "--out", place / "report.html"],
    ):
        assert_full(invoke(*arguments), str(place))
        assert [path.name for path in place.iterdir()] == ["ballast"]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cache_goes_on_where_the_disk_was_full(disk, tmp_path, monkeypatch, jobs):
    """The room that there was when the building began is used up by another program."""
    import medauc.data.cache.folder as folder
    from medauc.data import load_dataset
    from medauc.files import DiskFull

    place = disk("size=2m")
    random = np.random.default_rng(0)
    for number in range(60):
        target = tmp_path / "images" / str(int(number % 3 == 0)) / f"{number}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (64, 64), dtype=np.uint8)).save(target)
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path / "elsewhere"))
    expected = load_dataset(str(tmp_path / "images"), size=64).train.images
    monkeypatch.setenv("MEDAUC_CACHE", str(place / "cache"))
    monkeypatch.setattr("medauc.data.cache.pool.cores", lambda: jobs)
    plenty = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(folder.shutil, "disk_usage", lambda path: plenty)
    ballast = fill_really(place, 150_000)
    with pytest.raises(DiskFull, match="no space left to write"):
        load_dataset(str(tmp_path / "images"), size=64)
    ballast.unlink()
    found = load_dataset(str(tmp_path / "images"), size=64).train.images
    np.testing.assert_array_equal(np.asarray(found[:]), np.asarray(expected[:]))


def fill_really(folder: Path, free: int) -> Path:
    """As :func:`fill`, where ``disk_usage`` is lied about."""
    status = os.statvfs(folder)
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(status.f_bavail * status.f_frsize - free))
    return ballast


def test_an_output_that_takes_nothing(tmp_path):
    """``medauc ... > /dev/full``."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            medauc_arguments("datasets"),
            cwd=tmp_path,
            env=medauc_environment(tmp_path),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "No space left" in line
