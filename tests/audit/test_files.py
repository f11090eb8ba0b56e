"""Files: facts of every kind, broken ones as rows, processes that die, manifests and folders."""

import os
import tracemalloc
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fixtures.deadly_image import deadly
from fixtures.textures import textures
from medauc.audit import Audit, audit_collection, audit_lines, collection_of_folder, collection_of_manifest
from medauc.audit.facts import ImageFacts, digest_of
from medauc.audit.files import FileImages, _measured, facts_of_file
from medauc.data.manifest import read_manifest
from medauc.errors import InputError
from medauc.report import build_audit_page


def write_pngs(folder: Path, images: np.ndarray) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number:03d}.png" for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    return paths


def test_facts_of_a_png(tmp_path: Path) -> None:
    image = textures(1, (20, 30))[0]
    (path,) = write_pngs(tmp_path, image[None])
    fact = facts_of_file(path)
    assert (fact.shape, fact.bits, fact.file_type, fact.error) == ((20, 30), 8, ".png", None)
    assert fact.file_bytes == path.stat().st_size
    assert fact.digest == digest_of(image)
    assert fact.orientation is fact.spacing is fact.patient is None


def test_one_picture_in_two_formats_has_one_digest_and_two_file_digests(tmp_path: Path) -> None:
    image = textures(1)[0]
    Image.fromarray(image).save(tmp_path / "a.png")
    Image.fromarray(image).save(tmp_path / "a.tiff")
    png, tiff = (facts_of_file(tmp_path / name) for name in ("a.png", "a.tiff"))
    assert png.digest == tiff.digest
    assert png.file_digest != tiff.file_digest


def test_a_volume_tells_spacing_and_orientation(tmp_path: Path) -> None:
    import nibabel

    volume = textures(1, (6, 8, 10))[0].astype(np.int16)
    nibabel.Nifti1Image(volume, np.diag([-0.7, -0.7, 2.5, 1.0])).to_filename(tmp_path / "v.nii.gz")
    fact = facts_of_file(tmp_path / "v.nii.gz")
    assert (fact.shape, fact.orientation) == ((10, 8, 6), "SPL")
    assert fact.spacing == pytest.approx((2.5, 0.7, 0.7))
    assert fact.file_type == ".nii.gz"


def test_a_dicom_tells_who_holds_names_and_hashes_the_patient(tmp_path: Path) -> None:
    from pydicom.data import get_testdata_file
    from pydicom.filereader import dcmread
    from pydicom.uid import generate_uid

    source = dcmread(get_testdata_file("CT_small.dcm"))
    for name, patient in (("a", "P1"), ("b", "P1"), ("c", "P2")):
        source.PatientID, source.PatientName = patient, "Roe^Jane"
        source.SeriesInstanceUID = generate_uid()
        source.save_as(tmp_path / f"{name}.dcm")
    a, b, c = (facts_of_file(tmp_path / f"{name}.dcm", salt="s") for name in "abc")
    assert {"PatientName", "PatientID"} <= set(a.phi)
    assert a.patient == b.patient != c.patient
    assert a.patient != facts_of_file(tmp_path / "a.dcm", salt="t").patient
    assert "Roe" not in repr(a)
    assert a.modality == "CT"
    audit = audit_collection(collection_of_folder(tmp_path)).audit
    assert audit.groups_known
    assert audit.phi["PatientName"] == 3
    assert "Roe" not in audit.model_dump_json()
    assert [f.severity for f in audit.findings if f.check == "identifying headers"] == ["warning"]


def write_series(folder: Path, **elements: list[str]) -> Path:
    """A series of three slices, each with its own value of some elements."""
    from pydicom.data import get_testdata_file
    from pydicom.filereader import dcmread
    from pydicom.uid import generate_uid

    folder.mkdir()
    source = dcmread(get_testdata_file("CT_small.dcm"))
    del source.OtherPatientIDsSequence
    for keyword in ("InstitutionName", "ReferringPhysicianName", "AccessionNumber", "PatientBirthDate"):
        setattr(source, keyword, "")
    source.SeriesInstanceUID = generate_uid()
    for place in range(3):
        source.SOPInstanceUID, source.ImagePositionPatient = generate_uid(), [0, 0, place]
        for keyword, values in elements.items():
            setattr(source, keyword, values[place])
        source.save_as(folder / f"{place}.dcm")
    return folder


