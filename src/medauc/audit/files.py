"""Files, one at a time or in several processes: each becomes facts, and one that cannot be read a row that says so."""

import hashlib
import secrets
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from medauc.audit.collection import Progress
from medauc.audit.facts import ImageFacts, facts_of_images
from medauc.errors import InputError

if TYPE_CHECKING:
    from medauc.data.readers import MedicalImage

CHUNK = 16  # files handed to a process at a time
LONGEST_ENDING = 12


class FileImages:
    """Images in files of any format that :func:`medauc.data.readers.read_image` takes.

    Args:
        paths: a file or a folder with a DICOM series each.
        jobs: processes that read; 1 reads in this one.
    """

    def __init__(self, paths: Sequence[Path], jobs: int = 1) -> None:
        self._paths = [Path(path) for path in paths]
        self._jobs = jobs

    def measure(self, progress: Progress | None = None) -> list[ImageFacts]:
        """Facts of all files; one that kills its process is an unreadable file like any other."""
        found: dict[int, ImageFacts] = {}
        salt = secrets.token_hex(16)  # patients of two audits are not to be matched
        for number, facts in _measured(self._paths, partial(facts_of_file, salt=salt), self._jobs):
            found[number] = facts
            if progress is not None:
                progress(len(found), len(self._paths))
        return [found[number] for number in range(len(self._paths))]

    def pixels(self, number: int) -> tuple[NDArray[np.generic], bool]:
        """Pixels of one file, read anew."""
        from medauc.data.readers import read_image

        pixels, colour = _looked_at(read_image(self._paths[number]))
        return pixels[0], colour

    def path(self, number: int) -> Path:
        """Where the image lies."""
        return self._paths[number]


def facts_of_file(path: Path, salt: str = "") -> ImageFacts:
    """Read and measure one file.

    Args:
        path: a file, or a folder with a DICOM series.
        salt: for the hash of the DICOM patient, who is not told without.

    Returns:
        Its facts; with ``error`` where it cannot be read.

    >>> facts_of_file(Path("nowhere.png")).error
    'cannot be opened (No such file or directory)'
    """
    from medauc.data.cache.rows import reason_of

    try:
        return _facts_of_file(path, salt)
    except Exception as error:  # one file must not end the audit
        return replace(_of_file(path), error=reason_of(error, str(path)))


def _facts_of_file(path: Path, salt: str) -> ImageFacts:
    from medauc.data.readers import read_image

    before = _looks_of(path)
    image = read_image(path)
    facts = facts_of_images(*_looked_at(image))[0]
    about = _of_file(path, salt)
    if _looks_of(path) != before:
        raise InputError("changed or vanished while it was read; audit again when nobody writes to it")
    return replace(
        facts,
        bits=image.bits,
        spacing=image.spacing,
        orientation=_orientation(image.affine),
        modality=image.modality,
        tags=dict(image.tags),
        notes=(*image.notes, *about.notes),
        file_bytes=about.file_bytes,
        file_digest=about.file_digest,
        file_type=about.file_type,
        phi=about.phi,
        patient=about.patient,
        several_patients=about.several_patients,
    )


def _measured(
    paths: Sequence[Path], measure: "partial[ImageFacts]", jobs: int
) -> Iterator[tuple[int, ImageFacts]]:
    """Facts by number, in whatever order they come."""
    if jobs <= 1 or len(paths) <= CHUNK:
        for number, path in enumerate(paths):
            yield number, measure(path)
        return
    left = deque(range(start, min(start + CHUNK, len(paths))) for start in range(0, len(paths), CHUNK))
    while left:
        running: dict[Future[list[ImageFacts]], range] = {}
        with _pool(jobs) as pool, suppress(BrokenProcessPool):
            while left or running:
                while left and len(running) <= jobs:
                    chunk = left[0]
                    future = pool.submit(_measure_chunk, measure, [paths[number] for number in chunk])
                    running[future] = left.popleft()
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    yield from zip(running[future], future.result(), strict=True)
                    del running[future]
        for chunk in running.values():  # one of these files ended its process, and the pool with it
            yield from _one_by_one(paths, measure, chunk)


