"""Damaged data sets: tables, archives, arrays and shards are read or refused in one line, as images are."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.fuzz_mutations import Damage, damaged, damages
from fuzz.fuzz_sets import SetSeed, every_set
from fuzz.fuzz_victim import Victim

pytest.importorskip("pyarrow")
MOST_SECONDS, MOST_MIB = 5.0, 1024
SEEDS = every_set()


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    child = Victim()
    yield child
    child.close()


def survives(victim: Victim, seed: SetSeed, content: bytes) -> str:
    """Read a damaged set in the other process and check what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        answer = victim.read(seed.write(Path(folder), content))
    assert answer["outcome"] in ("read", "refused"), answer
    assert answer["seconds"] < MOST_SECONDS, answer
    assert answer["peak_mib"] < MOST_MIB, answer
    return str(answer["outcome"])


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_undamaged_sets_are_read(victim: Victim, seed: SetSeed) -> None:
    assert survives(victim, seed, seed.content) == "read"


@settings(max_examples=150, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.sampled_from(SEEDS), changes=damages())
def test_some_damaged_sets(victim: Victim, seed: SetSeed, changes: list[Damage]) -> None:
    survives(victim, seed, damaged(seed.content, changes))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_five_hundred_of_each(victim: Victim, seed: SetSeed) -> None:
    @settings(max_examples=500, database=None, suppress_health_check=list(HealthCheck))
    @given(changes=damages())
    def read(changes: list[Damage]) -> None:
        survives(victim, seed, damaged(seed.content, changes))

    read()