def test_any_slice_of_a_series_may_be_the_one_that_names(tmp_path: Path) -> None:
    named = write_series(tmp_path / "a", PatientName=["", "", "Roe^Jane"], PatientID=["", "P1", "P1"])
    alone = write_series(tmp_path / "b", PatientName=["", "", ""], PatientID=["P1", "P1", "P1"])
    nobody = write_series(tmp_path / "c", PatientName=["", "", ""], PatientID=["", "", ""])
    facts = [facts_of_file(path, salt="s") for path in (named, alone, nobody)]
    assert [fact.error for fact in facts] == [None] * 3
    assert {"PatientID", "PatientName"} <= set(facts[0].phi)
    assert "PatientName" not in facts[1].phi
    assert not {"PatientID", "PatientName"} & set(facts[2].phi)
    assert facts[0].patient == facts[1].patient is not None
    assert facts[2].patient is None
    findings = audit_collection(collection_of_folder(tmp_path)).audit.findings
    assert "several patients in a series" not in {finding.check for finding in findings}


def test_a_series_of_several_patients_is_told(tmp_path: Path) -> None:
    blank = ["", "", ""]
    write_series(tmp_path / "mixed", PatientName=blank, PatientID=["P1", "ANON", "P2"])
    write_series(tmp_path / "one", PatientName=blank, PatientID=["P2", "ANON", "P2"])
    audit = audit_collection(collection_of_folder(tmp_path)).audit
    (found,) = (finding for finding in audit.findings if finding.check == "several patients in a series")
    assert (found.severity, found.count, found.ids) == ("warning", 1, ["mixed"])
    assert "P1" not in audit.model_dump_json()


