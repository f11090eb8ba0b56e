"""Small valid files of every format, the seeds that the fuzzer damages."""

import gzip
import io
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import nrrd
import numpy as np
import pydicom
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage, generate_uid

# Stands where a patient's name may stand in each format; no note, tag or message may ever repeat it.
CANARY = "ZYXWVCANARY"


@dataclass(frozen=True)
class Seed:
    """A valid file: its main part, how that is packed, and files beside it that stay whole."""

    name: str
    suffix: str
    content: bytes
    pack: Callable[[bytes], bytes] = bytes
    beside: tuple[tuple[str, bytes], ...] = ()

    def write(self, folder: Path, content: bytes | None = None) -> Path:
        """Write the file, whole or with other content, and return its path."""
        for suffix, data in self.beside:
            (folder / f"seed{suffix}").write_bytes(data)
        path = folder / f"seed{self.suffix}"
        path.write_bytes(self.pack(self.content if content is None else content))
        return path


def every_seed() -> list[Seed]:
    """One file a format and way of storing."""
    return [*_rasters(), *_arrays(), *_neuro(), *_nrrd(), *_meta_images(), *_dicom()]


def _grey(dtype: str = "u1", shape: tuple[int, ...] = (12, 14)) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def _saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _mended_png(data: bytes) -> bytes:
    """The same chunks with right checksums, so that damage reaches the decoder."""
    out, at = bytearray(data[:8]), 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        body = data[at + 4 : at + 8 + length]
        out += data[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return bytes(out + data[at:])


def _rasters() -> list[Seed]:
    grey, colour = Image.fromarray(_grey()), Image.fromarray(_grey(shape=(12, 14, 3)))
    deep = Image.fromarray(_grey("u2"))
    exif = Image.Exif()
    exif[0x0112] = 6
    pages = [Image.fromarray(_grey() + page) for page in range(3)]
    many = _saved(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression="tiff_lzw")
    return [
        Seed("png grey", ".png", _saved(grey, "PNG"), _mended_png),
        Seed("png 16", ".png", _saved(deep, "PNG"), _mended_png),
        Seed("png colour", ".png", _saved(colour, "PNG")),
        Seed("png palette", ".png", _saved(colour.quantize(16), "PNG"), _mended_png),
        Seed("jpeg", ".jpg", _saved(grey, "JPEG", exif=exif)),
        Seed("jpeg progressive", ".jpg", _saved(colour, "JPEG", progressive=True)),
        Seed("tiff raw 16", ".tif", _saved(deep, "TIFF")),
        Seed("tiff pages lzw", ".tif", many),
        Seed("tiff deflate", ".tif", _saved(colour, "TIFF", compression="tiff_adobe_deflate")),
        Seed("tiff jpeg", ".tif", _saved(grey, "TIFF", compression="jpeg")),
        Seed("tiff fax", ".tif", _saved(grey.convert("1"), "TIFF", compression="group4")),
    ]


def _arrays() -> list[Seed]:
    plain, packed = io.BytesIO(), io.BytesIO()
    np.save(plain, _grey("i2", (5, 6, 7)))
    np.savez_compressed(packed, image=_grey("f4", (8, 9)))
    return [Seed("npy", ".npy", plain.getvalue()), Seed("npz", ".npz", packed.getvalue())]


def _neuro() -> list[Seed]:
    volume, affine = _grey("i2", (7, 6, 5)), np.diag([-1.0, 2.0, 3.0, 1.0])
    one = nibabel.Nifti1Image(volume, affine)
    one.header.set_slope_inter(0.5, 3)
    nifti = one.to_bytes()
    two = nibabel.Nifti2Image(volume.astype("f8"), affine).to_bytes()
    mgh = nibabel.MGHImage(volume.astype("i4"), affine).to_bytes()
    pair = nibabel.Nifti1Pair(volume, affine)
    header, values = io.BytesIO(), io.BytesIO()
    pair.file_map["header"].fileobj, pair.file_map["image"].fileobj = header, values
    pair.to_file_map()
    old = nibabel.Spm2AnalyzeImage(volume, affine)
    analyze = bytearray(old.header.binaryblock)
    afni = _afni_header(CANARY)
    return [
        Seed("nifti", ".nii", nifti),
        Seed("nifti gz", ".nii.gz", nifti, gzip.compress),
        Seed("nifti gz outside", ".nii.gz", gzip.compress(nifti)),
        Seed("nifti 2", ".nii", two),
        Seed("nifti pair", ".hdr", header.getvalue(), beside=((".img", values.getvalue()),)),
        Seed("analyze", ".hdr", bytes(analyze), beside=((".img", volume.tobytes("F")),)),
        Seed("mgh", ".mgh", mgh),
        Seed("mgz", ".mgz", mgh, gzip.compress),
        Seed("afni", ".HEAD", afni, beside=((".BRIK", volume.tobytes("F")),)),
    ]


def _afni_header(name: str) -> bytes:
    fields = [
        ("string", "TYPESTRING", "'3DIM_HEAD_ANAT~"),
        ("string", "IDCODE_STRING", f"'{name}~"),
        ("string", "BYTEORDER_STRING", "'LSB_FIRST~"),
        ("integer", "SCENE_DATA", "0 0 0"),
        ("integer", "DATASET_RANK", "3 1"),
        ("integer", "DATASET_DIMENSIONS", "7 6 5 0 0"),
        ("integer", "ORIENT_SPECIFIC", "0 3 4"),
        ("float", "ORIGIN", "1 2 3"),
        ("float", "DELTA", "1 2 3"),
        ("float", "IJK_TO_DICOM_REAL", "1 0 0 1 0 2 0 2 0 0 3 3"),
        ("integer", "BRICK_TYPES", "1"),
        ("float", "BRICK_FLOAT_FACS", "0.5"),
    ]
    text = "".join(
        f"\ntype = {kind}-attribute\nname = {name}\ncount = "
        f"{len(value) - 1 if kind == 'string' else len(value.split())}\n{value}\n"
        for kind, name, value in fields
    )
    return text.encode()


def _nrrd() -> list[Seed]:
    volume = _grey("i2", (7, 6, 5))
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag([1.0, 2.0, 3.0]),
        "space origin": np.array([1.0, 2.0, 3.0]),
        "kinds": ["domain"] * 3,
        "patient": CANARY,
    }
    seeds = []
    for encoding in ("raw", "gzip", "bzip2", "ascii"):
        buffer = io.BytesIO()
        nrrd.write(buffer, volume, {**header, "encoding": encoding})
        seeds.append(Seed(f"nrrd {encoding}", ".nrrd", buffer.getvalue()))
    return seeds


