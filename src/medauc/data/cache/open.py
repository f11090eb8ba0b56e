"""From a list of files to their prepared images, memory-mapped; built first where they are not there yet."""

import json
import os
import weakref
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medauc import __version__
from medauc.data.cache.build import Plan, build, bytes_of, finish
from medauc.data.cache.digests import Digests, combined, file_digests
from medauc.data.cache.folder import (
    ABOUT,
    IMAGES,
    INDEX,
    building,
    cache_folder,
    hold,
    list_cache,
    make_folder,
    make_room,
    read_limit,
)
from medauc.data.cache.pool import cores
from medauc.data.cache.progress import ShowProgress, shown
from medauc.data.cache.rows import RowJob, spec_of
from medauc.data.preparation import PREPARATION_VERSION, PreparationSpec, holds_colour
from medauc.data.preparation.spec import Colour
from medauc.errors import InputError
from medauc.printing import say

_LOOKED_AT = 16  # files that decide whether a set is in colour
_REASONS = "reasons without names"  # what earlier versions kept is found out anew
_DECODERS = (
    "numpy",
    "pillow",
    "pydicom",
    "nibabel",
    "isal",
    "pynrrd",
    "pylibjpeg",
    "pylibjpeg-libjpeg",
    "pylibjpeg-openjpeg",
    "pyjpegls",
)


@dataclass(frozen=True)
class Failure:
    """A file that could not be read or prepared: its row, its path as given, and why."""

    row: int
    path: str
    reason: str


@dataclass(frozen=True, eq=False)
class PreparedImages:
    """Prepared images of a list of files.

    Attributes:
        images: Memory-mapped and read-only uint8, (N, H, W), (N, H, W, 3) or (N, D, H, W); row i is file i, all 0 for
            a file that failed.
        failures: The files that failed, by row.
        spec: The preparation with shape and colour settled, as new images must be prepared to be like these.
        digest: 32 hexadecimal digits over the contents of all files, in order.
    """

    images: "np.memmap[Any, np.dtype[np.uint8]]"
    failures: tuple[Failure, ...]
    spec: PreparationSpec
    digest: str

    @property
    def readable(self) -> NDArray[np.bool_]:
        """Which rows hold an image, (N,)."""
        good = np.ones(len(self.images), dtype=bool)
        good[[failure.row for failure in self.failures]] = False
        return good


def open_cache(
    paths: Sequence[Path | str],
    spec: PreparationSpec,
    size: int,
    spatial_dims: int,
    *,
    folder: Path | str | None = None,
    jobs: int | None = None,
    max_bytes: int | None = None,
    progress: ShowProgress | None = None,
) -> PreparedImages:
    """Give the prepared images of files, memory-mapped; read and prepare what was not before.

    The result is kept below ``folder`` under a digest of all files' contents and of the preparation. Two processes that
    want the same build it once; one that is killed is continued by the next. A file that fails is tried again when it
    changes, or when other versions of the reading libraries are installed.

    Args:
        paths: Image files, or folders that are one DICOM series each; at least one.
        spec: How they are prepared. Its colour "auto" is settled for all: colour if more than half of up to
            sixteen files, evenly spread over the list, hold any; grey otherwise.
        size: Pixels a side where ``spec.shape`` is None.
        spatial_dims: 2 for images, 3 for volumes.
        folder: Folder of all caches; None takes MEDAUC_CACHE, else the user's cache folder.
        jobs: Processes that read and prepare at a time; None takes as many as there are cores, 0 does it in this one,
            where a decoder that crashes takes it down.
        max_bytes: What all caches together may take; None takes the limit that was set for the folder (100 GB).
        progress: Called with what is done, how many of it, and of how many; None shows a bar on a terminal.

    Returns:
        Images, and the files that failed.

    Raises:
        InputError: No paths, a preparation that does not fit the dimensions, or no room.
        DiskFull: There is no room on the disk; what is done is kept.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for value in (3, 4):
    ...     np.save(folder / f"{value}.npy", np.full((2, 2), value, dtype=np.uint8))
    >>> files = [folder / "3.npy", folder / "4.npy", folder / "5.npy"]
    >>> found = open_cache(files, PreparationSpec(), size=2, spatial_dims=2, folder=folder / "cache", jobs=0)
    >>> found.images[:, 0, 0].tolist(), found.readable.tolist()
    ([3, 4, 0], [True, True, False])
    >>> found.failures[0].reason
    'cannot be opened (No such file or directory)'
    """
    if not paths:
        raise InputError("there are no images to prepare")
    here = str(Path.cwd())
    names = [os.path.join(here, path) for path in paths]  # noqa: PTH118  a million Path objects take seconds
    spec = spec.settled(size, spatial_dims)
    root = make_folder(cache_folder(folder))
    jobs = cores() if jobs is None else jobs
    with shown(progress) as show:
        digests = file_digests(names, root / INDEX, jobs, show)
        preparation = f"{__version__}/{PREPARATION_VERSION}/{spatial_dims}"
        entry = root / combined(digests, preparation, json.dumps(asdict(spec)))
        found = _open(entry, digests, paths)
        if found is None:
            with building(entry, _say_waiting) as part:
                found = _open(entry, digests, paths)  # another process may have built it meanwhile
                if found is None:
                    settled = replace(spec, colour=_colour_of(names, spec, spatial_dims))
                    plan = _plan(names, digests, settled, size, spatial_dims, preparation)
                    _build(
                        plan, part, entry, jobs, read_limit(root) if max_bytes is None else max_bytes, show
                    )
                    found = _open(entry, digests, paths, retry=False)
    if found is None:
        raise InputError(f"the prepared images in {entry} were removed while they were opened; start again")
    return found


