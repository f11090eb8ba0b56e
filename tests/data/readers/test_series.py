"""Folders of slices: order, geometry, and what is wrong with a series; finding images below a folder."""

import io
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fuzz.fuzz_corpus import dicom_bytes, dicom_object
from medauc.data.readers import (
    Limits,
    UnreadableImage,
    files_of_image,
    list_images,
    named_like_images,
    patient_id_of,
    read_image,
)
from medauc.data.readers.dicom import folder as folder_module
from medauc.data.readers.dicom.headers import Header


def oblique(angle: float = 0.4) -> np.ndarray:
    """Directions of rows, columns and normal, one a row."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, s, 0], [0, 0, -1], [-s, c, 0]]) * np.array([[1], [1], [1]])


def write_slice(folder: Path, name: str, place: float, value: int, **elements: Any) -> None:
    """One slice at ``place`` along the normal, all pixels ``value`` but the first."""
    row, column, _ = oblique()
    normal = np.cross(row, column)
    pixels = np.full((4, 5), value, np.int16)
    pixels[0, 0] = 0
    defaults: dict[str, Any] = {
        "PixelSpacing": [0.5, 0.25],
        "ImageOrientationPatient": [*row, *column],
        "ImagePositionPatient": (np.array([1.0, 2, 3]) + place * normal).round(6).tolist(),
        "SOPInstanceUID": pydicom.uid.generate_uid(entropy_srcs=[name]),
    }
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(
        dicom_bytes(dicom_object(elements.pop("pixels", pixels), **{**defaults, **elements}))
    )


def refused(path: Path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value)


@settings(max_examples=10)
@given(order=st.permutations(range(5)))
def test_order_comes_from_places_not_names(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("series") / "s"
    for name, place in enumerate(order):
        write_slice(folder, f"{name}.dcm", 2.5 * place, place + 1, InstanceNumber=name)
    image = read_image(folder)
    assert image.pixels.shape == (5, 4, 5)
    np.testing.assert_array_equal(image.pixels[:, 1, 1], [1, 2, 3, 4, 5])
    np.testing.assert_allclose(image.spacing, (2.5, 0.5, 0.25))
    row, column, _ = oblique()
    lps = np.array([1.0, 2, 3]) + 2 * 2.5 * np.cross(row, column) + 3 * 0.5 * column + 4 * 0.25 * row
    assert image.affine is not None
    np.testing.assert_allclose((image.affine @ [2, 3, 4, 1])[:3], lps * [-1, -1, 1], atol=1e-5)
    assert image.notes == ()


def test_a_real_oblique_series(series_dir: Path) -> None:
    image = read_image(series_dir)
    headers = [pydicom.dcmread(path) for path in series_dir.iterdir()]
    row, column = np.reshape(np.array(headers[0].ImageOrientationPatient, float), (2, 3))
    headers.sort(key=lambda header: np.cross(row, column) @ np.array(header.ImagePositionPatient, float))
    np.testing.assert_array_equal(image.pixels, np.stack([header.pixel_array for header in headers]))
    assert image.affine is not None
    for index in (0, 31, 63):
        expected = np.array(headers[index].ImagePositionPatient, float) * [-1, -1, 1]
        np.testing.assert_allclose((image.affine @ [index, 0, 0, 1])[:3], expected, atol=0.01)
    np.testing.assert_allclose(image.spacing, (0.6667, 0.6667, 0.7), rtol=1e-3)
    assert image.notes == ()


def test_slices_with_their_own_rescale(tmp_path: Path) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 10, RescaleSlope=place + 0.5, RescaleIntercept=1)
    image = read_image(tmp_path / "s")
    np.testing.assert_allclose(image.pixels[:, 1, 1], [6, 16, 26])
    assert image.pixels.dtype == np.float32


def test_a_missing_slice_is_told(tmp_path: Path) -> None:
    for place in (0, 1, 2, 4, 5):
        write_slice(tmp_path / "s", f"{place}", 1.25 * place, 1)
    image = read_image(tmp_path / "s")
    assert image.notes == ("slices 3 and 4 are 2.5 mm apart, others 1.25 mm",)
    assert image.spacing is not None
    assert image.spacing[0] == pytest.approx(1.25)


def test_a_copy_of_a_slice_counts_once(tmp_path: Path) -> None:
    for name, place in (("0", 0), ("1", 1), ("2", 2)):
        write_slice(tmp_path / "s", name, place, place + 1)
    (tmp_path / "s" / "copy").write_bytes((tmp_path / "s" / "1").read_bytes())
    image = read_image(tmp_path / "s")
    assert image.pixels.shape[0] == 3
    assert image.notes == ("1 copies of slices were left out",)


def test_a_copy_with_a_rounded_position_is_one(tmp_path: Path) -> None:
    for name, place in (("0", 0), ("1", 1), ("2", 2)):
        write_slice(tmp_path / "s", name, place, place + 1)
    header = pydicom.dcmread(tmp_path / "s" / "1")
    header.ImagePositionPatient = [round(float(number), 4) for number in header.ImagePositionPatient]
    header.save_as(tmp_path / "s" / "copy")
    assert read_image(tmp_path / "s").notes == ("1 copies of slices were left out",)


@pytest.mark.parametrize("others", [{}, {"ImagePositionPatient": None}])
def test_slices_of_one_identifier_are_no_copies(tmp_path: Path, others: dict[str, Any]) -> None:
    """Some exporters give one SOPInstanceUID to all slices; none is to be lost as a copy of another."""
    for place in range(3):
        elements = others if place == 1 else {}
        write_slice(tmp_path / "s", f"{place}", place, place + 1, SOPInstanceUID="1.2.3", **elements)
    assert "slices of one SOPInstanceUID that differ" in refused(tmp_path / "s")


@pytest.mark.parametrize("shape", [(4, 5), (6, 5)])
def test_an_echo_under_the_same_identifier_is_no_copy(tmp_path: Path, shape: tuple[int, int]) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 1, SOPInstanceUID=f"1.2.{place}")
    write_slice(tmp_path / "s", "echo", 1, 0, SOPInstanceUID="1.2.1", pixels=np.full(shape, 7, np.int16))
    assert "slices of one SOPInstanceUID that differ" in refused(tmp_path / "s")


def test_unplaced_slices_of_one_identifier_are_counted_as_they_are(tmp_path: Path) -> None:
    for place in range(3):
        write_slice(
            tmp_path / "s", f"{place}", place, 1, SOPInstanceUID="1.2.3", ImageOrientationPatient=None
        )
    assert "its 3 files do not all say where they lie" in refused(tmp_path / "s")


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ({"ImagePositionPatient": [1, 2, 3]}, "lie where another lies"),
        ({"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}, "turned against the first"),
        ({"PixelSpacing": [1, 1]}, "different pixel spacings"),
        ({"pixels": np.zeros((6, 5), np.int16)}, "slices of 4 x 5 and of 6 x 5"),
        ({"ImageOrientationPatient": None}, "do not all say where they lie"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "series of coloured"),
    ],
)
def test_slices_that_are_no_volume(tmp_path: Path, elements: dict[str, Any], words: str) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 1)
    write_slice(tmp_path / "s", "other", 7, 1, **elements)
    assert words in refused(tmp_path / "s")


def test_slices_of_palette_indices_are_no_grey_values(tmp_path: Path) -> None:
    """A single one comes in the palette's colours, so several are not to come as its indices."""
    table = np.arange(256, dtype=np.uint16) << 8
    palette: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        palette[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 1, pixels=np.full((4, 5), place, np.uint8), **palette)
    assert read_image(tmp_path / "s" / "1").colour
    assert "coloured" in refused(tmp_path / "s")