def _measure_chunk(measure: "partial[ImageFacts]", paths: Sequence[Path]) -> list[ImageFacts]:
    return [measure(path) for path in paths]


def _one_by_one(
    paths: Sequence[Path], measure: "partial[ImageFacts]", chunk: range
) -> Iterator[tuple[int, ImageFacts]]:
    """Facts of each file by itself, in a process that is replaced when a file ends it."""
    left = deque(chunk)
    while left:
        with _pool(1) as pool:
            while left:
                try:
                    found = pool.submit(measure, paths[left[0]]).result()
                except BrokenProcessPool:
                    yield left.popleft(), ImageFacts(error="reading it ended the process; leave it out")
                    break
                yield left.popleft(), found


def _pool(jobs: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread)


def _one_thread() -> None:
    from threadpoolctl import threadpool_limits

    threadpool_limits(1)


def _looks_of(path: Path) -> list[tuple[int, int]] | None:
    """Sizes and times of an image's files; None where it cannot be told what they are."""
    from medauc.data.readers import files_of_image

    try:
        states = [member.stat() for member in files_of_image(path)]
    except (OSError, ValueError):
        return None
    return [(state.st_size, state.st_mtime_ns) for state in states]


def _of_file(path: Path, salt: str | None = None) -> ImageFacts:
    """What the file itself tells, its pixels aside; of one that was refused (no salt) its contents are not read."""
    from medauc.data.readers import files_of_image
    from medauc.data.readers.privacy import NOT_LOOKED_THROUGH, identifying_in

    try:
        members = files_of_image(path)
        size = sum(member.stat().st_size for member in members)
        digest = None if salt is None else _digest(members)
    except (OSError, ValueError):  # the reader says what is wrong with it
        return ImageFacts()
    headers = [
        identifying_in(member) for member in members
    ]  # of a series, any slice may be the one that names
    patients = [found for member in members if (found := _patient(member, salt))] if salt else []
    return ImageFacts(
        file_bytes=size,
        file_digest=digest,
        file_type=_ending(members[0]),
        phi=tuple(sorted({keyword for header in headers for keyword in header.keywords})),
        patient=patients[0] if patients else None,
        several_patients=len(set(patients)) > 1,
        notes=() if all(header.whole for header in headers) else (NOT_LOOKED_THROUGH,),
    )


def _digest(members: Sequence[Path]) -> str | None:
    """Digest of what the files hold; None where one is no regular file, or larger than any image that is read."""
    from medauc.data.readers import Limits

    most = Limits().max_bytes
    made = hashlib.blake2b(digest_size=16)
    for member in members:
        if not member.is_file() or member.stat().st_size > most:  # opening a pipe would wait for ever
            return None
        with member.open("rb") as file:
            made.update(hashlib.file_digest(file, "blake2b").digest())
    return made.hexdigest()


def _ending(path: Path) -> str | None:
    """End of a file's name as its type: ".nii.gz", ".png"; None where it has none."""
    endings = path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]
    text = "".join(endings).lower()
    return text if text and len(text) <= LONGEST_ENDING else None


def _patient(path: Path, salt: str) -> str | None:
    """Salted hash of the PatientID of a DICOM file; None for other files and where it is empty."""
    from medauc.data.readers import hash_id, patient_id_of

    found = (patient_id_of(path) or "").strip()
    return hash_id(found, salt) if found else None


def _looked_at(image: "MedicalImage") -> tuple[NDArray[np.generic], bool]:
    """Pixels as a block of one, and whether they are colour: three equal channels are one grey one."""
    from medauc.data.preparation import holds_colour

    colour = holds_colour(image)
    return (image.pixels[..., 0] if image.colour and not colour else image.pixels)[None], colour


def _orientation(affine: NDArray[np.float64] | None) -> str | None:
    """Letters for the ends that the array's axes run to; None where the file does not tell."""
    if affine is None:
        return None
    from nibabel.orientations import aff2axcodes

    codes = aff2axcodes(affine)  # type: ignore[no-untyped-call]
    return None if None in codes else "".join(codes)
