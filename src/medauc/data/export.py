"""A data set written as image files with a manifest, as other tools (and ``medauc train``) read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from medauc.data.dataset import Dataset
from medauc.errors import InputError
from medauc.files import atomic_path, write_text_atomically

Format = Literal["png", "dicom", "nifti"]
Pixels = npt.NDArray[np.uint8]
Writer = Callable[[Path, Pixels, str, str], None]  # path, pixels, id, group

MANIFEST, IMAGES = "manifest.csv", "images"
_UID_ROOT = "2.25."  # of identifiers made from digests, which nobody needs to be assigned


def export_dataset(dataset: Dataset, folder: Path, kind: Format | None = None) -> Path:
    """Write every image as a file, and a manifest of ids, patients, splits, targets and further columns.

    Pixels are written as they are, without loss: training on the manifest gives the scores of training on
    ``dataset``.

    Args:
        dataset: Any data set; images that are bags of several are refused.
        folder: A new or empty folder.
        kind: "png" (images), "nifti" (volumes) or "dicom" (both; a volume is one multi-frame file). None takes PNG for
            images and NIfTI for volumes.

    Returns:
        The manifest, ``<folder>/manifest.csv``, which is written last.

    Raises:
        InputError: The folder holds something or cannot be written, or the format does not hold such images.
    """
    kind = kind or ("nifti" if dataset.spatial_dims == 3 else "png")
    thin = dataset.spatial_dims == 3 and dataset.image_shape[0] == 1
    if (kind == "png") != (dataset.spatial_dims == 2) and kind != "dicom":
        what = "volumes" if dataset.spatial_dims == 3 else "images"
        take = "nifti" if thin else "dicom"
        raise InputError(
            f"{dataset.name} holds {what}, which are not written as {kind}; take {take}, or leave it out"
        )
    if kind == "dicom" and thin:
        raise InputError(
            f"{dataset.name} holds volumes of one slice, which DICOM does not tell from images; take nifti"
        )
    if any(len(split.images) != len(split) for split in dataset):
        raise InputError(f"{dataset.name} holds bags of several images; export it without data.bags")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: not empty; name a new folder")
    writer, ending = {
        "png": (_write_png, "png"),
        "dicom": (_write_dicom, "dcm"),
        "nifti": (_write_nifti, "nii.gz"),
    }[kind]
    try:
        (folder / IMAGES).mkdir(parents=True)
        rows = [_write_split(dataset, name, folder, writer, ending) for name in dataset.splits]
        text = pd.concat(rows).to_csv(index=False, lineterminator="\n")
        write_text_atomically(folder / MANIFEST, text)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written ({error.strerror or error})") from None
    return folder / MANIFEST


def _write_split(dataset: Dataset, name: str, folder: Path, writer: Writer, ending: str) -> pd.DataFrame:
    split = dataset.splits[name]
    paths = []
    for row, (identity, group) in enumerate(zip(split.ids.tolist(), split.groups.tolist(), strict=True)):
        path = folder / IMAGES / f"{name}-{row:05d}.{ending}"
        with atomic_path(path) as temporary:
            writer(temporary, np.ascontiguousarray(split.images[row]), identity, group)
        paths.append(path.relative_to(folder).as_posix())
    columns = {
        "path": paths,
        "id": split.ids,
        "group": split.groups,
        "split": name,
        **_targets(dataset, name),
    }
    return pd.DataFrame(columns | {key: split.metadata[key] for key in split.metadata if key not in columns})


def _targets(dataset: Dataset, name: str) -> dict[str, npt.NDArray[Any]]:
    """Columns of targets: names of classes where they say something, 0 and 1 else."""
    values = dataset.splits[name].targets
    if dataset.multi_label:
        return {
            f"target_{label}": column for label, column in zip(dataset.label_names, values.T, strict=True)
        }
    return {"target": np.array(dataset.class_names)[values] if has_named_classes(dataset) else values}


def has_named_classes(dataset: Dataset) -> bool:
    """Whether the classes have names of their own."""
    return not dataset.multi_label and not any(name.startswith("class ") for name in dataset.class_names)


def _write_png(path: Path, pixels: Pixels, identity: str, group: str) -> None:
    from PIL import Image

    Image.fromarray(pixels).save(path, format="PNG")


def _write_nifti(path: Path, pixels: Pixels, identity: str, group: str) -> None:
    """The array's axes (D, H, W) become k, j, i; nothing is known of millimetres."""
    import gzip

    import nibabel

    kind: Any = nibabel.Nifti1Image  # nibabel's functions carry no types
    image = kind(pixels.T, np.eye(4))
    image.header.set_xyzt_units("unknown")
    path.write_bytes(gzip.compress(image.to_bytes(), compresslevel=6, mtime=0))  # equal images, equal files


def _write_dicom(path: Path, pixels: Pixels, identity: str, group: str) -> None:
    """Secondary Capture, one frame or several, without a window: pixels mean what they are."""
    from pydicom.dataset import Dataset as Header
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import (
        ExplicitVRLittleEndian,
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage,
        SecondaryCaptureImageStorage,
    )

    is_colour, is_volume = (
        pixels.shape[-1] == 3 and pixels.ndim == 3,
        pixels.ndim == 3 and pixels.shape[-1] != 3,
    )
    storage = (
        MultiFrameGrayscaleByteSecondaryCaptureImageStorage if is_volume else SecondaryCaptureImageStorage
    )
    meta = FileMetaDataset()
    meta.TransferSyntaxUID, meta.MediaStorageSOPClassUID = ExplicitVRLittleEndian, storage
    header = Header()
    header.file_meta = meta
    header.SOPClassUID, header.Modality, header.ConversionType = storage, "OT", "WSD"
    header.SOPInstanceUID = meta.MediaStorageSOPInstanceUID = _uid("image", identity)
    header.StudyInstanceUID, header.SeriesInstanceUID = _uid("study", group), _uid("series", identity)
    header.PatientID, header.PatientName = group, ""
    header.StudyID, header.SeriesNumber, header.InstanceNumber = "", 1, 1
    header.Rows, header.Columns = pixels.shape[-2:] if not is_colour else pixels.shape[:2]
    header.SamplesPerPixel = 3 if is_colour else 1
    header.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        header.PlanarConfiguration = 0
    if is_volume:
        header.NumberOfFrames = len(pixels)
    header.BitsAllocated = header.BitsStored = 8
    header.HighBit, header.PixelRepresentation = 7, 0
    raw = pixels.tobytes()
    header.PixelData = raw + b"\0" * (len(raw) % 2)
    header.save_as(path, enforce_file_format=True)


def _uid(kind: str, name: str) -> Any:
    """An identifier that depends on nothing but the name."""
    from pydicom.uid import generate_uid

    return generate_uid(prefix=_UID_ROOT, entropy_srcs=[kind, name])
