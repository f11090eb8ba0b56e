"""``medauc train`` on phantoms, real files and own files, as a user runs it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from safetensors.numpy import load_file

from fixtures.medmnist_format import write_generated
from medauc.metrics import roc_auc


def read_evaluation(folder: Path) -> dict:
    return json.loads((folder / "evaluation.json").read_text())


def test_phantom_leaves_a_complete_run_folder(invoke, tmp_path, tiny_phantom, assert_complete) -> None:
    outcome = invoke("train", "phantom2d", *tiny_phantom)
    assert outcome.status == 0, outcome.err
    folder = tmp_path / "runs" / "phantom2d_16" / "default-seed0"
    assert_complete(folder)

    last = outcome.out.strip().splitlines()
    evaluation = read_evaluation(folder)
    auroc = evaluation["splits"]["test"]["auroc"]
    assert f"test AUC {auroc['value']:.3f} [95% {auroc['low']:.3f} to {auroc['high']:.3f}" in outcome.out
    assert "any observer" in outcome.out
    assert "runs/phantom2d_16/default-seed0" in last[-1]

    predictions = pd.read_csv(folder / "predictions.csv")
    test = predictions[predictions.split == "test"]
    assert auroc["value"] == pytest.approx(roc_auc(test.target, test.score), abs=1e-12)
    assert (evaluation["splits"]["test"]["n"], evaluation["splits"]["test"]["n_positive"]) == (60, 18)
    assert set(predictions.split) == {"val", "test"}

    history = pd.read_csv(folder / "metrics.csv")
    assert list(history.columns) == [
        "stage",
        "epoch",
        "loss",
        "a",
        "b",
        "alpha",
        "lr",
        "train_auc",
        "val_auc",
        "seconds",
    ]
    assert list(history.epoch) == [0, 1]
    recorded = yaml.safe_load((folder / "recipe.yaml").read_text())
    assert recorded["run"]["seed"] == 0
    assert recorded["data"]["size"] == 16
    assert len(recorded["run"]["data_md5"]) == 32


def test_best_weights_are_those_of_the_best_validation_epoch(invoke, tiny_phantom, monkeypatch) -> None:
    """Told that the second of three epochs was the best, the run must score with that epoch's weights."""
    from medauc.training import callbacks

    told, real = iter([0.6, 0.9, 0.7]), []

    def pretend(targets: np.ndarray, scores: np.ndarray) -> float:
        if len(targets) != 40:  # not the validation split
            return mean_auc(targets, scores)
        real.append(mean_auc(targets, scores))
        return next(told)

    mean_auc = callbacks.mean_auc
    monkeypatch.setattr(callbacks, "mean_auc", pretend)
    settings = [
        "training.max_epochs=3",
        "evaluation.test_time_augmentation=none",
        "training.weight_averaging=none",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
    assert invoke("train", "phantom2d", *tiny_phantom, *options, "--out", "run").status == 0
    val = pd.read_csv("run/predictions.csv").query("split == 'val'")
    assert roc_auc(val.target, val.score) == pytest.approx(real[1], abs=1e-12)
    assert len(set(real)) == 3, "epochs must differ for this test"


@pytest.mark.parametrize("name", ["breastmnist", "pneumoniamnist", "adrenalmnist3d", "vesselmnist3d"])
@pytest.mark.parametrize("recipe", ["default", "seed"])
def test_official_files(
    invoke, tmp_path, medmnist_dir, tiny, assert_complete, name: str, recipe: str
) -> None:
    one = ["--set", "training.max_epochs=1", "--set", "sampling.batch_size=128"]
    outcome = invoke("train", name, "--recipe", recipe, "--data-dir", medmnist_dir, *tiny, *one)
    assert outcome.status == 0, outcome.err
    folder = tmp_path / "runs" / name / f"{recipe}-seed0"
    assert_complete(folder)
    assert "best published from scratch" in outcome.out
    run = yaml.safe_load((folder / "recipe.yaml").read_text())["run"]
    assert run["data_modified"] is False
    if name == "breastmnist":
        assert run["positive_class"] == "malignant"
        assert read_evaluation(folder)["splits"]["test"]["n_positive"] == 42
        assert "malignant" in (folder / "report.html").read_text()


@pytest.mark.parametrize("name", ["chestmnist", "nodulemnist3d", "synapsemnist3d"])
@pytest.mark.parametrize("recipe", ["default", "seed"])
def test_generated_files_of_the_exact_format(
    invoke, tmp_path, tiny, assert_complete, name: str, recipe: str
) -> None:
    write_generated(tmp_path, name)
    options = ["--data-dir", tmp_path, "--recipe", recipe, *tiny, "--set", "training.max_epochs=1"]
    refused = invoke("train", name, *options)
    assert refused.status == 2
    assert "MD5" in refused.err
    assert "--allow-modified" in refused.err
    assert not (tmp_path / "runs").exists()
    outcome = invoke("train", name, *options, "--allow-modified")
    assert outcome.status == 0, outcome.err
    folder = tmp_path / "runs" / name / f"{recipe}-seed0"
    assert_complete(folder)
    assert yaml.safe_load((folder / "recipe.yaml").read_text())["run"]["data_modified"] is True
    if name == "chestmnist":
        columns = pd.read_csv(folder / "predictions.csv").columns
        assert sum(column.startswith("score_") for column in columns) == 14


def own_file(path: Path, shape: tuple[int, ...], labels: int = 1) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in {"train": 40, "val": 20, "test": 20}.items():
        targets = rng.integers(0, 2, (count, labels))
        targets[:2] = [[0] * labels, [1] * labels]
        images = rng.integers(0, 180, (count, *shape)).astype(np.uint8)
        images[targets[:, 0] == 1] += 60
        arrays |= {f"{split}_images": images, f"{split}_labels": targets}
        arrays |= {
            f"{split}_ids": np.array([f"{split}{i}" for i in range(count)]),
            f"{split}_groups": np.array([f"patient {split}{i // 2}" for i in range(count)]),
        }
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    ("shape", "labels"),
    [((20, 20), 1), ((20, 20, 3), 1), ((12, 12, 12), 1), ((20, 20), 3), ((12, 12, 12), 2)],
)
def test_own_file(invoke, tmp_path, tiny, assert_complete, shape: tuple[int, ...], labels: int) -> None:
    own_file(tmp_path / "hospital.npz", shape, labels)
    outcome = invoke("train", "hospital.npz", *tiny, "--out", "run", "--seed", 3)
    assert outcome.status == 0, outcome.err
    assert_complete(tmp_path / "run")
    predictions = pd.read_csv("run/predictions.csv")
    assert set(predictions.query("split == 'test'").id) == {f"test{i}" for i in range(20)}
    assert predictions.group.iloc[0] == "patient val0"


