"""A reader that goes away, or a full disk, ends what is printed and nothing else."""

import io
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from medauc.cli.app import main
from medauc.printing import say

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


def test_without_standard_error_nothing_comes_to_standard_output(tmp_path: Path) -> None:
    done = tmp_path / "done"
    script = TELL.replace("ERR", "True").replace("sys.stdout.write", "str")
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", script, str(done)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stdout, done.exists()) == (0, "", True)


def test_streams_that_are_missing_lead_nowhere(tmp_path: Path) -> None:
    script = """
import os, sys
from medauc.printing import open_missing
open_missing()
with open(sys.argv[1], "w") as file:
    assert file.fileno() > 2
    os.write(2, b"of C code")
    print("of Python", file=sys.stderr, flush=True)
    file.write(f"{sys.stderr.isatty()}")
"""
    done = tmp_path / "done"
    command = ["sh", "-c", 'exec "$@" 2>&-', "sh", sys.executable, "-c", script, str(done)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stdout, done.read_text()) == (0, "", "False")


@pytest.mark.parametrize(
    ("encoding", "printed"),
    [
        ("ascii", b"Klinik-M\\xfcller \\u2265 \\udcff\n"),
        ("latin-1", b"Klinik-M\xfcller \\u2265 \\udcff\n"),
        ("utf-8", "Klinik-Müller ≥ \\udcff\n".encode()),
        ("ascii:surrogateescape", b"Klinik-M\\xfcller \\u2265 \\udcff\n"),
    ],
)
def test_letters_that_a_stream_lacks_are_escaped(
    encoding: str, printed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    name, _, errors = encoding.partition(":")
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, name, errors=errors or "strict"))
    say("Klinik-Müller ≥ \udcff")
    assert raw.getvalue() == printed


@pytest.fixture
def gone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A standard output whose reader has left."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        yield
        monkeypatch.undo()


@pytest.mark.usefixtures("gone")
@pytest.mark.parametrize("verb", [["datasets"], ["datasets", "breastmnist"], ["cache"], ["--version"]])
def test_verbs_that_nobody_reads_end_well(
    verb: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["medauc", *verb])
    main()


@pytest.mark.usefixtures("gone")
def test_an_audit_that_nobody_reads_keeps_its_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    labels = np.arange(12) % 2
    parts = {"train": slice(0, 12), "val": slice(0, 6), "test": slice(0, 6)}
    arrays = {f"{name}_images": images[part] for name, part in parts.items()}
    np.savez(
        tmp_path / "twins.npz", **arrays, **{f"{name}_labels": labels[part] for name, part in parts.items()}
    )
    out = str(tmp_path / "audit")
    monkeypatch.setattr(sys, "argv", ["medauc", "audit", str(tmp_path / "twins.npz"), "--out", out])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 3


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
