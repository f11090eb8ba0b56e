"""The database of a search is killed under it, as a crash of its host would: PostgreSQL itself, and the command."""

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from conftest import medauc_arguments, medauc_environment
from fixtures.postgres_server import PostgresServer

TRIALS = 4
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def server(postgres: PostgresServer) -> Iterator[PostgresServer]:
    """May be killed: it runs again for whoever comes next."""
    yield postgres
    if not postgres.is_running:
        postgres.start()


@pytest.fixture
def start(tmp_path: Path, options: list[str]) -> Start:
    """Start a search, in the folder of its name."""

    def begin(name: str, *more: str) -> "subprocess.Popen[str]":
        limits = ["--trials", str(TRIALS), "--seeds", "1", "--repeats", "0", "--all-trials"]
        arguments = ["tune", "phantom2d", *options, *limits, "--sampler", "random", *more]
        return subprocess.Popen(
            medauc_arguments(*arguments, "--out", tmp_path / name),
            cwd=tmp_path,
            env=medauc_environment(tmp_path),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def found_in(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "trials.csv").drop(columns="seconds")


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["halving", "none"])
def test_a_database_that_crashes_and_comes_back(
    tmp_path: Path, server: PostgresServer, start: Start, pruner: str
) -> None:
    """It goes on, or stops with one line and is continued by the same command; the result is the same."""
    more = ("--pruner", pruner)
    whole = start("whole", *more)
    assert not whole.communicate(timeout=600)[1]
    stored = (*more, "--storage", server.url)
    search = start("crashed", *stored)
    wait_for(tmp_path / "crashed" / "trials" / "0001" / "seed0" / "metrics.csv", search)
    server.kill()
    time.sleep(5)
    server.start()
    said = search.communicate(timeout=600)[1]
    if search.returncode:
        assert search.returncode == 1
        assert said.count("\n") == 1, said
        assert "the same command goes on" in said
        search = start("crashed", *stored)
        said = search.communicate(timeout=600)[1]
    assert search.returncode == 0, said
    print(said or f"{pruner}: went on")
    pd.testing.assert_frame_equal(found_in(tmp_path / "crashed"), found_in(tmp_path / "whole"))


@pytest.mark.slow
def test_a_database_that_stays_away(tmp_path: Path, server: PostgresServer, start: Start) -> None:
    stored = ("--pruner", "none", "--storage", server.url)
    search = start("run", *stored)
    wait_for(tmp_path / "run" / "trials" / "0000" / "seed0" / "metrics.csv", search)
    server.kill()
    said = search.communicate(timeout=600)[1]
    assert (search.returncode, said.count("\n")) == (1, 1), said
    assert "the same command goes on" in said
    server.start()
    search = start("run", *stored)
    said = search.communicate(timeout=600)[1]
    assert search.returncode == 0, said
    assert len(found_in(tmp_path / "run")) == TRIALS
