"""The page of arithmetic follows from its figures, and its model does what it says."""

import importlib.util
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "arithmetic.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("arithmetic_of_size", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_the_page_is_what_the_figures_give(script):
    """If not: run benchmarks/arithmetic.py."""
    assert script.PAGE.read_text(encoding="utf-8") == script.page(script.Assumptions())
    assert "<!--" not in script.PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", ["28^2", "224^2", "28^3", "96^3"])
def test_costs_grow_and_shrink_as_they_should(script, kind):
    inputs, given = script.read_inputs(), script.Assumptions()
    one = script.cost(inputs["images"][kind], inputs, 1e6, 1, given)
    twice = script.cost(inputs["images"][kind], inputs, 2e6, 1, given)
    eight = script.cost(inputs["images"][kind], inputs, 1e6, 8, given)
    for part in ("network", "reading", "feeding"):
        assert asdict(twice)[part] == pytest.approx(2 * asdict(one)[part])
    assert eight.network == pytest.approx(one.network / 8)
    assert eight.reading == one.reading  # one host
    assert one.all_reduce == 0 < eight.all_reduce
    assert one.total >= max(one.network, one.reading, one.feeding)
    faster = replace(given, gpu_flops=1e30, gpu_bandwidth=1e30, step_overhead=0)
    assert script.cost(inputs["images"][kind], inputs, 1e6, 1, faster).network < 1e-9


def test_predictions_were_near_what_was_measured(script):
    import json

    rows = json.loads((SCRIPT.parent / "results" / "arithmetic_check.json").read_text())
    assert len(rows) == 3
    for row in rows.values():
        assert row["ratio"] == pytest.approx(row["measured_seconds"] / row["predicted_seconds"], rel=0.01)
        assert 0.5 < row["ratio"] < 2
