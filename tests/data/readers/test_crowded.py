"""DICOM headers of millions of elements: what pydicom parses of them is bounded, wherever they stand."""

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from fuzz.fuzz_corpus import CANARY, dicom_bytes, dicom_object
from fuzz.fuzz_victim import Victim
from medauc.data.readers import Limits, UnreadableImage, patient_id_of, phi_in, read_image
from medauc.data.readers.dicom import sequences, source

PIXELS, PATIENT, PER_FRAME, PALETTE = (0x7FE0, 0x0010), (0x0010, 0x0010), (0x5200, 0x9230), (0x0028, 0x3000)
ENDLESS = 0xFFFFFFFF


def elements(count: int) -> bytes:
    """So many elements without a value, eight bytes each."""
    one = struct.Struct("<HH2sH")
    return b"".join(one.pack(9 + 2 * (n >> 16), n & 0xFFFF, b"LO", 0) for n in range(count))


def item(content: bytes) -> bytes:
    return struct.pack("<HHI", 0xFFFE, 0xE000, len(content)) + content


def sequence(tag: tuple[int, int], content: bytes, endless: bool = False) -> bytes:
    """A sequence, its length told or its end marked."""
    if endless:
        return (
            struct.pack("<HH2sHI", *tag, b"SQ", 0, ENDLESS) + content + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
        )
    return struct.pack("<HH2sHI", *tag, b"SQ", 0, len(content)) + content


