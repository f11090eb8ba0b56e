"""The page of a search."""

import json
import re

import pytest

from medauc.evaluation import Figure
from medauc.report import build_search_page
from medauc.search import Found, Row, Winner


def figure(value: float) -> Figure:
    return Figure(
        value=value, low=value - 0.1, high=0.99, level=0.95, n=80, method="percentiles", reference="Efron"
    )


def row(index: int, state: str, lr: float, auc: float | None = None, **more: object) -> Row:
    curves = [{1: 0.5, 2: 0.5 + index / 100}, {1: 0.6, 2: 0.7}][: 2 if index == 2 else 1]
    return Row(
        index=index, state=state, values={"optim.lr": lr, "loss.name": "aucm"}, auc=auc,
        seeds=[] if auc is None else [auc], epochs=2, seconds=3.0, curves=curves if state != "failed" else [{}], **more,
    )  # fmt: skip


@pytest.fixture
def found() -> Found:
    return Found(
        name="one", dataset="phantom2d", objective="AUC, validation split", sampler="tpe", pruner="halving",
        space={"optim.lr": {"low": 1e-4, "high": 0.1, "log": True}, "loss.name": ["aucm", "<b>"]},
        rows=[row(0, "complete", 0.01, 0.81), row(1, "pruned", 0.1), row(2, "complete", 0.02, 0.86),
              row(3, "failed", 0.5, error="loss is <script>alert(1)</script>")],
        winner=Winner(index=2, values={"optim.lr": 0.02}, seeds=[0.86], found=figure(0.86), corrected=figure(0.82),
                      optimism=0.04, candidates=2, start=0.81),
        importance={"optim.lr": 0.9, "loss.name": 0.1}, importance_method="fANOVA", ending=None, notes=[],
    )  # fmt: skip


def specs(page: str) -> list[dict]:
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]


def test_it_tells_the_winner_corrected_and_every_trial_and_needs_no_network(found):
    page = build_search_page(found)
    assert (
        "Validation AUC 0.860 [0.760, 0.990], corrected for being the best of 2: 0.820 [0.720, 0.990]" in page
    )
    assert "4 trials: 2 complete, 1 given up early, 1 failed" in page
    assert page.index('<th scope="row">2</th>') < page.index('<th scope="row">0</th>'), "best first"
    assert "alert(1)" not in page.replace("&lt;script&gt;alert(1)", "")
    own = page[: page.index("<footer>")]  # behind it stands plotly.js
    assert not re.search(r'(src|href)="(https?:)?//', own)
    assert "default-src 'none'" in own


def test_history_curves_importance_and_a_slice_a_field_are_drawn(found):
    history, curves, importance, lr, name = specs(build_search_page(found))
    best = next(trace for trace in history["data"] if trace["name"] == "best so far")
    assert best["y"] == [0.81, 0.86]
    assert {trace["name"]: trace["x"] for trace in history["data"]}["given up"] == [1]
    lines = {trace["name"]: trace["y"] for trace in curves["data"]}
    assert lines["trial 1"] == [0.5, 0.51]
    assert lines["trial 2, seed 1"] == [0.6, 0.7], "of a leader every seed"
    assert len(lines) == 4
    assert importance["data"][0]["y"] == ["loss.name", "optim.lr"], "the longest bar on top"
    assert lr["layout"]["xaxis"]["type"] == "log"
    assert name["layout"]["xaxis"]["type"] == "category"


def test_a_search_without_a_complete_trial_has_a_page(found):
    early = found.model_copy(update={"winner": None, "rows": [row(0, "running", 0.1)], "importance": {}})
    assert "No trial is complete yet" in build_search_page(early)