def test_a_damaged_slice_refuses_the_series(tmp_path: Path) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 1)
    content = (tmp_path / "s" / "1").read_bytes()
    (tmp_path / "s" / "1").write_bytes(content[:-20])
    assert "copy it again" in refused(tmp_path / "s")


def test_several_series_in_a_folder_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    for series in "ab":
        uid = pydicom.uid.generate_uid(entropy_srcs=[series])
        for place in range(3):
            write_slice(folder, f"{series}{place}", place, ord(series), SeriesInstanceUID=uid)
    message = refused(folder)
    assert "2 DICOM series" in message
    found = list_images(tmp_path)
    assert len(found) == 2
    for path in found:
        assert path.parent == folder
        assert path.name[1:] in message
        as_before = folder.with_name(f"{folder.name}{path.name}")  # manifests that were written so
        np.testing.assert_array_equal(read_image(as_before).pixels, read_image(path).pixels)
        assert len(files_of_image(path)) == 3
    assert sorted(int(read_image(path).pixels[0, 1, 1]) for path in found) == [ord("a"), ord("b")]
    assert f"name one as study/{min(found, key=files_of_image).name}" in message
    assert "no series 00000000" in refused(tmp_path / "study#00000000")
    assert "no series 00000000" in refused(folder / "#00000000")


