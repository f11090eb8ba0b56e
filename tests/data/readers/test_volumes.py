"""Volume formats: values and geometry against nibabel, pynrrd and each other."""

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel
import nrrd
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medauc.data.readers import UnreadableImage, read_image

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
VOLUME = np.random.default_rng(0).integers(-900, 900, (7, 6, 5)).astype(np.int16)  # (i, j, k)


def turned(angle: float = 0.3, steps: tuple[float, ...] = (1.0, 2.0, 3.0), mirror: bool = True) -> np.ndarray:
    """An oblique affine of given steps."""
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    affine = np.eye(4)
    affine[:3, :3] = turn * (np.array(steps) * [-1 if mirror else 1, 1, 1])
    affine[:3, 3] = [10.0, -20.0, 30.0]
    return affine


def same_place(image_affine: np.ndarray | None, affine: np.ndarray) -> None:
    """The reader's affine of ``(k, j, i)`` puts every corner where the other of ``(i, j, k)`` does."""
    assert image_affine is not None
    for index in np.ndindex(2, 2, 2):
        ijk = np.array(index) * [6, 5, 4]
        np.testing.assert_allclose(image_affine @ [*ijk[::-1], 1], affine @ [*ijk, 1], atol=1e-4)


@settings(max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 7)] * 3),
    dtype=st.sampled_from(["u1", "i2", "u2", "i4", "f4", "f8", ">i2", ">f4"]),
    scaling=st.sampled_from([(1.0, 0.0), (2.0, -1024.0), (0.5, 3.0), (1.0, 7.0)]),
    two=st.booleans(),
    packed=st.booleans(),
    mirror=st.booleans(),
)
def test_nifti(
    tmp_path_factory: pytest.TempPathFactory,
    shape: tuple[int, ...],
    dtype: str,
    scaling: tuple[float, float],
    two: bool,
    packed: bool,
    mirror: bool,
) -> None:
    data = np.random.default_rng(1).integers(0, 200, shape).astype(dtype)
    affine = turned(mirror=mirror)
    kind = nibabel.Nifti2Image if two else nibabel.Nifti1Image
    header = kind.header_class(endianness=">" if dtype[0] == ">" else "<")
    header.set_data_dtype(dtype)
    one = kind(data, affine, header)
    one.header.set_slope_inter(*scaling)
    path = tmp_path_factory.mktemp("nifti") / ("a.nii.gz" if packed else "a.nii")
    content = one.to_bytes()
    path.write_bytes(gzip.compress(content) if packed else content)
    image = read_image(path)
    expected = nibabel.load(path).get_fdata().T
    np.testing.assert_allclose(image.pixels, expected, rtol=1e-6)
    assert image.pixels.dtype.isnative
    assert (image.pixels.dtype.kind == "f") == ("f" in dtype or 0.5 in scaling)
    np.testing.assert_allclose(image.spacing, (3.0, 2.0, 1.0), rtol=1e-5)
    same_place(image.affine, affine)


def test_a_nifti_in_metres_is_in_millimetres(tmp_path: Path) -> None:
    one = nibabel.Nifti1Image(VOLUME, np.diag([0.001, 0.002, 0.003, 1]))
    one.header.set_xyzt_units("meter")
    nibabel.save(one, tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    np.testing.assert_allclose(image.spacing, (3, 2, 1), rtol=1e-5)
    same_place(image.affine, np.diag([1.0, 2.0, 3.0, 1.0]))


def test_a_nifti_that_does_not_say_where_it_lies_has_no_affine(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Image(VOLUME, None), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert image.affine is None
    assert image.spacing == (1.0, 1.0, 1.0)
    assert "qform" in image.notes[0]


@pytest.mark.parametrize(
    ("shape", "expected"), [((7, 6), (6, 7)), ((7, 6, 1), (1, 6, 7)), ((7, 6, 5, 1), (5, 6, 7))]
)
def test_axes_of_length_one(tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    data = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    np.testing.assert_array_equal(image.pixels, data.T.reshape(expected))
    assert (image.affine is None) == (len(expected) == 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (np.zeros((4, 4, 4, 2), np.int16), "4 dimensions"),
        (np.zeros((4, 4, 4), np.complex64), "complex"),
        (np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]), "colour"),
    ],
)
def test_refused_nifti(tmp_path: Path, data: np.ndarray, words: str) -> None:
    nibabel.save(nibabel.Nifti1Image(data, np.eye(4)), tmp_path / "a.nii")
    with pytest.raises(UnreadableImage, match=words):
        read_image(tmp_path / "a.nii")


@pytest.mark.parametrize("kind", ["pair", "analyze", "mgh", "mgz"])
def test_other_formats_of_nibabel(tmp_path: Path, kind: str) -> None:
    affine = turned()
    path = tmp_path / {"pair": "a.hdr", "analyze": "a.hdr", "mgh": "a.mgh", "mgz": "a.mgz"}[kind]
    makers = {"pair": nibabel.Nifti1Pair, "analyze": nibabel.AnalyzeImage}
    one = makers.get(kind, nibabel.MGHImage)(VOLUME, None if kind == "analyze" else affine)
    nibabel.save(one, path)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, VOLUME.T)
    if kind == "analyze":
        assert image.affine is None
    else:
        same_place(image.affine, affine)
    if path.suffix == ".hdr":
        np.testing.assert_array_equal(read_image(path.with_suffix(".img")).pixels, image.pixels)


def test_a_header_whose_values_are_missing(tmp_path: Path) -> None:
    nibabel.save(nibabel.Nifti1Pair(VOLUME, np.eye(4)), tmp_path / "a.hdr")
    (tmp_path / "a.img").unlink()
    with pytest.raises(UnreadableImage, match=r"a\.img is missing"):
        read_image(tmp_path / "a.hdr")


