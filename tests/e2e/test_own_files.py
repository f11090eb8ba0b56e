"""Own files through every verb: the scores of the catalog's file, splits written down, resumed, reported."""

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from medauc.data import FilesSpec, load_dataset, load_files
from medauc.data.manifest import ColumnsSpec
from medauc.data.preparation import PreparationSpec
from medauc.evaluation import Evaluation, Predictions

TINY = ("--set", "model.width=4", "--set", "training.max_epochs=2", "--device", "cpu")
QUICK = (*TINY, "--set", "model.stem=imagenet", "--set", "augment=none")


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepared images of a test go nowhere else."""
    monkeypatch.setenv("MEDAUC_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def clinic(nih_dir: Path, tmp_path: Path) -> Path:
    """120 chest radiographs of the hospital's own table, without its splits."""
    table = pd.read_csv(nih_dir / "manifest.csv", dtype=str).iloc[::8].head(120)
    table = table[["path", "id", "group", "abnormal_folder", "age", "sex", "view"]]
    table.to_csv(tmp_path / "clinic.csv", index=False)
    return tmp_path / "clinic.csv"


@pytest.fixture
def trained(clinic: Path, nih_dir: Path, invoke: Callable) -> tuple[list, Path]:
    """Arguments of a training on ``clinic``, and its run folder."""
    arguments = ["train", clinic, "--root", nih_dir, "--columns", "target=abnormal_folder", *QUICK]
    done = invoke(*arguments, "--set", "data.size=16", "--out", "run")
    assert done.status == 0, done.err
    assert "Splits were made: drawn with seed 0, classes spread evenly, patients kept whole." in done.out
    return [*arguments, "--set", "data.size=16"], clinic.parent / "run"


def test_a_hospitals_table_trains_at_once(trained: tuple[list, Path], invoke: Callable, clinic: Path):
    arguments, run = trained
    table = Predictions.read(run / "predictions.csv")
    assert table.further_columns == ["age", "sex", "view"]
    splits = pd.read_csv(run / "split.csv", dtype=str)
    assert len(splits) == 120
    assert (splits.groupby("group")["split"].nunique() == 1).all()
    tested = splits[splits["split"] == "test"]["id"].tolist()
    assert table.select("test").ids == tested
    # subgroups by a column of the table
    done = invoke("evaluate", run, "--subgroups", "view")
    assert done.status == 0, done.err
    assert "view" in (run / "evaluation.json").read_text()
    # the report finds the images again, though the run names neither root nor columns on its command line
    (run / "report.html").unlink()
    assert invoke("report", run).status == 0
    page = (run / "report.html").read_text()
    assert "Splits were made" in page
    assert "No images" not in page
    assert "data:image/png" in page
    # a rerun is equal, also from the file of splits
    again = invoke(*arguments, "--out", "again")
    assert again.status == 0, again.err
    for name in ("split.csv", "predictions.csv"):
        assert (run / name).read_bytes() == (clinic.parent / "again" / name).read_bytes()


def test_an_unfinished_run_resumes_by_its_folder_alone(
    trained: tuple[list, Path], invoke: Callable, clinic: Path
):
    _, run = trained
    for name in ("predictions.csv", "evaluation.json"):
        (run / name).unlink()
    weights = (run / "checkpoints" / "best.safetensors").read_bytes()
    done = invoke("train", clinic, "--resume", "--out", "run", "--device", "cpu")
    assert done.status == 0, done.err
    assert (run / "checkpoints" / "best.safetensors").read_bytes() == weights
    # other files are other data
    table = pd.read_csv(clinic, dtype=str)
    table.iloc[:-1].to_csv(clinic, index=False)
    done = invoke("train", clinic, "--resume", "--out", "run", "--device", "cpu")
    assert done.status == 2
    assert "data_md5" in done.err


def of_clinic(nih_dir: Path, *further: str) -> list[str]:
    """How ``clinic`` is read, and trained quickly, as settings of a recipe, which verbs without --root take too."""
    settings = ["data.columns.target=abnormal_folder", "data.size=12", f"data.root={nih_dir}", *further]
    return [*QUICK, *(part for setting in settings for part in ("--set", setting))]