@pytest.fixture
def headers_read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Files whose headers are read to tell their series, one entry each time."""
    from medauc.data.readers.dicom import headers as module

    read: list[Path] = []
    plain = module.opened

    def opened(path: Path, *rest: Any) -> Any:
        read.append(path)
        return plain(path, *rest)

    monkeypatch.setattr(module, "opened", opened)
    return read


def write_study(folder: Path, series: int, slices: int) -> None:
    """Several series in one folder, written an hour ago."""
    for number in range(series):
        uid = pydicom.uid.generate_uid(entropy_srcs=[str(number)])
        for place in range(slices):
            write_slice(folder, f"{number}-{place}", place, number + 1, SeriesInstanceUID=uid)
    age(folder)


def age(folder: Path) -> None:
    """A folder and its files of an hour ago."""
    hour_ago = time.time() - 3600
    for path in (*folder.iterdir(), folder):
        os.utime(path, (hour_ago, hour_ago))


def test_headers_of_a_folder_are_read_once_for_all_its_series(
    tmp_path: Path, headers_read: list[Path]
) -> None:
    folder = tmp_path / "study"
    write_study(folder, series=7, slices=3)
    found = list_images(tmp_path)
    assert len(found) == 7
    for path in found:
        assert read_image(path).pixels.shape[0] == len(files_of_image(path)) == 3
        assert patient_id_of(path)
    assert len(headers_read) == len(set(headers_read)) == 7 * 3


@pytest.mark.parametrize("series", [4, 16])
def test_what_is_asked_of_a_folder_grows_with_its_files_alone(
    tmp_path: Path, series: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listing and naming the files of all series: so many calls a file, however many series there are."""
    folder = tmp_path / "study"
    write_study(folder, series, slices=2)
    asked = Counter[str]()

    def counted(name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*values: Any, **options: Any) -> Any:
            asked[name] += 1
            return plain(*values, **options)

        return call

    monkeypatch.setattr(os, "stat", counted("stat", os.stat))
    monkeypatch.setattr(os, "lstat", counted("stat", os.lstat))
    monkeypatch.setattr(Path, "stat", counted("stat", Path.stat))
    monkeypatch.setattr(io, "open", counted("open", io.open))
    of_state = folder_module._State.of  # of files that scandir gives
    monkeypatch.setattr(folder_module._State, "of", counted("state", of_state))
    found = list_images(tmp_path)
    assert sum(len(files_of_image(path)) for path in found) == 2 * series
    assert asked["state"] <= 5 * 2 * series
    assert asked["open"] <= 5 * 2 * series
    assert asked["stat"] <= 20 * 2 * series


