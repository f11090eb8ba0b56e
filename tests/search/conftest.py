"""Searches in folders of their own."""

from collections.abc import Callable
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