def _meta_images() -> list[Seed]:
    volume = _grey("i2", (5, 6, 7))

    def text(place: str, packed: bool) -> bytes:
        return (
            f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
            f"CompressedData = {packed}\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 1 2 3\n"
            f"ElementSpacing = 1 2 3\nDimSize = 7 6 5\nElementType = MET_SHORT\nComment = {CANARY}\n"
            f"ElementDataFile = {place}\n"
        ).encode()

    values = volume.tobytes()
    return [
        Seed("mha", ".mha", text("LOCAL", False) + values),
        Seed("mha zlib", ".mha", text("LOCAL", True) + zlib.compress(values)),
        Seed("mhd", ".mhd", text("seed.raw", False), beside=((".raw", values),)),
    ]


def dicom_object(pixels: np.ndarray, **elements: object) -> Dataset:
    """A small secondary capture with the canary as patient."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID, header.SOPInstanceUID = (
        SecondaryCaptureImageStorage,
        generate_uid(entropy_srcs=["seed"]),
    )
    header.SeriesInstanceUID = generate_uid(entropy_srcs=["series"])
    header.PatientName, header.PatientID, header.PatientBirthDate = CANARY, CANARY, "19000101"
    header.Modality, header.PhotometricInterpretation = "CT", "MONOCHROME2"
    header.Rows, header.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        header.NumberOfFrames = len(pixels)
    bits = 8 * pixels.itemsize
    header.SamplesPerPixel, header.BitsAllocated, header.BitsStored, header.HighBit = 1, bits, bits, bits - 1
    header.PixelRepresentation = int(pixels.dtype.kind == "i")
    header.PixelData = pixels.tobytes()
    header["PixelData"].VR = "OB" if bits == 8 else "OW"
    for keyword, value in elements.items():
        setattr(header, keyword, value)
    return header


def dicom_bytes(header: Dataset) -> bytes:
    """A whole file of a data set."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, header, enforce_file_format=True)
    return buffer.getvalue()


_BUNDLED = (
    "MR_small_RLE.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_jp2klossless.dcm",
    "JPEG2000.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "JPEGLSNearLossless_16.dcm",
    "SC_rgb_jls_lossy_sample.dcm",
    "JPGExtended.dcm",
    "image_dfl.dcm",
    "liver_1frame.dcm",
    "rtdose.dcm",
    "MR_small_bigendian.dcm",
    "MR_small_implicit.dcm",
    "examples_palette.dcm",
    "examples_overlay.dcm",
)


def _dicom() -> list[Seed]:
    ct = dicom_bytes(
        dicom_object(_grey("i2"), RescaleSlope=2, RescaleIntercept=-1024, WindowCenter=1, WindowWidth=9)
    )
    dark = dicom_bytes(dicom_object(_grey(), PhotometricInterpretation="MONOCHROME1"))
    frames = dicom_bytes(dicom_object(_grey("u2", (3, 8, 9))))
    named = [(name, Path(str(get_testdata_file(name))).read_bytes()) for name in _BUNDLED]
    return [
        Seed("dicom ct", ".dcm", ct),
        Seed("dicom monochrome1", ".dcm", dark),
        Seed("dicom frames", ".dcm", frames),
        Seed("dicom without preamble", "", ct[132:]),
        Seed("dicom without file header", "", ct[144 + int.from_bytes(ct[140:144], "little") :]),
        *(Seed(f"dicom {name}", ".dcm", data) for name, data in named),
    ]
