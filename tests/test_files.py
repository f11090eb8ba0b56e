from pathlib import Path

import pytest

from medauc.errors import InputError
from medauc.files import atomic_path, save_text


def break_off(path: Path) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    save_text(path, "old")
    with pytest.raises(ZeroDivisionError):
        break_off(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_is_one_line_for_the_user(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"missing/page\.html cannot be written: No such file or directory"):
        save_text(tmp_path / "missing" / "page.html", "")
