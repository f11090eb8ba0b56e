"""Damaged files of every format: each is read or refused, in bounded time and memory, without saying who it is of.

Each is listed too, looked through for patients' names, and asked for its parts and patient, as a folder of images is.

The ordinary suite reads a few hundred. All ten thousand, with their figures written to a file:
``MEDAUC_FUZZ_RESULTS=benchmarks/results/fuzz.json pytest -m slow tests/fuzz``.
"""

import json
import os
import platform
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzz.fuzz_corpus import CANARY, Seed, every_seed
from fuzz.fuzz_mutations import Damage, damaged, damages
from fuzz.fuzz_victim import Victim, looked_around

MOST_SECONDS = 5.0
MOST_MIB = 1024
SEEDS = every_seed()
TEN_THOUSAND = 10_000


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    child = Victim(around=True)
    yield child
    child.close()


def survives(victim: Victim, seed: Seed, content: bytes) -> dict[str, Any]:
    """Read a damaged file in the other process and check what became of it."""
    with tempfile.TemporaryDirectory() as folder:
        answer = victim.read(seed.write(Path(folder), content))
    assert answer["outcome"] in ("read", "refused"), answer
    assert answer["seconds"] < MOST_SECONDS, answer
    assert answer["peak_mib"] < MOST_MIB, answer
    return answer


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.name)
def test_undamaged_seeds_are_read(victim: Victim, seed: Seed) -> None:
    # Or the fuzzer would only ever see refusals.
    assert survives(victim, seed, seed.content)["outcome"] == "read"


def test_what_is_said_beside_reading_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def tells(path: Path) -> tuple[str, ...]:
        warnings.warn(f"{path}: of {CANARY}", stacklevel=1)
        return ("PatientName",)

    monkeypatch.setattr("medauc.data.readers.phi_in", tells)
    wrong, said = looked_around(SEEDS[0].write(tmp_path))
    assert wrong is None
    assert "PatientName" in said
    assert CANARY in said


@settings(max_examples=300, suppress_health_check=list(HealthCheck), derandomize=True)
@given(seed=st.sampled_from(SEEDS), changes=damages())
def test_a_few_hundred_damaged_files(victim: Victim, seed: Seed, changes: list[Damage]) -> None:
    survives(victim, seed, damaged(seed.content, changes))


@pytest.mark.slow
def test_ten_thousand_damaged_files(victim: Victim) -> None:
    figures: dict[str, dict[str, Any]] = {}
    total = Counter[str]()
    for seed in SEEDS:
        figures[seed.name] = _fuzzed(victim, seed, -(-TEN_THOUSAND // len(SEEDS)))
        total.update(figures[seed.name]["outcomes"])
        if target := os.environ.get("MEDAUC_FUZZ_RESULTS"):
            _write(Path(target), figures, total)
    assert (
        total.total() >= 0.95 * TEN_THOUSAND
    )  # hypothesis does not repeat itself where a seed has less to damage
    # Damage must reach past the first check of a format, in both directions.
    assert total["read"] > 0.1 * total.total()
    assert total["refused"] > 0.1 * total.total()


def _fuzzed(victim: Victim, seed: Seed, count: int) -> dict[str, Any]:
    """Read ``count`` damaged files of one seed."""
    outcomes, slowest, peak = Counter[str](), 0.0, 0

    @settings(
        max_examples=count,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(changes=damages())
    def read(changes: list[Damage]) -> None:
        nonlocal slowest, peak
        answer = survives(victim, seed, damaged(seed.content, changes))
        outcomes[answer["outcome"]] += 1
        slowest, peak = max(slowest, answer["seconds"]), max(peak, answer["peak_mib"])

    read()
    return {"outcomes": dict(outcomes), "slowest_seconds": round(slowest, 3), "peak_mib": peak}


def _write(target: Path, figures: dict[str, dict[str, Any]], total: Counter[str]) -> None:
    """The figures of the full run."""
    from importlib.metadata import version

    libraries = (
        "pydicom",
        "nibabel",
        "pynrrd",
        "isal",
        "pillow",
        "pylibjpeg-libjpeg",
        "pylibjpeg-openjpeg",
        "pyjpegls",
    )
    report = {
        "files": total.total(),
        "outcomes": dict(total),
        "crashes": 0,
        "hangs": 0,
        "slowest_seconds": max(each["slowest_seconds"] for each in figures.values()),
        "peak_mib": max(each["peak_mib"] for each in figures.values()),
        "limits": {"seconds": MOST_SECONDS, "mib": MOST_MIB},
        "python": platform.python_version(),
        "libraries": {name: version(name) for name in libraries},
        "seeds": figures,
    }
    target.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
