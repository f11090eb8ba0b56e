"""What the launcher makes of processes that ended, and what it refuses before it starts any."""

import signal
from types import SimpleNamespace

import pytest

from medauc.errors import InputError
from medauc.training.launch import Stopped, _cause, _resume_command, _told


def failure(exitcode: int, timestamp: int, message: str | None = None) -> SimpleNamespace:
    """What torch's launcher tells of a process."""
    told = {"message": "<NONE>"} if message is None else {"message": {"message": message}}
    name = signal.Signals(-exitcode).name if exitcode < 0 else ""
    return SimpleNamespace(
        exitcode=exitcode, timestamp=timestamp, error_file_data=told, signal_name=lambda: name
    )


def test_the_killed_process_is_the_cause_and_not_those_that_lost_it() -> None:
    """Those tell so before the launcher looks."""
    failures = {0: failure(1, 100, "lost another one"), 1: failure(-9, 101), 2: failure(-15, 101)}
    number, found = _cause(failures)
    error = _told(number, found, ["train", "x"])
    assert number == 1
    assert isinstance(error, Stopped)
    assert "process 1 was killed (SIGKILL; was there enough memory?)" in str(error)
    assert str(error).endswith("medauc train x --resume")


def test_the_first_error_is_the_cause_and_not_those_that_were_ended_for_it() -> None:
    failures = {0: failure(-15, 130), 1: failure(2, 100, "no such file"), 2: failure(-9, 130)}
    number, found = _cause(failures)
    error = _told(number, found, ["train", "x"])
    assert (number, str(error), type(error)) == (1, "no such file", InputError)


def test_the_launchers_own_end_of_the_others_is_not_the_cause() -> None:
    """They may end within the second in which the first error was told."""
    failures = {0: failure(-15, 100), 1: failure(2, 100, "no such file"), 2: failure(-15, 99)}
    assert _cause(failures)[0] == 1
    assert _cause({0: failure(-15, 100), 1: failure(-9, 100)})[0] == 1


def test_a_process_without_a_message() -> None:
    assert "process 3 ended without a message" in str(_told(3, failure(1, 0), []))


@pytest.mark.parametrize("salt", [["--hash-ids", "secret of ours"], ["--hash-ids=secret of ours"]])
def test_what_to_type_keeps_the_salt_secret(salt: list[str]) -> None:
    command = _resume_command(["train", "my set.csv", *salt, "--resume"])
    assert command.startswith("medauc train 'my set.csv' --hash-ids")
    assert "secret" not in command
    assert command.count("--resume") == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--nodes", "2", "--device", "cpu"],
            "--nodes 2: set MASTER_ADDR to the address of one of the hosts",
        ),
        (["--devices", "999", "--device", "cuda"], r"--devices 999: this host has \d+ GPUs; take fewer"),
        (["--devices", "0"], "--devices"),
    ],
)
def test_what_cannot_be_started_is_one_line(invoke, monkeypatch, options: list[str], message: str) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    outcome = invoke("train", "phantom2d", *options)
    assert outcome.status == 2
    assert outcome.err.count("\n") == 1
    import re

    assert re.search(message, outcome.err)
