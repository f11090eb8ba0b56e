"""Where trials are kept: a journal that survives a torn line, and a real PostgreSQL."""

import subprocess
import sys
import uuid

import pytest

from fixtures.made_up_search import LR, MadeUp
from medauc.errors import InputError
from medauc.search import Limits, Stopped, without_password
from medauc.search.storage import open_storage, open_study


def test_a_half_written_line_is_cut_off(tmp_path):
    study = open_study(open_storage(None, tmp_path), "one")
    study.tell(study.ask().number, 0.5)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "stud')
    again = open_study(open_storage(None, tmp_path), "one")
    assert [trial.value for trial in again.trials] == [0.5]
    again.tell(again.ask().number, 0.6)
    assert [trial.value for trial in open_study(open_storage(None, tmp_path), "one").trials] == [0.5, 0.6]


def test_the_lock_of_a_killed_writer_keeps_nobody_waiting(tmp_path):
    script = (
        "import os, signal, sys; from filelock import FileLock; "
        "FileLock(sys.argv[1]).acquire(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    lock = tmp_path / "journal.log.lock"
    assert subprocess.run([sys.executable, "-c", script, lock], check=False).returncode == -9
    assert lock.exists()
    study = open_study(open_storage(None, tmp_path), "one")  # would hang, were the lock not given up
    assert study.trials == []


@pytest.mark.parametrize(
    ("url", "what"),
    [
        (
            "postgresql://me:secret@127.0.0.1:9/none",
            r"--storage postgresql://me:\*\*\*@127.0.0.1:9/none: cannot be used",
        ),
        ("nonsense", "not a URL"),
        ("oracle9://me@host/none", "install its driver"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_in_one_line_without_its_password(tmp_path, url, what):
    with pytest.raises(InputError, match=what) as told:
        open_storage(url, tmp_path)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


def test_without_a_driver_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'medauc\[postgres\]'"):
        open_storage("postgresql://me@127.0.0.1:9/none", tmp_path)


def test_postgres_keeps_a_search_that_was_stopped_and_two_folders_do_not_mix(postgres, stages):
    url, limits = postgres, Limits(trials=6, seeds=2)
    shown = without_password(url)
    first, other, journal = (
        stages(f"{name}-{uuid.uuid4().hex[:6]}") for name in ("first", "other", "journal")
    )
    definition = first.definition(LR, storage=shown)
    with pytest.raises(Stopped):
        first.search(definition, MadeUp(stop_after=3), limits, url)
    rest = MadeUp()
    found = first.search(definition, rest, limits, url)
    assert found == journal.search(journal.definition(LR), MadeUp(), limits)
    assert not (first.out / "journal.log").exists()
    assert other.search(other.definition(LR, seed=1, storage=shown), MadeUp(), limits, url) != found
    assert first.search(definition, MadeUp(), limits, url) == found
    with pytest.raises(InputError, match="storage"):
        first.open(first.definition(LR))
