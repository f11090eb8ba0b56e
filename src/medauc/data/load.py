"""Finding a data set by name or path, and loading it."""

import difflib
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from medauc.data.catalog import CatalogEntry
from medauc.data.dataset import Dataset, Split
from medauc.data.download import download
from medauc.data.known import CATALOG
from medauc.data.npz import file_md5, read_npz
from medauc.data.phantom import PHANTOM_DIMS, PhantomSpec, make_phantom
from medauc.data.shards import is_shards
from medauc.errors import InputError

if TYPE_CHECKING:
    from medauc.data.files import FilesSpec

DATA_DIR_VARIABLE = "MEDAUC_DATA"
MANIFESTS = (".csv", ".csv.gz", ".tsv", ".parquet", ".pq")  # endings


def load_dataset(
    name: str | Path,
    size: int = 28,
    data_dir: str | Path | None = None,
    *,
    positive_class: str | int | None = None,
    allow_modified: bool = False,
    phantom: PhantomSpec | None = None,
    files: "FilesSpec | None" = None,
    allow_leakage: bool = False,
    hash_ids: str | None = None,
) -> Dataset:
    """Load a data set of the catalog (downloaded if it is not there), a phantom, or own files.

    Args:
        name: A name that ``medauc datasets`` lists, with or without a size (``"adrenalmnist3d_64"``), or
            the path or http(s) address of a set in shards (:func:`medauc.data.shards.write_shards`),
            the path of a ``.npz`` with MedMNIST's keys (:func:`medauc.data.read_npz`), of a manifest or a folder of
            images (:func:`medauc.data.load_files`), or of ``images.npy`` beside ``targets.npy``
            (:func:`medauc.data.load_arrays`).
        size: Pixels or voxels a side. A size in the name wins; arrays of one's own come in one size, so it is
            not looked at for them.
        data_dir: Folder that holds ``<name>[_<size>].npz``; if None, the variable MEDAUC_DATA, then
            the user's cache folder. Missing files are downloaded into it.
        positive_class: The class that shall be target 1, by name or raw label (0 or 1), for binary sets;
            None takes the catalog's choice (BreastMNIST: malignant, its raw label 0), else raw label 1.
        allow_modified: Read a file whose MD5 is not the published one; ``Dataset.modified`` tells.
        phantom: Counts, prevalence, difficulty and seed of a phantom; other sets do not look at it.
        files: Columns, splits and preparation of own files; other sets do not look at it.
        allow_leakage: Read own arrays although a patient is in two of their splits, for an audit to tell.
        hash_ids: Salt; ids and groups become hashes of it and themselves (:meth:`Dataset.with_hashed_ids`).

    Returns:
        The data set, its images uint8: in memory, or memory-mapped where they are own files.

    Raises:
        InputError: An unknown name or size, a file that is missing, damaged or not the published one,
            labels that cannot be trained on. One line says what to do.

    >>> data = load_dataset("phantom2d", phantom=PhantomSpec(n_train=20, n_val=10, n_test=10))
    >>> data.positive_class, data.train.images.shape, str(data.test.ids[3])
    ('signal present', (20, 28, 28), 'test-00003')
    """
    if is_path(name) and is_shards(name):
        from medauc.data.shards import load_shards

        loaded = _choose_positive(load_shards(name), positive_class, default=1)
        return loaded.with_hashed_ids(hash_ids)
    if is_path(name):
        return _load_path(Path(name).expanduser(), size, positive_class, files, allow_leakage, hash_ids)
    flag, size = parse_name(str(name), size)
    if flag in PHANTOM_DIMS:
        made = _choose_positive(make_phantom(flag, size, phantom), positive_class, default=1)
        return made.with_hashed_ids(hash_ids)
    entry = CATALOG[flag]
    loaded = _load_entry(entry, size, folder_of_data(data_dir), allow_modified)
    return _choose_positive(loaded, positive_class, default=entry.default_positive).with_hashed_ids(hash_ids)


def is_path(name: str | Path) -> bool:
    """True if a name means a file or folder: by its ending, by a folder in it, or since it is there and unknown.

    >>> is_path("hospital.npz"), is_path("hospital.csv"), is_path("data/set"), is_path("adrenalmnist3d_64")
    (True, True, True, False)
    """
    if isinstance(name, Path) or os.sep in name or name.lower().endswith((".npz", ".npy", *MANIFESTS)):
        return True
    return _flag_of(name) is None and Path(name).is_dir()


