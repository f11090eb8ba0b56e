"""Files made to harm: bombs, lies, traps and secrets. Each is refused, quickly, in one line."""

import bz2
import gzip
import io
import os
import pickle
import shutil
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import nibabel
import numpy as np
import pydicom
import pytest
from PIL import Image

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

NIFTI = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)).to_bytes()


def refused(path: Path, limits: Limits | None = None) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path, limits)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


def nifti_of(sides: tuple[int, ...], dtype: int = 4) -> bytearray:
    """A NIfTI header that declares a shape, with few values."""
    data = bytearray(NIFTI)
    data[40:56] = np.array([len(sides), *sides, *[1] * (7 - len(sides))], "<i2").tobytes()
    data[70:72] = np.array([dtype], "<i2").tobytes()
    return data


def zeros(count: int, pack: Callable[[], "zlib._Compress"]) -> bytes:
    """``count`` zero bytes, packed; one piece repeated, so that the checksum at the end is that of another file."""
    machine = pack()
    first, again = (machine.compress(bytes(2**20)) + machine.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + again * (count // 2**20 - 1) + machine.flush()


def png_of(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds one row's worth of nothing."""
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + b"\x08\x00\x00\x00\x00"
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(100))), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
        for kind, body in chunks
    )


def nrrd_of(size: int, encoding: str, values: bytes) -> bytes:
    return (
        f"NRRD0004\ntype: uchar\ndimension: 3\nsizes: {size} {size} {size}\nencoding: {encoding}\n\n".encode()
        + values
    )


def meta_image_of(size: int, packed: bool, values: bytes, place: str = "LOCAL") -> bytes:
    return (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nCompressedData = {packed}\nDimSize = {size} {size} {size}\n"
        f"ElementType = MET_UCHAR\nElementDataFile = {place}\n".encode()
        + values
    )


def deflated_dicom() -> bytes:
    """A deflated file of a kilobyte a megabyte, 2 GiB in all."""
    header = dicom_object(np.zeros((4, 4), np.uint8))
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    whole = dicom_bytes(header)
    start = 144 + int.from_bytes(whole[140:144], "little")
    return whole[:start] + zeros(2**31, lambda: zlib.compressobj(9, zlib.DEFLATED, -15))


def lying_npy(shape: str, dtype: str = "<f8") -> bytes:
    """A .npy whose header declares a shape that is not there."""
    head = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x02\x00" + len(head).to_bytes(4, "little") + head.encode() + bytes(64)


def packed_npz() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as member:
        head = lying_npy("(40000, 40000)", "|u1")
        member.write(head[:-64])
        member.write(bytes(2**22))
    return buffer.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "png 60000 x 60000": lambda: png_of(60_000, 60_000),
    "png of 2 billion columns": lambda: png_of(2**31 - 1, 1),
    "nifti that lies": lambda: bytes(nifti_of((32767, 32767, 32767))),
    "nifti of no size": lambda: bytes(nifti_of((4, 0, 4))),
    "nifti of negative size": lambda: bytes(nifti_of((4, -4, 4))),
    "nifti gz that lies": lambda: gzip.compress(bytes(nifti_of((30000, 30000, 2)))),
    "nifti gz bomb": lambda: (
        gzip.compress(bytes(nifti_of((2000, 2000, 500))))
        + zeros(2**31, lambda: zlib.compressobj(9, zlib.DEFLATED, 31))
    ),
    "nifti with values at 2e9": lambda: bytes(NIFTI[:108] + np.array([2e9], "<f4").tobytes() + NIFTI[112:]),
    "mgh that lies": lambda: np.array([1, 30000, 30000, 30000, 1, 3], ">i4").tobytes().ljust(400, b"\0"),
    "nrrd that lies": lambda: nrrd_of(60_000, "raw", b""),
    "nrrd gzip bomb": lambda: nrrd_of(
        1100, "gzip", zeros(2**31, lambda: zlib.compressobj(9, zlib.DEFLATED, 31))
    ),
    "nrrd bzip2 bomb": lambda: nrrd_of(1100, "bzip2", bz2.compress(bytes(2**24))),
    "nrrd text that lies": lambda: nrrd_of(600, "ascii", b"1 2 3"),
    "nrrd of one long line": lambda: b"NRRD0004\n" + b"a" * 2**25,
    "mha zlib bomb": lambda: meta_image_of(1100, True, zeros(2**31, lambda: zlib.compressobj(9))),
    "mha of 1e30": lambda: meta_image_of(10**30, False, b""),
    "deflated dicom bomb": deflated_dicom,
    "dicom of 65535 x 65535": lambda: dicom_bytes(
        dicom_object(np.zeros((4, 4), np.uint8), Rows=65535, Columns=65535)
    ),
    "dicom of many frames": lambda: dicom_bytes(
        dicom_object(np.zeros((4, 4), np.uint8), NumberOfFrames=2**31 - 1)
    ),
    "npy that lies": lambda: lying_npy("(1000000, 1000000)"),
    "npy with a huge header": lambda: lying_npy("(" + "1," * 40_000 + ")"),
    "npy of objects": lambda: lying_npy("(2, 2)", "|O"),
    "npz bomb": packed_npz,
    "pickle": lambda: pickle.dumps({"images": [1]}),
    "zip": lambda: b"PK\x03\x04" + bytes(50),
    "text": lambda: b"no image\n" * 100,
    "one byte": lambda: b"\0",
    "html": lambda: b"<!DOCTYPE html><html>please log in</html>",
}


@pytest.fixture(scope="module")
def victim() -> Victim:
    return Victim()


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_and_lies(tmp_path: Path, victim: Victim, name: str) -> None:
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    answer = victim.read(path)
    assert answer["outcome"] == "refused", answer
    assert answer["peak_mib"] < 1024, answer
    assert answer["seconds"] < 5, answer


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


def test_the_patient_of_a_file_and_of_a_series(tmp_path: Path) -> None:
    header = dicom_object(np.zeros((4, 4), np.uint8), PatientID="P7")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "a.dcm").write_bytes(dicom_bytes(header))
    assert patient_id_of(tmp_path / "s" / "a.dcm") == patient_id_of(tmp_path / "s") == "P7"
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert patient_id_of(tmp_path / "a.png") is None


def test_hashed_ids() -> None:
    ids = [hash_id(str(number), "salt") for number in range(1000)]
    assert len(set(ids)) == 1000
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in ids)
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