def _open(
    entry: Path, digests: Digests, paths: Sequence[Path | str], retry: bool = True
) -> PreparedImages | None:
    """Map a finished entry; None where there is none, or where its failures may read well now."""
    mark = hold(entry)
    if mark is None:
        return None
    try:
        about = json.loads((entry / ABOUT).read_text(encoding="utf-8"))
        images = np.load(entry / IMAGES, mmap_mode="r")
        if retry and about["failures"] and about["decoders"] != _decoders():
            raise ValueError
    except (OSError, ValueError, KeyError, EOFError):
        mark.close()
        return None
    weakref.finalize(images._mmap, mark.close)  # in use as long as any view of the images lives
    return PreparedImages(
        images=images,
        failures=tuple(Failure(row, str(paths[row]), reason) for row, reason in about["failures"]),
        spec=spec_of(about["spec"]),
        digest=combined(digests),
    )


def _plan(
    paths: list[str], digests: Digests, spec: PreparationSpec, size: int, spatial_dims: int, preparation: str
) -> Plan:
    row_shape = (*spec.shape_of(size, spatial_dims), *((3,) if spec.colour == "rgb" else ()))
    about = {
        "count": len(paths),
        "row_shape": row_shape,
        "spec": asdict(spec),
        "preparation": preparation,
        "decoders": _decoders(),
        "source": os.path.commonpath([str(Path(path).parent) for path in (min(paths), max(paths))]),
        "failures": [],
    }
    return Plan(paths, digests, RowJob("", 0, row_shape, spec, size, spatial_dims), about)


def _build(plan: Plan, part: Path, entry: Path, jobs: int, limit: int, show: ShowProgress) -> None:
    if not part.exists():
        make_room(entry.parent, bytes_of(len(plan.paths), plan.job.shape), limit)
    failures = build(plan, part, _like(entry, plan), jobs, show)
    finish(plan, part, entry, failures)


def _like(entry: Path, plan: Plan) -> list[Path]:
    """Finished entries with the same preparation, the latest first."""
    found = []
    for other in reversed(list_cache(entry.parent)):
        try:
            about = json.loads((other.path / ABOUT).read_text(encoding="utf-8"))
        except OSError:  # removed meanwhile
            continue
        same = about["spec"] == json.loads(json.dumps(plan.about["spec"]))
        if other.finished and same and about["preparation"] == plan.about["preparation"]:
            found.append(other.path)
    return found


def _colour_of(paths: list[str], spec: PreparationSpec, spatial_dims: int) -> Colour:
    """Grey or colour for a whole set."""
    from medauc.data.readers import read_image

    if spec.colour != "auto":
        return spec.colour
    if spatial_dims == 3:
        return "grey"
    votes = []
    for row in np.unique(np.linspace(0, len(paths) - 1, _LOOKED_AT).round().astype(int)):
        try:
            votes.append(holds_colour(read_image(Path(paths[row]))))
        except Exception:  # reported when all files are prepared
            continue
    return "rgb" if sum(votes) * 2 > len(votes) else "grey"


def _decoders() -> str:
    """What decides whether a file can be read: versions of the libraries, and what reading may cost."""
    from importlib.metadata import PackageNotFoundError, version

    from medauc.data.readers import Limits

    found = [str(Limits()), _REASONS]
    for name in _DECODERS:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


def _say_waiting() -> None:
    say("another process is preparing these images; waiting for it", err=True)
