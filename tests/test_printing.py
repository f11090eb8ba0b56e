"""A reader that goes away, or a full disk, ends what is printed and nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TELL = """
import sys
from medauc.printing import say
for _ in range(3):
    say("line", err=ERR)
    sys.stdout.write("left in the buffer")
open(sys.argv[1], "w").write("done")
"""
TINY = [
    "data.phantom.n_train=40", "data.phantom.n_val=40", "data.phantom.n_test=40", "data.phantom.prevalence=0.3",
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16", "training.max_epochs=2",
]  # fmt: skip


def unheard(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run with a standard output that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        return subprocess.run(
            command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=120, check=False
        )
    finally:
        os.close(writer)


def test_what_nobody_reads_is_not_printed_and_the_work_is_done(tmp_path: Path) -> None:
    done = tmp_path / "done"
    ended = unheard([sys.executable, "-c", TELL.replace("ERR", "False"), str(done)])
    assert (ended.returncode, ended.stderr, done.exists()) == (0, "", True)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_so_it_is_where_the_log_is_on_a_full_disk(tmp_path: Path) -> None:
    done = tmp_path / "done"
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", TELL.replace("ERR", "True"), str(done)]
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (ended.returncode, done.exists()) == (0, True)
    assert ended.stdout == "left in the buffer" * 3


def test_an_error_that_nobody_reads_keeps_its_status(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "medauc", "train", str(tmp_path / "none.csv")], stderr=writer, check=False
    )
    os.close(writer)
    assert ended.returncode == 2


@pytest.mark.slow
def test_a_training_goes_on_to_its_report_when_nobody_listens(tmp_path: Path) -> None:
    settings = [part for setting in TINY for part in ("--set", setting)]
    out = tmp_path / "run"
    command = [
        sys.executable,
        "-m",
        "medauc",
        "train",
        "phantom2d",
        *settings,
        "--out",
        str(out),
        "--device",
        "cpu",
    ]
    ended = unheard(command)
    assert ended.returncode == 0, ended.stderr
    assert (out / "evaluation.json").exists()
    assert list(out.glob("*.html"))
