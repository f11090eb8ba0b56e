"""``medauc train --folds --members --refit`` as a user runs it, killed processes included."""

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from conftest import medauc_arguments, medauc_environment


@pytest.fixture
def three(invoke, tiny_phantom, tmp_path) -> Path:
    outcome = invoke("train", "phantom2d", *tiny_phantom, "--members", 3, "--set", "ensemble.members=9")
    assert outcome.status == 0, outcome.err
    assert "resnet18, aucm, 3 networks" in outcome.out  # the flag holds over --set
    assert "of its 3 networks alone: mean test AUC" in outcome.out
    return tmp_path / "runs" / "phantom2d_16" / "default-members3-seed0"


def test_the_folder_is_read_as_one_model(three, invoke, tmp_path) -> None:
    names = {path.name for path in three.iterdir()}
    assert names == {
        "recipe.yaml", "members", "ensemble.json", "members.csv", "predictions.csv", "evaluation.json", "report.html",
        "model_card.md",
    }  # fmt: skip
    before = json.loads((three / "evaluation.json").read_text())
    evaluated = invoke("evaluate", three)
    assert evaluated.status == 0, evaluated.err
    assert json.loads((three / "evaluation.json").read_text()) == before
    assert [found["names"] for found in before["runs"]] == [["seed0", "seed1", "seed2"]]
    page = (three / "report.html").read_text()
    assert invoke("report", three).status == 0
    assert (three / "report.html").read_text() == page
    compared = invoke("compare", three, three / "members" / "seed0", "--out", tmp_path / "compared.json")
    assert compared.status == 0, compared.err
    again = invoke("train", "phantom2d", "--resume", "--out", three)
    assert again.status == 0, again.err
    assert "this run is finished" in again.out
    together = invoke("evaluate", *sorted((three / "members").iterdir()), "--out", tmp_path / "all.json")
    assert together.status == 0, together.err
    other = json.loads((tmp_path / "all.json").read_text())
    ours = before["splits"]["test"]["auroc"]["value"]
    assert other["splits"]["test"]["auroc"]["value"] == pytest.approx(ours, abs=1e-12)
    assert other["runs"][0]["auroc"] == before["runs"][0]["auroc"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--folds", "1"], "ensemble.folds is 1 (allowed: >= 2, <= 20 or null)"),
        (["--folds", "0"], "ensemble.folds is 0"),
        (["--members", "-1"], "ensemble.members is -1"),
        (["--folds", "20"], "20 folds need 20 samples of each class in train and validation together"),
        (["--refit"], "refit needs folds"),
        (["--jobs", "2"], "this recipe trains one network; add --folds or --members"),
        (["--set", "ensemble=5"], "set one of its keys, as in --set ensemble.folds=5"),
    ],
)  # fmt: skip
def test_what_makes_no_ensemble_is_told_in_a_line(invoke, tiny_phantom, tmp_path, options, message) -> None:
    few = ["--set", "data.phantom.n_train=20", "--set", "data.phantom.n_val=10"]
    outcome = invoke("train", "phantom2d", *tiny_phantom, *few, *options)
    assert outcome.status == 2
    assert message in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


SETTINGS = [
    "training.max_epochs=3", "training.weight_averaging=ema", "model.width=4", "model.stem=imagenet", "data.size=16",
    "data.phantom.n_train=200", "data.phantom.n_val=60", "data.phantom.n_test=60", "data.phantom.prevalence=0.3",
    "sampling.batch_size=16", "ensemble.folds=2", "ensemble.refit=true",
]  # fmt: skip


def arguments(home: Path, out: str, *more: str) -> list[str]:
    options = [part for setting in SETTINGS for part in ("--set", setting)]
    return ["train", "phantom2d", *options, "--device", "cpu", "--out", str(home / out), *more]


def start(home: Path, *given: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        medauc_arguments(*arguments(home, *given)),
        cwd=home,
        env=medauc_environment(home),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def kill_in(process: "subprocess.Popen[str]", metrics: Path, epochs: int, how: signal.Signals) -> str:
    """Send a signal when ``metrics`` has so many epochs."""
    while process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) > epochs:
            process.send_signal(how)
            break
        time.sleep(0.005)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0, "the training ended before the signal came"
    return stderr


@pytest.mark.usefixtures("one_thread")
def test_killed_ensembles_end_bit_identical(tmp_path: Path, invoke: Callable) -> None:
    """Killed in the first fold, interrupted in the refit, resumed: nothing is trained twice, all is as without."""
    whole = invoke(*arguments(tmp_path, "whole"))
    assert whole.status == 0, whole.err
    members = tmp_path / "broken" / "members"
    kill_in(start(tmp_path, "broken"), members / "fold0-seed0" / "metrics.csv", 2, signal.SIGKILL)
    assert not (members / "fold1-seed100").exists()
    refit = members / "refit-seed200" / "metrics.csv"
    said = kill_in(start(tmp_path, "broken", "--resume"), refit, 1, signal.SIGINT)
    assert f"medauc train phantom2d --resume --out {tmp_path / 'broken'}" in said.strip().splitlines()[-1]
    assert "Traceback" not in said
    assert not (tmp_path / "broken" / "predictions.csv").exists()
    stamps = {path: path.stat().st_mtime_ns for path in members.glob("fold*/checkpoints/*")}
    again = invoke(*arguments(tmp_path, "broken", "--resume"))
    assert again.status == 0, again.err
    assert stamps == {path: path.stat().st_mtime_ns for path in members.glob("fold*/checkpoints/*")}
    for name in ("predictions.csv", "members.csv", "ensemble.json", "folds.csv", "evaluation.json"):
        assert (tmp_path / "broken" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    for weights in (tmp_path / "whole" / "members").glob("*/checkpoints/best.safetensors"):
        other = tmp_path / "broken" / weights.relative_to(tmp_path / "whole")
        assert weights.read_bytes() == other.read_bytes(), weights.parent.parent.name
    folds = [pd.read_csv(members / f"fold{n}-seed{100 * n}" / "metrics.csv")["val_auc"] for n in (0, 1)]
    best = [auc[auc == auc.max()].index[-1] + 1 for auc in folds]
    epochs = json.loads((tmp_path / "broken" / "ensemble.json").read_text())["refit_epochs"]
    assert epochs == [-(-sum(best) // 2)]
    assert len(pd.read_csv(refit)) == epochs[0]


@pytest.mark.slow
def test_workers_train_the_networks(invoke, tiny_phantom, tmp_path) -> None:
    """Two at a time; their output does not reach the terminal."""
    outcome = invoke("train", "phantom2d", *tiny_phantom, "--members", 2, "--jobs", 2, "--out", "run")
    assert outcome.status == 0, outcome.err
    finished = {path.parent.name for path in (tmp_path / "run" / "members").glob("*/evaluation.json")}
    assert finished == {"seed0", "seed1"}
    assert "of its 2 networks alone" in outcome.out