@pytest.mark.parametrize("column", [None, "folds_by=view", "folds_order_by=age"])
def test_folds_take_manifests(
    clinic: Path, nih_dir: Path, invoke: Callable, tmp_path: Path, column: str | None
):
    table = pd.read_csv(clinic, dtype=str)
    table = table[table["view"] == table.groupby("group")["view"].transform("first")]  # one view a patient
    table.to_csv(clinic, index=False)
    by = [] if column is None else [f"ensemble.{column}"]
    settings = of_clinic(nih_dir, "training.max_epochs=1", *by)
    done = invoke("train", clinic, *settings, "--folds", "2", "--out", "folds")
    assert done.status == 0, done.err
    folds = pd.read_csv(tmp_path / "folds" / "folds.csv", dtype=str)
    splits = pd.read_csv(tmp_path / "folds" / "split.csv", dtype=str)
    pooled = splits[splits["split"] != "test"]
    merged = folds.merge(pooled, on="id").merge(table, on=("id", "group"))
    assert len(merged) == len(folds) == len(pooled)
    assert (merged.groupby("group")["fold"].nunique() == 1).all()
    if column is None:
        return
    if column == "folds_by=view":
        assert merged.groupby("fold")["view"].unique().map(list).to_dict() == {"0": ["AP"], "1": ["PA"]}
        assert "(view AP)" in (tmp_path / "folds" / "members" / "fold0-seed0" / "recipe.yaml").read_text()
    else:
        first = merged["age"].astype(float).groupby(merged["group"]).transform("min")
        assert first[merged["fold"] == "0"].max() < first[merged["fold"] == "1"].min()
    note = next(
        line
        for line in Evaluation.read(tmp_path / "folds" / "evaluation.json").warnings
        if "AUROC of each" in line
    )
    for fold in (0, 1):  # what the note says of a fold is its network's own validation AUROC
        own = Evaluation.read(
            tmp_path / "folds" / "members" / f"fold{fold}-seed{100 * fold}" / "evaluation.json"
        )
        assert f"{own.splits['val'].auroc.value:.3f} [" in note
    resumed = invoke("train", clinic, "--resume", "--out", "folds", "--device", "cpu")
    assert resumed.status == 0, resumed.err


@pytest.mark.slow
def test_benchmarks_take_manifests(clinic: Path, nih_dir: Path, invoke: Callable, tmp_path: Path):
    settings = of_clinic(nih_dir)
    done = invoke("benchmark", clinic, *settings, "--seeds", "1", "--out", "grid")
    assert done.status == 0, done.err
    assert (tmp_path / "grid" / "clinic" / "default-seed0" / "evaluation.json").exists()
    assert "1 finished" in invoke("benchmark", clinic, *settings, "--seeds", "1", "--out", "grid").out


def test_ct_nodules_of_mixed_spacing_and_orientation_train(lidc_dir: Path, invoke: Callable, tmp_path: Path):
    table = pd.read_csv(lidc_dir / "manifest.csv", dtype=str)
    rare = table[table["orientation"] == "RAS"].head(5)  # most are LPS
    table = pd.concat([table.head(115), rare])
    table.to_csv(tmp_path / "nodules.csv", index=False)
    recipe = Path(__file__).parents[2] / "benchmarks" / "lidc_files.yaml"
    done = invoke("train", "nodules.csv", "--root", lidc_dir, "--recipe", recipe, *QUICK, "--out", "run")
    assert done.status == 0, done.err
    assert "nodules (28x28x28" in done.out
    kept = table[table["Malignancy_value"] != "3"]
    scored = Predictions.read(tmp_path / "run" / "predictions.csv")
    wanted = kept[kept["split"] != "train"]
    assert sorted(scored.ids) == sorted(wanted["id"])
    malignant = dict(zip(wanted["id"], wanted["Malignancy_value"].astype(int) > 3, strict=True))
    assert [bool(target) for target in scored.target()] == [malignant[name] for name in scored.ids]
    assert sorted(scored.further_columns) == ["diameter_mm", "orientation"]


def test_ct_nodules_are_the_prepared_arrays(lidc_dir: Path):
    """The recipe's preparation against ``lidc_nodule_28.npz``, made elsewhere from the same crops."""
    values = yaml.safe_load((Path(__file__).parents[2] / "benchmarks" / "lidc_files.yaml").read_text())[
        "data"
    ]
    from medauc.training import parse_recipe

    section = parse_recipe({"data": values}, "lidc_files.yaml").data
    files = load_files(lidc_dir / "manifest.csv", section.files, section.size, jobs=1)
    arrays = load_dataset(lidc_dir / "lidc_nodule_28.npz")
    for name, split in arrays.splits.items():
        own = files.splits[name]
        assert own.targets.tolist() == split.targets.tolist()
        assert own.ids.tolist() == split.ids.tolist()
        assert own.groups.tolist() == split.groups.tolist()
        difference = np.abs(np.asarray(own.images).astype(float) - split.images)
        assert difference.mean() < 5  # of 255: medauc smooths what it shrinks; 25 in another orientation


