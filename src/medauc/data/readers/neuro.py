"""NIfTI-1 and -2, Analyze, MGH and AFNI: headers by nibabel, values read here within the limits."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from medauc.data.readers.formats import Format, regular_file
from medauc.data.readers.geometry import spacing_of_affine, usable_affine
from medauc.data.readers.image import MedicalImage, Refusal
from medauc.data.readers.limits import Limits
from medauc.data.readers.pairs import header_of_pair, values_of_pair
from medauc.data.readers.values import Inflated, native, read_values, rescaled

_MILLIMETRES = {"meter": 1000.0, "micron": 0.001}
# Extensions of a header stand before the values; more than this is no header any more.
_LARGEST_OFFSET = 64 * 2**20
# Attributes of AFNI are text, of which nibabel takes a second for ten megabytes.
_LARGEST_TEXT = 4 * 2**20
_NO_POSITION = "its header does not say how it lies in the patient (qform and sform code 0)"


def read_neuro(path: Path, kind: Format, limits: Limits) -> MedicalImage:
    """Read a volume; the array is ``(k, j, i)`` for nibabel's ``(i, j, k)``.

    Raises:
        Refusal: More than three dimensions, colour or complex values, too large, cut short.
    """
    beside = header_of_pair(path)
    header_path = beside if kind in ("NIfTI", "Analyze", "AFNI") and beside else path
    with _opened(header_path) as file:
        header = _header(file, kind)
    shape, axes = _volume_shape(header.get_data_shape())
    dtype = np.dtype(header.get_data_dtype())
    if dtype.fields:
        raise Refusal("holds colour or complex values in a volume; export one grey channel")
    slope, intercept, notes = _scaling(header, kind)
    values_path, offset = _place_of_values(header_path, header, kind)
    regular_file(values_path)
    with _opened(values_path) as file:
        _skip(file, offset)
        extra = 4 if dtype.kind in "fc" or (slope, intercept) != (1.0, 0.0) else 0
        stored = read_values(file, shape[::-1], dtype, limits, extra=extra)
        if isinstance(file, Inflated):
            file.finish()
    pixels = rescaled(native(stored), slope, intercept)
    affine, spacing, further = _geometry(header, kind)
    spacing = spacing[:axes] if spacing else None
    return MedicalImage(
        pixels,
        bits=8 * min(dtype.itemsize, 4),
        spacing=tuple(reversed(spacing)) if spacing else None,
        affine=affine[:, [2, 1, 0, 3]] if affine is not None and axes == 3 else None,
        notes=(*notes, *further),
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The file, unpacked as it is read where it is packed by gzip."""
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        yield Inflated(file) if packed else file


def _header(file: Any, kind: Format) -> Any:
    """The header as nibabel parses and checks it."""
    import io

    from nibabel.analyze import AnalyzeHeader
    from nibabel.brikhead import AFNIHeader
    from nibabel.freesurfer.mghformat import MGHHeader
    from nibabel.nifti1 import Nifti1Header, Nifti1PairHeader
    from nibabel.nifti2 import Nifti2Header, Nifti2PairHeader

    if kind == "AFNI":
        afni: Any = AFNIHeader
        attributes = file.read(_LARGEST_TEXT + 1)
        if len(attributes) > _LARGEST_TEXT:
            raise Refusal(
                f"its header is longer than {_LARGEST_TEXT // 2**20} MiB: the file is damaged; leave it out"
            )
        return afni.from_fileobj(io.StringIO(attributes.decode("latin-1")))
    head = file.read(540)
    parse: Any
    if kind == "MGH":
        parse, length = MGHHeader, 284
        head = head.ljust(length, b"\0")
    elif kind == "Analyze":
        parse, length = AnalyzeHeader, 348
    elif head[4:7] in (b"n+2", b"ni2"):
        parse, length = (Nifti2Header if head[4:7] == b"n+2" else Nifti2PairHeader), 540
    else:
        parse, length = (Nifti1Header if head[344:347] == b"n+1" else Nifti1PairHeader), 348
    return parse(head[:length], check=True)


