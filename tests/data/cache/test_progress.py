import os
import subprocess
import sys
from pathlib import Path

from medauc.data.cache.progress import shown, silent

_BUILD = """
import time
from pathlib import Path
import medauc.data.cache.build as build
import medauc.data.cache.rows as rows
from medauc.data.cache import open_cache
from medauc.data.preparation import PreparationSpec
build._CHUNK_ROWS = 1
prepare_file = rows.prepare_file
def slow(*given):
    time.sleep(0.1)
    return prepare_file(*given)
rows.prepare_file = slow
open_cache(sorted(Path("images").iterdir()), PreparationSpec(), 6, 2, folder="cache", jobs=0)
"""


def test_a_terminal_sees_a_bar_with_rate_and_time_left(images: list[Path], tmp_path: Path) -> None:
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", _BUILD],
        cwd=tmp_path,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "120"},
        stderr=theirs,
        timeout=120,
        check=True,
    )
    os.close(theirs)
    seen = os.read(ours, 1 << 16).decode(errors="replace")
    os.close(ours)
    assert done.returncode == 0
    assert "preparing images" in seen
    assert "images/s" in seen
    assert "12/12" in seen or "11/12" in seen


def test_nothing_is_shown_elsewhere() -> None:
    with shown(None) as show:
        assert show is silent
    with shown(print) as show:
        assert show is print
