"""Single DICOM files: values, windows, frames and encodings."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset

from fuzz.fuzz_corpus import dicom_bytes, dicom_object
from medauc.data.readers import Limits, UnreadableImage, read_image
from medauc.data.readers.dicom import codecs

GREY = np.random.default_rng(0).integers(0, 4000, (9, 12)).astype(np.uint16)
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a DICOM file with given pixels and elements."""

    def writer(pixels: np.ndarray, name: str = "a.dcm", **elements: Any) -> Path:
        path = tmp_path / name
        path.write_bytes(dicom_bytes(dicom_object(pixels, **elements)))
        return path

    return writer


def bundled(name: str) -> Path:
    """A file from pydicom's wheel."""
    return Path(str(get_testdata_file(name, download=False)))


@settings(max_examples=40)
@given(
    dtype=st.sampled_from(["u1", "i1", "u2", "i2"]),
    slope=st.sampled_from([1, 2, -1, 0.5, 40_000]),
    intercept=st.sampled_from([0, -1024, 0.25, 70_000]),
    dark=st.booleans(),
)
def test_rescale_and_inversion(
    tmp_path_factory: pytest.TempPathFactory, dtype: str, slope: float, intercept: float, dark: bool
) -> None:
    ends = np.iinfo(dtype)
    stored = np.random.default_rng(0).integers(ends.min, ends.max, (5, 6), dtype, endpoint=True)
    path = tmp_path_factory.mktemp("rescale") / "a.dcm"
    photometric = "MONOCHROME1" if dark else "MONOCHROME2"
    path.write_bytes(
        dicom_bytes(
            dicom_object(
                stored, RescaleSlope=slope, RescaleIntercept=intercept, PhotometricInterpretation=photometric
            )
        )
    )
    image = read_image(path)
    exact = stored.astype(np.float64) * slope + intercept
    if dark:  # the highest value that the bits hold becomes the lowest
        exact = (float(ends.min) + float(ends.max)) * slope + 2 * intercept - exact
    np.testing.assert_allclose(image.pixels, exact, rtol=1e-6, atol=1e-6 * np.abs(exact).max())
    whole = float(slope).is_integer() and float(intercept).is_integer()
    assert image.pixels.dtype.kind == "f" or whole
    assert image.bits == 8 * stored.itemsize


def test_a_ct_is_in_hounsfield_units_of_sixteen_bits(write: Write) -> None:
    path = write(GREY, BitsStored=12, HighBit=11, RescaleSlope=1, RescaleIntercept=-1024)
    image = read_image(path)
    assert image.pixels.dtype == np.int16
    np.testing.assert_array_equal(image.pixels, GREY.astype(int) - 1024)
    assert (image.bits, image.modality) == (12, "CT")


@pytest.mark.parametrize(
    ("function", "expected"),
    [("LINEAR", (-160.0, 239.0)), ("LINEAR_EXACT", (-160.0, 240.0)), ("SIGMOID", (-160.0, 240.0))],
)
def test_window(write: Write, function: str, expected: tuple[float, float]) -> None:
    # PS3.3 C.11.2.1.2: LINEAR ends at centre - 0.5 -+ (width - 1) / 2, the others at centre -+ width / 2.
    path = write(GREY, WindowCenter=[40, 100], WindowWidth=[400, 10], VOILUTFunction=function)
    assert read_image(path).window == expected


def test_the_window_of_an_inverted_image_is_inverted_with_it(write: Write) -> None:
    plain = read_image(write(GREY, "p.dcm", WindowCenter=100, WindowWidth=51))
    dark = read_image(
        write(GREY, "d.dcm", WindowCenter=100, WindowWidth=51, PhotometricInterpretation="MONOCHROME1")
    )
    assert plain.window is not None
    assert dark.window == (65535 - plain.window[1], 65535 - plain.window[0])
    inside = lambda image: (image.pixels >= image.window[0]) & (image.pixels <= image.window[1])  # noqa: E731
    np.testing.assert_array_equal(inside(plain), inside(dark))


def test_a_window_without_width_is_none(write: Write) -> None:
    assert read_image(write(GREY, WindowCenter=5, WindowWidth=1)).window is None


