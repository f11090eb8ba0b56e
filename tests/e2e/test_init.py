"""``medauc init``: what it sees, what it writes, that it trains, and that nothing is overwritten."""

from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

from medauc.data import PhantomSpec, load_dataset
from medauc.data.export import export_dataset
from medauc.training import parse_recipe


@pytest.fixture
def class_scans(tmp_path: Path) -> Path:
    """Twenty patients with two PNG each, in folders of two classes."""
    rng = np.random.default_rng(0)
    for name, level in (("benign", 70), ("malignant", 170)):
        (tmp_path / "scans" / name).mkdir(parents=True)
        for row in range(20):
            pixels = rng.integers(level - 40, level + 40, (30, 32), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "scans" / name / f"{name[0]}{row // 2:03d}_{row % 2}.png")
    return tmp_path / "scans"


def test_what_is_written_trains(class_scans: Path, invoke, tiny: list[str], tmp_path: Path):
    found = invoke("init", class_scans)
    assert found.status == 0, found.err
    assert "40 images, 40 of them read: PNG (40)" in found.out
    assert "classes, told from folders: benign (20), malignant (20)" in found.out
    assert "patients: 20, told from the beginning of the file's name" in found.out
    table = pd.read_csv(class_scans / "manifest.csv")
    assert list(table.columns) == ["path", "target", "group"]
    assert table["group"].nunique() == 20
    values = yaml.safe_load((class_scans / "recipe.yaml").read_text())
    assert values["data"]["size"] == 28
    assert values["data"]["positive_class"] == "malignant"
    command = found.out.splitlines()[-1].removeprefix("train: medauc ").split()
    trained = invoke(*command, *tiny, "--out", "run")
    assert trained.status == 0, trained.err
    assert "Splits were made: drawn with seed 0, classes spread evenly, patients kept whole." in trained.out
    splits = pd.read_csv(tmp_path / "run" / "split.csv")
    assert (splits.groupby("group")["split"].nunique() == 1).all()
    assert "positive_class: malignant" in (tmp_path / "run" / "recipe.yaml").read_text()


def test_nothing_is_overwritten(class_scans: Path, invoke, tmp_path: Path):
    (class_scans / "recipe.yaml").write_text("mine")
    found = invoke("init", class_scans)
    assert found.status == 2
    assert "recipe.yaml is there already and is not overwritten; name another folder with --out" in found.err
    assert not (class_scans / "manifest.csv").exists()
    assert invoke("init", class_scans, "--out", tmp_path / "new").status == 0
    values = yaml.safe_load((tmp_path / "new" / "recipe.yaml").read_text())
    assert values["data"]["root"] == str(class_scans.resolve())
    assert (class_scans / "recipe.yaml").read_text() == "mine"


def test_volumes_of_several_spacings_and_orientations(tmp_path: Path, invoke):
    rng = np.random.default_rng(0)
    (tmp_path / "ct").mkdir()
    for row in range(8):
        spacing = [0.7, 0.7, 1.25 if row % 2 else 2.5]
        affine = np.diag([-1, -1, 1, 1] if row else [1, 1, 1, 1]) * [*spacing, 1]
        voxels = rng.integers(-1000, 400, (40, 40, 12), dtype=np.int16)
        nibabel.Nifti1Image(voxels, affine).to_filename(tmp_path / "ct" / f"CT-{row:02d}_L.nii.gz")
    (tmp_path / "ct" / "notes.txt").write_text("not an image")
    (tmp_path / "ct" / "failed.nii.gz").write_text("404: not found")
    (tmp_path / "ct" / "broken.nii.gz").write_bytes((tmp_path / "ct" / "CT-00_L.nii.gz").read_bytes()[:3000])
    found = invoke("init", tmp_path / "ct")
    assert found.status == 0, found.err
    for words in (
        "volumes",
        "orientation: SAR (1), SPL (7)",
        "NOT READ: 1 of 9",
        "NO IMAGES: 1 file is named like an image and holds none that is read, left out: failed.nii.gz",
        "no classes told: fill in the column",
    ):
        assert words in found.out
    preparation = yaml.safe_load((tmp_path / "ct" / "recipe.yaml").read_text())["data"]["preparation"]
    assert preparation == {"spacing": 0.7, "fit": "crop_pad", "orientation": "SPL", "intensity": [-1000, 400]}
    trained = invoke("train", tmp_path / "ct" / "manifest.csv")
    assert trained.status == 2
    assert "target 'target' is blank in rows 2, 3, 4, ... (9 rows)" in trained.err