def test_a_folder_that_changed_is_looked_at_anew(tmp_path: Path, headers_read: list[Path]) -> None:
    folder = tmp_path / "study"
    write_study(folder, series=2, slices=3)
    first, second = sorted(list_images(tmp_path), key=files_of_image)
    kept = read_image(first).pixels
    # A slice goes over to the other series without a change of the folder, of a size or of a modification time.
    moved, of_other = folder / "1-2", folder / "0-2"
    before = moved.stat()
    uid = pydicom.dcmread(of_other).SeriesInstanceUID
    write_slice(folder, "1-2", 3, 9, SeriesInstanceUID=uid)
    os.utime(moved, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [len(files_of_image(path)) for path in (second, first)] == [2, 4]  # the series that it left tells
    (folder / "1-2").unlink()
    assert [len(files_of_image(path)) for path in (first, second)] == [3, 2]
    assert kept.shape[0] == 3


@pytest.mark.parametrize("before", [b"", b"a copy has begun", None])
def test_a_file_of_no_series_that_is_completed_in_place_is_seen(
    tmp_path: Path, before: bytes | None, headers_read: list[Path]
) -> None:
    folder = tmp_path / "study"
    write_study(folder, series=1, slices=4)
    last = folder / "0-3"
    whole = last.read_bytes()
    last.write_bytes(whole[:300] if before is None else before)
    age(folder)
    for _ in range(2):
        assert len(files_of_image(folder)) == 3
    assert len(headers_read) == len(set(headers_read))
    last.write_bytes(whole)  # the folder itself stays as it was
    assert read_image(folder).pixels.shape[0] == 4
    assert read_image(folder).notes == ()


def test_a_folder_without_a_series_is_looked_at_again(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    write_study(folder, series=1, slices=1)
    (only,) = folder.iterdir()
    whole = only.read_bytes()
    only.write_bytes(b"a copy has begun")
    age(folder)
    assert "without DICOM images" in refused(folder)
    only.write_bytes(whole)
    assert read_image(folder).shape == (4, 5)


def test_headers_of_two_folders_are_read_at_once_those_of_one_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        write_study(tmp_path / name, series=1, slices=1)
    both, read = threading.Barrier(2), list[Path]()

    def slowly(path: Path, limits: Limits) -> Header:
        read.append(path)
        both.wait(20)  # raises where the other folder has to wait
        return Header("1.2", "CT", True)

    monkeypatch.setattr(folder_module, "header_of", slowly)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(files_of_image, [tmp_path / name for name in "aabb"]))
    assert [file.parent.name for (file,) in found] == list("aabb")
    assert len(read) == 2


def test_a_file_that_was_written_just_now_is_not_relied_on(tmp_path: Path, headers_read: list[Path]) -> None:
    for place in range(2):
        write_slice(tmp_path / "s", f"{place}", place, 1)
    for _ in range(2):
        assert len(files_of_image(tmp_path / "s")) == 2
    assert len(headers_read) == 4


def test_hidden_files_are_no_slices(tmp_path: Path) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 1)
    write_slice(tmp_path / "s", "._2", 9, 1)
    image = read_image(tmp_path / "s")
    assert (image.pixels.shape[0], image.notes) == (3, ())


def test_a_series_of_a_linked_folder_is_refused(tmp_path: Path) -> None:
    folder, link = tmp_path / "study", tmp_path / "link"
    for series in "ab":
        uid = pydicom.uid.generate_uid(entropy_srcs=[series])
        for place in range(2):
            write_slice(folder, f"{series}{place}", place, 1, SeriesInstanceUID=uid)
    link.symlink_to(folder)
    found = list_images(link)  # whoever names a link means what it leads to
    assert sorted(found) == sorted(link / path.name for path in list_images(folder))
    assert all(read_image(path).pixels.shape[0] == 2 for path in found)
    assert "linked folder" in refused(link.with_name(f"link{found[0].name}"))


def test_a_folder_without_dicom(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert "without DICOM images" in refused(tmp_path)


def test_files_beside_a_series_are_counted(tmp_path: Path) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}", place, 1)
    (tmp_path / "s" / "README").write_text("about")
    assert read_image(tmp_path / "s").notes == ("1 files beside the series are no DICOM images",)


