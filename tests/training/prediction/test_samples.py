"""Paths as users give them become samples with names."""

import zipfile

import numpy as np
import pytest
from PIL import Image

from fuzz.fuzz_corpus import dicom_bytes, dicom_object
from medauc.data.manifest import ColumnsSpec
from medauc.data.readers import UnreadableImage
from medauc.errors import InputError
from medauc.training.prediction.samples import Wanted, find_samples, stem_of

FLAT = Wanted(array_ndim=3)


def picture(path, value=7) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(path)


def named(paths, wanted=FLAT) -> list[tuple[str, str]]:
    return [(sample.id, sample.path.name) for sample in find_samples(paths, wanted)[0]]


def test_files_are_named_by_their_stems_and_twins_by_their_paths(tmp_path) -> None:
    for name in ("a/1.png", "b/1.png", "b/2.png"):
        picture(tmp_path / name)
    found, notes = find_samples([tmp_path / "b", tmp_path / "a" / "1.png"], FLAT)
    assert [sample.id for sample in found] == [str(tmp_path / "b/1.png"), "2", str(tmp_path / "a/1.png")]
    assert notes == []


def test_the_ending_of_a_compressed_volume_is_two_words(tmp_path) -> None:
    (tmp_path / "scan.nii.gz").write_bytes(b"")
    assert named([tmp_path / "scan.nii.gz"]) == [("scan", "scan.nii.gz")]


def test_a_manifest_names_its_images_and_needs_no_targets(tmp_path) -> None:
    picture(tmp_path / "x.png")
    (tmp_path / "m.csv").write_text("file,study,label,split\nx.png,s1,,nowhere\ngone.png,s2,seven,\n")
    wanted = Wanted(3, ColumnsSpec(path="file", id="study"))
    assert named([tmp_path / "m.csv"], wanted) == [("s1", "x.png"), ("s2", "gone.png")]


def test_a_manifest_cannot_leave_its_root(tmp_path) -> None:
    picture(tmp_path / "x.png")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "m.csv").write_text("path\n../x.png\n")
    with pytest.raises(InputError, match=r"without '\.\.'"):
        named([tmp_path / "in" / "m.csv"])
    (tmp_path / "in" / "m.csv").write_text("path\nx.png\n")
    assert named([tmp_path / "in" / "m.csv"], Wanted(3, root=tmp_path)) == [("x.png", "x.png")]


def test_arrays_are_many_images(tmp_path) -> None:
    images = np.arange(2 * 16, dtype=np.uint8).reshape(2, 4, 4)
    np.savez(tmp_path / "plain.npz", images=images)
    np.savez(tmp_path / "splits.npz", val_images=images, test_images=images, test_ids=np.array(["u", "v"]))
    np.save(tmp_path / "many.npy", images)
    np.save(tmp_path / "one.npy", images[0])
    assert [name for name, _ in named([tmp_path / "plain.npz"])] == ["image-00000", "image-00001"]
    assert [name for name, _ in named([tmp_path / "splits.npz"])] == ["val-00000", "val-00001", "u", "v"]
    many, _ = find_samples([tmp_path / "many.npy"], FLAT)
    assert [sample.id for sample in many] == ["many-00000", "many-00001"]
    assert isinstance(many[1].items[0].array, np.memmap)
    np.testing.assert_array_equal(many[1].items[0].read().pixels, images[1])
    one, _ = find_samples([tmp_path / "one.npy"], FLAT)
    np.testing.assert_array_equal(one[0].items[0].read().pixels, images[0])


def test_a_bad_archive_does_not_stop_the_others(tmp_path) -> None:
    picture(tmp_path / "x.png")
    header = b"{[]: 1}\n"
    with zipfile.ZipFile(tmp_path / "bad.npz", "w") as archive:
        archive.writestr("images.npy", b"\x93NUMPY\x01\x00" + bytes([len(header), 0]) + header)
    found, _ = find_samples([tmp_path / "bad.npz", tmp_path / "x.png"], FLAT)
    assert [sample.id for sample in found] == ["bad", "x"]
    with pytest.raises(UnreadableImage, match="images cannot be unpacked"):
        found[0].items[0].read()


def test_a_pickled_archive_is_refused(tmp_path) -> None:
    np.savez(tmp_path / "p.npz", images=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InputError, match="never loaded"):
        named([tmp_path / "p.npz"])


def test_bags_are_rows_with_one_value(tmp_path) -> None:
    for name in "abc":
        picture(tmp_path / f"{name}.png")
    (tmp_path / "m.csv").write_text("path,patient\na.png,p2\nb.png,p1\nc.png,p2\n")
    found, _ = find_samples([tmp_path / "m.csv"], Wanted(3, bag="group"))
    assert [(bag.id, [item.path.name for item in bag.items]) for bag in found] == [
        ("p2", ["a.png", "c.png"]),
        ("p1", ["b.png"]),
    ]
    assert len(find_samples([tmp_path / "m.csv"], Wanted(3, bag="auto"))[0]) == 3
    with pytest.raises(InputError, match="no such column"):
        find_samples([tmp_path / "m.csv"], Wanted(3, bag="study"))
    _, notes = find_samples([tmp_path / "a.png"], Wanted(3, bag="group"))
    assert notes == ["The model scores bags of images: without a manifest each file is a bag of its own."]


