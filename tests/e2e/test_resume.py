"""A run that was interrupted and resumed ends bit-identical to one that was not: real processes, real signals.

What is interrupted has a process of its own; what runs to its end does so in this one, which has PyTorch already.
"""

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from conftest import medauc_arguments, medauc_environment

SETTINGS = [
    "training.max_epochs=12", "training.weight_averaging=ema", "model.width=4", "model.stem=imagenet",
    "data.size=16", "data.phantom.n_train=600", "data.phantom.n_val=60", "data.phantom.n_test=60",
    "data.phantom.prevalence=0.3", "sampling.batch_size=16", "augment={flip: 0.5, rotation: 20}",
]  # fmt: skip
PESG = [
    "optim={name: pesg, lr: 0.1, schedule: {name: stages, epochs: [4, 8]}}",
    "loss.version=v1",
    "training.patience=5",
]
ADAMW = ["optim={name: adamw, lr: 0.003, schedule: {name: one_cycle}}", "training.patience=null"]
MIXED = [
    *ADAMW,
    "augment={flip: 0.5, rotation: 20, elastic: 0.05, warp_share: 0.7, blur: 0.5, speckle: 0.1, erase: 0.2, "
    "mixup: 0.4, mixup_partners: any}",
    "evaluation.test_time_augmentation=random",
    "evaluation.test_time_copies=3",
]

BAGS = [*ADAMW, "data.phantom.n_train=150", "data.phantom.bag_images=4", "data.bags.max_images=2"]


def train(home: Path, out: str, settings: list[str], *more: str) -> list[str]:
    options = [part for setting in SETTINGS + settings for part in ("--set", setting)]
    return ["train", "phantom2d", *options, "--device", "cpu", "--out", str(home / out), *more]


@pytest.fixture
def finish(invoke: Callable, one_thread: None) -> Callable[[list[str]], str]:
    """Run a training to its end; gives what it printed, its epochs aside."""

    def run(arguments: list[str]) -> str:
        done = invoke(*arguments)
        assert done.status == 0, done.err
        return without_epochs(done.out)

    return run


def without_epochs(printed: str) -> str:
    """They have the seconds that they took, and a resumed training has but some of them."""
    return "".join(line for line in printed.splitlines(keepends=True) if not line.startswith("epoch "))


def interrupt(home: Path, arguments: list[str], folder: Path, epochs: int, how: signal.Signals) -> str:
    """Start a training, wait until it has written ``epochs`` rows, and send it a signal in the middle of the next."""
    process = subprocess.Popen(
        medauc_arguments(*arguments),
        cwd=home,
        env=medauc_environment(home),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    metrics = folder / "metrics.csv"
    while process.poll() is None:
        if metrics.exists() and len(metrics.read_text().splitlines()) > epochs:
            time.sleep(0.02)
            process.send_signal(how)
            break
        time.sleep(0.005)
    _, stderr = process.communicate(timeout=120)
    assert process.returncode != 0, "the training ended before the signal came"
    return stderr


def weights_and_tables(folder: Path) -> tuple[bytes, bytes, pd.DataFrame]:
    history = pd.read_csv(folder / "metrics.csv").drop(columns="seconds")
    return (
        (folder / "checkpoints" / "best.safetensors").read_bytes(),
        (folder / "predictions.csv").read_bytes(),
        history,
    )


@pytest.mark.parametrize("settings", [PESG, ADAMW, MIXED, BAGS], ids=["pesg", "adamw", "mixed", "bags"])
def test_killed_runs_end_bit_identical(tmp_path: Path, finish: Callable, settings: list[str]) -> None:
    finish(train(tmp_path, "whole", settings))
    arguments = train(tmp_path, "broken", settings)
    folder = tmp_path / "broken"
    interrupt(tmp_path, arguments, folder, 2, signal.SIGKILL)
    said = interrupt(tmp_path, [*arguments, "--resume"], folder, 4, signal.SIGINT)
    assert "--resume" in said.strip().splitlines()[-1]
    assert "Traceback" not in said
    assert not (folder / "predictions.csv").exists()
    before = pd.read_csv(folder / "metrics.csv")
    finish([*arguments, "--resume"])
    after = pd.read_csv(folder / "metrics.csv")
    finished = len(before) - 1  # the signal may have come between the last row and its checkpoint
    assert 3 <= finished < len(after) - 1
    assert (after.seconds[:finished] == before.seconds[:finished]).all()  # none of them was trained again

    whole, broken = weights_and_tables(tmp_path / "whole"), weights_and_tables(folder)
    assert whole[0] == broken[0]
    assert whole[1] == broken[1]
    pd.testing.assert_frame_equal(whole[2], broken[2], check_exact=True)
    assert (folder / "reference.npz").read_bytes() == (tmp_path / "whole" / "reference.npz").read_bytes()


def test_killed_after_the_last_epoch_trains_no_epoch_more(tmp_path: Path, finish: Callable) -> None:
    """Early stopping has decided, the process dies before predicting: the decision must stand."""
    out = finish(train(tmp_path, "run", PESG))
    before = weights_and_tables(tmp_path / "run")
    history = before[2]
    assert len(history) == history.val_auc.argmax() + 1 + 5 < 12, "this run is meant to stop early"
    for name in ("predictions.csv", "evaluation.json", "report.html"):
        (tmp_path / "run" / name).unlink()
    assert finish(train(tmp_path, "run", PESG, "--resume")) == out
    after = weights_and_tables(tmp_path / "run")
    assert before[:2] == after[:2]
    pd.testing.assert_frame_equal(before[2], after[2], check_exact=True)


def test_resuming_a_finished_run_repeats_its_answer(invoke, tmp_path, tiny_phantom) -> None:
    first = invoke("train", "phantom2d", *tiny_phantom, "--out", "run")
    stamp = (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_mtime_ns
    again = invoke("train", "phantom2d", "--resume", "--out", "run")
    assert again.status == 0
    assert [line.partition(":")[0] for line in first.out.splitlines()[1:3]] == ["epoch 1/2", "epoch 2/2"]
    printed = without_epochs(first.out)
    assert again.out.replace("this run is finished; its result:\n", "") == printed != again.out
    refused = invoke("train", "phantom2d", "--resume", "--out", "run", "--set", "loss.margin=0.5")
    assert refused.status == 2
    assert "its result" not in refused.out
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").stat().st_mtime_ns == stamp
