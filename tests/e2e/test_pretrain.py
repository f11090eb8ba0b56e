"""``medauc pretrain``, then ``medauc train`` from its weights, by the command line."""

from pathlib import Path

import yaml


def test_pretrain_then_train(invoke, tmp_path: Path, tiny_phantom: list[str]) -> None:
    weights = tmp_path / "start.safetensors"
    learned = invoke("pretrain", "phantom2d", "--method", "self-supervised", "--out", weights, *tiny_phantom)
    assert learned.status == 0, learned.err
    assert "learned from the training split of phantom2d (60 images)" in learned.out
    assert "epoch 2 of 2: loss" in learned.err
    options = [*tiny_phantom, "--set", f"model.weights={weights}"]
    trained = invoke("train", "phantom2d", *options, "--out", "run")
    assert trained.status == 0, trained.err
    recorded = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())["run"]["weights_md5"]
    assert len(recorded) == 32
    other = invoke("pretrain", "phantom2d", "--out", weights, "--seed", "1", *tiny_phantom)
    assert other.status == 0, other.err
    (tmp_path / "run" / "evaluation.json").unlink()
    refused = invoke("train", "phantom2d", *options, "--out", "run", "--resume")
    assert refused.status == 2
    assert "weights_md5" in refused.err
    folds = invoke("train", "phantom2d", *options, "--out", "folds", "--folds", "3")
    assert folds.status == 2
    assert "folds hold out in turn" in folds.err
    assert not (tmp_path / "folds").exists()
