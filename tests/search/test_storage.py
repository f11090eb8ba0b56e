"""Where trials are kept: a journal that survives a torn line, and a real PostgreSQL."""

import resource
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest
from optuna.exceptions import StorageInternalError
from sqlalchemy.exc import OperationalError

from fixtures.made_up_search import LR, MadeUp
from medauc.errors import InputError
from medauc.files import DiskFull
from medauc.search import DatabaseAway, Limits, Stopped, without_password, write_result
from medauc.search.job import Job
from medauc.search.storage import open_storage, open_study


def test_a_half_written_line_is_cut_off(tmp_path):
    study = open_study(open_storage(None, tmp_path), "one")
    study.tell(study.ask().number, 0.5)
    journal = tmp_path / "journal.log"
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code": 4, "stud')
    again = open_study(open_storage(None, tmp_path), "one")
    assert [trial.value for trial in again.trials] == [0.5]
    assert [trial.value for trial in study.trials] == [0.5]
    again.tell(again.ask().number, 0.6)
    assert [trial.value for trial in open_study(open_storage(None, tmp_path), "one").trials] == [0.5, 0.6]


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """A full disk, as far as one file goes: the kernel takes what fits and refuses the rest."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_line_that_found_no_room_harms_neither_its_writer_nor_others(tmp_path):
    """The process whose append was cut short lives on, and another has the journal open meanwhile."""
    mine, other = (open_study(open_storage(None, tmp_path), "one") for _ in range(2))
    mine.tell(mine.ask().number, 0.5)
    journal = tmp_path / "journal.log"
    with (
        no_file_longer_than(journal.stat().st_size + 100),
        pytest.raises(DiskFull, match=r"no space left to write .*journal\.log"),
    ):
        mine.set_user_attr("long", "x" * 300)
    assert not journal.read_bytes().endswith(b"\n"), "half a line: what this test is about"
    assert len(other.trials) == 1
    other.tell(other.ask().number, 0.6)
    mine.tell(mine.ask().number, 0.7)
    for study in (mine, other, open_study(open_storage(None, tmp_path), "one")):
        assert [trial.value for trial in study.trials] == [0.5, 0.6, 0.7]


@pytest.mark.parametrize("room", [10, 150, 1500])
def test_a_search_whose_journal_found_no_room_goes_on_as_if_there_had_been(stages, room):
    limits = Limits(trials=3, seeds=1)
    whole, cut = stages("whole"), stages("cut")
    definition = whole.definition(LR)
    expected = whole.search(definition, MadeUp(), limits)
    cut.open(definition).__exit__()
    with (
        no_file_longer_than((cut.out / "journal.log").stat().st_size + room),
        pytest.raises(DiskFull, match=r"no space left to write .*journal\.log"),
    ):
        cut.search(definition, MadeUp(), limits)
    assert cut.search(definition, MadeUp(), limits) == expected


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
        (
            "postgresql://127.0.0.1:9/none?user=me&password=secret&sslpassword=secret&passfile=secret",
            r"none\?passfile=\*\*\*&password=\*\*\*&sslpassword=\*\*\*&user=me: cannot be used",
        ),
        ("me:secret@127.0.0.1/none", "--storage: not a URL"),
        ("postgresql://me:secret@127.0.0.1:port/none", "--storage: not a URL"),
        ("postgresql://me:my@secret@127.0.0.1/none", "is written %40"),
        ("oracle9://me@host/none", "install its driver"),
    ],
)
def test_a_database_that_cannot_be_reached_is_told_in_one_line_without_its_password(tmp_path, url, what):
    with pytest.raises(InputError, match=what) as told:
        open_storage(url, tmp_path)
    assert "secret" not in str(told.value)
    assert "\n" not in str(told.value)


def test_what_is_sent_to_workers_shows_no_password_in_a_traceback(stage):
    url = "postgresql://me:secret@127.0.0.1:9/none"
    with stage.open(stage.definition(LR)) as search:
        place = replace(search.place, url=url)
        pruning = place.unit(Job(search.book.begin(), 0), None).watch
    assert pruning.url == url
    assert "secret" not in repr(place) + repr(pruning)


def test_without_a_driver_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match=r"pip install 'medauc\[postgres\]'"):
        open_storage("postgresql://me@127.0.0.1:9/none", tmp_path)


AWAY = "the search's database cannot be reached: it has gone; when it is back, the same command goes on"


def no_answer(*arguments: object, **options: object) -> None:
    raise OperationalError("COMMIT", {}, Exception("it has gone"))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_database_that_goes_away_after_the_trainings_is_told_as_such(stage, monkeypatch, wrapped):
    def refuse(*arguments: object, **options: object) -> None:
        try:
            no_answer()
        except OperationalError as error:
            if wrapped:
                raise StorageInternalError("invalid data in the commit") from error
            raise

    definition, limits = stage.definition(LR), Limits(trials=2, seeds=1)
    for ask in (write_result, lambda search: search.elsewhere):
        search = stage.open(definition)
        search.run(MadeUp(), limits)
        monkeypatch.setattr(search.book._storage, "get_all_trials", refuse)
        with pytest.raises(DatabaseAway) as told, search:
            ask(search)
        assert str(told.value) == AWAY
    with stage.open(definition) as search:  # it is back, and nobody else is at it
        assert search.elsewhere == 0
        assert len(write_result(search).rows) == 2


def test_a_database_that_goes_away_while_the_search_is_opened_is_told_as_such(stage, monkeypatch):
    monkeypatch.setattr("medauc.search.opening.open_study", no_answer)
    with pytest.raises(DatabaseAway) as told:
        stage.open(stage.definition(LR))
    assert str(told.value) == AWAY


def test_other_errors_within_an_open_search_are_left_as_they_are(stage):
    with pytest.raises(KeyError, match="mine"), stage.open(stage.definition(LR)):
        raise KeyError("mine")


def test_postgres_keeps_a_search_that_was_stopped_and_two_folders_do_not_mix(postgres, stages):
    url, limits = postgres.url, Limits(trials=6, seeds=2)
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
