"""Files made to harm: bombs, lies, traps and secrets. Each is refused, quickly, in one line."""

import gzip
import io
import os
import shutil
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from fuzz.fuzz_bombs import BOMBS, NIFTI, PAIRED_BOMBS, meta_image_of, nifti_of, tiff_of
from fuzz.fuzz_corpus import dicom_bytes, dicom_object, every_seed
from fuzz.fuzz_victim import Victim
from medauc.data.readers import (
    Limits,
    UnreadableImage,
    hash_id,
    list_images,
    patient_id_of,
    phi_in,
    read_image,
)
from medauc.data.readers.dicom.source import opened
from medauc.data.readers.image import Refusal


def refused(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, limits)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def victim() -> Iterator[Victim]:
    child = Victim()
    yield child
    child.close()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_and_lies(tmp_path: Path, victim: Victim, name: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    for named in (path, tmp_path):  # by itself, and as the file of a folder
        answer = victim.read(named)
        assert answer["outcome"] == "refused", answer
        assert answer["peak_mib"] < 1024, answer
        assert answer["seconds"] < 5, answer


def test_a_packed_slice_larger_than_allowed_is_not_read_into_memory(tmp_path: Path) -> None:
    header = dicom_object(np.zeros((4, 4), np.uint8))
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(header))
    with opened(path, Limits(max_bytes=2**20)) as source:
        assert source.header.Rows == 4
    os.truncate(path, 2**20 + 1)
    with (
        pytest.raises(Refusal, match="the file takes 2 MiB, more than the 1 MiB"),
        opened(path, Limits(2**20)),
    ):
        pass


@pytest.mark.parametrize("name", PAIRED_BOMBS)
def test_bombs_and_lies_of_two_files(tmp_path: Path, victim: Victim, name: str) -> None:
    files = PAIRED_BOMBS[name]()
    for file, content in files.items():
        (tmp_path / file).write_bytes(content)
    answer = victim.read(tmp_path / next(iter(files)))
    assert answer["outcome"] == "refused", answer
    assert answer["peak_mib"] < 1024, answer
    assert answer["seconds"] < 5, answer


def test_pages_in_a_circle_are_one_page(tmp_path: Path, victim: Victim) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_of({}, bytes(16), following=8))
    answer = victim.read(tmp_path / "a.tif")
    assert (answer["outcome"], answer["seconds"] < 5) == ("read", True), answer
    assert read_image(tmp_path / "a.tif").shape == (4, 4)


def test_an_archive_is_read_in_place_whatever_its_members_are_called(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "a.npz", "w") as archive, archive.open("../../evil.npy", "w") as member:
        np.save(member, np.ones((3, 4), np.uint8))
    assert read_image(folder / "a.npz").shape == (3, 4)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [folder / "a.npz"]


