"""Bad input: exit status 2, one clear line, nothing half-written left behind."""

from pathlib import Path

import numpy as np
import pytest
import torch


def arrays(**changes: object) -> dict[str, np.ndarray]:
    """A valid small file's arrays, with changes; None drops a key."""
    valid: dict[str, object] = {}
    for split in ("train", "val", "test"):
        valid[f"{split}_images"] = np.random.default_rng(0).integers(0, 255, (8, 12, 12)).astype(np.uint8)
        valid[f"{split}_labels"] = np.array([[0], [1]] * 4)
    return {key: value for key, value in (valid | changes).items() if value is not None}


NAN_PIXELS = np.full((8, 12, 12), np.nan, dtype=np.float32)
BROKEN_FILES = {
    "missing key": (arrays(val_labels=None), "val_labels"),
    "wrong dtype": (arrays(train_images=np.zeros((8, 12, 12), dtype=np.int32)), "train_images"),
    "wrong shape": (arrays(test_images=np.zeros((8, 12), dtype=np.uint8)), "test_images"),
    "other count": (arrays(test_labels=np.array([[0], [1]])), "test_labels"),
    "other size in a split": (arrays(val_images=np.zeros((8, 10, 10), dtype=np.uint8)), "val_images"),
    "labels outside 0 and 1": (arrays(train_labels=np.array([[0], [2]] * 4)), "train_labels"),
    "one class only": (arrays(val_labels=np.zeros((8, 1), dtype=int)), "val"),
    "NaN pixels": (arrays(train_images=NAN_PIXELS), "NaN"),
    "empty split": (
        arrays(test_images=np.zeros((0, 12, 12), dtype=np.uint8), test_labels=np.zeros((0, 1), dtype=int)),
        "test",
    ),
    "constant images": (
        arrays(train_images=np.zeros((8, 12, 12), dtype=np.uint8)),
        "same value",
    ),
}


def assert_refused(outcome, *words: str) -> None:
    assert outcome.status == 2, outcome.err
    lines = outcome.err.strip().splitlines()
    assert len(lines) == 1, outcome.err
    for word in words:
        assert word in lines[0]


