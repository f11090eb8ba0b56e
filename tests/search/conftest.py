"""Searches in folders of their own, and a PostgreSQL of the test's own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fixtures.made_up_search import TINY, Stage
from medauc.training.plan import Plan, resolve


@pytest.fixture(scope="session")
def tiny_plan() -> Plan:
    return resolve("phantom2d", overrides=TINY)


@pytest.fixture
def stage(tiny_plan: Plan, tmp_path: Path) -> Stage:
    return Stage(tiny_plan, tmp_path / "search")


@pytest.fixture
def stages(tiny_plan: Plan, tmp_path: Path) -> Callable[[str], Stage]:
    return lambda name: Stage(tiny_plan, tmp_path / name)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a server in a temporary folder, on a socket there, of an ordinary user; stopped in the end."""
    folder = _postgres_programs()
    home = Path(tempfile.mkdtemp(prefix="medauc-pg-", dir="/tmp"))
    as_user: list[str] = []
    if os.getuid() == 0:  # initdb refuses root
        shutil.chown(home, "nobody")
        as_user = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]

    def call(*arguments: str) -> None:
        whole = [*as_user, str(folder / arguments[0]), *arguments[1:]]
        subprocess.run(whole, check=True, capture_output=True, timeout=120, cwd=home, env={"LC_ALL": "C"})

    data = str(home / "data")
    call("initdb", "-D", data, "-U", "tuner", "-A", "trust", "--no-sync", "-E", "UTF8")
    call("pg_ctl", "-D", data, "-w", "-l", str(home / "log"), "-o", f"-k {home} -h '' -F", "start")
    try:
        yield f"postgresql://tuner@/postgres?host={home}"
    finally:
        call("pg_ctl", "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(home)


def _postgres_programs() -> Path:
    """Where Debian's package has them; the only reason to skip is that it is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("PostgreSQL is not installed")
    return found[-1].parent