def test_equal_seeds_are_equal_and_a_recorded_recipe_repeats_the_run(invoke, tmp_path, tiny_phantom) -> None:
    assert invoke("train", "phantom2d", *tiny_phantom, "--seed", 5, "--out", "first").status == 0
    again = invoke(
        "train", "phantom2d", "--recipe", "first/recipe.yaml", "--device", "cpu", "--out", "second"
    )
    assert again.status == 0, again.err
    assert invoke("train", "phantom2d", *tiny_phantom, "--seed", 6, "--out", "third").status == 0
    scores = [pd.read_csv(f"{name}/predictions.csv").score for name in ("first", "second", "third")]
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


@pytest.mark.parametrize(
    "settings",
    [
        ["loss.name=cross_entropy", "optim.name=adamw", "optim.lr=0.001"],
        [
            "loss.name=cross_entropy",
            "loss.positive_weight=balanced",
            "optim.name=sgd",
            "sampling.positive_share=null",
        ],
        ["loss.version=v1", "optim.name=pesg", "optim.lr=0.1", "optim.schedule={name: stages, epochs: [1]}"],
        ["optim.name=pesg", "optim.momentum_style=libauc", "optim.schedule.name=cosine"],
        ["optim.name=sgd", "training.weight_averaging=swa", "training.swa_start=0.5"],
        ["training.weight_averaging=ema", "training.patience=1"],
        ["model.name=fullres", "model.stem=full"],
        [
            "data.normalization=unit",
            "augment={voxel_scaling: true, quarter_turns: true, noise: 0.1, gamma: 0.2}",
        ],
        ["augment=none", "evaluation.calibration=none"],
    ],
)
def test_options_of_the_recipe_train(
    invoke, tmp_path, tiny_phantom, assert_complete, settings: list[str]
) -> None:
    options = [part for setting in settings for part in ("--set", setting)]
    outcome = invoke("train", "phantom2d", *tiny_phantom, *options, "--out", "run")
    assert outcome.status == 0, outcome.err
    assert_complete(tmp_path / "run")


def test_acs_starts_from_2d_weights(invoke, tmp_path, tiny_phantom) -> None:
    assert invoke("train", "phantom2d", *tiny_phantom, "--out", "flat").status == 0
    options = ["--set", "model.conversion=acs", "--set", "model.weights=flat/checkpoints/best.safetensors"]
    outcome = invoke("train", "phantom3d", *tiny_phantom, *options, "--out", "solid")
    assert outcome.status == 0, outcome.err
    flat, solid = (load_file(f"{name}/checkpoints/best.safetensors") for name in ("flat", "solid"))
    assert {name: value.shape for name, value in flat.items()} == {
        name: value.shape for name, value in solid.items()
    }