def test_the_same_brain_as_nifti_and_nrrd(formats_dir: Path) -> None:
    one, other = (read_image(formats_dir / f"FLAIR.{ending}") for ending in ("nii.gz", "nrrd"))
    np.testing.assert_array_equal(one.pixels, other.pixels)
    np.testing.assert_allclose(one.affine, other.affine, atol=1e-3)
    np.testing.assert_allclose(one.spacing, other.spacing, rtol=1e-4)


@settings(max_examples=40)
@given(
    dtype=st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8"]),
    encoding=st.sampled_from(["raw", "gzip", "bzip2", "ascii"]),
    endian=st.sampled_from(["little", "big"]),
    space=st.sampled_from(["LPS", "RAS", "LAS"]),
    detached=st.booleans(),
)
def test_nrrd(
    tmp_path_factory: pytest.TempPathFactory,
    dtype: str,
    encoding: str,
    endian: str,
    space: str,
    detached: bool,
) -> None:
    data = (VOLUME % 100).astype(dtype)
    affine = turned()
    to_ras = {"LPS": LPS, "RAS": np.eye(4), "LAS": np.diag([-1.0, 1, 1, 1])}[space]
    stored = np.linalg.inv(to_ras) @ affine
    names = {"L": "left", "P": "posterior", "S": "superior", "R": "right", "A": "anterior"}
    header = {
        "space": "-".join(names[letter] for letter in space),
        "space directions": stored[:3, :3].T,
        "space origin": stored[:3, 3],
        "kinds": ["domain"] * 3,
        "encoding": encoding,
        "endian": endian,
    }
    folder = tmp_path_factory.mktemp("nrrd")
    path = folder / ("a.nhdr" if detached else "a.nrrd")
    order = data.astype(data.dtype.newbyteorder(">" if endian == "big" else "<"))
    nrrd.write(str(path), order, header, detached_header=detached, relative_data_path=True)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, data.T.astype(image.pixels.dtype))
    same_place(image.affine, affine)


def test_nrrd_in_colour_and_flat(tmp_path: Path) -> None:
    colour = np.random.default_rng(0).integers(0, 255, (3, 8, 6)).astype(np.uint8)
    nrrd.write(str(tmp_path / "c.nrrd"), colour, {"kinds": ["RGB-color", "domain", "domain"]})
    image = read_image(tmp_path / "c.nrrd")
    assert image.colour
    np.testing.assert_array_equal(image.pixels, colour.transpose(2, 1, 0))
    nrrd.write(str(tmp_path / "f.nrrd"), VOLUME[..., 0], {"spacings": [0.5, 0.25]})
    flat = read_image(tmp_path / "f.nrrd")
    np.testing.assert_array_equal(flat.pixels, VOLUME[..., 0].T)
    assert flat.spacing == (0.25, 0.5)


def test_nrrd_of_vectors_is_refused(tmp_path: Path) -> None:
    nrrd.write(str(tmp_path / "a.nrrd"), VOLUME, {"kinds": ["vector", "domain", "domain"]})
    with pytest.raises(UnreadableImage, match="vector"):
        read_image(tmp_path / "a.nrrd")


def meta_image(path: Path, values: bytes, **fields: Any) -> Path:
    """Write a MetaImage of the test's volume."""
    first = {
        "ObjectType": "Image",
        "NDims": 3,
        "BinaryData": "True",
        "BinaryDataByteOrderMSB": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "10 20 30",
        "ElementSpacing": "1 2 3",
        "DimSize": "7 6 5",
        "ElementType": "MET_SHORT",
    }
    place = fields.pop("ElementDataFile", "LOCAL")
    lines = {**first, **fields, "ElementDataFile": place}
    text = "".join(f"{name} = {value}\n" for name, value in lines.items() if value is not None)
    path.write_bytes(text.encode() + values)
    return path


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("high_first", [False, True])
def test_meta_image(tmp_path: Path, packed: bool, high_first: bool) -> None:
    affine = LPS @ turned()  # as MetaImage stores it
    steps = np.linalg.norm(affine[:3, :3], axis=0)
    directions = (affine[:3, :3] / steps).T  # one row an axis
    values = VOLUME.T.astype(">i2" if high_first else "<i2").tobytes()
    path = meta_image(
        tmp_path / "a.mha",
        zlib.compress(values) if packed else values,
        CompressedData=packed,
        BinaryDataByteOrderMSB=high_first,
        TransformMatrix=" ".join(map(str, directions.ravel())),
        Offset=" ".join(map(str, affine[:3, 3])),
        ElementSpacing=" ".join(map(str, steps)),
    )
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, VOLUME.T)
    same_place(image.affine, turned())
    np.testing.assert_allclose(image.spacing, (3, 2, 1))


def test_a_real_meta_image_unpacks_to_its_values(formats_dir: Path) -> None:
    image = read_image(formats_dir / "mha.mha")
    content = (formats_dir / "mha.mha").read_bytes()
    values = zlib.decompress(content[content.index(b"LOCAL\n") + 6 :])
    np.testing.assert_array_equal(image.pixels, np.frombuffer(values, "<i2").reshape(37, 64, 64))
    # Its header says AnatomicalOrientation = RPI: axes run from right, posterior, inferior.
    assert image.affine is not None
    assert nibabel.aff2axcodes(image.affine) == ("S", "A", "L")


def test_a_meta_image_with_values_beside_it(tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(VOLUME.T.tobytes())
    path = meta_image(tmp_path / "a.mhd", b"", ElementDataFile="a.raw")
    np.testing.assert_array_equal(read_image(path).pixels, VOLUME.T)