def test_files_named_like_images_that_hold_none_are_samples_that_say_so(tmp_path) -> None:
    """A patient whose file is empty or cut off must not be missing from the table."""
    picture(tmp_path / "in" / "good.png")
    for name, content in (
        ("empty.png", b""),
        ("text.dcm", b"see the archive"),
        ("sub/cut.nii.gz", b"\x1f\x8b\x08"),
    ):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    (tmp_path / "in" / "notes.txt").write_text("no image's name")
    found, _ = find_samples([tmp_path / "in"], FLAT)
    assert sorted(sample.id for sample in found) == ["cut", "empty", "good", "text"]
    for sample in found:
        if sample.id != "good":
            with pytest.raises(UnreadableImage):
                sample.items[0].read()


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.npz", b"", "is empty"),
        ("a.img", b"", "is empty"),
        ("a.hdr", b"text", "of no known image format"),
        ("a+orig.BRIK", b"", "is empty"),
        ("a+orig.HEAD", b"", "is empty"),
        ("a.BRIK.gz", b"values alone", "of no known image format"),
        ("a.ima", b"", "is empty"),
        ("a.bmp", b"BM....", "is a BMP"),
        ("a.gif", b"GIF89a", "is a GIF"),
        ("a.mnc", b"CDF\1", "is NetCDF"),
        ("a.npy", b"PK\3\4", "is a ZIP archive without arrays"),
        ("b.npy", b"\x93NUMPY\1\0\x09\0{'descr':(", "is damaged"),
    ],
)
def test_whatever_is_named_like_an_image_gets_a_row_with_its_reason(tmp_path, name, content, reason) -> None:
    picture(tmp_path / "in" / "good.png")
    (tmp_path / "in" / name).write_bytes(content)
    found, _ = find_samples([tmp_path / "in"], FLAT)
    (bad,) = (sample for sample in found if sample.path.name == name)
    assert len(found) == 2
    with pytest.raises(UnreadableImage, match=reason):
        bad.items[0].read()


def test_paths_that_cannot_be_read_are_samples_where_others_can(tmp_path) -> None:
    picture(tmp_path / "good.png")
    np.savez(tmp_path / "pickled.npz", images=np.array([{"a": 1}], dtype=object))
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "empty").mkdir()
    bad = {
        "pickled": "never loaded",
        "broken": "broken",
        "gone": "no such file",
        "empty": "no images",
        "m": "no such",
    }
    paths = [
        tmp_path / name for name in ("pickled.npz", "broken.npz", "gone.png", "empty", "m.csv", "good.png")
    ]
    found, _ = find_samples(paths, FLAT)
    assert [sample.id for sample in found] == [*bad, "good"]
    for sample, reason in zip(found, bad.values(), strict=False):
        with pytest.raises(UnreadableImage, match=reason):
            sample.items[0].read()
    assert found[-1].items[0].read().shape == (4, 4)
    with pytest.raises(InputError, match="never loaded"):
        find_samples(paths[:-1], FLAT)


@pytest.mark.parametrize(
    ("name", "message"), [("gone.png", "no such file or folder"), ("empty", "no images")]
)
def test_what_is_not_there_is_told(name, message, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match=message):
        named([tmp_path / name])


def test_a_series_of_several_is_named_after_its_folder(tmp_path) -> None:
    assert stem_of(tmp_path / "patient7" / "#1a2b3c4d") == "patient7#1a2b3c4d"
    assert stem_of(tmp_path / "patient7" / "a.nii.gz") == "a"


def test_a_damaged_file_costs_no_series_its_score(tmp_path) -> None:
    """It has a row of its own, and the series that it may be a slice of tell so."""
    folder = tmp_path / "study"
    folder.mkdir()
    for series in "ab":
        for place in range(2):
            told = {"ImagePositionPatient": [0, 0, place], "SeriesInstanceUID": f"1.2.{ord(series)}"}
            told |= {
                "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
                "SOPInstanceUID": f"1.{ord(series)}.{place}",
            }
            content = dicom_bytes(dicom_object(np.full((4, 4), place, np.uint16), **told))
            (folder / f"{series}{place}").write_bytes(content)
    (folder / "b2").write_bytes(content[:300])
    one, other, damaged = (sample.items[0] for sample in find_samples([folder], Wanted(array_ndim=4))[0])
    assert damaged.path == folder / "b2"
    with pytest.raises(UnreadableImage, match="its header is damaged"):
        damaged.read()
    for item in (one, other):
        image = item.read()
        assert image.shape == (2, 4, 4)
        assert "1 of the DICOM files beside it ('b2') is damaged and may be a slice of it" in image.notes
