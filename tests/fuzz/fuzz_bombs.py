"""Files made to harm, by name: bombs, lies, endless headers and what is no image at all."""

import bz2
import gzip
import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import nibabel
import numpy as np
import pydicom

from fuzz.fuzz_corpus import dicom_bytes, dicom_object, every_seed

NIFTI = nibabel.Nifti1Image(np.zeros((4, 4, 4), np.int16), np.eye(4)).to_bytes()


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


def commented(comment: bytes) -> bytes:
    """A MetaImage that says much before its fields."""
    return meta_image_of(2, False, bytes(8)).replace(b"NDims", comment + b"NDims")


def jpeg_of(width: int, height: int) -> bytes:
    """A JPEG whose frame header declares a size."""
    (seed,) = (seed for seed in every_seed() if seed.name == "jpeg")
    at = seed.content.index(b"\xff\xc0") + 5
    return seed.content[:at] + struct.pack(">HH", height, width) + seed.content[at + 4 :]


def tiff_of(tags: Mapping[int, tuple[int, int]], strip: bytes = b"", following: int = 0) -> bytes:
    """A TIFF of one strip; ``tags`` are further ones or others, each (type, value)."""
    start = 8 + 2 + 12 * len({256, 257, 258, 259, 262, 273, 277, 278, 279} | set(tags)) + 4
    plain = {256: 4, 257: 4, 258: 8, 259: 1, 262: 1, 273: start, 277: 1, 278: 4, 279: len(strip)}
    fields = {tag: (4, value) for tag, value in plain.items()} | dict(tags)
    rows = b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, (kind, value) in sorted(fields.items())
    )
    return b"II*\0" + struct.pack("<IH", 8, len(fields)) + rows + struct.pack("<I", following) + strip


def many_pages(count: int) -> bytes:
    """As many pages of one pixel, each with a directory of its own."""
    page = tiff_of({256: (4, 1), 257: (4, 1)}, b"\1")
    body, size = page[8:], len(page) - 8
    link = len(body) - 5  # the address of the next directory, before the strip
    pages = (
        body[:link] + struct.pack("<I", 8 + (n + 1) * size if n + 1 < count else 0) + body[link + 4 :]
        for n in range(count)
    )
    return page[:8] + b"".join(pages)


def crowded_tiff() -> bytes:
    """A directory of thousands of tags, each of which claims four billion values."""
    rows = b"".join(struct.pack("<HHII", 40_000 + n, 5, 2**32 - 1, 8) for n in range(10_000))
    return b"II*\0" + struct.pack("<IH", 8, 10_000) + rows + bytes(4)


def png_with(kind: bytes, body: bytes) -> bytes:
    """A good PNG with a further chunk."""
    (seed,) = (seed for seed in every_seed() if seed.name == "png grey")
    chunk = len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
    return seed.content[:33] + chunk + seed.content[33:]


def mgh_of(side: int) -> bytes:
    return np.array([1, side, side, side, 1, 3], ">i4").tobytes().ljust(284, b"\0")


