"""``medauc predict`` as a user runs it: on files of what was trained on, on bad files, on a pipe."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image


@pytest.fixture
def finished(invoke, tiny_phantom, tmp_path) -> Path:
    outcome = invoke("train", "phantom2d", *tiny_phantom, "--out", "run")
    assert outcome.status == 0, outcome.err
    return tmp_path / "run"


def hospital(folder: Path) -> pd.DataFrame:
    """Sixty images of two shapes in a folder, and a manifest with splits and patients."""
    rng, rows = np.random.default_rng(0), []
    (folder / "images").mkdir(parents=True)
    for number in range(60):
        target, side = int(number % 3 == 0), 20 + number % 2
        pixels = rng.integers(0, 120, (side, 20), dtype=np.uint8)
        pixels[5:15, 5:15] += np.uint8(60 * target)
        Image.fromarray(pixels).save(folder / "images" / f"case{number}.png")
        split = "train" if number < 36 else "val" if number < 48 else "test"
        rows.append((f"images/case{number}.png", target, f"patient{number}", split))
    table = pd.DataFrame(rows, columns=["path", "target", "patient", "split"])
    table.to_csv(folder / "manifest.csv", index=False)
    return table


def test_a_model_of_own_files_scores_them_as_its_training_did(invoke, tiny, tmp_path) -> None:
    """Train on a manifest, predict with the same manifest, a folder, a file; then on what is unlike all of it."""
    hospital(tmp_path / "set")
    settings = ["--set", "data.size=16", "--set", "sampling.batch_size=16"]
    trained = invoke("train", tmp_path / "set" / "manifest.csv", *tiny, *settings, "--out", "run")
    assert trained.status == 0, trained.err
    own = pd.read_csv(tmp_path / "run" / "predictions.csv").set_index("id")["score"]

    outcome = invoke(
        "predict", "run", tmp_path / "set" / "manifest.csv", "--out", "all.csv", "--device", "cpu"
    )
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("scored 60 of 60 (")
    assert outcome.out.endswith("; written: all.csv\n")
    table = pd.read_csv(tmp_path / "all.csv").set_index("id")
    np.testing.assert_allclose(table.score[own.index], own, rtol=1e-5, atol=1e-6)
    assert table.error.isna().all()
    assert not table.warnings.fillna("").str.contains("size").any()

    rng = np.random.default_rng(1)
    Image.fromarray(rng.integers(0, 256, (20, 20), dtype=np.uint8)).save(tmp_path / "noise.png")
    Image.fromarray(rng.integers(0, 256, (90, 20), dtype=np.uint8)).save(tmp_path / "tall.png")
    outcome = invoke("predict", "run", "noise.png", "tall.png", tmp_path / "set" / "images" / "case3.png")
    assert outcome.status == 0, outcome.err
    found = pd.read_csv(io.StringIO(outcome.out)).set_index("id")
    assert found.score["case3"] == pytest.approx(table.score["images/case3.png"], abs=1e-6)
    assert "unlike the training images" in found.warnings["noise"]
    assert "size 90 x 20 (trained on 20 x 20 to 21 x 20)" in found.warnings["tall"]


def test_bad_files_are_rows_and_only_nothing_scored_is_a_failure(invoke, finished, tmp_path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(folder / "good.png")
    (folder / "bad.dcm").write_bytes(b"no DICOM")
    outcome = invoke("predict", finished, folder / "bad.dcm", folder / "good.png")
    assert outcome.status == 0, outcome.err
    assert outcome.err.splitlines()[-1].endswith("1 with errors")
    table = pd.read_csv(io.StringIO(outcome.out)).set_index("id")
    assert table.error.notna().tolist() == [True, False]
    assert table.score.notna().tolist() == [False, True]

    outcome = invoke("predict", finished, folder / "bad.dcm", "--out", "none.csv")
    assert outcome.status == 2
    assert "none of the 1 images could be scored; the first:" in outcome.err.splitlines()[-1]
    assert len(pd.read_csv(tmp_path / "none.csv")) == 1  # the reasons are kept
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing", "good.png"], "nothing: not a run folder"),
        (["run", "gone.png"], "gone.png: no such file or folder"),
        (["run", "empty"], "empty: no images in this folder"),
        (
            ["run", "good.png", "--out", "no/where.csv"],
            "no/where.csv cannot be written: there is no folder no",
        ),
        (["run", "good.png", "--columns", "target=label"], "--columns: target means nothing here"),
        (["run", "good.png", "--jobs", "0"], "Invalid value for '--jobs'"),
        (["run", "m.csv", "--root", "nowhere"], "nowhere: no such folder"),
        (["run", "up.csv"], "without '..'"),
        (["run", "good.png", "--dicom-sr", "sr", "--hash-ids", "a secret"], "leave out --hash-ids"),
    ],
)
def test_mistakes_are_told_in_a_line(invoke, finished_once, tmp_path, arguments, message) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "good.png")
    (tmp_path / "m.csv").write_text("path\ngood.png\n")
    (tmp_path / "up.csv").write_text("path\n../good.png\n")
    (tmp_path / "run").symlink_to(finished_once)
    (tmp_path / "empty").mkdir()
    outcome = invoke("predict", *arguments)
    assert outcome.status == 2
    assert message in outcome.err
    assert len(outcome.err.strip().splitlines()) == 1
    assert outcome.out == ""


@pytest.fixture(scope="module")
def finished_once(tmp_path_factory) -> Path:
    """One run for all mistakes."""
    from medauc.data import PhantomSpec, load_dataset
    from medauc.training import parse_recipe, train

    data = load_dataset("phantom2d", 16, phantom=PhantomSpec(n_train=40, n_val=20, n_test=20, prevalence=0.4))
    recipe = {"model": {"width": 4, "stem": "imagenet"}, "training": {"max_epochs": 1, "patience": None}}
    folder = tmp_path_factory.mktemp("mistakes") / "run"
    train(data, parse_recipe(recipe, "x"), folder, device="cpu")
    return folder


def test_paths_that_are_not_there_are_told_before_pytorch_is_loaded(tmp_path) -> None:
    """In a process of its own; this one has loaded everything already."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom medauc.cli.predict import predict\n"
        "from medauc.errors import InputError\n"
        "try:\n    predict(Path(sys.argv[1]), [Path(sys.argv[2])])\n"
        "except InputError as error:\n    print(error, 'torch' in sys.modules)\n"
    )
    for run, path, message in (("none", ".", "none: not a run folder"), (".", "gone", "gone: no such file")):
        told = subprocess.run(
            [sys.executable, "-c", code, run, path], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout
        assert told.startswith(message)
        assert told.endswith("False\n")


def test_one_missing_path_among_several_is_a_row(invoke, finished_once, tmp_path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "good.png")
    outcome = invoke("predict", finished_once, "gone.png", "good.png")
    assert outcome.status == 0, outcome.err
    table = pd.read_csv(io.StringIO(outcome.out)).set_index("id")
    assert table.error.dropna().to_dict() == {"gone": "no such file or folder"}
    assert outcome.err.splitlines()[-1].endswith("1 with errors")


def test_hashed_names(invoke, finished_once, tmp_path) -> None:
    Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / "MuellerAnna.png")
    (tmp_path / "MuellerBert.png").write_bytes(b"no image")
    outcome = invoke("predict", finished_once, tmp_path / "MuellerAnna.png", tmp_path / "MuellerBert.png",
                     "--hash-ids", "a secret")  # fmt: skip
    assert outcome.status == 0, outcome.err
    assert "Mueller" not in outcome.out + outcome.err