def test_spacing_and_tags(write: Write) -> None:
    path = write(GREY, PixelSpacing=[0.5, 0.25], Manufacturer="Maker", KVP=120, StationName="CT01")
    image = read_image(path)
    assert image.spacing == (0.5, 0.25)
    assert image.tags["Manufacturer"] == "Maker"
    assert float(image.tags["KVP"]) == 120
    assert len(image.tags["Device"]) == 8
    assert "CT01" not in str(image.tags)
    assert "StationName" not in image.tags


def test_every_encoding_of_one_image_is_equal(dicom_dir: Path) -> None:
    encodings = (
        "",
        "_RLE",
        "_big_endian",
        "_jpeg_2k_lossless",
        "_jpeg_2k_lossless_too_short",
        "_jpeg_ls_lossless",
    )
    volumes = [read_image(dicom_dir / f"emri_small{encoding}.dcm") for encoding in encodings]
    for other in volumes[1:]:
        np.testing.assert_array_equal(volumes[0].pixels, other.pixels)
        assert other.bits == 12
    names = ("MR_small", "MR_small_RLE", "MR_small_bigendian", "MR_small_implicit", "MR_small_jp2klossless")
    images = [read_image(bundled(f"{name}.dcm")).pixels for name in (*names, "MR_small_jpeg_ls_lossless")]
    for other_pixels in images[1:]:
        np.testing.assert_array_equal(images[0], other_pixels)


def test_without_preamble_header_or_syntax(write: Write, tmp_path: Path) -> None:
    content = write(GREY).read_bytes()
    data_set = 144 + int.from_bytes(content[140:144], "little")
    for start in (132, data_set):
        path = tmp_path / f"from{start}"
        path.write_bytes(content[start:])
        image = read_image(path)
        np.testing.assert_array_equal(image.pixels, GREY)
        assert ("guessed" in " ".join(image.notes)) == (start == data_set)


def test_deflated(write: Write, tmp_path: Path) -> None:
    header = pydicom.dcmread(write(GREY))
    header.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    pydicom.dcmwrite(tmp_path / "d.dcm", header)
    assert (tmp_path / "d.dcm").stat().st_size > 0
    np.testing.assert_array_equal(read_image(tmp_path / "d.dcm").pixels, GREY)


def enhanced(positions: list[float], stored: np.ndarray) -> Dataset:
    """An enhanced multi-frame file whose frames lie along z at ``positions``."""
    header = dicom_object(stored)
    shared, measures, orientation = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [0.5, 0.25]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    header.SharedFunctionalGroupsSequence = [shared]
    frames = []
    for index, position in enumerate(positions):
        frame, place, values = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = [1, 2, position]
        values.RescaleSlope, values.RescaleIntercept = index + 1, 0
        frame.PlanePositionSequence, frame.PixelValueTransformationSequence = [place], [values]
        frames.append(frame)
    header.PerFrameFunctionalGroupsSequence = frames
    return header


def test_frames_are_ordered_by_their_places_with_their_own_rescale(tmp_path: Path) -> None:
    stored = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(enhanced([4.0, 0.0, 2.0], stored)))
    image = read_image(tmp_path / "a.dcm")
    np.testing.assert_array_equal(image.pixels, np.stack([stored[1] * 2, stored[2] * 3, stored[0]]))
    assert image.spacing == (2.0, 0.5, 0.25)
    assert image.affine is not None
    # Frame 0 of the sorted volume lies at (1, 2, 0) in LPS; columns run to the left, rows to the back.
    np.testing.assert_allclose(image.affine @ [0, 0, 0, 1], [-1, -2, 0, 1])
    np.testing.assert_allclose(image.affine @ [2, 1, 4, 1], [-1 - 4 * 0.25, -2 - 0.5, 4, 1])


def test_frames_at_one_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(dicom_bytes(enhanced([0, 1, 1], np.zeros((3, 4, 5), np.uint8))))
    with pytest.raises(UnreadableImage, match="1 of its 3 slices lie where another lies"):
        read_image(tmp_path / "a.dcm")