@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_npz(invoke, tmp_path: Path, case: str) -> None:
    content, word = BROKEN_FILES[case]
    np.savez(tmp_path / "broken.npz", **content)
    assert_refused(
        invoke("train", "broken.npz", "--out", "run"), "broken.npz" if case != "constant images" else "", word
    )
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("content", [b"not a zip", b""], ids=["text", "empty"])
def test_file_that_is_no_npz(invoke, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    assert_refused(invoke("train", "x.npz"), "x.npz")


def test_truncated_npz(invoke, tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", **arrays())
    whole = (tmp_path / "whole.npz").read_bytes()
    for cut in (len(whole) // 3, len(whole) - 10):
        (tmp_path / "cut.npz").write_bytes(whole[:cut])
        assert_refused(invoke("train", "cut.npz"), "cut.npz")


def test_missing_file_and_unknown_name(invoke) -> None:
    assert_refused(invoke("train", "nowhere.npz"), "nowhere.npz")
    assert_refused(invoke("train", "adrenalmnist"), "adrenalmnist3d", "medauc datasets")
    assert_refused(invoke("datasets", "brestmnist"), "breastmnist")


def test_offline_download_says_what_to_do(invoke, tmp_path: Path) -> None:
    assert_refused(invoke("train", "vesselmnist3d", "--data-dir", "data"), "--data-dir", "vesselmnist3d.npz")
    assert not list(tmp_path.rglob("*vesselmnist3d*"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--set", "optim.lr=0"], ["optim.lr", "> 0"]),
        (["--set", "optim.lrr=1"], ["optim.lrr", "did you mean 'lr'"]),
        (["--set", "nonsense"], ["nonsense", "key.path=value"]),
        (["--recipe", "sead"], ["sead", "did you mean 'seed'"]),
        (["--recipe", "no.yaml"], ["no.yaml"]),
        (["--device", "cuda"], ["--device cpu"]),
        (["--set", "model.weights=none.safetensors"], ["none.safetensors"]),
        (["--set", "data.size=7"], ["size", "8", "512"]),
        (["--resume", "--out", "nothing"], ["nothing", "resume"]),
        (["--resume"], ["no run to resume"]),
        (["--set", "optim.batch-size=1"], ["optim.batch-size"]),
        (["--set", "none=1"], ["unknown key none"]),
        (["--seed", str(2**32)], ["--seed"]),
        (["--sed", "1"], ["--sed", "--help"]),
    ],
)
def test_bad_options(invoke, tmp_path: Path, options: list[str], words: list[str]) -> None:
    if "cuda" in options and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    assert_refused(invoke("train", "phantom2d", *options), *words)
    assert not any(path.is_file() for path in tmp_path.rglob("*"))


def test_wrong_usage_is_one_line(invoke) -> None:
    for arguments in (
        ["train"],
        ["train", "phantom2d", "--seed", "-1"],
        ["train", "phantom2d", "--device", "tpu"],
        ["fly"],
    ):
        assert_refused(invoke(*arguments), "--help")


def test_folder_that_cannot_be_written(invoke, tmp_path: Path, tiny_phantom) -> None:
    (tmp_path / "file").write_text("in the way")
    assert_refused(invoke("train", "phantom2d", *tiny_phantom, "--out", "file/run"), "file/run", "--out")
    assert (tmp_path / "file").read_text() == "in the way"


def test_folder_in_use(invoke, tmp_path: Path, tiny_phantom) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    assert_refused(invoke("train", "phantom2d", *tiny_phantom, "--out", "thesis"), "thesis", "not empty")
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.tex"]


def test_resume_with_another_recipe(invoke, tmp_path: Path, tiny_phantom) -> None:
    assert invoke("train", "phantom2d", *tiny_phantom, "--out", "run").status == 0
    assert_refused(
        invoke("train", "phantom2d", "--resume", "--out", "run", "--set", "optim.lr=0.5"),
        "optim.lr (",
        "-> 0.5",
        "--out",
    )
    assert_refused(invoke("train", "phantom2d", "--resume", "--out", "run", "--seed", 9), "seed (0 -> 9)")
    assert_refused(invoke("train", "phantom2d", *tiny_phantom, "--out", "run"), "--resume")


def test_diverging_training_stops_with_advice(invoke, tmp_path: Path, tiny_phantom) -> None:
    huge = [
        "--set",
        "optim={name: sgd, lr: 100, momentum: 0.99, schedule: {name: none}}",
        "--set",
        "loss.activation=none",
    ]
    outcome = invoke(
        "train", "phantom2d", *tiny_phantom, *huge, "--set", "training.max_epochs=20", "--out", "run"
    )
    assert outcome.status == 1
    assert len(outcome.err.strip().splitlines()) == 1
    assert "not finite" in outcome.err or "is nan" in outcome.err or "is inf" in outcome.err
    assert "optim.lr" in outcome.err
    assert not (tmp_path / "run" / "evaluation.json").exists()


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("id,score\n1,0.5\n", "target"),
        ("target,score\n0,nan\n1,0.5\n", "score"),
        ("target,score\n0,inf\n1,0.5\n", "score"),
        ("id,target,score\ntwin,0,0.1\ntwin,1,0.5\n", "twin"),
        ("target,score\n0,0.1\n2,0.5\n", "target"),
        ("target,score\n0,0.1\n0,0.5\n", "negatives"),
        ("target,score\n0,low\n1,high\n", "score"),
        ("split,target,score\nholdout,0,0.1\n", "holdout"),
        ("target,score\n", "no rows"),
        ("", "empty"),
    ],
)
@pytest.mark.parametrize("verb", ["evaluate", "report"])
def test_bad_predictions(invoke, tmp_path: Path, content: str, word: str, verb: str) -> None:
    (tmp_path / "predictions.csv").write_text(content)
    assert_refused(invoke(verb, "predictions.csv"), "predictions.csv", word)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["predictions.csv"]


@pytest.mark.parametrize("verb", ["evaluate", "report"])
def test_nothing_to_evaluate(invoke, tmp_path: Path, verb: str) -> None:
    (tmp_path / "empty").mkdir()
    assert_refused(invoke(verb, "nowhere"), "nowhere")
    assert_refused(invoke(verb, "empty"), "empty", "recipe.yaml")


def test_debug_shows_the_traceback(invoke) -> None:
    outcome = invoke("train", "nonsense", "--debug")
    assert outcome.status == 2
    assert "Traceback" in outcome.err
    assert outcome.err.strip().splitlines()[-1].startswith("medauc: unknown data set 'nonsense'")
