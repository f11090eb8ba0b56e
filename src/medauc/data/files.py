"""Own files become a data set: manifest or folder, read, prepared, and memory-mapped from the cache."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from medauc.data.cache import Failure, PreparedImages, ShowProgress, open_cache
from medauc.data.dataset import OWN_PATIENT, SPLIT_NAMES, Dataset, Split
from medauc.data.grouping import with_told_patients
from medauc.data.manifest import (
    ColumnsSpec,
    Manifest,
    SplitSpec,
    is_manifest,
    manifest_of_folder,
    read_manifest,
    require_files,
    require_trainable,
    split_manifest,
)
from medauc.data.mapped import ImageArray, take_images
from medauc.data.preparation import PreparationSpec
from medauc.data.readers import with_names, without_names
from medauc.data.shards import is_shards
from medauc.errors import InputError

IMAGES, TARGETS = "images.npy", "targets.npy"
_LOOKED_AT = 5  # readable files that tell whether a set is 2D or 3D
_TRIED = 40  # files tried for that
_NAMES_PATIENTS = re.compile(  # "Patient number" does, "Patient Age" does not
    r"^patient(s|en)?$|(?<![a-z])(patient(s|en)?|subject|pat)[\W_]*"
    r"(ids?|uid|no|nr|num|number|nummer|code|key|identifier|pseudonym|hash|index)\W*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class FilesSpec:
    """How own files become a data set.

    Attributes:
        columns: Which column of a manifest means what.
        split: How splits are made; None takes the manifest's own, and makes them by default where it has none.
        preparation: How images become pixels of one shape.
        root: Folder that a manifest's paths are relative to (itself relative to the manifest's folder), and may not
            leave; None is the manifest's folder.
        spatial_dims: 2 or 3; None looks at the first images.
        unreadable: Files that cannot be read or prepared are refused, or dropped and told.

    Raises:
        InputError: ``spatial_dims`` is neither 2 nor 3.
    """

    columns: ColumnsSpec = field(default_factory=ColumnsSpec)
    split: SplitSpec | None = None
    preparation: PreparationSpec = field(default_factory=PreparationSpec)
    root: str | None = None
    spatial_dims: int | None = None
    unreadable: Literal["refuse", "drop"] = "refuse"

    def __post_init__(self) -> None:
        if self.spatial_dims not in (None, 2, 3):
            raise InputError(f"data: spatial_dims is {self.spatial_dims!r}, it must be 2, 3 or null")


class Kind(NamedTuple):
    """What sort of images a source holds."""

    spatial_dims: int
    multi_label: bool


def load_files(
    source: Path,
    spec: FilesSpec | None = None,
    size: int = 28,
    *,
    positive_class: str | int | None = None,
    jobs: int | None = None,
    progress: ShowProgress | None = None,
    hash_ids: str | None = None,
) -> Dataset:
    """Load the images that a manifest lists or a folder holds, prepared and memory-mapped.

    The first call reads and prepares every file (:func:`medauc.data.cache.open_cache`), later ones map the result.
    Where no patients are named, those of DICOM files are told from headers
    (:func:`medauc.data.grouping.with_told_patients`).

    Args:
        source: A manifest (:func:`medauc.data.manifest.read_manifest`) or a folder with one sub-folder a class.
        spec: Columns, splits, preparation.
        size: Pixels or voxels a side, unless ``spec.preparation.shape`` says otherwise.
        positive_class: As in :func:`medauc.data.load_dataset`.
        jobs: Files read at a time; None takes as many as there are cores.
        progress: As in :func:`medauc.data.cache.open_cache`.
        hash_ids: As in :func:`medauc.data.load_dataset`.

    Returns:
        The data set; its images stay on disk, its ``notes`` tell what was decided, ``md5`` is a digest of files'
        contents, ids, groups, targets and splits.

    Raises:
        InputError: The manifest or folder cannot be trained on, or files cannot be read.
    """
    spec = spec or FilesSpec()
    listed = with_told_patients(manifest_of(source, spec, positive_class))
    if not listed.has_groups:
        listed = listed.noting(_said_of_no_patients(listed))
    manifest, how = split_manifest(listed, spec.split, hash_ids)
    require_trainable(manifest)
    dims = spec.spatial_dims or look_at(manifest)
    paths = manifest.table["path"].tolist()
    prepared = open_cache(paths, spec.preparation, size, dims, jobs=jobs, progress=progress)
    notes = list(manifest.notes)
    if prepared.failures:
        notes.append(_told(manifest, prepared.failures, spec.unreadable))
    if hash_ids is not None:  # notes are written down with the run
        notes = [without_names(note, *_named(manifest, prepared.failures)) for note in notes]
    kept = manifest.take(prepared.readable)
    require_trainable(kept)
    images = take_images(prepared.images, np.flatnonzero(prepared.readable))
    found = dataset_of(kept, images, _digest(manifest, prepared), how, notes)
    return found.with_hashed_ids(hash_ids)


def kind_of(source: Path, spec: FilesSpec, positive_class: str | int | None = None) -> Kind:
    """Tell what a source holds, without preparing its images.

    Raises:
        InputError: As :func:`load_files`.
    """
    manifest = manifest_of(source, spec, positive_class)
    require_files(manifest)
    return Kind(spec.spatial_dims or look_at(manifest), bool(manifest.labels))


def is_files(source: Path) -> bool:
    """Whether a path means own files: a manifest, or a folder of images."""
    return is_manifest(source) or (source.is_dir() and not is_arrays(source) and not is_shards(source))


def is_arrays(path: Path) -> bool:
    """Whether a path means arrays: a ``.npy`` file, or a folder that holds ``images.npy`` and ``targets.npy``."""
    if path.suffix.lower() == ".npy":
        return True
    return (path / IMAGES).is_file() and (path / TARGETS).is_file()


def manifest_of(
    source: Path,
    spec: FilesSpec | None = None,
    positive_class: str | int | None = None,
    *,
    needs_target: bool = True,
) -> Manifest:
    """Read a manifest, or make one of a folder with one sub-folder a class.

    Raises:
        InputError: As the two.
    """
    spec = spec or FilesSpec()
    if source.is_dir():
        return manifest_of_folder(source, spec.columns, positive_class=positive_class)
    root = source.parent if spec.root is None else source.parent / Path(spec.root).expanduser()
    return read_manifest(source, spec.columns, root, positive_class=positive_class, needs_target=needs_target)


def look_at(manifest: Manifest) -> int:
    """2 or 3, told from images spread over the list that can be read; a volume of one slice counts as 2.

    Raises:
        InputError: None of them can be read.
    """
    from medauc.data.readers import read_image

    found, reasons = list[int](), list[str]()
    paths = manifest.table["path"]
    for row in _spread(len(paths)):
        try:
            image = read_image(Path(paths.iloc[row]))
        except InputError as error:
            reasons.append(str(error))
            continue
        found.append(3 if image.spatial_dims == 3 and image.shape[0] > 1 else 2)
        if len(found) == _LOOKED_AT:
            break
    if not found:
        raise InputError(
            f"{manifest.source}: none of {len(reasons)} files that were tried can be read: {reasons[0]}"
        )
    return 3 if 2 * sum(dims == 3 for dims in found) > len(found) else 2


def _spread(count: int) -> list[int]:
    """Rows to try, the first of them and all of them spread over the list: a bad folder does not speak for all.

    >>> _spread(391)[:6], len(_spread(391)), sorted(_spread(3))
    ([0, 80, 160, 240, 320, 10], 40, [0, 1, 2])
    """
    rows = np.unique(np.linspace(0, count - 1, _TRIED).round().astype(int)).tolist()
    step = _TRIED // _LOOKED_AT
    return [row for start in range(step) for row in rows[start::step]]


def dataset_of(
    manifest: Manifest, images: ImageArray, md5: str, how: str | None, notes: Sequence[str]
) -> Dataset:
    """Put rows and images together, split by split.

    Args:
        manifest: With targets and splits.
        images: One a row.
        md5: Digest of the whole.
        how: How the splits were made, if they were.
        notes: What to tell.
    """
    targets, splits = manifest.targets, manifest.column("split")
    assert targets is not None
    whole = Split(
        images,
        targets,
        manifest.column("id"),
        manifest.column("group"),
        {name: manifest.column(name) for name in manifest.further},
    )
    made = [] if how is None else [f"Splits were made: {how}."]
    train, val, test = (whole.take(splits == name) for name in SPLIT_NAMES)
    return Dataset(
        manifest.name,
        train,
        val,
        test,
        class_names=manifest.class_names,
        label_names=manifest.labels or manifest.class_names[1:],
        source=manifest.source,
        md5=md5,
        notes=(*notes, *made),
        made_splits=how,
    )


def _told(manifest: Manifest, failures: Sequence[Failure], unreadable: str) -> str:
    """Say which files cannot be read, or refuse them."""
    ids = manifest.table["id"]
    if unreadable == "refuse":
        shown = "; ".join(
            f"{ids.iloc[failure.row]}: {with_names(failure.reason, failure.path)}" for failure in failures[:3]
        )
        more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
        raise InputError(
            f"{manifest.source}: {len(failures)} of {len(manifest)} images cannot be used ({shown}{more}); mend or "
            "remove them, or leave them out with --set data.unreadable=drop"
        )
    reasons = Counter(failure.reason for failure in failures)
    listed = "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
    return f"{len(failures)} of {len(manifest)} images could not be read and were left out: {listed}."


def _said_of_no_patients(manifest: Manifest) -> str:
    """That images of one patient may come to lie in two splits, and the column that may tell."""
    likely = next((name for name in manifest.further if _NAMES_PATIENTS.search(name)), None)
    if manifest.source.is_dir():
        remedy = "a folder of its own below the class, or a manifest with a column group, tells them"
    elif likely is None:
        remedy = "--columns group=NAME names their column"
    else:
        remedy = f"if {likely!r} tells them, --columns group={likely!r}"
    return f"No patients are known, so {OWN_PATIENT}; {remedy}."


def _named(manifest: Manifest, failures: Sequence[Failure]) -> list[Path]:
    """Files that a note may name, as it would."""
    from medauc.data.readers import named_like_images

    failed = [Path(manifest.table["path"].iloc[failure.row]) for failure in failures]
    source = manifest.source
    others = [path.relative_to(source) for path in named_like_images(source)] if source.is_dir() else []
    return [*failed, *others]


def _digest(manifest: Manifest, prepared: PreparedImages) -> str:
    """MD5 over what the files hold and what the manifest says about them; where it lies does not matter."""
    whole = hashlib.md5(prepared.digest.encode(), usedforsecurity=False)
    for name in ("id", "group", "split"):
        whole.update("\n".join(manifest.table[name].tolist()).encode(errors="surrogateescape"))
    whole.update(np.ascontiguousarray(manifest.targets).tobytes())
    return whole.hexdigest()
