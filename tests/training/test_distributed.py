"""Several processes train what one process trains; what each of them is told, and who speaks to the user."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import REPOSITORY, medauc_arguments, medauc_environment
from fixtures.together import CASES, SMALL, train_all
from fixtures.two_norms import CUTS, MIXUPS, mixed, network
from fixtures.two_norms import run as steps

PROGRAM = REPOSITORY / "tests" / "fixtures" / "together.py"
QUICK = "batch norm, mixup, dropout, ema"


def environment(home: Path, **extra: str) -> dict[str, str]:
    path = [str(REPOSITORY / "src"), str(REPOSITORY / "tests"), os.environ.get("PYTHONPATH", "")]
    return medauc_environment(home, PYTHONPATH=os.pathsep.join(path), **extra)


def train_in(processes: int, folder: Path, names: list[str]) -> None:
    """Run the cases under torchrun, on a port that is free."""
    folder.mkdir()
    launcher = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
    ]
    done = subprocess.run(
        [*launcher, str(PROGRAM), str(folder), *names],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    known = {(folder / f"known{rank}.json").read_text() for rank in range(processes)}
    assert len(known) == 1  # every process was told the same
    assert list(json.loads(known.pop())) == names


def assert_alike(found: Path, expected: Path) -> None:
    """Predictions to 1e-5, every sample once and in order; the same course of the training."""
    tables = [pd.read_csv(run / "predictions.csv") for run in (found, expected)]
    scores = [column for column in tables[0] if column.startswith("score")]
    pd.testing.assert_frame_equal(tables[0].drop(columns=scores), tables[1].drop(columns=scores))
    np.testing.assert_allclose(tables[0][scores], tables[1][scores], rtol=0, atol=1e-5)
    assert tables[1][scores].to_numpy().std() > 1e-3, "scores that are all the same would prove nothing"
    if not (expected / "metrics.csv").exists():  # an ensemble
        return
    courses = [pd.read_csv(run / "metrics.csv").drop(columns="seconds") for run in (found, expected)]
    pd.testing.assert_frame_equal(*courses, check_exact=False, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pair") / "of processes"
    train_in(2, folder, [QUICK])
    return folder


def test_two_processes_train_what_one_trains(pair: Path, tmp_path: Path) -> None:
    train_all(tmp_path, [QUICK])
    assert_alike(pair / QUICK, tmp_path / QUICK)


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("momentum", [0.1, None])
@pytest.mark.parametrize("dims", [2, 3])
def test_two_parts_are_normalised_as_the_whole(
    pair: Path, dims: int, momentum: float | None, cut: str
) -> None:
    module = network(dims, momentum)
    expected = steps(module, module, slice(None), dims, 1)
    for rank in range(2):
        found = torch.load(pair / f"norms{rank}.pt")[f"{dims} {momentum} {cut}"]
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-9, msg=name)


def test_processes_that_no_socket_connects_go_by_the_group(pair: Path) -> None:
    """As those of several hosts."""
    module = network(2, 0.1)
    expected = steps(module, module, slice(None), 2, 1)
    for rank in range(2):
        found = torch.load(pair / f"norms{rank}.pt")
        assert found["met"] == [True, False]
        for name, value in expected.items():
            torch.testing.assert_close(found["far"][name], value, rtol=1e-9, atol=1e-9, msg=name)


@pytest.mark.parametrize("partners", MIXUPS)
def test_two_parts_are_mixed_as_the_whole(pair: Path, partners: str) -> None:
    images, targets = mixed(partners, None)
    for rank in range(2):
        part = torch.load(pair / f"norms{rank}.pt")[partners]
        assert torch.equal(part[0], images[rank::2])
        assert torch.equal(part[1], targets[rank::2])


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("alone")
    train_all(folder, list(CASES))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_train_what_one_trains(tmp_path: Path, alone: Path, processes: int) -> None:
    """Among them fewer samples to score than processes, which the last case has."""
    train_in(processes, tmp_path / "several", list(CASES))
    for name in CASES:
        assert_alike(tmp_path / "several" / name, alone / name)


def train(home: Path, out: str, *more: str) -> list[str]:
    options = [part for setting in SMALL for part in ("--set", setting)]
    return medauc_arguments("train", "phantom2d", *options, "--device", "cpu", "--out", home / out, *more)


def run(home: Path, arguments: list[str], **extra: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        arguments,
        cwd=home,
        env=environment(home, **extra),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def children(process: int) -> list[int]:
    found = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(process)], capture_output=True, text=True, check=False
    )
    return [int(line) for line in found.stdout.split()]


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3])
def test_a_killed_process_ends_all_and_the_training_goes_on_in_another_number(
    tmp_path: Path, after: int
) -> None:
    longer = ["--set", "training.max_epochs=12"]
    assert run(tmp_path, train(tmp_path, "whole", *longer)).returncode == 0
    process = subprocess.Popen(
        train(tmp_path, "broken", *longer, "--devices", "2"),
        cwd=tmp_path,
        env=environment(tmp_path),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    metrics = tmp_path / "broken" / "metrics.csv"
    while process.poll() is None and not (metrics.exists() and len(metrics.read_text().splitlines()) > 2):
        time.sleep(0.05)
    ranks = children(process.pid)
    assert len(ranks) == 2
    os.kill(ranks[1], signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.count("\n") == 1, said
    assert "was killed (SIGKILL" in said
    assert "--resume" in said
    assert not any(Path(f"/proc/{rank}").exists() for rank in ranks)
    assert len(pd.read_csv(metrics)) < 12

    more = ["--devices", str(after)] if after > 1 else []
    assert run(tmp_path, train(tmp_path, "broken", *longer, *more, "--resume")).returncode == 0
    assert_alike(tmp_path / "broken", tmp_path / "whole")


@pytest.mark.slow
def test_the_users_error_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    done = run(tmp_path, train(tmp_path, "out", "--devices", "2"))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "not empty and not a run" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.txt"]

    torchrun = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        "-m",
        "medauc",
    ]
    done = run(tmp_path, [*torchrun, *train(tmp_path, "out")[3:]])
    assert done.returncode == 1  # torchrun's own
    assert done.stderr.count("medauc: ") == 1
    assert done.stderr.count("exitcode  : 2") == 2


@pytest.mark.slow
def test_two_hosts(tmp_path: Path) -> None:
    """Two launchers that share a folder and find each other by an address, as on two hosts."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    hosts = [
        subprocess.Popen(
            train(tmp_path, "run", "--nodes", "2"),
            cwd=tmp_path,
            env=environment(tmp_path, **place),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [host.communicate(timeout=600) for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0], said
    assert sorted(bool(out) for out, _ in said) == [False, True]  # the first process speaks
    assert run(tmp_path, train(tmp_path, "alone")).returncode == 0
    assert_alike(tmp_path / "run", tmp_path / "alone")
