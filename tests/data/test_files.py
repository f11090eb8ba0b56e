"""Own files as a data set: manifests, folders, arrays; what is kept, told and refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fuzz.fuzz_corpus import dicom_bytes, dicom_object
from medauc.data import BagSpec, FilesSpec, PhantomSpec, load_arrays, load_dataset, load_files, make_bags
from medauc.data.export import export_dataset
from medauc.data.files import _said_of_no_patients, look_at
from medauc.data.manifest import ColumnsSpec, SplitSpec, manifest_of_folder, read_manifest
from medauc.data.mapped import MappedImages
from medauc.data.preparation import PreparationSpec
from medauc.errors import InputError

FEW = PhantomSpec(n_train=12, n_val=6, n_test=6, prevalence=0.4, signal_width=1.5)


def load(source: Path, spec: FilesSpec | None = None, size: int = 12, **options):
    return load_files(source, spec, size, jobs=1, **options)


def assert_equal(found, expected) -> None:
    for name, split in expected.splits.items():
        other = found.splits[name]
        assert isinstance(other.images, MappedImages)
        np.testing.assert_array_equal(np.asarray(other.images), split.images)
        assert other.targets.tolist() == split.targets.tolist()
        assert other.ids.tolist() == split.ids.tolist()
        assert other.groups.tolist() == split.groups.tolist()


@pytest.mark.parametrize(
    ("phantom", "kind"), [("2d", "png"), ("2d", "dicom"), ("3d", "nifti"), ("3d", "dicom")]
)
def test_exported_files_are_the_data_set_bit_for_bit(tmp_path: Path, phantom: str, kind):
    data = load_dataset(f"phantom{phantom}", 12, phantom=FEW)
    manifest = export_dataset(data, tmp_path / "out", kind)
    found = load(manifest)  # which class is positive is told from their names
    assert_equal(found, data)
    assert (found.name, found.class_names) == ("out", data.class_names)
    assert found.made_splits is None
    again = export_dataset(data, tmp_path / "again", kind)
    for file in (tmp_path / "out").rglob("*.*"):  # equal images, equal files
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(tmp_path / "out")).read_bytes()
    assert load(again).md5 == found.md5  # where files lie does not matter
    with pytest.raises(InputError, match="not empty"):
        export_dataset(data, tmp_path / "out", kind)


def dicom_of_patients(folder: Path, patients: list[str]) -> Path:
    """DICOM files of these patients, and a manifest that names none of them."""
    from pydicom import dcmread

    spec = PhantomSpec(n_train=len(patients) - 4, n_val=2, n_test=2, prevalence=0.5, signal_width=1.5)
    manifest = export_dataset(load_dataset("phantom2d", 12, phantom=spec), folder, "dicom")
    table = pd.read_csv(manifest)
    for path, patient in zip(table["path"], patients, strict=True):
        header = dcmread(folder / path)
        header.PatientID = patient
        header.save_as(folder / path)
    table.drop(columns=["group", "split"]).to_csv(manifest, index=False)
    return manifest


def test_made_splits_keep_the_patients_of_headers_whole(tmp_path: Path):
    patients = [f"DOE^{row % 20:02d}" for row in range(60)]
    manifest = dicom_of_patients(tmp_path / "out", patients)
    ids = pd.read_csv(manifest)["id"].tolist()
    found = load(manifest)
    for split in found:
        of_patient: dict[str, set[str]] = {}
        for name, group in zip(split.ids.tolist(), split.groups.tolist(), strict=True):
            of_patient.setdefault(patients[ids.index(name)], set()).add(group)
        assert all(len(groups) == 1 for groups in of_patient.values())
        assert len(split) == 3 * len(of_patient)  # all three images of each
    assert [len(set(split.groups.tolist())) for split in found] == [14, 3, 3]
    assert "No patients are named, so 20 are told from DICOM's PatientID and kept whole." in found.notes
    assert not any("DOE" in text for split in found for text in split.groups.tolist())

    # the rows in another order are split in the same way: names of patients are the same each time
    pd.read_csv(manifest)[::-1].to_csv(manifest, index=False)
    again = load(manifest)
    for name, split in found.splits.items():
        assert dict(zip(split.ids.tolist(), split.groups.tolist(), strict=True)) == dict(
            zip(again.splits[name].ids.tolist(), again.splits[name].groups.tolist(), strict=True)
        )

    # an own column of patients holds over headers; own splits that divide a patient of headers are refused
    table = pd.read_csv(manifest)
    (tmp_path / "out" / "named.csv").write_text(table.assign(group=table["id"]).to_csv(index=False))
    assert len(np.unique(load(tmp_path / "out" / "named.csv").train.groups)) == 42
    apart = table.assign(split=["train", "val", "test"] * 20)
    (tmp_path / "out" / "apart.csv").write_text(apart.to_csv(index=False))
    with pytest.raises(InputError, match=r"20 patients \(groups\) are in more than one split"):
        load(tmp_path / "out" / "apart.csv")
    assert len(load(tmp_path / "out" / "apart.csv", FilesSpec(split=SplitSpec())).train) == 42


def test_export_refuses_what_a_format_cannot_hold(tmp_path: Path):
    with pytest.raises(InputError, match="holds volumes, which are not written as png"):
        export_dataset(load_dataset("phantom3d", 12, phantom=FEW), tmp_path / "out", "png")
    assert not (tmp_path / "out").exists()


def test_volumes_of_one_slice_come_back_as_volumes_where_that_is_told(tmp_path: Path):
    data = load_dataset("phantom3d", 12, phantom=FEW)
    thin = {name: replace(split, images=split.images[:, :1]) for name, split in data.splits.items()}
    data = replace(data, **thin)
    files = FilesSpec(preparation=PreparationSpec(shape=(1, 12, 12)), spatial_dims=3)
    back = load(export_dataset(data, tmp_path / "out", "nifti"), files)
    assert_equal(back, data)
    with pytest.raises(
        InputError, match="volumes of one slice, which DICOM does not tell from images; take nifti"
    ):
        export_dataset(data, tmp_path / "dicom", "dicom")
    with pytest.raises(InputError, match="not written as png; take nifti"):
        export_dataset(data, tmp_path / "png", "png")


def test_colour_several_labels_and_further_columns_come_back(tmp_path: Path):
    rng = np.random.default_rng(1)
    rows = []
    (tmp_path / "images").mkdir()
    for row in range(24):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(
            tmp_path / f"images/{row}.png"
        )
        split = ("train", "val", "test")[row % 3]
        rows.append((f"images/{row}.png", split, row // 3 % 2, -1 if row == 0 else row % 2, "fm"[row % 2]))
    table = pd.DataFrame(rows, columns=["path", "split", "target_a", "target_b", "sex"])
    table.to_csv(tmp_path / "clinic.csv", index=False)
    data = load(tmp_path / "clinic.csv")
    assert (data.name, data.channels, data.label_names) == ("clinic", 3, ("a", "b"))
    assert data.train.targets[0].tolist() == [0, -1]
    assert data.val.metadata["sex"].tolist() == ["m", "f"] * 4
    export_dataset(data, tmp_path / "again", "dicom")
    again = load(tmp_path / "again" / "manifest.csv")
    np.testing.assert_array_equal(np.asarray(again.test.images), np.asarray(data.test.images))
    assert again.test.targets.tolist() == data.test.targets.tolist()
    assert again.test.metadata["sex"].tolist() == data.test.metadata["sex"].tolist()


def test_a_folder_of_classes_trains_with_made_splits(class_folders: Path):
    data = load(class_folders, positive_class="ill")
    assert data.name == "scans"
    assert (data.class_names, data.positive_class) == (("healthy", "ill"), "ill")
    assert data.made_splits == "drawn with seed 0, classes spread evenly"
    unknown, made = data.notes
    assert "No patients are known, so each image counts as a patient of its own; a folder" in unknown
    assert made == "Splits were made: drawn with seed 0, classes spread evenly."
    assert [len(split) for split in data] == [28, 6, 6]
    for split in data:
        assert split.targets.tolist() == [int(name.startswith("ill")) for name in split.ids.tolist()]
        assert (np.asarray(split.images).mean(axis=(1, 2)) > 120).astype(
            int
        ).tolist() == split.targets.tolist()


@pytest.mark.parametrize("above", [True, False])
def test_split_folders_lie_above_or_below_the_classes(class_folders: Path, tmp_path: Path, above: bool):
    splits = {"train": range(10), "Validation": range(10, 15), "test": range(15, 20)}
    for split, rows in splits.items():
        for name in ("healthy", "ill"):
            folder = tmp_path / "sorted" / (f"{split}/{name}" if above else f"{name}/{split}")
            folder.mkdir(parents=True)
            for row in rows:
                shutil.copy(class_folders / name / f"{row:02d}.png", folder)
    data = load(tmp_path / "sorted")
    assert [len(split) for split in data] == [20, 10, 10]
    assert data.made_splits is None
    assert data.class_names == ("healthy", "ill")  # "healthy" is a usual word for negative


def test_folders_below_a_class_are_patients(class_folders: Path):
    for file in sorted(class_folders.rglob("*.png")):
        folder = file.parent / f"patient{int(file.stem) // 2}"
        folder.mkdir(exist_ok=True)
        file.rename(folder / file.name)
    found = manifest_of_folder(class_folders)
    assert found.has_groups
    assert len(set(found.column("group"))) == 10  # patient0 of both classes is one patient
    assert found.notes[-1] == "Each folder below a class is taken for a patient."
    data = load(class_folders)
    patients = [name for split in data for name in set(split.groups.tolist())]
    assert len(patients) == len(set(patients))  # none in two splits


def test_files_named_like_images_are_told_when_they_hold_none(class_folders: Path):
    for row in range(4):
        (class_folders / "ill" / f"{row:02d}.png").write_bytes(b"404: not found" if row else b"")
    data = load(class_folders)
    assert sum(map(len, data)) == 36
    assert (
        "4 files are named like images and hold none that is read, left out: ill/00.png, ill/01.png, ill/02.png, ..."
        in data.notes
    )


@pytest.mark.parametrize("good", [1, 60])
def test_the_first_folder_does_not_speak_for_all(tmp_path: Path, good: int):
    for row in range(60):
        np.save(tmp_path / f"a{row:03d}.npy", np.zeros((6, 6), np.float64)[:0])  # no image
    for row in range(good):
        np.save(tmp_path / f"b{row:03d}.npy", np.zeros((4, 6, 6), np.uint8))
    names = sorted(path.name for path in tmp_path.glob("*.npy"))
    pd.DataFrame({"path": names, "target": np.arange(len(names)) % 2}).to_csv(tmp_path / "m.csv", index=False)
    assert look_at(read_manifest(tmp_path / "m.csv")) == 3


def test_folders_that_cannot_be_read(tmp_path: Path, class_folders: Path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no images that can be read"):
        load(tmp_path / "empty")
    shutil.copy(class_folders / "ill" / "00.png", class_folders / "stray.png")
    with pytest.raises(InputError, match=r"stray.png lies in no folder of a class.*medauc init"):
        load(class_folders)


@pytest.fixture
def manifest(class_folders: Path) -> Path:
    """A manifest of the class folders, with patients of two images."""
    rows = [
        (f"{name}/{row:02d}.png", int(name == "ill"), f"p{row // 2}{name}")
        for name in ("healthy", "ill")
        for row in range(20)
    ]
    table = pd.DataFrame(rows, columns=["path", "target", "patient"])
    table.to_csv(class_folders / "hospital.csv", index=False)
    return class_folders / "hospital.csv"


def test_missing_files_are_counted_and_the_first_named(manifest: Path):
    for name in ("healthy/03.png", "ill/07.png"):
        (manifest.parent / name).unlink()
    with pytest.raises(
        InputError,
        match=r"2 of 40 files are not there, in rows 5, 29: healthy/03.png, ill/07.png; paths are relative",
    ):
        load(manifest)


@pytest.mark.parametrize("names", [False, True])
def test_a_drive_of_windows_is_told_of_whatever_images_are_called(manifest: Path, names: bool):
    table = pd.read_csv(manifest).assign(path=lambda table: "C:\\scans\\" + table["path"])
    if names:
        table["id"] = [f"image {row}" for row in range(len(table))]
    table.to_csv(manifest, index=False)
    with pytest.raises(InputError, match=r"40 of 40 files are not there.*; cut the drive of Windows off"):
        load(manifest)


@pytest.mark.parametrize(
    ("column", "likely"),
    [
        *((name, True) for name in ("Patient number", "PatientenNummer", "anon_patient_id", "Pat-ID")),
        *((name, False) for name in ("Patient Age", "patient_covid", "inpatient", "compat id")),
    ],
)
def test_a_column_that_names_patients_is_proposed_and_no_other(tmp_path: Path, column: str, likely: bool):
    (tmp_path / "clinic.csv").write_text(f"path,target,{column}\na.png,0,7\n")
    note = _said_of_no_patients(read_manifest(tmp_path / "clinic.csv"))
    assert (f"--columns group={column!r}" in note) is likely
    assert ("--columns group=NAME" in note) is not likely


def test_a_bag_is_as_much_as_is_known_of_a_patient_and_that_is_told(manifest: Path):
    studies = [f"study {row // 2}" for row in range(40)]
    splits = np.array(["train", "val", "test", "train"])[np.arange(40) // 2 % 4]
    table = pd.read_csv(manifest).drop(columns="patient").assign(study=studies, split=splits)
    table.to_csv(manifest, index=False)
    data = load(manifest, size=4)
    for spec, words in ((BagSpec(), "each image counts"), (BagSpec("study"), "each bag counts")):
        notes = " ".join(make_bags(data, spec).notes)
        assert f"No patients are known, so {words} as a patient of its own; " in notes


def test_unreadable_files_are_refused_or_dropped_and_told(manifest: Path):
    (manifest.parent / "ill/07.png").write_bytes(b"no image")
    whole = (manifest.parent / "ill/08.png").read_bytes()
    (manifest.parent / "ill/08.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(
        InputError, match=r"2 of 40 images cannot be used \(ill/07.png: .*data.unreadable=drop"
    ):
        load(manifest)
    data = load(manifest, FilesSpec(unreadable="drop"))
    assert sum(map(len, data)) == 38
    assert not {"ill/07.png", "ill/08.png"} & {name for split in data for name in split.ids.tolist()}
    assert "2 of 40 images could not be read and were left out" in data.notes[-2]
    assert all(
        np.asarray(split.images).max(axis=(1, 2)).min() > 0 for split in data
    )  # no blank row among them


def test_the_digest_tells_what_was_trained_on(manifest: Path, tmp_path: Path):
    first = load(manifest)
    assert load(manifest).md5 == first.md5
    assert load(manifest, size=10).md5 == first.md5  # preparation is the recipe's
    assert load(manifest, FilesSpec(split=SplitSpec(seed=1))).md5 != first.md5
    shutil.copytree(manifest.parent, tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere" / "hospital.csv").md5 == first.md5
    Image.fromarray(np.zeros((12, 12), np.uint8)).save(manifest.parent / "ill" / "00.png")
    assert load(manifest).md5 != first.md5


def test_kinds_that_are_mixed_are_told_apart(manifest: Path):
    np.save(manifest.parent / "volume.npy", np.zeros((6, 12, 12), np.uint8))
    (manifest.parent / "volume.npy").rename(manifest.parent / "ill" / "03.png")  # by content, not by name
    with pytest.raises(InputError, match=r"1 of 40 images cannot be used \(ill/03.png"):
        load(manifest)
    with pytest.raises(InputError, match=r"39 of 40 images cannot be used"):
        load(manifest, FilesSpec(spatial_dims=3))


def test_preparation_decides_the_shape(manifest: Path):
    data = load(manifest, FilesSpec(preparation=PreparationSpec(shape=(8, 10))))
    assert data.image_shape == (8, 10)
    columns = ColumnsSpec(group="patient", target="target")
    assert load_dataset(manifest, 9, files=FilesSpec(columns)).image_shape == (9, 9)


def test_real_chest_radiographs_with_fourteen_labels(nih_dir: Path):
    labels = ("Effusion", "Hernia")
    spec = FilesSpec(ColumnsSpec(targets=labels, split="split_of_source"))
    with pytest.raises(InputError, match=r"30 patients .groups. are in more than one split"):
        load(nih_dir / "manifest.csv", spec)


# arrays


def save_arrays(folder: Path, images, targets, **more) -> Path:
    folder.mkdir(exist_ok=True)
    for name, values in {"images": images, "targets": targets, **more}.items():
        np.save(folder / f"{name}.npy", values)
    return folder


IMAGES = np.random.default_rng(0).integers(0, 256, (40, 6, 6), dtype=np.uint8)


def test_arrays_are_mapped_with_splits_of_their_own_or_made(tmp_path: Path):
    groups = np.repeat(np.arange(20), 2)
    folder = save_arrays(tmp_path / "mri", IMAGES, np.repeat([0, 1], 20), groups=groups)
    data = load_arrays(folder)
    assert data.name == "mri"
    assert data.made_splits is not None
    for split in data:
        assert isinstance(split.images, MappedImages)
        rows = [int(name.removeprefix("image-")) for name in split.ids.tolist()]
        np.testing.assert_array_equal(np.asarray(split.images), IMAGES[rows])
        assert split.targets.tolist() == [row // 20 for row in rows]
        assert split.groups.tolist() == [str(row // 2) for row in rows]
        assert split.metadata == {}
    splits = np.array(["train"] * 20 + ["val"] * 10 + ["test"] * 10)
    save_arrays(folder, IMAGES, np.arange(40) % 2, splits=splits, ids=np.arange(40), groups=np.arange(40))
    own = load_dataset(folder / "images.npy", positive_class=0)
    assert own.made_splits is None
    assert own.test.ids.tolist() == [str(row) for row in range(30, 40)]
    assert own.test.targets.tolist() == [1, 0] * 5


def test_arrays_of_several_labels(tmp_path: Path):
    targets = np.stack([np.arange(40) % 2, np.arange(40) // 20], axis=1).astype(float)
    targets[3, 1] = np.nan
    data = load_arrays(save_arrays(tmp_path / "a", IMAGES, targets))
    assert data.label_names == ("label 0", "label 1")
    found = {
        name: row
        for split in data
        for name, row in zip(split.ids.tolist(), split.targets.tolist(), strict=True)
    }
    assert found["image-00003"] == [1, -1]
    assert found["image-00021"] == [1, 1]


@pytest.mark.parametrize(
    ("images", "targets", "words"),
    [
        (IMAGES.astype(float), np.arange(40) % 2, "is float64 of shape"),
        (IMAGES, np.arange(39) % 2, "of shape .39,. for 40 images"),
        (IMAGES, np.array(["a"] * 40), "give numbers"),
        (IMAGES, np.array([None] * 40), "no plain array"),
        (IMAGES, np.arange(40) % 3, "has 3 values"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, images, targets, words: str):
    with pytest.raises(InputError, match=words):
        load_arrays(save_arrays(tmp_path / "a", images, targets))


@pytest.mark.parametrize("name", ["ids", "groups", "splits"])
@pytest.mark.parametrize("kind", ["latin-1", "no letter", "half a pair"])
def test_texts_that_are_none_are_refused(tmp_path: Path, name: str, kind: str):
    np.save(tmp_path / "images.npy", np.zeros((4, 8, 8), np.uint8))
    np.save(tmp_path / "targets.npy", np.arange(4) % 2)
    texts = {
        "latin-1": np.array(["Müller".encode("latin-1")] * 4),
        "no letter": np.full(4, 0x7FFFFFFF, np.uint32).view("U1"),
        "half a pair": np.array(["\ud800"] * 4),
    }[kind]
    np.save(tmp_path / f"{name}.npy", texts)
    with pytest.raises(InputError, match=rf"{name}\.npy holds [^\n]*; write it anew$"):
        load_dataset(tmp_path)


def test_a_damaged_array_is_refused(tmp_path: Path):
    folder = save_arrays(tmp_path / "a", IMAGES, np.arange(40) % 2)
    whole = (folder / "targets.npy").read_bytes()
    (folder / "targets.npy").write_bytes(
        whole.replace(b"(40,)", b"(40, ")
    )  # Python's tokenizer looks for its end
    with pytest.raises(InputError, match=r"targets.npy: no plain array \(.*\); save it with numpy.save$"):
        load_arrays(folder)


def test_an_array_of_another_name(tmp_path: Path):
    np.save(tmp_path / "scans.npy", IMAGES)
    with pytest.raises(InputError, match=r"arrays are called images.npy and targets.npy"):
        load_dataset(tmp_path / "scans.npy")


def test_a_training_names_the_damaged_file_beside_its_series(tmp_path: Path):
    for target in ("healthy", "ill"):
        folder = tmp_path / "scans" / target
        folder.mkdir(parents=True)
        for series in range(10):
            for place in range(2):
                told = {"ImagePositionPatient": [0, 0, place], "SeriesInstanceUID": f"1.2.{series}"}
                told |= {
                    "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                    "SOPInstanceUID": f"1.{series}.{place}",
                }
                content = dicom_bytes(dicom_object(np.full((4, 4), series, np.uint16), **told))
                (folder / f"{series}-{place}").write_bytes(content)
    (tmp_path / "scans" / "ill" / "cut").write_bytes(content[:300])
    words = r"10 of 20 images cannot be used .*'cut'\) is damaged and may be a slice of it; copy again or take out"
    with pytest.raises(InputError, match=words):
        load(tmp_path / "scans", positive_class="ill")
    (tmp_path / "scans" / "ill" / "cut").unlink()
    assert sum(map(len, load(tmp_path / "scans", positive_class="ill"))) == 20