def test_list_images(tmp_path: Path) -> None:
    for name in ("image10.png", "image2.png", ".hidden.png", "deep/x.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (4, 4)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    (tmp_path / "empty.png").touch()
    np.save(tmp_path / "volume.npy", np.zeros((3, 3, 3)))
    for place in range(3):
        write_slice(tmp_path / "ct", f"{place}", place, 1)
    for view in range(2):  # views of one series that say no place are images of their own
        write_slice(tmp_path / "views", f"{view}", 0, 1, ImagePositionPatient=None)
    found = [str(path.relative_to(tmp_path)) for path in list_images(tmp_path)]
    assert found == ["ct", "deep/x.png", "image2.png", "image10.png", "views/0", "views/1", "volume.npy"]


def test_files_named_like_images_that_hold_none(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    for name in ("deep/empty10.PNG", "deep/empty2.png", ".hidden.png"):
        (tmp_path / name).touch()
    for name in ("page.dcm", "volume.nii.gz", "notes.txt"):
        (tmp_path / name).write_text("404: not found")
    (tmp_path / "link.png").symlink_to(tmp_path / "page.dcm")
    found = [str(path.relative_to(tmp_path)) for path in named_like_images(tmp_path)]
    assert found == ["deep/empty2.png", "deep/empty10.PNG", "page.dcm", "volume.nii.gz"]


def test_names_without_an_ending_are_images_where_others_are(tmp_path: Path) -> None:
    for view in (1, 2):
        write_slice(tmp_path / "views", f"IM{view}", 0, 1, ImagePositionPatient=None)
    for name in ("IM3", "1.2.840.77", "README", "Makefile", "a.txt"):
        (tmp_path / "views" / name).touch()
    (tmp_path / "LICENSE2").touch()  # no image lies beside it
    assert [path.name for path in list_images(tmp_path)] == ["IM1", "IM2"]
    assert [path.name for path in named_like_images(tmp_path)] == ["1.2.840.77", "IM3"]


@pytest.mark.parametrize(("damaged", "told"), [("a.hdr", ["a.hdr"]), ("a.img", [])])
def test_a_pair_with_a_damaged_half_is_one_file(tmp_path: Path, damaged: str, told: list[str]) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Pair(np.zeros((3, 3, 3), np.int16), np.eye(4)), tmp_path / "a.hdr")
    (tmp_path / damaged).write_bytes(b"")
    assert [path.name for path in named_like_images(tmp_path)] == told
    listed = [*list_images(tmp_path), *named_like_images(tmp_path)]
    assert listed == [tmp_path / "a.hdr"]  # one row, whichever half it is
    assert "is empty" in refused(listed[0])


def test_an_office_document_is_no_image(tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "labels.xlsx", "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
    np.savez(tmp_path / "image.npz", np.zeros((3, 4), np.uint8))
    assert list_images(tmp_path) == [tmp_path / "image.npz"]
    assert named_like_images(tmp_path) == []
    assert "is a ZIP archive without arrays" in refused(tmp_path / "labels.xlsx")


@pytest.mark.parametrize("place", [b"caf\xe9.png", b"caf\xe9/a.png"])
def test_a_name_that_is_no_text_is_one_line(tmp_path: Path, place: bytes) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "good.png")
    path = tmp_path / os.fsdecode(place)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes((tmp_path / "good.png").read_bytes())
    with pytest.raises(UnreadableImage, match=r"^\S+/caf\\xe9\S*: its name is not UTF-8; rename the file"):
        list_images(tmp_path)
    path.write_bytes(b"")
    assert list_images(tmp_path) == [tmp_path / "good.png"]
    with pytest.raises(UnreadableImage, match="is not UTF-8"):
        named_like_images(tmp_path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    outside.mkdir()
    folder.mkdir()
    Image.new("L", (4, 4)).save(outside / "a.png")
    (folder / "link.png").symlink_to(outside / "a.png")
    (folder / "sub").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    assert list_images(folder) == []


def test_the_halves_of_a_pair_are_one_image(tmp_path: Path) -> None:
    import nibabel

    nibabel.save(nibabel.Nifti1Pair(np.zeros((3, 3, 3), np.int16), np.eye(4)), tmp_path / "a.hdr")
    assert list_images(tmp_path) == [tmp_path / "a.hdr"]
    assert files_of_image(tmp_path / "a.hdr") == (tmp_path / "a.hdr", tmp_path / "a.img")


def test_list_images_of_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImage, match="not a folder"):
        list_images(tmp_path / "missing")


@pytest.mark.parametrize("length", [132, 140, 400, 600])
def test_a_dicom_file_with_a_cut_header_is_told(tmp_path: Path, length: int) -> None:
    for place in range(4):
        write_slice(tmp_path / "s", f"{place}.dcm", place, 1)
    write_slice(tmp_path / "alone", "a", 0, 1)
    for path in (tmp_path / "s" / "2.dcm", tmp_path / "alone" / "a"):
        path.write_bytes(path.read_bytes()[:length])
    assert list_images(tmp_path) == [tmp_path / "s"]
    assert named_like_images(tmp_path) == [tmp_path / "alone" / "a", tmp_path / "s" / "2.dcm"]
    assert "1 of the DICOM files beside it ('2.dcm') is damaged and may be a slice of it" in refused(
        tmp_path / "s"
    )


def cut_behind(path: Path, keyword: str, more: int) -> None:
    """Cut a DICOM file so many bytes behind the head of an element."""
    tag = pydicom.tag.Tag(keyword)
    content = path.read_bytes()
    at = content.index(bytes([tag.group & 255, tag.group >> 8, tag.element & 255, tag.element >> 8]))
    path.write_bytes(content[: at + 8 + more])


@pytest.mark.parametrize(("more", "stated"), [(-8, False), (10, False), (64, False), (80, True)])
def test_a_damaged_slice_costs_its_own_series_if_it_says_which(
    tmp_path: Path, more: int, stated: bool
) -> None:
    """Series b has a slice whose header is cut before, within, at the end of, or behind the name of its series."""
    folder = tmp_path / "study"
    for series in "ab":
        uid = pydicom.uid.generate_uid(entropy_srcs=[series]).ljust(64, "1")[:64]
        for place in range(3):
            write_slice(folder, f"{series}{place}.dcm", place, 1, SeriesInstanceUID=uid)
    sound, cut = sorted(list_images(folder), key=files_of_image)
    cut_behind(folder / "b1.dcm", "SeriesInstanceUID", more)
    assert named_like_images(folder) == [folder / "b1.dcm"]
    if stated:
        assert read_image(sound).pixels.shape[0] == 3
        for lenient in (False, True):
            with pytest.raises(UnreadableImage, match=r"1 of its slices \('b1.dcm'\) is damaged; copy again"):
                read_image(cut, lenient=lenient)
        return
    for path, slices in ((sound, 3), (cut, 2)):
        assert "('b1.dcm') is damaged and may be a slice of it; copy again or take out" in refused(path)
        image = read_image(path, lenient=True)
        assert image.pixels.shape[0] == slices
        assert "1 of the DICOM files beside it ('b1.dcm') is damaged and may be a slice of it" in image.notes


@pytest.mark.parametrize(
    "kind", ["MediaStorageDirectoryStorage", "BasicTextSRStorage", "RTStructureSetStorage"]
)
def test_dicom_files_that_say_that_they_are_no_image_are_not_told(tmp_path: Path, kind: str) -> None:
    for place in range(3):
        write_slice(tmp_path / "s", f"{place}.dcm", place, 1)
    other = pydicom.dcmread(tmp_path / "s" / "0.dcm")
    other.file_meta.MediaStorageSOPClassUID = other.SOPClassUID = getattr(pydicom.uid, kind)
    del other.Rows
    other.save_as(tmp_path / "s" / "other.dcm")
    assert list_images(tmp_path) == [tmp_path / "s"]
    assert named_like_images(tmp_path) == []
    assert read_image(tmp_path / "s").notes == ("1 files beside the series are no DICOM images",)