def test_checkpoints_load_without_executing_code(invoke, tmp_path, tiny_phantom) -> None:
    assert invoke("train", "phantom2d", *tiny_phantom, "--out", "run").status == 0
    assert "state_dict" in torch.load("run/checkpoints/last.ckpt", weights_only=True)


def test_a_second_run_takes_a_new_folder(invoke, tmp_path, tiny_phantom) -> None:
    for _ in range(2):
        assert invoke("train", "phantom2d", *tiny_phantom).status == 0
    assert sorted(path.name for path in (tmp_path / "runs" / "phantom2d_16").iterdir()) == [
        "default-seed0",
        "default-seed0-2",
    ]


def test_early_stopping_waits_for_its_patience(invoke, tmp_path, tiny_phantom) -> None:
    flat = ["--set", "optim={name: sgd, lr: 1.0e-12, momentum: 0, schedule: {name: none}}"]
    frozen = [
        *flat,
        "--set",
        "training.weight_averaging=none",
        "--set",
        "training.max_epochs=20",
        "--set",
        "augment=none",
    ]
    patience = ["--set", "training.patience=3"]
    assert invoke("train", "phantom2d", *tiny_phantom, *frozen, *patience, "--out", "run").status == 0
    history = pd.read_csv("run/metrics.csv")
    first_best = history.val_auc.argmax()
    assert len(history) == first_best + 1 + 3


def test_best_weights_are_the_average_that_validation_scored(invoke, tiny_phantom, monkeypatch) -> None:
    """SWA from the first epoch: the weights saved after epoch k are the mean of the iterates after epochs 0 to k."""
    from medauc.training import callbacks
    from medauc.training.module import Classifier

    iterates: list[torch.Tensor] = []
    saved: dict[int, torch.Tensor] = {}

    def flat(network: torch.nn.Module) -> torch.Tensor:
        return torch.cat([p.detach().double().flatten() for p in network.parameters()])

    def remember(network: torch.nn.Module, path: Path) -> None:
        saved[len(iterates)] = flat(network)  # validation comes before the end of its epoch
        save(network, path)

    save = callbacks.save_weights
    monkeypatch.setattr(callbacks, "save_weights", remember)
    monkeypatch.setattr(Classifier, "on_train_epoch_end", lambda self: iterates.append(flat(self.network)))
    settings = [
        "training.weight_averaging=swa",
        "training.swa_start=0",
        "training.max_epochs=5",
        "optim.lr=0.001",
    ]
    options = [part for setting in settings for part in ("--set", setting)]
    assert invoke("train", "phantom2d", *tiny_phantom, *options, "--out", "run").status == 0
    assert len(iterates) == 5
    assert max(saved) > 0, "a later epoch must be the best for this test"
    for epoch, weights in saved.items():
        mean = torch.stack(iterates[: epoch + 1]).mean(dim=0)
        torch.testing.assert_close(weights, mean, rtol=1e-5, atol=1e-7)


def test_a_used_folder_is_refused_by_the_library_too(invoke, tiny_phantom) -> None:
    from medauc.errors import InputError
    from medauc.training import resolve, train

    assert invoke("train", "phantom2d", *tiny_phantom, "--out", "run").status == 0
    plan = resolve("phantom2d", recipe="run/recipe.yaml")
    before = Path("run/recipe.yaml").read_bytes()
    with pytest.raises(InputError, match="--resume"):
        train(plan.dataset, plan.recipe, Path("run"), seed=1)
    assert Path("run/recipe.yaml").read_bytes() == before


def test_large_own_images(invoke, tmp_path, tiny, assert_complete) -> None:
    own_file(tmp_path / "large.npz", (600, 520), 1)
    small = ["--set", "training.max_epochs=1", "--set", "sampling.batch_size=4", "--set", "augment=none"]
    outcome = invoke("train", "large.npz", *tiny, *small, "--out", "run")
    assert outcome.status == 0, outcome.err
    assert_complete(tmp_path / "run")
    assert invoke("report", "run").status == 0


def test_a_last_batch_of_one_is_left_out(invoke, tmp_path, tiny) -> None:
    own_file(tmp_path / "odd.npz", (12, 12), 3)  # 40 training samples
    outcome = invoke("train", "odd.npz", *tiny, "--set", "sampling.batch_size=13", "--out", "run")
    assert outcome.status == 0, outcome.err