def test_frames_without_places_keep_their_order(write: Write) -> None:
    stored = np.random.default_rng(0).integers(0, 255, (3, 4, 5)).astype(np.uint8)
    image = read_image(write(stored, PixelSpacing=[1, 1]))
    np.testing.assert_array_equal(image.pixels, stored)
    assert (image.spacing, image.affine) == (None, None)
    assert "3 of 3 slices do not say where they lie" in image.notes[0]


def test_a_dose_lies_at_its_offsets() -> None:
    image, header = read_image(bundled("rtdose.dcm")), pydicom.dcmread(bundled("rtdose.dcm"))
    offsets = np.array(header.GridFrameOffsetVector, dtype=float)
    assert image.affine is not None
    assert image.spacing is not None
    assert image.spacing[0] == pytest.approx(offsets[1] - offsets[0])
    np.testing.assert_allclose(
        image.pixels.max(), header.pixel_array.max() * float(header.DoseGridScaling), rtol=1e-6
    )


def test_objects_without_an_image_are_refused_by_name() -> None:
    for name in ("rtplan.dcm", "test-SR.dcm", "waveform_ecg.dcm"):
        with pytest.raises(UnreadableImage, match="without an image"):
            read_image(bundled(name))


def test_a_missing_codec_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels.decoders.base import get_decoder

    decoder = get_decoder(pydicom.uid.JPEGLSLossless)
    monkeypatch.setattr(decoder, "_available", {})
    with pytest.raises(UnreadableImage, match=r"JPEG-LS.*pip install \"medauc\[dicom-codecs\]\""):
        read_image(bundled("MR_small_jpeg_ls_lossless.dcm"))


def test_a_codestream_that_lies_about_its_size_does_not_stall(tmp_path: Path) -> None:
    # JPEG-LS with 65535 x 65535 in its frame header: seen to hang the codec, or to take 4 GB.
    content = bytearray(bundled("MR_small_jpeg_ls_lossless.dcm").read_bytes())
    start = content.index(b"\xff\xf7") + 5
    content[start : start + 4] = b"\xff" * 4
    (tmp_path / "a.dcm").write_bytes(content)
    with pytest.raises(UnreadableImage, match="damaged"):
        read_image(tmp_path / "a.dcm")
    # The next file is read, whatever became of the process.
    assert read_image(bundled("MR_small_jpeg_ls_lossless.dcm")).pixels.shape == (64, 64)


def test_a_codec_process_that_died_is_replaced_and_one_that_stalls_is_ended() -> None:
    path = bundled("MR_small_jpeg_ls_lossless.dcm")
    read_image(path)
    child = codecs._running[0].child
    child.kill()
    child.wait()
    assert read_image(path).pixels.shape == (64, 64)
    assert codecs._running[0].child is not child
    with pytest.raises(UnreadableImage, match="crash or stall"):
        read_image(bundled("JPEG2000.dcm"), Limits(max_seconds=-100))
    assert read_image(path).pixels.shape == (64, 64)


def test_memory_of_a_codec_is_bounded() -> None:
    with pytest.raises(UnreadableImage, match=r"MiB|memory|damaged"):
        read_image(bundled("examples_jpeg2k.dcm"), Limits(max_bytes=400_000))


def test_overlays_are_told(dicom_dir: Path) -> None:
    image = read_image(dicom_dir / "MR-SIEMENS-DICOM-WithOverlays.dcm")
    assert image.notes == ("its overlay was left out",)


def test_modality_table(dicom_dir: Path) -> None:
    path = dicom_dir / "mlut_18.dcm"
    header = pydicom.dcmread(path)
    table = header.ModalityLUTSequence[0]
    first = table.LUTDescriptor[1]
    data = np.array(table.LUTData)
    expected = data[np.clip(header.pixel_array.astype(int) - first, 0, len(data) - 1)]
    np.testing.assert_array_equal(read_image(path).pixels, expected)


def test_a_dicomdir_is_refused_with_what_to_do() -> None:
    buffer = io.BytesIO(bundled("DICOMDIR").read_bytes())
    assert buffer.getvalue()[128:132] == b"DICM"
    with pytest.raises(UnreadableImage, match="name its folder"):
        read_image(bundled("DICOMDIR"))