def parse_name(name: str, size: int = 28) -> tuple[str, int]:
    """Split a name of the catalog or of a phantom into flag and size.

    Raises:
        InputError: The name is unknown (the nearest names are suggested), or that size does not exist.

    >>> parse_name("AdrenalMNIST3D_64"), parse_name("breastmnist", 224)
    (('adrenalmnist3d', 64), ('breastmnist', 224))
    """
    found = _flag_of(name)
    if found is None:
        near = difflib.get_close_matches(name.strip().lower(), [*CATALOG, *PHANTOM_DIMS], n=2, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise InputError(
            f"unknown data set {name!r}: {hint}`medauc datasets` lists the known ones; "
            "an own one is a folder of images, a manifest (.csv, .parquet), or an .npz or .npy file"
        )
    flag, suffix = found
    if suffix is not None:
        size = int(suffix)
    if flag in CATALOG and size not in CATALOG[flag].sizes:
        sizes = ", ".join(str(known_size) for known_size in CATALOG[flag].sizes)
        raise InputError(f"{flag} does not exist in size {size}; choose one of {sizes}")
    return flag, size


def _flag_of(name: str) -> tuple[str, str | None] | None:
    """Flag and size, as text, in a name of the catalog or of a phantom; None for any other name."""
    match = re.fullmatch(r"(.*?)(?:_(\d+))?", name.strip().lower())
    return (match[1], match[2]) if match and match[1] in (*CATALOG, *PHANTOM_DIMS) else None


def folder_of_data(data_dir: str | Path | None = None) -> Path:
    """Folder of the catalog's files: the one given, else MEDAUC_DATA, else the user's cache folder."""
    chosen = data_dir or os.environ.get(DATA_DIR_VARIABLE)
    if chosen:
        return Path(chosen).expanduser()
    from platformdirs import user_cache_path

    return user_cache_path("medauc")


def _load_entry(entry: CatalogEntry, size: int, folder: Path, allow_modified: bool) -> Dataset:
    """Find or download a file of the catalog, check its MD5 and read it."""
    path = folder / entry.file_name(size)
    expected = entry.md5[size]
    url = entry.url(size)
    if not path.exists():
        if url is None:
            raise InputError(f"{path} is not there, and {entry.name} is not for download: {entry.origin}")
        download(url, path, expected)
    found = file_md5(path)
    if found != expected and not allow_modified:
        remedy = "get the right one" if url is None else "delete it to download it anew"
        raise InputError(
            f"{path} has MD5 {found}, published is {expected}; {remedy}, "
            "or use it as it is with --allow-modified"
        )
    splits = read_npz(path)
    _check_format(path, entry, size, splits[0])
    return Dataset(
        entry.name,
        *splits,
        class_names=entry.class_names,
        label_names=entry.label_names,
        source=path,
        md5=found,
        expected_md5=expected,
        entry=entry,
    )


def _load_path(
    path: Path,
    size: int,
    positive_class: str | int | None,
    files: "FilesSpec | None",
    allow_leakage: bool,
    salt: str | None,
) -> Dataset:
    """Load what is the user's own, by what its path is."""
    # Not at the top: they need pandas, which a list of data sets does without.
    from medauc.data.arrays import load_arrays
    from medauc.data.files import is_arrays, is_files, load_files

    if is_arrays(path):
        split = None if files is None else files.split
        return load_arrays(
            path, split, positive_class=positive_class, allow_leakage=allow_leakage, hash_ids=salt
        )
    if is_files(path):
        return load_files(path, files, size, positive_class=positive_class, hash_ids=salt)
    if path.suffix.lower() != ".npz":
        what = "is no data set" if path.exists() else "is not there"
        raise InputError(
            f"{path} {what}: give a folder of images, a manifest (.csv, .parquet), or an .npz or .npy file"
        )
    loaded = _choose_positive(_load_file(path, allow_leakage), positive_class, default=1)
    return loaded.with_hashed_ids(salt)


def _load_file(path: Path, allow_leakage: bool) -> Dataset:
    """Read an own file; its name is the file's stem."""
    splits = read_npz(path, allow_leakage=allow_leakage)
    targets = splits[0].targets
    multi_label = targets.ndim == 2
    return Dataset(
        path.stem,
        *splits,
        class_names=("absent", "present") if multi_label else ("class 0", "class 1"),
        label_names=tuple(f"label {i}" for i in range(targets.shape[1])) if multi_label else (),
        source=path,
        md5=file_md5(path),
    )


def _check_format(path: Path, entry: CatalogEntry, size: int, train: Split) -> None:
    """Refuse a modified or renamed file that is not of the entry's kind."""
    shape = (size,) * entry.spatial_dims
    if train.images.shape[1:] != shape:
        raise InputError(f"{path} holds images of shape {train.images.shape[1:]}; {entry.name} has {shape}")
    labels = 1 if train.targets.ndim == 1 else train.targets.shape[1]
    if labels != max(1, len(entry.label_names)):
        raise InputError(f"{path} holds {labels} labels; {entry.name} has {max(1, len(entry.label_names))}")


def _choose_positive(dataset: Dataset, positive_class: str | int | None, default: int) -> Dataset:
    """Turn raw labels into targets, so that 1 means the positive class."""
    if dataset.multi_label:
        if positive_class is not None:
            labels = len(dataset.label_names)
            raise InputError(f"{dataset.name} has {labels} labels; positive_class is for binary sets")
        return dataset
    raw = default if positive_class is None else _raw_label(dataset, positive_class)
    names = dataset.class_names
    if raw == 1:
        return replace(dataset, label_names=names[1:])
    train, val, test = (replace(split, targets=1 - split.targets) for split in dataset)
    return replace(
        dataset, train=train, val=val, test=test, class_names=(names[1], names[0]), label_names=names[:1]
    )


def _raw_label(dataset: Dataset, positive_class: str | int) -> int:
    """Raw label of a class given by name or by raw label."""
    names = [name.lower() for name in dataset.class_names]
    wanted = str(positive_class).strip().lower()
    if wanted in names:
        return names.index(wanted)
    if wanted in ("0", "1"):
        return int(wanted)
    options = " or ".join(f"{name!r} ({i})" for i, name in enumerate(dataset.class_names))
    raise InputError(f"{dataset.name} has no class {positive_class!r}; positive_class is {options}")
