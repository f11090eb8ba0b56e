"""Warnings of libraries: heard by the thread that they are for, and by no terminal."""

import logging
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from medauc.data.readers.quiet import quiet


def heard(name: str, together: threading.Barrier) -> list[str]:
    """Listen while others do, leaving in another order than entered."""
    found = []
    for number in range(20):
        together.wait()
        with quiet() as caught:
            together.wait()
            warnings.warn(f"{name} {number}", UserWarning, stacklevel=1)
            if name == "a":
                together.wait()
        if name != "a":
            together.wait()
        found += [str(warning.message) for warning in caught]
    return found


def test_threads_hear_their_own_warnings_and_leave_no_trace() -> None:
    before, levels = warnings.filters[:], logging.getLogger("pydicom").level
    shown = warnings.showwarning
    together = threading.Barrier(3)
    with ThreadPoolExecutor(3) as pool:
        lists = list(pool.map(lambda name: heard(name, together), "abc"))
    assert lists == [[f"{name} {number}" for number in range(20)] for name in "abc"]
    assert warnings.filters == before
    assert warnings.showwarning is shown
    assert logging.getLogger("pydicom").level == levels


def test_the_inner_of_two_hears_and_other_threads_are_not_silenced() -> None:
    with quiet() as outer:
        with quiet() as inner:
            warnings.warn("deep", UserWarning, stacklevel=1)
        warnings.warn("shallow", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in inner] == ["deep"]
    assert [str(warning.message) for warning in outer] == ["shallow"]
    with quiet() as caught, pytest.warns(UserWarning, match="theirs"), ThreadPoolExecutor(1) as pool:
        pool.submit(warnings.warn, "theirs", UserWarning, stacklevel=1).result()
    assert caught == []


def test_it_ends_after_an_error() -> None:
    shown = warnings.showwarning
    with pytest.raises(KeyError), quiet():
        raise KeyError
    assert warnings.showwarning is shown