def npz_of(members: int, name: str = "a{}.npy", dtype: str = "<f8") -> bytes:
    """An archive of arrays that do not hold what they declare."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number in range(members):
            archive.writestr(name.format(number), lying_npy("(2, 2)", dtype))
    return buffer.getvalue()


def analyze_of(side: int) -> dict[str, bytes]:
    header = nibabel.AnalyzeHeader()
    header.set_data_dtype(np.int16)
    data = bytearray(header.binaryblock)
    data[40:56] = np.array([3, side, side, side, 1, 1, 1, 1], f"{header.endianness}i2").tobytes()
    return {"a.hdr": bytes(data), "a.img": bytes(64)}


def afni_of(change: Callable[[bytes], bytes]) -> dict[str, bytes]:
    (seed,) = (seed for seed in every_seed() if seed.name == "afni")
    return {"a+orig.HEAD": change(seed.content), "a+orig.BRIK": seed.beside[0][1]}


BOMBS: dict[str, Callable[[], bytes]] = {
    "png 60000 x 60000": lambda: png_of(60_000, 60_000),
    "png of 2 billion columns": lambda: png_of(2**31 - 1, 1),
    "png of packed text": lambda: png_with(b"zTXt", b"a\0\0" + zeros(2**30, lambda: zlib.compressobj(9))),
    "png of a packed profile": lambda: png_with(
        b"iCCP", b"a\0\0" + zeros(2**30, lambda: zlib.compressobj(9))
    ),
    "jpeg 65500 x 65500": lambda: jpeg_of(65_500, 65_500),
    "tiff 60000 x 60000": lambda: tiff_of({256: (4, 60_000), 257: (4, 60_000)}),
    "tiff of no size": lambda: tiff_of({256: (4, 0)}, bytes(16)),
    "tiff of many pages": lambda: many_pages(60_000),
    "tiff deflate bomb": lambda: tiff_of(
        {256: (4, 30_000), 257: (4, 30_000), 278: (4, 30_000), 259: (4, 8)},
        zeros(2**30, lambda: zlib.compressobj(9)),
    ),
    "tiff of tags that lie": crowded_tiff,
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
    "mgz bomb": lambda: (
        gzip.compress(mgh_of(700)) + zeros(2**31, lambda: zlib.compressobj(9, zlib.DEFLATED, 31))
    ),
    "nrrd that lies": lambda: nrrd_of(60_000, "raw", b""),
    "nrrd gzip bomb": lambda: nrrd_of(
        1100, "gzip", zeros(2**31, lambda: zlib.compressobj(9, zlib.DEFLATED, 31))
    ),
    "nrrd bzip2 bomb": lambda: nrrd_of(1100, "bzip2", bz2.compress(bytes(2**24))),
    "nrrd text that lies": lambda: nrrd_of(600, "ascii", b"1 2 3"),
    "nrrd of one long line": lambda: b"NRRD0004\n" + b"a" * 2**25,
    "mha zlib bomb": lambda: meta_image_of(1100, True, zeros(2**31, lambda: zlib.compressobj(9))),
    "mha of 1e30": lambda: meta_image_of(10**30, False, b""),
    "mha of a huge header": lambda: meta_image_of(2, False, b"").replace(
        b"NDims", b"Comment = x\n" * 10**6 + b"NDims"
    ),
    "mha of one long line": lambda: meta_image_of(2, False, b"").replace(
        b"NDims", b"Comment = " + b"x" * 2**25 + b"\nNDims"
    ),
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
    "npz of objects": lambda: npz_of(1, dtype="|O"),
    "npz of many arrays": lambda: npz_of(20_000),
    "pickle": lambda: pickle.dumps({"images": [1]}),
    "zip": lambda: b"PK\x03\x04" + bytes(50),
    "text": lambda: b"no image\n" * 100,
    "one byte": lambda: b"\0",
    "html": lambda: b"<!DOCTYPE html><html>please log in</html>",
}
# Of two files, the first of which is read.
PAIRED_BOMBS: dict[str, Callable[[], dict[str, bytes]]] = {
    "analyze that lies": lambda: analyze_of(30_000),
    "analyze of negative size": lambda: analyze_of(-4),
    "afni that lies": lambda: afni_of(lambda data: data.replace(b"7 6 5 0 0", b"30000 30000 30000 0 0")),
    "afni of more than there is": lambda: afni_of(lambda data: data.replace(b"7 6 5 0 0", b"70 60 50 0 0")),
    "afni of a huge header": lambda: afni_of(lambda data: data + b"x" * 2**23),
    "afni of too many attributes": lambda: afni_of(
        lambda data: (
            data
            + b"".join(b"\ntype = integer-attribute\nname = A%d\ncount = 1\n7\n" % n for n in range(10**5))
        )
    ),
    "mhd of more than there is": lambda: {"a.mhd": meta_image_of(20, False, b"", "a.raw"), "a.raw": bytes(8)},
    "nhdr of more than there is": lambda: {
        "a.nhdr": nrrd_of(20, "raw", b"").replace(b"\n\n", b"\ndata file: a.raw\n\n"),
        "a.raw": bytes(8),
    },
}
