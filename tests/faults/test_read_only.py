"""A folder that cannot be written is refused before any work, with status 2 and one line."""

from pathlib import Path

import pytest
from PIL import Image

from medauc.errors import InputError
from medauc.files import require_writable


@pytest.fixture
def closed(tmp_path, read_only) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir()
    read_only(folder)
    return folder


def assert_refused(outcome, *words: str) -> None:
    assert outcome.status == 2, outcome.err
    lines = outcome.err.splitlines()
    assert len(lines) == 1, outcome.err
    for word in words:
        assert word in lines[0]


def no_work(*arguments: object, **options: object) -> None:
    raise AssertionError("work was begun before the folder was refused")


def test_a_new_run(invoke, closed, options, monkeypatch):
    monkeypatch.setattr("medauc.training.plan.load_dataset", no_work)
    assert_refused(invoke("train", "phantom2d", *options, "--out", closed / "run"), "closed/run", "read-only")
    monkeypatch.chdir(closed)
    assert_refused(invoke("train", "phantom2d", *options), "runs", "read-only")
    assert not list(closed.iterdir())


def test_a_run_to_resume(invoke, tmp_path, read_only, options, monkeypatch):
    assert invoke("train", "phantom2d", *options, "--out", "run").status == 0
    (tmp_path / "run" / "evaluation.json").unlink()
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")}
    read_only(tmp_path / "run")
    monkeypatch.setattr("medauc.training.plan.load_dataset", no_work)
    assert_refused(invoke("train", "phantom2d", "--resume", "--out", "run"), "run", "read-only")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*")} == before


def test_a_benchmark(invoke, closed, options, monkeypatch):
    monkeypatch.setattr("medauc.training.executor.LocalExecutor.run", no_work)
    assert_refused(
        invoke("benchmark", "phantom2d", *options, "--seeds", "1", "--out", closed / "grid"),
        "closed/grid",
        "read-only",
    )


def test_other_verbs_that_write(invoke, closed, tmp_path, options):
    scores = tmp_path / "scores.csv"
    scores.write_text("split,target,score\n" + "".join(f"test,{n % 2},0.{n + 1}\n" for n in range(9)))
    other = tmp_path / "other.csv"
    other.write_text(scores.read_text())
    assert invoke("train", "phantom2d", *options, "--out", "run").status == 0
    (tmp_path / "images").mkdir()
    for arguments in (
        ["evaluate", scores, "--out", closed / "evaluation.json"],
        ["report", scores, "--out", closed / "report.html"],
        ["compare", scores, other, "--out", closed / "comparison.html"],
        ["export", "phantom2d", closed / "images"],
        ["audit", "phantom2d", "--out", closed / "audit"],
        ["tune", "phantom2d", "--out", closed / "search"],
        ["predict", "run", tmp_path / "images", "--out", closed / "scores.csv"],
    ):
        assert_refused(invoke(*arguments), "closed")
    assert not list(closed.iterdir())


def test_the_cache(tmp_path, closed, monkeypatch):
    from medauc.data import load_dataset

    monkeypatch.setenv("MEDAUC_CACHE", str(closed / "cache"))
    for target in "01":
        (tmp_path / "images" / target).mkdir(parents=True)
        for number in range(20):
            Image.new("L", (16, 16), number).save(tmp_path / "images" / target / f"{number}.png")
    with pytest.raises(InputError, match=r"closed/cache .* MEDAUC_CACHE"):
        load_dataset(str(tmp_path / "images"))


def test_a_file_in_the_place_of_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/run: cannot be written: .*file is not a folder"):
        require_writable(tmp_path / "file" / "run")