def test_a_header_that_was_not_looked_through_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import medauc.data.readers.privacy as privacy

    monkeypatch.setattr(privacy, "_DEEPEST", 0)
    from pydicom import Dataset
    from pydicom.data import get_testdata_file
    from pydicom.filereader import dcmread

    source = dcmread(get_testdata_file("CT_small.dcm"))
    source.RequestAttributesSequence = [Dataset()]
    source.save_as(tmp_path / "a.dcm")
    fact = facts_of_file(tmp_path / "a.dcm")
    assert fact.error is None
    assert any("could not be looked through" in note for note in fact.notes)


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n broken"])
def test_a_broken_file_is_a_row(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    fact = facts_of_file(tmp_path / "x.png")
    assert fact.error
    assert "x.png" not in fact.error
    assert fact.file_bytes == len(content)


def test_processes_find_the_same_as_one(tmp_path: Path) -> None:
    paths = write_pngs(tmp_path, textures(40))
    (tmp_path / "007.png").write_bytes(b"broken")
    seen: list[tuple[int, int]] = []
    one, several = (
        FileImages(paths, jobs).measure(lambda done, total: seen.append((done, total))) for jobs in (1, 2)
    )
    assert [fact.digest for fact in one] == [fact.digest for fact in several]
    assert [bool(fact.error) for fact in several] == [number == 7 for number in range(40)]
    assert seen[-1] == (40, 40)


def test_a_file_that_ends_its_process_is_a_row(tmp_path: Path) -> None:
    paths = [tmp_path / f"{number:03d}.png" for number in range(40)]
    found = dict(_measured(paths, partial(deadly, victim="020.png"), jobs=2))
    assert sorted(found) == list(range(40))
    assert [number for number, fact in found.items() if fact.error] == [20]
    assert "ended the process" in found[20].error


def manifest_in(folder: Path, count: int = 40, **columns: object) -> Path:
    paths = write_pngs(folder / "images", textures(count))
    table = {
        "path": [str(path.relative_to(folder)) for path in paths],
        "target": np.arange(count) % 2,
        "split": np.repeat(["train", "val", "test"], (count // 2, count // 4, count // 4)),
    }
    pd.DataFrame(table | columns).to_csv(folder / "manifest.csv", index=False)
    return folder / "manifest.csv"


def test_a_manifest_with_everything_wrong(tmp_path: Path) -> None:
    file = manifest_in(tmp_path, group=[f"p{number // 3}" for number in range(40)])
    (tmp_path / "images" / "004.png").write_bytes(b"broken")
    (tmp_path / "images" / "035.png").write_bytes((tmp_path / "images" / "002.png").read_bytes())
    (tmp_path / "images" / "012.png").unlink()
    made = collection_of_manifest(read_manifest(file))
    audit = audit_collection(made).audit
    checks = {finding.check: finding for finding in audit.findings if finding.severity == "invalid"}
    assert set(checks) == {
        "unreadable",
        "patients across splits",
        "duplicates across splits",
        "label conflict, exact",
    }
    assert {failure.id for failure in audit.failures} == {"images/004.png", "images/012.png"}
    assert audit.leaking_groups == ["p6"]
    (pair,) = audit.duplicates.pairs
    assert (pair.first, pair.second, pair.same_file) == ("images/002.png", "images/035.png", True)


def test_split_names_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    file = manifest_in(tmp_path, split=["holdout"] * 40)
    with pytest.raises(InputError, match="'holdout' is none of"):
        collection_of_manifest(read_manifest(file))


def test_duplicates_before_splitting_are_a_warning(tmp_path: Path) -> None:
    images = textures(20)
    images[11] = images[3]
    write_pngs(tmp_path, images)
    audit = audit_collection(collection_of_folder(tmp_path)).audit
    assert [f.severity for f in audit.findings if f.check == "duplicates before splitting"] == ["warning"]
    assert audit.exit_status == 0


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images"):
        collection_of_folder(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        collection_of_folder(tmp_path / "nowhere")


def test_images_and_volumes_in_one_set_are_told(tmp_path: Path) -> None:
    write_pngs(tmp_path, textures(3))
    np.save(tmp_path / "volume.npy", textures(1, (8, 8, 8))[0])
    audit = audit_collection(collection_of_folder(tmp_path)).audit
    assert "images and volumes" in {f.check for f in audit.findings if f.severity == "invalid"}


def test_a_pipe_is_a_row_and_is_never_opened(tmp_path: Path) -> None:
    for name in ("a.png", "b.mhd", "c.hdr"):
        os.mkfifo(tmp_path / name)
        fact = facts_of_file(tmp_path / name)
        assert "a pipe" in fact.error
        assert fact.file_digest is None


def test_a_file_beyond_the_limits_is_not_read_for_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDAUC_IMAGE_MIB", "1")
    with (tmp_path / "a.png").open("wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(2**42)  # sparse: reading it would take half an hour
    fact = facts_of_file(tmp_path / "a.png")
    assert "the file" in fact.error
    assert (fact.file_bytes, fact.file_digest) == (2**42, None)


def test_whatever_an_image_raises_is_told_in_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import medauc.audit.files as files

    paths = write_pngs(tmp_path, textures(3))
    measure = files.facts_of_images

    def failing(images: np.ndarray, colour: bool) -> list[ImageFacts]:
        raised = {35: MemoryError(), 36: ZeroDivisionError("of no use")}.get(images.shape[1])
        if raised is not None:
            raise raised
        return measure(images, colour)

    Image.fromarray(textures(1, (35, 35))[0]).save(paths[0])
    Image.fromarray(textures(1, (36, 36))[0]).save(paths[1])
    monkeypatch.setattr(files, "facts_of_images", failing)
    errors = [fact.error for fact in FileImages(paths).measure()]
    assert errors == ["there is not enough memory for it", "unexpected ZeroDivisionError: of no use", None]


def test_a_header_is_read_within_the_limits_and_in_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """A deflated header that unpacks to 64 MiB is refused, and is not unpacked anew for its patient."""
    monkeypatch.setenv("MEDAUC_IMAGE_MIB", "1")
    from pydicom.data import get_testdata_file

    content = Path(get_testdata_file("image_dfl.dcm")).read_bytes()
    place = content.index(b"1.2.840.10008.1.2.1.99")
    start = 144 + int.from_bytes(content[140:144], "little")  # after the file header, which is not packed
    assert place < start
    packer = zlib.compressobj(wbits=-15)
    unpacked = zlib.decompressobj(wbits=-15).decompress(content[start:])
    bomb = tmp_path / "bomb.dcm"
    bomb.write_bytes(content[:start] + packer.compress(unpacked + bytes(2**26)) + packer.flush())
    tracemalloc.start()
    fact = facts_of_file(bomb, salt="s")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert fact.error
    assert fact.patient is None
    assert peak < 2**24
    assert not recwarn.list


def test_three_equal_channels_are_grey(tmp_path: Path) -> None:
    grey = textures(1)[0]
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(np.stack([grey] * 3, axis=-1)).save(tmp_path / "b.png")
    Image.fromarray(np.stack([grey, grey, grey // 2], axis=-1)).save(tmp_path / "c.png")
    made = collection_of_folder(tmp_path)
    facts = made.images.measure()
    assert [fact.colour for fact in facts] == [False, False, True]
    assert facts[0].digest == facts[1].digest
    assert [made.images.pixels(number)[1] for number in range(3)] == [False, False, True]
    assert (made.images.pixels(1)[0] == grey).all()


def dicoms(folder: Path, patients: list[str]) -> pd.DataFrame:
    """DICOM files of these patients, the first half of them in train; the table of a manifest."""
    from pydicom.data import get_testdata_file
    from pydicom.filereader import dcmread
    from pydicom.uid import generate_uid

    source = dcmread(get_testdata_file("CT_small.dcm"))
    pixels = textures(len(patients), (source.Rows, source.Columns)).astype(np.int16)
    for number, patient in enumerate(patients):
        source.PatientID, source.PixelData = patient, pixels[number].tobytes()
        source.SeriesInstanceUID, source.SOPInstanceUID = generate_uid(), generate_uid()
        source.save_as(folder / f"{number}.dcm")
    splits = np.where(np.arange(len(patients)) < len(patients) // 2, "train", "test")
    names = [f"{number}.dcm" for number in range(len(patients))]
    return pd.DataFrame({"path": names, "target": np.arange(len(patients)) % 2, "split": splits})


def audit_of(table: pd.DataFrame, folder: Path) -> Audit:
    table.to_csv(folder / "m.csv", index=False)
    return audit_collection(collection_of_manifest(read_manifest(folder / "m.csv"))).audit


def test_patients_of_headers_count_beside_files_that_have_none(tmp_path: Path) -> None:
    table = dicoms(tmp_path, ["a", "b", "c", "a", "e", "f"])
    Image.fromarray(textures(1)[0]).save(tmp_path / "x.png")
    (tmp_path / "y.dcm").write_bytes(b"broken")
    table.loc[len(table)] = ["x.png", 0, "train"]
    table.loc[len(table)] = ["y.dcm", 1, "test"]
    audit = audit_of(table, tmp_path)
    found = {finding.check: finding for finding in audit.findings}
    assert found["patients across splits"].count == 1
    assert found["patients in part"].count == 2
    assert sum(split.n_groups for split in audit.splits) == 8


def test_one_patient_id_in_all_headers_is_no_patient(tmp_path: Path) -> None:
    audit = audit_of(dicoms(tmp_path, ["Trial 12"] * 6), tmp_path)
    assert not audit.groups_known
    assert [finding.severity for finding in audit.findings if finding.check == "one PatientID"] == ["note"]
    assert audit.exit_status == 0


def test_a_placeholder_beside_patients_does_not_leak(tmp_path: Path) -> None:
    audit = audit_of(dicoms(tmp_path, ["a", "b", "ANON", "ANON", "0", "0"]), tmp_path)
    found = {finding.check: finding for finding in audit.findings}
    assert "patients across splits" not in found
    assert found["patients in part"].count == 4
    assert "without a PatientID, or with a placeholder" in found["patients in part"].text


def test_hashed_ids_leave_no_name_of_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "DOE_JANE"
    folder.mkdir()
    dicoms(folder, ["a", "b"])  # two series, so the row does not say which; the error names the folder
    write_pngs(tmp_path / "ROE_JIM", textures(3))
    (tmp_path / "ROE_JIM.png").write_bytes(b"broken")
    paths = ["DOE_JANE", *(f"ROE_JIM/{number:03d}.png" for number in range(3)), "ROE_JIM.png"]
    pd.DataFrame({"path": paths, "target": [0, 1, 0, 1, 0]}).to_csv(tmp_path / "m.csv", index=False)
    made = collection_of_manifest(read_manifest(tmp_path / "m.csv")).with_hashed_ids("secret")
    audited = audit_collection(made)
    assert "name one as .../#" in audited.audit.failures[0].error
    assert audited.audit.source is None
    written = "\n".join(
        [audited.audit.model_dump_json(), build_audit_page(audited), *audit_lines(audited.audit)]
    )
    for secret in ("DOE", "JANE", "ROE", "JIM", str(tmp_path)):
        assert secret not in written


def test_the_first_unreadable_file_is_named(tmp_path: Path) -> None:
    write_pngs(tmp_path, textures(3))
    table = pd.DataFrame({"path": ["000.png", "001.png", "gone.png"], "target": [0, 1, 0]})
    text = next(f.text for f in audit_of(table, tmp_path).findings if f.check == "unreadable")
    assert text == "1 image cannot be read; the first: gone.png: cannot be opened (No such file or directory)"


def test_files_that_are_all_broken_are_audited(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert audit_collection(collection_of_folder(tmp_path)).audit.exit_status == 3


@pytest.mark.parametrize(("odd", "severity"), [(1, "warning"), (3, "note")])
def test_odd_shapes_are_told(tmp_path: Path, odd: int, severity: str) -> None:
    paths = write_pngs(tmp_path, textures(12))
    for number, path in enumerate(paths[:odd]):
        Image.fromarray(textures(1, (30, 31 + number))[0]).save(path)
    (found,) = (
        f for f in audit_collection(collection_of_folder(tmp_path)).audit.findings if f.check == "shapes"
    )
    assert (found.severity, found.count, found.ids[0]) == (severity, odd, "000.png")
    assert f"{odd} of 12 images have another shape than the usual" in found.text
    assert "30 x 31" in found.text


def test_without_labels_it_says_what_is_not_looked_for(tmp_path: Path) -> None:
    write_pngs(tmp_path, textures(4))
    lines = audit_lines(audit_collection(collection_of_folder(tmp_path)).audit)
    assert any("no label named: shortcuts and label conflicts not looked for" in line for line in lines)
    assert not [line for line in lines if line.endswith((" ", ";"))]
