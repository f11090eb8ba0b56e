"""Real images with several labels, some without a positive in a split, from a folder to the report."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "nih_chest.py"


@pytest.fixture(scope="module")
def chest(nih_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the script makes of every second patient's images."""
    folder = tmp_path_factory.mktemp("chest")
    table = pd.read_csv(nih_dir / "manifest.csv", dtype={"group": str})
    table = table[table["group"].astype(int) % 2 == 1]
    table["path"] = [str(nih_dir / path) for path in table["path"]]
    table.to_csv(folder / "manifest.csv", index=False)
    out = folder / "chest.npz"
    done = subprocess.run([sys.executable, SCRIPT, folder, out], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return out


def test_the_script_keeps_patients_whole_and_every_label_in_training(chest: Path, nih_dir: Path) -> None:
    table = pd.read_csv(nih_dir / "manifest.csv", dtype={"group": str}).set_index("id")
    written = pd.read_csv(chest.with_suffix(".split.csv"), dtype={"group": str}).set_index("id")
    assert written.groupby("group")["split"].nunique().max() == 1
    shares = written["split"].value_counts(normalize=True)
    assert shares["train"] == pytest.approx(0.7, abs=0.08)
    assert shares["val"] == pytest.approx(0.1, abs=0.08)
    with np.load(chest) as data:
        assert data["train_labels"].any(axis=0).all()
        for split in ("train", "val", "test"):
            ids = data[f"{split}_ids"]
            assert data[f"{split}_images"].shape == (len(ids), 64, 64)
            assert (written.loc[ids, "split"] == split).all()
            assert (table.loc[ids, "group"] == data[f"{split}_groups"]).all()
            assert (table.loc[ids, "Effusion"] == data[f"{split}_labels"][:, 2]).all()
            assert (table.loc[ids, "Hernia"] == data[f"{split}_labels"][:, 13]).all()


def test_it_trains_and_labels_without_positives_are_left_out_not_guessed(
    chest: Path, invoke, tmp_path, tiny
) -> None:
    smaller = tmp_path / "small.npz"
    with np.load(chest) as data:
        arrays = {
            name: values[:, ::4, ::4] if name.endswith("images") else values for name, values in data.items()
        }
    arrays["test_labels"] = arrays["test_labels"].copy()
    arrays["test_labels"][:, 13] = 0  # hernia occurs in no test image
    np.savez(smaller, **arrays)
    outcome = invoke("train", smaller, *tiny, "--set", "data.subset.samples=120", "--out", "run")
    assert outcome.status == 0, outcome.err
    assert "14 labels" in outcome.out
    found = pd.read_csv(tmp_path / "run" / "predictions.csv", dtype={"group": str})
    test = found[found["split"] == "test"]
    assert set(test["id"]) == set(arrays["test_ids"])
    assert test.set_index("id")["group"].to_dict() == dict(
        zip(arrays["test_ids"], arrays["test_groups"], strict=True)
    )
    evaluation = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    undefined = json.dumps(evaluation["splits"]["test"])
    assert "NaN" not in undefined
    assert 0 < evaluation["splits"]["test"]["auroc"]["value"] < 1
    assert (tmp_path / "run" / "report.html").exists()
