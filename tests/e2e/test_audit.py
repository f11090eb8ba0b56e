"""``medauc audit`` as a user calls it: what it promises on real and on made data."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fixtures.textures import textures

LABELS = (
    "Atelectasis,Cardiomegaly,Effusion,Infiltration,Mass,Nodule,Pneumonia,Pneumothorax,Consolidation,Edema,"
    "Emphysema,Fibrosis,Pleural_Thickening,Hernia"
)


def audit_of(folder: Path) -> dict:
    return json.loads((folder / "audit.json").read_text())


def checks(audit: dict, severity: str) -> set[str]:
    return {finding["check"] for finding in audit["findings"] if finding["severity"] == severity}


@pytest.fixture
def made_npz(tmp_path: Path) -> Path:
    """A set of 100 images in which one test image is a training image, and a patient is in train and test."""
    images, labels = textures(100), np.arange(100) % 2
    images[90] = images[4]
    parts = {"train": slice(0, 50), "val": slice(50, 70), "test": slice(70, 100)}
    groups = np.arange(100)
    groups[91] = 5
    arrays = {}
    for name, rows in parts.items():
        arrays |= {
            f"{name}_images": images[rows],
            f"{name}_labels": labels[rows],
            f"{name}_groups": groups[rows],
        }
    np.savez(tmp_path / "made.npz", **arrays)
    return tmp_path / "made.npz"


def test_duplicates_of_the_official_breast_set(invoke, medmnist_dir: Path, tmp_path: Path) -> None:
    """Counted by hand from the arrays: exactly one image is in two splits pixel for pixel, with both labels."""
    outcome = invoke("audit", "breastmnist", "--data-dir", medmnist_dir, "--out", "out")
    assert outcome.status == 3, outcome.err
    audit = audit_of(tmp_path / "out")
    assert {"duplicates across splits", "label conflict, exact"} <= checks(audit, "invalid")
    exact = [pair for pair in audit["duplicates"]["pairs"] if pair["kind"] == "exact"]
    assert [(pair["first"], pair["second"]) for pair in exact] == [("train-00115", "test-00076")]
    assert audit["duplicates"]["images_with_twin"]["test"] == pytest.approx(42, abs=3)
    refits = [
        e
        for e in audit["duplicates"]["effects"]
        if e["model"].startswith("nearest") and "fitting" in e["statement"]
    ]
    assert refits[0]["difference"]["low"] > 0  # a nearest neighbour lives on the copies
    assert "test images (" in outcome.out
    page = (tmp_path / "out" / "audit.html").read_text()
    assert page.count('<div class="pair">') > 20


def test_exact_duplicates_of_the_official_pneumonia_set(medmnist_dir: Path) -> None:
    """Against a count by bytes, independent of digests: 27 pictures occur more than once, 8 of them in two splits."""
    from medauc.audit.collection import collection_of
    from medauc.audit.duplicates import find_duplicates
    from medauc.data import load_dataset

    made = collection_of(load_dataset("pneumoniamnist", data_dir=medmnist_dir))
    found = find_duplicates(made.images.measure(), made.images.pixels)
    with np.load(medmnist_dir / "pneumoniamnist.npz") as arrays:
        seen: dict[bytes, list[int]] = {}
        images = np.concatenate([arrays[f"{name}_images"] for name in ("train", "val", "test")])
        for row, image in enumerate(images):
            seen.setdefault(image.tobytes(), []).append(row)
    expected = {(rows[0], other) for rows in seen.values() for other in rows[1:]}
    assert len([rows for rows in seen.values() if len(rows) > 1]) == 27
    assert {tuple(pair) for pair in found.pairs[found.exact].tolist()} == expected


def test_a_made_set_with_a_run(invoke, made_npz: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [f"test-{number:05d}" for number in range(30)]
    scores = pd.DataFrame(
        {"split": "test", "id": rows, "target": np.arange(30) % 2, "score": rng.normal(size=30)}
    )
    scores.to_csv(tmp_path / "net.csv", index=False)
    outcome = invoke("audit", made_npz, "--run", "net.csv", "--out", "out")
    assert outcome.status == 3, outcome.err
    audit = audit_of(tmp_path / "out")
    assert checks(audit, "invalid") == {"duplicates across splits", "patients across splits"}
    assert audit["leaking_groups"] == ["5"]
    assert [
        effect["n_removed"] for effect in audit["duplicates"]["effects"] if effect["model"] == "net.csv"
    ] == [1]


def test_arrays_in_a_folder_are_audited_though_a_patient_leaks(
    invoke, made_npz: Path, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    with np.load(made_npz) as parts:
        for key, name in (("images", "images"), ("labels", "targets"), ("groups", "groups")):
            np.save(
                tmp_path / "own" / f"{name}.npy",
                np.concatenate([parts[f"{split}_{key}"] for split in ("train", "val", "test")]),
            )
    np.save(tmp_path / "own" / "splits.npy", np.repeat(["train", "val", "test"], (50, 20, 30)))
    outcome = invoke("audit", "own", "--out", "out")
    assert outcome.status == 3, outcome.err
    audit = audit_of(tmp_path / "out")
    assert checks(audit, "invalid") == {"duplicates across splits", "patients across splits"}
    assert audit["leaking_groups"] == ["5"]
    refused = invoke("train", "own", "--out", "run")
    assert refused.status == 2
    assert "more than one split" in refused.err


def test_a_pipe_in_a_manifest_is_a_row(invoke, tmp_path: Path) -> None:
    for number, image in enumerate(textures(4)):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    os.mkfifo(tmp_path / "4.png")
    table = pd.DataFrame({"path": [f"{number}.png" for number in range(5)], "target": [0, 1, 0, 1, 0]})
    table.to_csv(tmp_path / "m.csv", index=False)
    outcome = invoke("audit", "m.csv", "--jobs", "1", "--out", "out")
    assert outcome.status == 3, outcome.err
    (failure,) = audit_of(tmp_path / "out")["failures"]
    assert failure["id"] == "4.png"
    assert "a pipe" in failure["error"]


def test_a_clean_set_exits_with_0_and_prints_json(invoke, tmp_path: Path) -> None:
    counts = [
        "--set",
        "data.phantom.n_train=60",
        "--set",
        "data.phantom.n_val=20",
        "--set",
        "data.phantom.n_test=20",
    ]
    outcome = invoke("audit", "phantom2d", "--set", "data.size=12", *counts, "--json")
    assert outcome.status == 0, outcome.err
    assert json.loads(outcome.out) == audit_of(tmp_path / "audit" / "phantom2d")


def test_a_folder_of_files_with_a_broken_one(invoke, tmp_path: Path) -> None:
    for split, count, seed in (("train", 40, 0), ("val", 12, 1), ("test", 12, 2)):
        for number, image in enumerate(textures(count, seed=seed)):
            folder = tmp_path / "set" / split / ("sick" if number % 2 else "healthy")
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(folder / f"{number:03d}.png")
    whole = (tmp_path / "set" / "test" / "sick" / "001.png").read_bytes()
    (tmp_path / "set" / "test" / "sick" / "001.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "set" / "test" / "sick" / "099.png").write_bytes(b"no image")
    outcome = invoke("audit", "set", "--set", "data.positive_class=sick", "--jobs", "1", "--out", "out")
    assert outcome.status == 3, outcome.err
    audit = audit_of(tmp_path / "out")
    assert checks(audit, "invalid") == {"unreadable"}
    assert [f["ids"] for f in audit["findings"] if f["check"] == "passed over"] == [["test/sick/099.png"]]
    assert [failure["id"] for failure in audit["failures"]] == ["test/sick/001.png"]
    assert {split["name"]: split["positive"]["sick"] for split in audit["splits"]} == {
        "train": 20,
        "val": 6,
        "test": 6,
    }


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere.npz"], "nowhere.npz"),
        (["nowhere.csv"], "nowhere.csv"),
        (["brestmnist"], "breastmnist"),
        (["phantom2d", "--near", "2"], "--near"),
        (["phantom2d", "--run", "nowhere"], "nowhere"),
        (["phantom2d", "--hash-ids", ""], "salt"),
        (["phantom2d", "--set", "data.sise=3"], "sise"),
    ],
)
def test_bad_input_is_one_line(invoke, arguments: list[str], word: str) -> None:
    outcome = invoke("audit", *arguments)
    assert outcome.status == 2
    assert len(outcome.err.strip().splitlines()) == 1
    assert word in outcome.err


WHOLE = [pytest.param(True, marks=pytest.mark.slow, id="whole"), pytest.param(False, id="part")]


@pytest.mark.parametrize("whole", WHOLE)
def test_the_thirty_leaking_patients_and_the_view_of_the_chest_set(
    invoke, nih_dir: Path, tmp_path: Path, whole: bool
) -> None:
    """Of all 1,000 images, and of those patients and an eighth of the others."""
    table = pd.read_csv(nih_dir / "manifest.csv", dtype=str)
    splits = table.groupby("group")["split_of_source"].nunique()
    if not whole:
        leaking = table["group"].isin(splits[splits > 1].index)
        one_a_split = table[leaking].drop_duplicates(["group", "split_of_source"])
        table = pd.concat([one_a_split, table[~leaking].iloc[::8]])
    table.to_csv(tmp_path / "chest.csv", index=False)
    outcome = invoke(
        "audit",
        "chest.csv",
        "--root",
        nih_dir,
        "--columns",
        "split=split_of_source",
        "--set",
        f"data.columns.targets=[{LABELS}]",
        "--jobs",
        "1",
        "--out",
        "out",
    )
    assert outcome.status == 3, outcome.err
    audit = audit_of(tmp_path / "out")
    assert sorted(audit["leaking_groups"]) == sorted(splits[splits > 1].index)
    assert len(audit["leaking_groups"]) == 30
    assert audit["columns_that_say_the_label"] == ["abnormal_folder"]
    if whole:
        assert "view" in {found["feature"] for found in audit["associations"]}


@pytest.mark.parametrize("whole", WHOLE)
def test_the_size_shortcut_of_the_nodules(invoke, lidc_dir: Path, tmp_path: Path, whole: bool) -> None:
    """Of all 994 crops, and of a fifth of them."""
    table = pd.read_csv(lidc_dir / "manifest.csv", dtype=str)
    table.iloc[:: 1 if whole else 5].to_csv(tmp_path / "nodules.csv", index=False)
    outcome = invoke("audit", "nodules.csv", "--root", lidc_dir, "--jobs", "1", "--out", "out")
    assert outcome.status == 0, outcome.err
    audit = audit_of(tmp_path / "out")
    (size,) = [found for found in audit["shortcuts"] if found["kind"] == "acquisition"]
    assert size["flagged"]
    assert size["strongest"][0]["name"] in {"depth (mm)", "volume (mm3)"}
    assert size["strongest"][0]["auc"]["low"] > 0.7
    assert audit["duplicates"]["n_exact"] == 0
    assert "depth (mm)" in outcome.out