def write_dicom(path: Path, modality: str, low: int, patient: str | None = None) -> None:
    pixels = np.linspace(low, 300, 256).round().astype(np.int16).reshape(16, 16)
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image = Dataset()
    image.file_meta = meta
    image.SOPClassUID, image.SOPInstanceUID = SecondaryCaptureImageStorage, generate_uid()
    image.SeriesInstanceUID, image.Modality = generate_uid(), modality
    image.PatientID = path.stem if patient is None else patient
    image.Rows, image.Columns, image.SamplesPerPixel = 16, 16, 1
    image.PhotometricInterpretation, image.PixelRepresentation = "MONOCHROME2", 1
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
    image.PixelData = pixels.tobytes()
    path.parent.mkdir(exist_ok=True)
    image.save_as(path, enforce_file_format=True)


@pytest.mark.parametrize(
    ("others", "intensity"), [(0, [-1000, 400]), (1, [-1000, 400]), (3, "auto"), (30, "auto")]
)
def test_the_window_of_ct_is_proposed_where_nearly_all_are_ct(
    tmp_path: Path, invoke, others: int, intensity: list[int] | str
):
    for row in range(24):
        write_dicom(tmp_path / "scans" / f"ct{row}.dcm", "CT", -1000)
    for row in range(others):
        write_dicom(tmp_path / "scans" / f"mr{row}.dcm", "MR", 0)
    found = invoke("init", tmp_path / "scans")
    assert found.status == 0, found.err
    values = yaml.safe_load((tmp_path / "scans" / "recipe.yaml").read_text())
    assert values["data"]["preparation"]["intensity"] == intensity


def test_mixed_kinds_are_sorted_out_and_what_most_are_trains(class_scans: Path, invoke, tiny: list[str]):
    np.save(class_scans / "benign" / "b000_9.npy", np.zeros((6, 30, 32), np.uint8))
    np.save(class_scans / "malignant" / "m000_9.npy", np.zeros((30, 32), np.uint8))
    found = invoke("init", class_scans)
    assert found.status == 0, found.err
    assert "41 images, 41 of them read: PNG (40), NumPy (1)" in found.out
    told = "MIXED: 1 volume beside them, for another network: listed in volumes.csv and left out here: "
    assert f"{told}benign/b000_9.npy" in found.out
    assert f"written: {class_scans / 'volumes.csv'}" in found.out
    table, others = (pd.read_csv(class_scans / name) for name in ("manifest.csv", "volumes.csv"))
    assert others.values.tolist() == [["benign/b000_9.npy", "benign"]]
    assert "the volumes: all are benign, so there is nothing to learn from them yet" in found.out
    assert len(table) == 41
    assert "malignant/m000_9.npy" in set(table["path"])
    command = found.out.splitlines()[-1].removeprefix("train: medauc ").split()
    trained = invoke(*command, *tiny, "--set", "training.max_epochs=1", "--out", "run")
    assert trained.status == 0, trained.err


def test_of_many_mixed_images_each_is_looked_at(tmp_path: Path, invoke, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("medauc.data.survey._SAMPLE", 5)
    for row in range(9):
        np.save(tmp_path / f"v{row}.npy", np.zeros((6, 7, 8), np.uint8))
    for row in range(3):
        Image.fromarray(np.zeros((7, 8), np.uint8)).save(tmp_path / f"i{row}.png")
    (tmp_path / "w.npy").write_bytes(
        (tmp_path / "v0.npy").read_bytes()[:-9]
    )  # cannot be read, so stays and is told
    found = invoke("init", tmp_path)
    assert "MIXED: 3 images beside them" in found.out
    assert pd.read_csv(tmp_path / "images.csv")["path"].tolist() == ["i0.png", "i1.png", "i2.png"]
    assert len(pd.read_csv(tmp_path / "manifest.csv")) == 10
    (tmp_path / "manifest.csv").unlink()
    (tmp_path / "recipe.yaml").unlink()
    again = invoke("init", tmp_path)
    assert again.status == 2
    assert "images.csv is there already and is not overwritten; name another folder with --out" in again.err


def test_a_manifest_that_is_there_is_named_before_anything_is_read(
    class_scans: Path, invoke, monkeypatch: pytest.MonkeyPatch
):
    (class_scans / "manifest.csv").write_text("path,target\n")
    monkeypatch.setattr("medauc.data.survey.survey_folder", pytest.fail)
    found = invoke("init", class_scans)
    assert (found.status, found.err.count("\n")) == (2, 1)
    file = class_scans / "manifest.csv"
    assert (
        f"{file} is there already and is not overwritten; train on it with medauc train {file}, or"
        in found.err
    )


def test_dicom_patients_are_hashed_and_never_shown(tmp_path: Path, invoke):
    data = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=8, n_val=2, n_test=2, signal_width=1))
    export_dataset(data, tmp_path / "out", "dicom")
    (tmp_path / "out" / "manifest.csv").unlink()
    found = invoke("init", tmp_path / "out")
    assert found.status == 0, found.err
    assert "patients: 12, told from DICOM's PatientID, hashed" in found.out
    written = (tmp_path / "out" / "manifest.csv").read_text()
    table = pd.read_csv(tmp_path / "out" / "manifest.csv")
    assert table["group"].str.fullmatch("[0-9a-f]{20}").all()
    assert "train-00003" not in written.replace("images/train-00003.dcm", "")


