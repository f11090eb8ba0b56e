"""PNG, JPEG, TIFF and NumPy: every way of storing gives the pixels that were stored."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from medauc.data.readers import UnreadableImage, read_image

GREY = np.random.default_rng(0).integers(0, 256, (9, 12)).astype(np.uint8)
DEEP = np.random.default_rng(0).integers(0, 2**16, (9, 12)).astype(np.uint16)
COLOUR = np.random.default_rng(0).integers(0, 256, (9, 12, 3)).astype(np.uint8)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("pixels", [GREY, DEEP, COLOUR], ids=["grey", "16 bit", "colour"])
def test_pixels_come_back(tmp_path: Path, ending: str, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / f"a.{ending}")
    image = read_image(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(image.pixels, pixels)
    assert image.pixels.dtype == pixels.dtype
    assert (image.colour, image.bits) == (pixels.ndim == 3, 8 * pixels.itemsize)
    assert image.spacing is None
    assert image.notes == ()


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.dcm", "PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "a.dcm").pixels, GREY)


def test_jpeg_as_pillow_decodes_it(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as other:
        np.testing.assert_array_equal(read_image(tmp_path / "a.jpg").pixels, np.asarray(other))


# What each EXIF orientation stores, as a map from the upright array (EXIF 2.3, tag 274).
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.T,
    6: np.rot90,
    7: lambda a: a[::-1, ::-1].T,
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_exif_orientation(tmp_path: Path, orientation: int, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](GREY)))
    stored.save(
        tmp_path / f"a.{ending}", exif=exif, **({"compression": "tiff_lzw"} if ending == "tif" else {})
    )
    image = read_image(tmp_path / f"a.{ending}")
    np.testing.assert_array_equal(image.pixels, GREY)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_an_unpacked_tiff_on_its_side_is_refused(tmp_path: Path, orientation: int) -> None:
    # Pillow gives its pixels in a wrong order, without a word.
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(GREY).save(tmp_path / "a.tif", exif=exif)
    with pytest.raises(UnreadableImage, match="upright"):
        read_image(tmp_path / "a.tif")


def test_palette_is_applied(tmp_path: Path) -> None:
    indexed = Image.fromarray(COLOUR).quantize(8)
    indexed.save(tmp_path / "a.png")
    palette = np.array(indexed.getpalette()).reshape(-1, 3)
    image = read_image(tmp_path / "a.png")
    assert image.colour
    np.testing.assert_array_equal(image.pixels, palette[np.asarray(indexed)])


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png").pixels, np.where(GREY > 100, 255, 0))


def test_an_opaque_channel_is_dropped_and_a_transparent_one_laid_on_black(tmp_path: Path) -> None:
    alpha = np.full((9, 12, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([COLOUR, alpha], axis=2)).save(tmp_path / "a.png")
    opaque = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(opaque.pixels, COLOUR)
    assert opaque.notes == ()
    alpha[0] = 0
    Image.fromarray(np.concatenate([COLOUR, alpha], axis=2)).save(tmp_path / "b.png")
    seen = read_image(tmp_path / "b.png")
    np.testing.assert_array_equal(seen.pixels[0], 0)
    np.testing.assert_array_equal(seen.pixels[1:], COLOUR[1:])
    assert "black" in seen.notes[0]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).convert("CMYK").save(tmp_path / "a.jpg")
    image = read_image(tmp_path / "a.jpg")
    assert image.pixels.shape == COLOUR.shape
    assert "CMYK" in image.notes[0]


@pytest.mark.parametrize("compression", ["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_pages_of_a_tiff_are_slices(tmp_path: Path, compression: str) -> None:
    volume = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]])
    first, *others = (Image.fromarray(np.ascontiguousarray(page)) for page in volume)
    first.save(tmp_path / "a.tif", save_all=True, append_images=others, compression=compression)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, volume)
    assert not image.colour


@pytest.mark.parametrize(
    ("other", "words"), [(GREY[:5], "page 2 is 5 x 12, page 1 9 x 12"), (DEEP, "differ in type")]
)
def test_pages_that_do_not_agree(tmp_path: Path, other: np.ndarray, words: str) -> None:
    Image.fromarray(GREY).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(other)])
    with pytest.raises(UnreadableImage, match=words):
        read_image(tmp_path / "a.tif")


def test_coloured_pages_are_refused(tmp_path: Path) -> None:
    Image.fromarray(COLOUR).save(tmp_path / "a.tif", save_all=True, append_images=[Image.fromarray(COLOUR)])
    with pytest.raises(UnreadableImage, match="coloured pages"):
        read_image(tmp_path / "a.tif")


@pytest.mark.parametrize("ending", ["png", "jpg", "tif"])
def test_a_file_cut_short_is_refused(tmp_path: Path, ending: str) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.tile(COLOUR, (4, 4, 1))).save(
        buffer, {"jpg": "JPEG", "tif": "TIFF"}.get(ending, "PNG")
    )
    (tmp_path / f"a.{ending}").write_bytes(buffer.getvalue()[:-400])
    with pytest.raises(UnreadableImage, match="copy it again"):
        read_image(tmp_path / f"a.{ending}")


@settings(max_examples=60)
@given(
    array=hnp.arrays(
        st.sampled_from(["u1", "i1", "u2", ">i2", "i4", "f4", ">f8", "f2", "?"]),
        hnp.array_shapes(min_dims=2, max_dims=3, max_side=5).filter(lambda shape: shape[-1] != 3),
        elements={"allow_nan": False, "allow_infinity": False},
    ),
    fortran=st.booleans(),
)
def test_numpy(tmp_path_factory: pytest.TempPathFactory, array: np.ndarray, fortran: bool) -> None:
    path = tmp_path_factory.mktemp("npy") / "a.npy"
    np.save(path, np.asfortranarray(array) if fortran else array)
    image = read_image(path)
    expected = array * np.uint8(255) if array.dtype == bool else array
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(image.pixels, expected.astype(image.pixels.dtype))
    assert image.pixels.dtype.isnative
    assert image.pixels.dtype.itemsize <= 4 or image.pixels.dtype.kind != "f"


def test_numpy_in_colour_and_packed(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", COLOUR)
    assert read_image(tmp_path / "a.npy").colour
    np.savez_compressed(tmp_path / "b.npz", image=DEEP)
    np.testing.assert_array_equal(read_image(tmp_path / "b.npz").pixels, DEEP)
    np.savez(tmp_path / "c.npz", a=DEEP, b=DEEP)
    with pytest.raises(UnreadableImage, match="2 arrays"):
        read_image(tmp_path / "c.npz")


def test_values_that_are_not_finite_are_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([[1.0, np.nan], [np.inf, 2.0]]))
    assert "2 of 4 values are NaN or infinite" in read_image(tmp_path / "a.npy").notes
