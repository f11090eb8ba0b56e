"""Weights and checkpoints of trials do not stay, wherever the process is killed."""

import pytest

from fixtures.made_up_search import LR, MadeUp
from medauc.search import Limits
from medauc.search.book import Book


class Killed(BaseException):
    """What nobody catches."""


def test_nothing_stays_of_a_trial_that_was_written_down_just_before_its_process_was_killed(
    stage, monkeypatch
):
    definition, limits = stage.definition(LR, pruner="none"), Limits(trials=2, seeds=1)
    finish = Book.finish

    def last_deed(*arguments, **options):
        finish(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(Book, "finish", last_deed)
        with pytest.raises(Killed):
            stage.search(definition, MadeUp(), limits)
    assert [state for _, state, *_ in stage.search(definition, MadeUp(), limits)] == ["complete"] * 2
    assert not list(stage.out.rglob("*.ckpt"))