@pytest.mark.parametrize("kind", [seed.name for seed in every_seed()])
@pytest.mark.parametrize("harm", ["half", "empty", "text", "zeros"])
def test_every_format_cut_emptied_or_replaced_is_refused(tmp_path: Path, kind: str, harm: str) -> None:
    (seed,) = (seed for seed in every_seed() if seed.name == kind)
    path = seed.write(tmp_path)
    whole = path.read_bytes()
    text = b"see the archive\n" * 50
    path.write_bytes(
        {"half": whole[: len(whole) // 2], "empty": b"", "text": text, "zeros": bytes(5000)}[harm]
    )
    message = refused(path)
    if harm in ("text", "zeros"):
        assert "is of no known image format" in message
    if harm == "empty":
        assert "is empty; copy it again or leave it out" in message


@pytest.mark.parametrize("kind", [seed.name for seed in every_seed() if seed.beside])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_values_beside_a_header_that_are_cut_are_refused(tmp_path: Path, kind: str, share: float) -> None:
    (seed,) = (seed for seed in every_seed() if seed.name == kind)
    header = seed.write(tmp_path)
    ending, content = seed.beside[0]
    header.with_name(f"seed{ending}").write_bytes(content[: int(share * len(content))])
    message = refused(header)
    assert "is empty" in message or "ends after" in message


def test_links_among_slices_are_no_slices(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    for folder in (inside, outside):
        folder.mkdir()
        for place in range(2):
            header = dicom_object(
                np.zeros((4, 4), np.int16),
                SOPInstanceUID=pydicom.uid.generate_uid(entropy_srcs=[f"{folder}{place}"]),
                ImagePositionPatient=[0, 0, place + 2 * (folder == outside)],
                ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
                PixelSpacing=[1, 1],
            )
            (folder / f"{place}.dcm").write_bytes(dicom_bytes(header))
    for place in range(2):
        (inside / f"link{place}.dcm").symlink_to(outside / f"{place}.dcm")
    image = read_image(inside)
    assert image.pixels.shape[0] == 2
    assert image.notes == ("2 files beside the series are no DICOM images",)


def test_an_honest_bomb_is_read_within_the_limit(tmp_path: Path, victim: Victim) -> None:
    # 512 x 512 x 300 of 16 bits, as a CT; packed, it is less than a megabyte.
    path = tmp_path / "a.nii.gz"
    path.write_bytes(gzip.compress(bytes(nifti_of((512, 512, 300)))[:352] + bytes(512 * 512 * 600), 1))
    answer = victim.read(path)
    assert answer["outcome"] == "read"
    assert answer["peak_mib"] < 1024
    assert "MEDAUC_IMAGE_MIB" in refused(path, Limits(max_bytes=2**20))


def test_a_limit_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDAUC_IMAGE_MIB", "2000")
    assert Limits().max_bytes == 2000 * 2**20
    monkeypatch.setenv("MEDAUC_IMAGE_MIB", "much")
    assert Limits().max_bytes == 768 * 2**20


def test_a_jpeg_of_endless_passes(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("L", (6000, 6000)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.index(b"\xff\xda") : data.index(b"\xff\xda") + 12]
    path = tmp_path / "a.jpg"
    path.write_bytes(data[:-2] + scan * 5000 + data[-2:])
    assert "more passes" in refused(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.png")
    done = threading.Event()

    def read() -> None:
        assert "pipe" in refused(tmp_path / "a.png")
        assert "device" in refused(Path("/dev/zero"))
        assert list_images(tmp_path) == []
        done.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(60)
    assert done.is_set()


def test_missing_empty_and_unnameable(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "is empty" in refused(tmp_path / "empty.png")
    assert "No such file" in refused(tmp_path / "missing.png")
    assert "cannot be opened" in refused(Path("a\0b.png"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "cannot be opened" in refused(tmp_path / "loop")


@pytest.mark.parametrize(
    "name", ["../secret.raw", "/etc/hostname", "sub/../../secret.raw", "..\\secret.raw", "LIST", ".."]
)
def test_values_outside_the_folder_are_not_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.raw").write_bytes(bytes(8))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.mhd").write_bytes(meta_image_of(2, False, b"", name))
    (folder / "a.nhdr").write_text(
        f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nencoding: raw\ndata file: {name}\n"
    )
    for header in ("a.mhd", "a.nhdr"):
        message = refused(folder / header)
        assert "side by side" in message or "several files" in message
        assert "hostname" not in message


def test_a_link_in_place_of_values_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(8))
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.raw").symlink_to(tmp_path / "secret")
    (folder / "a.mhd").write_bytes(meta_image_of(2, False, b"", "a.raw"))
    assert "link" in refused(folder / "a.mhd")


@pytest.mark.parametrize("kind", ["nifti pair", "analyze", "afni"])
@pytest.mark.parametrize("linked", ["header", "values"])
def test_a_link_in_place_of_half_a_pair_is_refused(tmp_path: Path, kind: str, linked: str) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "in"
    outside.mkdir()
    folder.mkdir()
    (seed,) = (seed for seed in every_seed() if seed.name == kind)
    header = seed.write(outside)
    values = outside / f"seed{seed.beside[0][0]}"
    away, kept = (header, values) if linked == "header" else (values, header)
    (folder / away.name).symlink_to(away)
    shutil.copy(kept, folder / kept.name)
    assert "is a link; put both files side by side" in refused(folder / kept.name)
    (folder / away.name).unlink()
    shutil.copy(away, folder / away.name)
    assert read_image(folder / kept.name).pixels.size


def test_damage_is_found_by_the_checksum(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(NIFTI))
    data[-6] ^= 1
    (tmp_path / "a.nii.gz").write_bytes(data)
    assert "damaged" in refused(tmp_path / "a.nii.gz")


NAME = "Zyxwv^Canary"
PERSONAL = {
    "PatientName": NAME,
    "PatientID": "CANARY7",
    "PatientBirthDate": "19330303",
    "ReferringPhysicianName": NAME,
    "InstitutionName": "Canary Hospital",
    "AccessionNumber": "CANARYACC",
    "PatientComments": "Canary comments",
    "ImageComments": "Canary was here",
}


def said_about(path: Path) -> str:
    """Everything that reading a file says."""
    try:
        image = read_image(path)
        return f"{image.notes} {dict(image.tags)} {image.modality}".lower()
    except UnreadableImage as error:
        return str(error).lower()


def test_nothing_says_who_an_image_is_of(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    header = dicom_object(np.zeros((4, 4), np.uint8), **PERSONAL)
    whole = dicom_bytes(header)
    path = tmp_path / "a.dcm"
    for content in (
        whole,
        whole.replace(b"19330303", b"CANARYDT"),
        whole.replace(b"MONOCHROME2 ", b"CANARY      "),
        whole.replace(b"Zyxwv^Canary", b"\xff" * 11 + b"Y"),
        whole[: len(whole) - 8],
        whole.replace(b"PN", b"IS"),
        whole.replace(b"LO", b"DS"),
    ):
        path.write_bytes(content)
        assert "canary" not in said_about(path)
    assert capfd.readouterr() == ("", "")


def test_phi_in_names_elements_not_values(tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    inner = pydicom.Dataset()
    inner.PersonName, inner.InstitutionName = NAME, ""
    header = dicom_object(np.zeros((4, 4), np.uint8), **PERSONAL, RequestAttributesSequence=[inner])
    path.write_bytes(dicom_bytes(header))
    expected = {*PERSONAL, "PersonName"} - {"ImageComments"}
    assert set(phi_in(path)) == expected
    header.PatientIdentityRemoved = "YES"
    path.write_bytes(dicom_bytes(header))
    assert set(phi_in(path)) == expected - {"PatientName", "PatientID"}
    for keyword in PERSONAL:
        setattr(header, keyword, "")
    inner.PersonName = ""
    path.write_bytes(dicom_bytes(header))
    assert phi_in(path) == ()
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert phi_in(tmp_path / "a.png") == ()
    assert phi_in(tmp_path / "missing") == ()


@pytest.mark.parametrize(
    ("element", "names"), [(b"ZZ\x08\x0019330303", True), (b"ZZ\x08\x00        ", False)]
)
def test_one_odd_element_hides_no_other(tmp_path: Path, element: bytes, names: bool) -> None:
    """What cannot be parsed may hold a name: it counts where it is not empty."""
    whole = dicom_bytes(dicom_object(np.zeros((4, 4), np.uint8), PatientBirthDate="19330303"))
    path = tmp_path / "a.dcm"
    path.write_bytes(whole.replace(b"DA\x08\x0019330303", element))
    assert whole != path.read_bytes()
    assert phi_in(path) == (*["PatientBirthDate"] * names, "PatientID", "PatientName")


def test_an_odd_mark_of_removal_removes_nothing(tmp_path: Path) -> None:
    header = dicom_object(np.zeros((4, 4), np.uint8), PatientBirthDate="", PatientIdentityRemoved="YES")
    whole = dicom_bytes(header)
    path = tmp_path / "a.dcm"
    path.write_bytes(whole.replace(b"CS\x04\x00YES ", b"ZZ\x04\x00YES "))
    assert whole != path.read_bytes()
    assert phi_in(path) == ("PatientID", "PatientName")


def test_the_patient_of_a_file_and_of_a_series(tmp_path: Path) -> None:
    header = dicom_object(np.zeros((4, 4), np.uint8), PatientID="P7")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.dcm").write_bytes(dicom_bytes(header))
    assert patient_id_of(tmp_path / "s" / "a.dcm") == patient_id_of(tmp_path / "s") == "P7"
    for name, patient in (("0.dcm", ""), ("1.dcm", "ANON")):  # slices before it that were de-identified
        header.PatientID = patient
        (tmp_path / "s" / name).write_bytes(dicom_bytes(header))
        assert patient_id_of(tmp_path / "s" / name) is None
    assert patient_id_of(tmp_path / "s") == "P7"
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert patient_id_of(tmp_path / "a.png") is None


def test_hashed_ids() -> None:
    ids = [hash_id(str(number), "salt") for number in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(text) == 20 and int(text, 16) >= 0 for text in ids)
    assert [hash_id(text, "salt") for text in ids] == ids  # what is hashed stays
    assert not set(ids) & {hash_id(text, "other") for text in ids}
    forged = [f"{text[:16]}{number % 2**16:04x}" for number, text in enumerate(ids)]
    assert sum(hash_id(text, "salt") == text for text in forged) <= 1  # one of 65,536 by chance
    with pytest.raises(ValueError, match="salt"):
        hash_id("1", "")


@pytest.mark.parametrize("ending", [".mha", ".img"])
def test_only_headers_that_are_named_so_have_values_in_another_file(tmp_path: Path, ending: str) -> None:
    """Else a change of the values would go unseen by who knows an image's files by their names, as the cache does."""
    (tmp_path / "values.raw").write_bytes(bytes(8))
    header = tmp_path / f"a{ending}"
    header.write_bytes(meta_image_of(2, False, b"", "values.raw"))
    assert "only .mhd and .nhdr" in refused(header)
    assert read_image(header.rename(tmp_path / "a.mhd")).shape == (2, 2, 2)
