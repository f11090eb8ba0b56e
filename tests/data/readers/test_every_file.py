"""Every real file at hand, and every one bundled with pydicom and nibabel: read, or refused for the expected reason."""

from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import pytest

from medauc.data.readers import UnreadableImage, list_images, read_image

TABLE = [
    line.split("\t")
    for line in (Path(__file__).parent / "every_file.tsv").read_text(encoding="utf-8").splitlines()
]
BUNDLED = {"pydicom": Path(pydicom.__file__).parent / "data", "nibabel": Path(nibabel.__file__).parent}
EXTRA = {"README.md", "LICENSE"}


@pytest.fixture(scope="module")
def roots(formats_dir: Path, dicom_dir: Path) -> dict[str, Path]:
    return {**BUNDLED, "formats": formats_dir, "dicom": dicom_dir}


@pytest.mark.parametrize(("root", "name", "expected"), TABLE, ids=[f"{row[0]}/{row[1]}" for row in TABLE])
def test_read_or_refused_as_expected(roots: dict[str, Path], root: str, name: str, expected: str) -> None:
    path = roots[root] / name
    if root in BUNDLED and not path.is_file():
        pytest.skip(f"this version of {root} does not bundle {name}")
    if expected.startswith("refused: "):
        with pytest.raises(UnreadableImage) as caught:
            read_image(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: {expected.removeprefix('refused: ')}")
        assert "\n" not in message
        return
    image = read_image(path)
    assert " x ".join(map(str, image.pixels.shape)) + f" {image.pixels.dtype}" == expected
    assert image.colour == (image.pixels.ndim == 3 and image.pixels.shape[-1] == 3 and image.affine is None)
    assert image.spacing is None or len(image.spacing) == image.spatial_dims
    assert image.affine is None or np.isfinite(image.affine).all()
    assert image.window is None or image.window[0] < image.window[1]


@pytest.mark.parametrize("root", ["formats", "dicom"])
def test_the_table_is_complete(roots: dict[str, Path], root: str) -> None:
    named = {row[1] for row in TABLE if row[0] == root}
    assert {path.name for path in roots[root].iterdir()} - EXTRA == named


def named_in_table(root: str) -> set[str]:
    return {row[1] for row in TABLE if row[0] == root}


@pytest.mark.parametrize("root", BUNDLED)
def test_files_of_other_versions_are_read_or_refused_too(root: str) -> None:
    """Whatever pydicom and nibabel bundle that the table does not have, modules aside."""
    known = named_in_table(root)
    paths = [
        path for path in BUNDLED[root].rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")
    ]
    assert len(paths) > 50
    for path in paths:
        if path.relative_to(BUNDLED[root]).as_posix() not in known:
            assert_read_or_refused(path)


def test_whatever_lies_beside_the_shared_images_is_read_or_refused(dicom_dir: Path) -> None:
    shared = dicom_dir.parent
    every = (path for path in shared.rglob("*") if path.is_file())
    others = [path for path in every if path.suffix not in (".png", ".gz", ".dcm") or path.parent == shared]
    assert len(others) > 5
    for path in others:
        assert_read_or_refused(path)


def assert_read_or_refused(path: Path) -> None:
    try:
        said = f"{path}: {read_image(path).pixels.size} values"
    except UnreadableImage as error:
        said = str(error)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said


def plain_pixels(path: Path) -> np.ndarray | None:
    """Pixels as pydicom decodes them, ``None`` where it cannot."""
    try:
        header = pydicom.dcmread(path, force=True)
        if "TransferSyntaxUID" not in header.file_meta:
            header.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
        return header.pixel_array
    except Exception:
        return None


def as_meant(stored: np.ndarray, header: Any) -> np.ndarray:
    """Stored values after rescale and inversion, in float64, by the formulas of the standard."""
    for element in header.iterall():  # an enhanced file has its rescale inside a functional group
        if element.keyword in ("RescaleSlope", "RescaleIntercept") and element.keyword not in header:
            setattr(header, element.keyword, element.value)
    values = pydicom.pixels.apply_modality_lut(stored, header).astype(np.float64)
    if "DoseGridScaling" in header:
        values = stored * float(header.DoseGridScaling)
    if header.PhotometricInterpretation == "MONOCHROME1":
        ends = np.array([0, 2**header.BitsStored - 1])
        values = pydicom.pixels.apply_modality_lut(ends, header).sum() - values
    return values


@pytest.mark.parametrize("root", ["dicom", "pydicom"])
def test_dicom_values_are_those_of_pydicom(roots: dict[str, Path], root: str) -> None:
    compared = 0
    for _, name, expected in (row for row in TABLE if row[0] == root):
        path = roots[root] / name
        stored = plain_pixels(path)
        if stored is None:
            # pydicom misses the end marker of this one, whose frames are whole.
            assert expected.startswith("refused") or name == "emri_small_jpeg_2k_lossless_too_short.dcm"
            continue
        header = pydicom.dcmread(path, force=True)
        if expected.startswith("refused"):
            assert header.SamplesPerPixel == 3 or header.PhotometricInterpretation == "PALETTE COLOR", name
            continue
        image = read_image(path)
        if header.PhotometricInterpretation == "PALETTE COLOR":
            expected_pixels = pydicom.pixels.apply_color_lut(stored, header)
            np.testing.assert_array_equal(image.pixels, expected_pixels[..., :3])
        elif image.colour:
            np.testing.assert_array_equal(image.pixels, stored)
        else:
            values = (
                np.sort(as_meant(stored, header), axis=0)
                if image.spatial_dims == 3
                else as_meant(stored, header)
            )
            pixels = np.sort(image.pixels, axis=0) if image.spatial_dims == 3 else image.pixels
            np.testing.assert_allclose(pixels, values, rtol=1e-6, err_msg=name)
        compared += 1
    assert compared >= 40


@pytest.mark.parametrize("root", ["formats", "nibabel"])
def test_volumes_are_those_of_nibabel(roots: dict[str, Path], root: str) -> None:
    compared = 0
    for _, name, expected in (row for row in TABLE if row[0] == root):
        path = roots[root] / name
        if expected.startswith("refused") or path.suffix in (".nrrd", ".mha", ".dcm", ".BRIK"):
            continue
        image = read_image(path)
        other = nibabel.load(path)
        expected_values = np.squeeze(np.asanyarray(other.dataobj).T)
        if image.pixels.dtype.kind == "f":
            np.testing.assert_allclose(image.pixels, expected_values, rtol=1e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(image.pixels, expected_values, err_msg=name)
        np.testing.assert_allclose(image.spacing, other.header.get_zooms()[2::-1], rtol=0.01)
        if image.affine is not None:
            index = np.array([3.0, 1.0, 2.0])
            np.testing.assert_allclose(
                (image.affine @ [*index, 1])[:3],
                nibabel.affines.apply_affine(other.affine, index[::-1]),
                rtol=1e-6,
            )
        compared += 1
    assert compared >= 5


@pytest.mark.parametrize("count", [25, pytest.param(10_000, marks=pytest.mark.slow)])
def test_nodules_of_lidc(lidc_dir: Path, count: int) -> None:
    paths = list_images(lidc_dir / "VOIs")
    assert sum("image" in path.parts for path in paths) == 994
    for path in paths[:: max(1, len(paths) // count)]:
        image = read_image(path)
        other = nibabel.load(path)
        np.testing.assert_array_equal(image.pixels, np.asanyarray(other.dataobj).T)
        assert image.notes == ()
        assert nibabel.aff2axcodes(image.affine) == nibabel.aff2axcodes(other.affine)[::-1]
        np.testing.assert_allclose(image.spacing, other.header.get_zooms()[::-1], rtol=1e-4)


@pytest.mark.parametrize("count", [25, pytest.param(10_000, marks=pytest.mark.slow)])
def test_radiographs_of_nih(nih_dir: Path, count: int) -> None:
    from PIL import Image

    paths = list_images(nih_dir)
    assert len(paths) == 1000
    for path in paths[:: max(1, len(paths) // count)]:
        image = read_image(path)
        with Image.open(path) as other:
            np.testing.assert_array_equal(image.pixels, np.asarray(other)[..., :3])
        assert (image.pixels.shape, image.colour, image.bits) == ((64, 64, 3), True, 8)