def test_user_errors_are_one_line_and_status_two(
    clinic: Path, nih_dir: Path, invoke: Callable, tmp_path: Path
):
    cases = {
        ("train", "none.csv"): "none.csv: no such file",
        ("train", "nofolder/x"): "nofolder/x is not there: give a folder of images, a manifest",
        ("train", clinic): "has no column of targets",
        ("train", clinic, "--columns", "target=abnormal_folder"): "120 of 120 files are not there",
        ("train", clinic, "--columns", "score=x"): "there is no score",
        ("train", clinic, "--root", nih_dir, "--set", "data.columns.tagret=x"): "did you mean 'target'",
        ("train", clinic, "--root", nih_dir, "--set", "data.split.val=2"): "val is 2",
        ("train", clinic, "--root", nih_dir / "images"): "has no column of targets",
        ("train", "/etc/hostname"): "give a folder of images",
        ("audit", "none.csv"): "none.csv",
    }
    for arguments, words in cases.items():
        found = invoke(*arguments)
        assert found.status == 2, (arguments, found)
        assert words in found.err, (arguments, found.err)
        assert found.err.count("\n") == 1
    (tmp_path / "evil.csv").write_text("path,target\n../../etc/passwd,0\n")
    found = invoke("train", "evil.csv")
    assert found.status == 2
    assert "'../../etc/passwd' is no plain path in row 2" in found.err


def test_columns_by_recipe_or_option_are_the_same(nih_dir: Path):
    spec = FilesSpec(ColumnsSpec(targets=("Effusion", "Mass"), keep=("sex",)))
    data = load_files(nih_dir / "manifest.csv", spec, 16, jobs=1)
    truth = pd.read_csv(nih_dir / "manifest.csv", dtype={"id": str, "group": str})
    for name, split in data.splits.items():
        rows = truth[truth["split"] == name]
        assert split.ids.tolist() == rows["id"].tolist()
        assert split.targets.tolist() == rows[["Effusion", "Mass"]].to_numpy().tolist()
        assert split.metadata["sex"].tolist() == rows["sex"].tolist()
        assert list(split.metadata) == ["sex"]


@pytest.mark.parametrize("shape", [(12, 12), (12, 14)])
def test_the_command_that_an_export_prints_trains_on_it(
    shape: tuple[int, int], invoke: Callable, tmp_path: Path
) -> None:
    """On images as they were written, also where YAML takes the class for a truth value."""
    (tmp_path / "Ordner").mkdir()
    rng = np.random.default_rng(0)
    rows = ["Datei;Befund;Patient-ID"]
    for number in range(40):
        np.save(tmp_path / "Ordner" / f"{number}.npy", rng.integers(0, 900, (14, 10), dtype=np.uint16))
        rows.append(f"Ordner\\{number}.npy;{('no', 'yes')[number % 2]};{number // 2}")
    (tmp_path / "Liste.csv").write_text("\r\n".join(rows), encoding="utf-8-sig")
    columns = ["--columns", "path=Datei,target=Befund"]
    padded = ["--set", "data.preparation.fit=crop_pad", "--set", f"data.preparation.shape={list(shape)}"]
    done = invoke("export", "Liste.csv", "neu", *columns, *padded)
    assert done.status == 0, done.err
    assert "Column 'Patient-ID' is taken for the group." in done.out
    program, *words = shlex.split(done.out.splitlines()[-1].removeprefix("train on it with: "))
    assert program == "medauc"
    quick = ["model.width=4", "model.stem=imagenet", "augment=none", "training.max_epochs=1"]
    settings = [word for setting in quick for word in ("--set", setting)]
    trained = invoke(*words, *settings, "--out", "run", "--device", "cpu")
    assert trained.status == 0, trained.err
    assert f"({shape[0]}x{shape[1]}, " in trained.out
    height, width = shape
    files = FilesSpec(preparation=PreparationSpec(shape=shape))
    images = np.asarray(load_dataset(tmp_path / "neu" / "manifest.csv", files=files).train.images[:])
    above, left = (height - 14) // 2, (width - 10) // 2
    framed = images[:, max(0, above) : max(0, above) + min(14, height), left : left + 10]
    assert (framed > 0).mean() > 0.9
    assert images.sum(dtype=np.int64) == framed.sum(dtype=np.int64)  # black around
