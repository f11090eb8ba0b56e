"""PNG, JPEG and TIFF by Pillow: grey, colour, palette, 1 to 32 bits, pages of a TIFF as a volume."""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.tiff_pages import pages_of
from medauc.data.readers.values import native

_SIXTEEN = "16-bit colour was reduced to 8 bits a channel"
_NEW_SUBFILE_TYPE, _BITS_PER_SAMPLE, _TURNED = 254, 258, 274
# Time of a progressive JPEG grows with pixels times scans, and a hostile one has thousands of empty scans.
_MOST_SCANNED = 2**31


def read_raster(path: Path, kind: Literal["PNG", "JPEG", "TIFF"], limits: Limits) -> MedicalImage:
    """Read one image, or a TIFF whose pages agree as a volume of unknown spacing.

    Raises:
        Refusal: Too large, pages that differ, coloured pages, or a damaged file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # limits decide, by their own measure
        try:
            image = Image.open(path, formats=[kind])
        except Image.DecompressionBombError:
            raise Refusal("declares more pixels than any image that is read; make it smaller first") from None
    with image:
        _check_size(image, path, limits)
        if (
            kind == "TIFF"
            and image.info.get("compression") == "raw"
            and set(_numbers(image, _TURNED)) & set(range(5, 9))
        ):
            # Pillow 13.0 reads rows of such a file with the length of its columns.
            raise Refusal("is an unpacked TIFF that lies on its side by its orientation tag; save it upright")
        pages = pages_of(path, limits.max_slices) if kind == "TIFF" else getattr(image, "n_frames", 1)
        if pages > limits.max_slices:
            raise Refusal(f"has more than {limits.max_slices} pages; save it as several files")
        if kind == "TIFF" and pages > 1:
            return _volume(image, pages, limits)
        notes = _notes_before_decoding(image, path, kind)
        if pages > 1:
            notes.append(f"the first of {pages} pictures was read")
        pixels, colour, further = _pixels(image)
    return MedicalImage(pixels, colour, bits=_bits(pixels), notes=(*notes, *further))


def _check_size(image: Image.Image, path: Path, limits: Limits) -> None:
    """Refuse what would cost too much, before anything is decoded."""
    width, height = image.size
    # The decoder's own copy, an upright one and the array are alive at once.
    count = limits.check((height, width), 3 * (4 if image.mode in ("I", "F") else 2 * len(image.getbands())))
    if image.format == "JPEG" and path.read_bytes().count(b"\xff\xda") * count > _MOST_SCANNED:
        raise Refusal("is drawn in more passes than a real JPEG; save it anew or leave it out")


def _notes_before_decoding(image: Image.Image, path: Path, kind: str) -> list[str]:
    """What Pillow does to the pixels without telling."""
    if len(image.getbands()) == 1:
        return []
    depth: Any = 8
    if kind == "PNG":
        with path.open("rb") as file:
            depth = file.read(25)[24:] == b"\x10" and 16
    elif kind == "TIFF":
        depth = max(_numbers(image, _BITS_PER_SAMPLE), default=8)
    return [_SIXTEEN] if depth == 16 else []


def _numbers(image: Image.Image, tag: int) -> tuple[int, ...]:
    """Numbers of a TIFF tag."""
    value = getattr(image, "tag_v2", {}).get(tag, ())
    values = value if isinstance(value, tuple) else (value,)
    return tuple(int(number) for number in values if isinstance(number, int | float))


def _pixels(image: Image.Image) -> tuple[npt.NDArray[Any], bool, list[str]]:
    """Decode: ``(array, whether it is in colour, notes)``."""
    image.load()
    lies = image.getexif().get(_TURNED, 1) != 1  # else Pillow would make a copy
    upright = ImageOps.exif_transpose(image) if lies else image
    notes = ["turned upright as its EXIF orientation says"] if upright.size != image.size else []
    if upright.mode == "P" or "transparency" in upright.info:
        upright = upright.convert("RGBA" if "transparency" in upright.info else "RGB")
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa"):
        upright, further = _opaque(upright)
        notes += further
    if upright.mode in ("CMYK", "YCbCr", "LAB", "HSV", "RGBX"):
        notes.append(f"{upright.mode} was converted to RGB")
        upright = upright.convert("RGB")
    if upright.mode == "1":
        upright = upright.convert("L")
    pixels = np.array(upright)
    return native(pixels), upright.mode == "RGB", notes


def _opaque(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """Lay a transparent image on black; drop a channel that says only "opaque"."""
    colour = image.mode in ("RGBA", "RGBa", "PA")
    image = image.convert("RGBA" if colour else "LA")
    plain = "RGB" if colour else "L"
    alpha = image.getchannel("A")
    lowest, _ = alpha.getextrema()
    if lowest == 255:
        return image.convert(plain), []
    flat = Image.new(plain, image.size)
    flat.paste(image.convert(plain), mask=alpha)
    return flat, ["transparent parts were laid on black"]


def _volume(image: Image.Image, pages: int, limits: Limits) -> MedicalImage:
    """Pages of one size and type as slices; smaller copies of a page (previews) are left out."""
    limits.check_slices(pages, "pages")
    width, height = image.size
    slices: list[npt.NDArray[Any]] = []
    notes: list[str] = []
    previews = 0
    for page in range(pages):
        image.seek(page)
        if page and any(number & 1 for number in _numbers(image, _NEW_SUBFILE_TYPE)):
            previews += 1
            continue
        if image.size != (width, height):
            raise Refusal(
                f"page {page + 1} is {image.size[1]} x {image.size[0]}, page 1 {height} x {width}; "
                "save pages of different sizes as single images"
            )
        pixels, colour, further = _pixels(image)
        if colour and pages - previews > 1 and slices:
            raise Refusal("has several coloured pages; save each as an image of its own")
        limits.check((len(slices) + 1, *pixels.shape), 2 * pixels.itemsize)
        notes += [note for note in further if note not in notes]
        slices.append(pixels)
    if previews:
        notes.append(f"{previews} reduced copies of a page were left out")
    if len(slices) == 1:
        return MedicalImage(slices[0], slices[0].ndim == 3, bits=_bits(slices[0]), notes=tuple(notes))
    if len({(page.dtype, page.shape) for page in slices}) > 1:
        raise Refusal("its pages differ in type; save them as single images")
    return MedicalImage(np.stack(slices), bits=_bits(slices[0]), notes=(*notes, "pages were read as slices"))


def _bits(pixels: npt.NDArray[Any]) -> int:
    return pixels.itemsize * 8