def _volume_shape(shape: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Shape without trailing axes of length 1, and its number of axes: 2 or 3."""
    declared = tuple(int(side) for side in shape)
    kept = declared
    while len(kept) > 3 and kept[-1] == 1:
        kept = kept[:-1]
    if len(kept) not in (2, 3):
        text = " x ".join(map(str, declared)) or "nothing"
        raise Refusal(
            f"holds {text}: {len(kept)} dimensions, not one volume; save each volume as a file of its own"
        )
    return kept, len(kept)


def _scaling(header: Any, kind: Format) -> tuple[float, float, list[str]]:
    """Slope and intercept that lead from stored numbers to values."""
    if kind in ("MGH", "Analyze"):
        return 1.0, 0.0, []
    pair = (header.get_data_scaling(), None) if kind == "AFNI" else header.get_slope_inter()
    slope, intercept = (
        float(np.ravel(default if value is None else value)[0])
        for value, default in zip(pair, (1, 0), strict=True)
    )
    if not np.isfinite((slope, intercept)).all() or slope == 0:
        return 1.0, 0.0, ["its scaling of values is not a number and was left out"]
    return slope, intercept, []


def _place_of_values(header_path: Path, header: Any, kind: Format) -> tuple[Path, int]:
    """File of the values and their offset in it."""
    if kind == "MGH":
        return header_path, 284
    if kind == "NIfTI" and bytes(header["magic"])[:2] == b"n+":
        return header_path, _offset(header)
    values = values_of_pair(header_path)
    if values is None:
        missing = Path(header_path.name.removesuffix(".gz")).stem + (".BRIK" if kind == "AFNI" else ".img")
        raise Refusal(f"has no values beside it ({missing} is missing); copy both files")
    return values, 0 if kind == "AFNI" else _offset(header)


def _offset(header: Any) -> int:
    offset = float(header["vox_offset"])
    if not 0 <= offset <= _LARGEST_OFFSET:
        raise Refusal("its header says that the values start at an impossible place; the file is damaged")
    return int(offset)


def _skip(file: IO[bytes] | Inflated, count: int) -> None:
    if isinstance(file, Inflated):
        file.skip(count)
    else:
        file.seek(count)


def _geometry(
    header: Any, kind: Format
) -> tuple[npt.NDArray[np.float64] | None, tuple[float, ...] | None, list[str]]:
    """Affine and spacing in nibabel's order of axes and millimetres, and notes."""
    notes: list[str] = []
    factor = 1.0
    if kind == "NIfTI":
        with contextlib.suppress(KeyError):
            factor = _MILLIMETRES.get(header.get_xyzt_units()[0], 1.0)
    zooms = tuple(abs(float(zoom)) * factor for zoom in header.get_zooms()[:3])
    spacing = zooms if zooms and all(np.isfinite(zoom) and zoom > 0 for zoom in zooms) else None
    positioned = kind != "Analyze" and not (
        kind == "NIfTI" and int(header["qform_code"]) == 0 and int(header["sform_code"]) == 0
    )
    if not positioned:
        return (
            None,
            spacing,
            [_NO_POSITION if kind == "NIfTI" else "Analyze does not say how it lies in the patient"],
        )
    affine = usable_affine(header.get_best_affine() if kind != "AFNI" else header.get_affine(), factor)
    if affine is None:
        notes.append("its affine is not usable and was left out")
    elif spacing:
        of_affine = spacing_of_affine(affine)
        if not np.allclose(of_affine[: len(spacing)], spacing, rtol=0.01):
            notes.append("its affine and its voxel sizes disagree; the affine was taken")
            spacing = of_affine[: len(spacing)]
    else:
        spacing = spacing_of_affine(affine)
    return affine, spacing, notes
