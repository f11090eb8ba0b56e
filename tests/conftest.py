"""Shared fixtures: the official data files, and the real command line in a process of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from fixtures.postgres_server import PostgresServer

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # else a job in the background, and its children, ignore it

settings.register_profile(
    "medauc", deadline=None
)  # how fast an example is says nothing of whether it is right
settings.load_profile("medauc")

REPOSITORY = Path(__file__).resolve().parents[1]
MEDMNIST = Path(os.environ.get("MEDAUC_TEST_DATA", REPOSITORY.parent / "shared" / "data" / "medmnist"))

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def medmnist_dir() -> Path:
    """Folder with official MedMNIST files; the only reason to skip is that it is not there."""
    if not MEDMNIST.is_dir():
        pytest.skip(f"no MedMNIST files in {MEDMNIST}")
    return MEDMNIST


@pytest.fixture(scope="session")
def lidc_dir() -> Path:
    """Folder with the LIDC nodules and the table they were made from."""
    return _folder_beside("lidc-nodule-voi")


@pytest.fixture(scope="session")
def nih_dir() -> Path:
    """Folder with a thousand chest radiographs and their table."""
    return _folder_beside("nih-chest-1000")


@pytest.fixture(scope="session")
def formats_dir() -> Path:
    """Folder with small real volumes in many formats."""
    return _folder_beside("volumes-formats")


@pytest.fixture(scope="session")
def dicom_dir() -> Path:
    """Folder with DICOM files of many kinds."""
    return _folder_beside("dicom-pydicom-data")


@pytest.fixture(scope="session")
def series_dir() -> Path:
    """Folder with one DICOM series, 64 oblique slices of a head."""
    return _folder_beside("dicom-series-mr-t1") / "dicoms"


def _folder_beside(name: str) -> Path:
    folder = MEDMNIST.parent / "files" / name
    if not folder.is_dir():
        pytest.skip(f"no files in {folder}")
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run ``medauc ARGUMENTS`` in ``tmp_path`` with an empty cache and a dead network."""

    def run(*arguments: str | Path, timeout: float = 300, **extra: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            medauc_arguments(*arguments),
            cwd=tmp_path,
            env=medauc_environment(tmp_path, **extra),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


def medauc_arguments(*arguments: str | Path) -> list[str]:
    """Arguments that start medauc with the interpreter of the tests."""
    return [sys.executable, "-m", "medauc", *map(str, arguments)]


def medauc_environment(home: Path, **extra: str) -> dict[str, str]:
    """An environment whose cache is empty and whose proxy refuses: nothing may depend on the tester's own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MEDAUC")}
    return kept | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "https_proxy": "http://127.0.0.1:9",
        "COLUMNS": "200",
        "OMP_NUM_THREADS": "1",
        **extra,
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server of the tests' own; who kills it starts it again."""
    with PostgresServer() as server:
        yield server


class Outcome(NamedTuple):
    """What a command left: exit status, standard output, standard error."""

    status: int
    out: str
    err: str


@pytest.fixture
def invoke(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Run ``medauc ARGUMENTS`` in this process (importing torch anew for each would take the time), in ``tmp_path``."""
    for key in [key for key in os.environ if key.startswith("MEDAUC")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Outcome:
        from medauc.cli import main

        monkeypatch.setattr(sys, "argv", ["medauc", *map(str, arguments)])
        status = 0
        try:
            main()
        except SystemExit as exit_:
            status = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run