@pytest.mark.parametrize("placeholder", ["ANON", "0", "Unknown", "", "DE-IDENTIFIED"])
def test_a_placeholder_is_no_patient(tmp_path: Path, invoke, placeholder: str):
    patients = ["a", "a", "b", "c", "c", "d"]
    for row, patient in enumerate([*patients, placeholder, placeholder]):
        write_dicom(tmp_path / "scans" / f"s{row}.dcm", "CT", -1000, patient)
    found = invoke("init", tmp_path / "scans")
    assert found.status == 0, found.err
    assert "patients: 6, told from DICOM's PatientID, hashed; CHECK the column group" in found.out
    assert "DOUBT: 2 of 8 images have no PatientID or a placeholder such as ANON" in found.out
    groups = pd.read_csv(tmp_path / "scans" / "manifest.csv")["group"]
    assert groups.nunique() == 6
    assert groups[0] == groups[1] != groups[6] != groups[7]


def test_one_placeholder_in_all_headers_is_told(tmp_path: Path, invoke):
    for row in range(4):
        write_dicom(tmp_path / "scans" / f"s{row}.dcm", "CT", -1000, "Trial 12")
    found = invoke("init", tmp_path / "scans")
    assert found.status == 0, found.err
    assert "patients: not told" in found.out
    assert "DOUBT: all 4 DICOM headers that have a PatientID have the same" in found.out
    assert "group" not in pd.read_csv(tmp_path / "scans" / "manifest.csv")


def test_a_folder_without_images(tmp_path: Path, invoke):
    (tmp_path / "empty").mkdir()
    found = invoke("init", tmp_path / "empty")
    assert (found.status, found.err.count("\n")) == (2, 1)
    assert "holds no images that can be read" in found.err
    assert invoke("init", tmp_path / "none").status == 2


@pytest.mark.parametrize("name", ["nih-chest-1000", "lidc-nodule-voi"])
def test_patients_of_real_files_are_told_from_their_names(
    name: str, nih_dir: Path, lidc_dir: Path, tmp_path: Path
):
    from medauc.data.survey import survey_folder
    from medauc.training.starter import write_starter

    folder, column = {"nih-chest-1000": (nih_dir, "group"), "lidc-nodule-voi": (lidc_dir, "patient_id")}[name]
    images = folder / ("images" if name.startswith("nih") else "VOIs/image")
    survey = survey_folder(images)
    _, recipe = write_starter(survey, tmp_path / "out")
    truth = pd.read_csv(folder / "manifest.csv", dtype=str)
    files = truth["path"].str.split("/").str[-1]
    told = files.map(dict(zip(survey.table["path"], survey.table["group"], strict=True)))
    # a one-to-one map between what was told and the truth
    pairs = pd.DataFrame({"told": told, "true": truth[column]}).drop_duplicates()
    assert len(pairs) == pairs["told"].nunique() == pairs["true"].nunique()
    parse_recipe(yaml.safe_load(recipe.read_text()), "recipe.yaml")


def test_a_folder_of_classes_trains_by_its_bare_name(class_scans: Path, invoke, tiny: list[str]):
    done = invoke("train", class_scans.name, *tiny, "--set", "training.max_epochs=1", "--set", "data.size=12")
    assert done.status == 0, done.err
    assert "scans (12x12" in done.out
    assert "positive: malignant" in done.out
    assert "'malignant' is taken for the positive class." in done.out