def crowd(count: int, place: str) -> bytes:
    """What makes a header crowded, ``count`` elements or items in all."""
    match place:
        case "data set" | "packed":
            return elements(count)
        case "sequence":
            return sequence(PER_FRAME, item(elements(count)))
        case "nested":
            inner = item(sequence(PALETTE, item(elements(count))))
            return sequence(PER_FRAME, inner, endless=True)
        case "many small":
            return sequence(PER_FRAME, item(sequence(PALETTE, item(elements(98)))) * (count // 100))
        case _:
            return sequence(PER_FRAME, item(b"") * count)


def crowded_dicom(count: int, place: str) -> bytes:
    """A small image with a crowded header, among others in a deflated file (``packed``)."""
    header = dicom_object(np.zeros((4, 4), np.uint8))
    whole = dicom_bytes(header)
    start = 144 + int.from_bytes(whole[140:144], "little")
    body = whole[start:]
    at = body.index(struct.pack("<HH", *(PATIENT if place in ("data set", "packed") else PIXELS)))
    body = body[:at] + crowd(count, place) + body[at:]
    if place != "packed":
        return whole[:start] + body
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    head = dicom_bytes(header)
    machine = zlib.compressobj(1, zlib.DEFLATED, -15)
    start = 144 + int.from_bytes(head[140:144], "little")
    return head[:start] + machine.compress(body) + machine.flush()


@pytest.fixture
def a_hundredth(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the bound, that tests need not take seconds."""
    monkeypatch.setattr(source, "MOST_READS", 2_500)


@pytest.mark.usefixtures("a_hundredth")
@pytest.mark.parametrize("place", ["data set", "packed", "sequence", "nested", "many small", "items"])
def test_a_header_of_endless_elements(tmp_path: Path, place: str) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(crowded_dicom(300, place))
    assert read_image(path).shape == (4, 4)
    assert "PatientName" in phi_in(path)
    assert patient_id_of(path) == CANARY
    path.write_bytes(crowded_dicom(6_000, place))
    with pytest.warns(UserWarning, match="could not be looked through"):
        assert ("PatientName" in phi_in(path)) == (place not in ("data set", "packed"))
    if place in ("nested", "many small"):  # reading does not look into what lies in a functional group
        assert read_image(path).shape == (4, 4)
        return
    with pytest.raises(UnreadableImage, match="header is too long") as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: its")
    if place in ("data set", "packed"):  # a sequence is passed over where it is not asked for
        assert patient_id_of(path) is None


@pytest.mark.slow
@pytest.mark.parametrize("place", ["data set", "sequence", "items", "many small"])
def test_what_the_bound_costs(tmp_path: Path, place: str) -> None:
    """A million of them, just below the largest header; pydicom alone would take seven seconds and more."""
    path = tmp_path / "a.dcm"
    path.write_bytes(crowded_dicom(1_000_000, place))
    victim = Victim()
    answer = victim.read(path)
    victim.close()
    assert answer["outcome"] == "read" if place == "many small" else "header is too long" in answer["said"], (
        answer
    )
    assert answer["peak_mib"] < 1024, answer
    assert answer["seconds"] < 5, answer  # of processor time


def test_a_sequence_in_a_sequence_in_a_sequence(tmp_path: Path) -> None:
    """What lies deep is in the bytes of each sequence around it; nobody parses to the bottom."""
    inner = b""
    for _ in range(3_000):
        inner = sequence(PALETTE, item(inner))
    path = tmp_path / "a.dcm"
    whole = dicom_bytes(dicom_object(np.zeros((4, 4), np.uint8)))
    at = whole.index(struct.pack("<HH", *PIXELS))
    path.write_bytes(whole[:at] + sequence(PER_FRAME, item(inner)) + whole[at:])
    assert read_image(path).shape == (4, 4)
    with pytest.warns(UserWarning, match="could not be looked through"):
        assert "PatientName" in phi_in(path)


def test_who_is_named_beside_more_than_is_read(tmp_path: Path) -> None:
    """Private elements beyond the bound of a header, which reading passes over: the image is read."""
    header = dicom_object(np.zeros((4, 4), np.uint8), PatientName=CANARY)
    block = header.private_block(0x0029, "MEDAUC TEST", create=True)
    for number in range(150):
        block.add_new(number, "OB", bytes(60_000))
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(header))
    assert read_image(path).shape == (4, 4)
    with pytest.warns(UserWarning, match="could not be looked through"):
        assert "PatientName" in phi_in(path)


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize("deferred", [False, True])
def test_honest_sequences_are_read_as_pydicom_reads_them(
    tmp_path: Path, endless: bool, deferred: bool
) -> None:
    header = dicom_object(np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7))
    groups = []
    for place in (3, 1, 4, 0, 2):
        position, measures, group = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient, measures.PixelSpacing = [0, 0, 2.5 * place], [0.5, 0.25]
        measures.add_new((0x0040, 0x4006), "LT", "x" * (30_000 if deferred else 3))
        group.PlanePositionSequence, group.PixelMeasuresSequence = [position], [measures]
        groups.append(group)
    orientation, shared = pydicom.Dataset(), pydicom.Dataset()
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PlaneOrientationSequence = [orientation]
    header.PerFrameFunctionalGroupsSequence, header.SharedFunctionalGroupsSequence = groups, [shared]
    header["PerFrameFunctionalGroupsSequence"].is_undefined_length = endless
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(header))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, pydicom.dcmread(path).pixel_array[[3, 1, 4, 0, 2]])
    assert image.spacing == (2.5, 0.5, 0.25)


def test_who_is_named_in_a_private_sequence(tmp_path: Path) -> None:
    """In the implicit syntax, only its bytes tell that it is one."""
    header: Any = dicom_object(np.zeros((4, 4), np.uint8), PatientName="", PatientID="", PatientBirthDate="")
    inner = pydicom.Dataset()
    inner.ReferringPhysicianName = CANARY
    block = header.private_block(0x0029, "MEDAUC TEST", create=True)
    block.add_new(0x10, "SQ", [inner])
    header.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    path = tmp_path / "a.dcm"
    path.write_bytes(dicom_bytes(header))
    assert phi_in(path) == ("ReferringPhysicianName",)


def test_damaged_sequences_have_no_items(tmp_path: Path) -> None:
    header = dicom_object(np.zeros((4, 4), np.uint8), PatientName=CANARY)
    whole = dicom_bytes(header)
    at = whole.index(struct.pack("<HH", *PIXELS))
    path = tmp_path / "a.dcm"
    path.write_bytes(whole[:at] + sequence(PER_FRAME, b"\xfe\xff\x00\xe0\xff\xff") + whole[at:])
    assert read_image(path).shape == (4, 4)
    assert "PatientName" in phi_in(path)
    with source.opened(path, Limits()) as opened:
        assert list(sequences.items_of(opened.header, "PerFrameFunctionalGroupsSequence")) == []
        assert list(sequences.items_of(opened.header, "ModalityLUTSequence")) == []
        assert list(sequences.items_of(opened.header, "Rows")) == []
