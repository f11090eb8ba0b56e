"""``medauc tune`` as a user types it: real trainings, killed in the middle, shared by two, and what comes out of it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from medauc.data import PhantomSpec, load_dataset
from medauc.training import resolve_recipe

COUNTS = {"n_train": 40, "n_val": 40, "n_test": 40, "prevalence": 0.3}
RECIPE = [f"data.phantom.{key}={value}" for key, value in COUNTS.items()] + [
    "data.size=12", "model.width=4", "model.stem=imagenet", "sampling.batch_size=16", "training.max_epochs=3",
]  # fmt: skip
LIMITS = ["--device", "cpu", "--seeds", "2", "--repeats", "1"]
TINY = [part for setting in RECIPE for part in ("--set", setting)] + LIMITS


def table(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "trials.csv").drop(columns="seconds")


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    from conftest import medauc_arguments, medauc_environment

    def begin(*arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            medauc_arguments("tune", "phantom2d", *TINY, *arguments),
            cwd=tmp_path,
            env=medauc_environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return begin


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    while not path.exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def test_a_killed_search_goes_on_as_if_nothing_had_been(invoke, start, tmp_path):
    whole = invoke("tune", "phantom2d", *TINY, "--trials", "4", "--out", "whole")
    assert whole.status == 0, whole.err
    killed = start("--trials", "4", "--out", "killed")
    wait_for(tmp_path / "killed" / "trials" / "0001" / "seed0" / "metrics.csv", killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    goes_on = invoke("tune", "phantom2d", *TINY, "--trials", "4", "--out", "killed")
    assert goes_on.status == 0, goes_on.err
    assert "[1/4] trial 0:" not in goes_on.out, "what was finished is not repeated"
    pd.testing.assert_frame_equal(table(tmp_path / "killed"), table(tmp_path / "whole"))

    assert "which is optimistic: it is the best of" in whole.out
    assert "corrected for that: " in whole.out
    assert "trained anew on 1 fresh split: " in whole.out
    assert whole.out.splitlines()[-1] == f"medauc train phantom2d --recipe {Path('whole') / 'best.yaml'}"
    assert (tmp_path / "whole" / "search.html").exists()
    for predictions in (tmp_path / "whole").rglob("predictions.csv"):
        assert set(pd.read_csv(predictions)["split"]) == {"val"}, "test is never scored"
    assert not list((tmp_path / "whole").rglob("*.ckpt")) + list((tmp_path / "whole").rglob("*.safetensors"))

    best = resolve_recipe("phantom2d", recipe=str(tmp_path / "whole" / "best.yaml")).recipe
    found = table(tmp_path / "whole").sort_values("auc", ascending=False).iloc[0]
    assert best.training.max_epochs == found["training.max_epochs"]
    assert best.optim.lr == found["optim.lr"]


@pytest.mark.slow
def test_test_may_hold_anything_and_the_best_recipe_trains(invoke, tmp_path):
    """Other images and targets in test change no figure of a search."""
    data = load_dataset("phantom2d", size=12, phantom=PhantomSpec(**COUNTS))
    arrays = {f"{name}_images": split.images for name, split in data.splits.items()}
    arrays |= {
        f"{name}_labels": split.targets[:, None].astype(np.uint8) for name, split in data.splits.items()
    }
    other = arrays | {
        "test_images": arrays["test_images"][::-1] // 2,
        "test_labels": 1 - arrays["test_labels"],
    }
    found = []
    for name, content in (("one", arrays), ("other", other)):
        np.savez(tmp_path / f"{name}.npz", **content)
        options = [
            *TINY[len(COUNTS) * 2 + 2 :],
            "--recipe",
            "default/phantom2d",
            "--trials",
            "1",
            "--out",
            f"of {name}",
        ]
        made = invoke("tune", f"{name}.npz", *options)
        assert made.status == 0, made.err
        found.append(table(tmp_path / f"of {name}"))
    pd.testing.assert_frame_equal(*found)
    trained = invoke("train", "one.npz", "--recipe", "of one/best.yaml", "--out", "best", "--device", "cpu")
    assert trained.status == 0, trained.err
    assert (tmp_path / "best" / "report.html").exists()


def test_what_is_wrong_is_told_in_one_line(invoke, tmp_path):
    space = tmp_path / "space.yaml"
    space.write_text("optim.lr: {low: 1, high: 1000}\n")
    kept = {
        ("--space", "space.yaml"): "space.yaml: optim.lr is 1000 (allowed: > 0, <= 100)",
        ("--space", "none.yaml"): "none.yaml: cannot read the search space",
        ("--folds", "3"): "--folds 3: the objective is the validation split; add --objective kfold",
        ("--storage", "me:secret@host"): "--storage: not a URL such as postgresql://user@host:5432/database",
        ("--storage", "foo://x"): "--storage foo://x: ",
        ("--timeout", "0"): "--timeout 0: no training would begin",
        ("--executor", "cloud"): "--executor cloud: it must be local",
    }
    for options, what in kept.items():
        outcome = invoke("tune", "phantom2d", *TINY, *options)
        assert outcome.status == 2
        assert what in outcome.err
        assert len(outcome.err.splitlines()) == 1
        assert "--executor" in options or not (tmp_path / "tune").exists()
    assert invoke("tune", "phantom2d", "--sampler", "magic").status == 2


@pytest.mark.slow
def test_the_trial_of_a_killed_worker_is_retried(start, tmp_path):
    whole, hurt = (start("--trials", "4", "--repeats", "0", "--out", name) for name in ("whole", "hurt"))
    wait_for(tmp_path / "hurt" / "trials" / "0001" / "seed0" / "metrics.csv", hurt)
    children = Path(f"/proc/{hurt.pid}/task/{hurt.pid}/children").read_text().split()
    (worker,) = (pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(int(worker), signal.SIGKILL)
    for process in (whole, hurt):
        said = process.communicate(timeout=600)[0]
        assert process.returncode == 0, said
        assert "failed" not in said
    pd.testing.assert_frame_equal(table(tmp_path / "hurt"), table(tmp_path / "whole"))


@pytest.mark.slow
def test_two_commands_share_one_search_and_a_third_takes_up_what_a_killed_one_left(start, tmp_path):
    options = ["--trials", "10", "--sampler", "random", "--all-trials"]
    first, second = start(*options), start(*options)
    folder = tmp_path / "tune" / "phantom2d" / "default"
    wait_for(folder / "trials" / "0003", first)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    said = second.communicate(timeout=600)[0]
    assert second.returncode == 0, said
    found = table(folder)
    assert list(found["trial"]) == list(range(10))
    assert set(found["state"]) <= {"complete", "pruned"}
    owners = yaml.safe_load((folder / "search.yaml").read_text())["study"]
    assert owners.startswith("default-")
