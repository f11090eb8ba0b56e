"""What ``medauc datasets`` shows, as plain data: one row a set, or everything about one."""

from dataclasses import dataclass
from pathlib import Path

from medauc.data.catalog import CatalogEntry, PublishedResult
from medauc.data.known import CATALOG
from medauc.data.load import folder_of_data, parse_name
from medauc.data.phantom import CLASS_NAMES, PHANTOM_DIMS, PhantomSpec, ideal_auc, positives_in

_PHANTOM_SIZES = "8 to 512"
_PHANTOM_TEXT = "Generated: a known blob in correlated Gaussian noise, its best possible AUC known."


@dataclass(frozen=True)
class DatasetRow:
    """One line of the list.

    Attributes:
        name: The name to type.
        description: One sentence.
        spatial_dims: 2 or 3.
        sizes: Sizes in pixels or voxels a side, as text.
        n_samples: Samples in train, val, test.
        n_labels: 1, or the number of labels of a multi-label set.
        positive_class: What counts as positive unless the user says otherwise; None for multi-label sets.
        positive_share: Share of positives over the three splits, in (0, 1); None where unknown.
        licence: Licence of the images.
        best: Best published result from scratch, or of the ideal observer for a phantom.
    """

    name: str
    description: str
    spatial_dims: int
    sizes: str
    n_samples: tuple[int, int, int]
    n_labels: int
    positive_class: str | None
    positive_share: float | None
    licence: str
    best: PublishedResult | None


@dataclass(frozen=True)
class FileRow:
    """One file of a data set: size in pixels, name, address if there is one, MD5, and where it lies if it does."""

    size: int
    file_name: str
    url: str | None
    md5: str
    path: Path | None


@dataclass(frozen=True)
class DatasetDetail:
    """Everything about one data set.

    Attributes:
        row: The line of the list.
        title: The name as published.
        class_names: What raw labels 0 and 1 mean.
        label_names: Labels of a multi-label set, else empty.
        n_positive: Positives in train, val, test; None where unknown.
        files: Files by size; empty for phantoms.
        citations: What to cite; empty for phantoms.
        results: Published test AUCs, best last of each kind as in the source.
        origin: How the file was made, if nobody offers it for download; else empty.
    """

    row: DatasetRow
    title: str
    class_names: tuple[str, str]
    label_names: tuple[str, ...]
    n_positive: tuple[int, int, int] | None
    files: tuple[FileRow, ...]
    citations: tuple[str, ...]
    results: tuple[PublishedResult, ...]
    origin: str = ""


def dataset_rows() -> list[DatasetRow]:
    """One row for every name that :func:`medauc.data.load_dataset` knows: catalog first, then phantoms.

    >>> [row.name for row in dataset_rows()][-2:]
    ['phantom2d', 'phantom3d']
    """
    return [_entry_row(entry) for entry in CATALOG.values()] + [_phantom_row(name) for name in PHANTOM_DIMS]


def dataset_detail(name: str, data_dir: str | Path | None = None) -> DatasetDetail:
    """Everything about one data set; files are looked for where ``load_dataset`` would, not opened.

    Raises:
        InputError: The name is unknown.

    >>> detail = dataset_detail("breastmnist")
    >>> detail.row.positive_class, detail.class_names, detail.n_positive
    ('malignant', ('malignant', 'normal, benign'), (147, 21, 42))
    """
    flag, _ = parse_name(name)
    if flag in PHANTOM_DIMS:
        return _phantom_detail(flag)
    entry = CATALOG[flag]
    folder = folder_of_data(data_dir)
    return DatasetDetail(
        row=_entry_row(entry),
        title=entry.title,
        class_names=entry.class_names,
        label_names=entry.label_names,
        n_positive=entry.n_positive,
        files=tuple(_file_row(entry, size, folder) for size in entry.sizes),
        citations=entry.citations,
        results=entry.results,
        origin=entry.origin,
    )


def _entry_row(entry: CatalogEntry) -> DatasetRow:
    return DatasetRow(
        name=entry.name,
        description=entry.description,
        spatial_dims=entry.spatial_dims,
        sizes=", ".join(str(size) for size in entry.sizes),
        n_samples=entry.n_samples,
        n_labels=max(1, len(entry.label_names)),
        positive_class=None if entry.label_names else entry.class_names[entry.default_positive],
        positive_share=entry.positive_share,
        licence=entry.licence,
        best=entry.best_from_scratch,
    )


def _file_row(entry: CatalogEntry, size: int, folder: Path) -> FileRow:
    path = folder / entry.file_name(size)
    here = path if path.is_file() else None
    return FileRow(size, entry.file_name(size), entry.url(size), entry.md5[size], here)


def _phantom_row(name: str) -> DatasetRow:
    spec = PhantomSpec()
    limit = ideal_auc(name, spec=spec)
    return DatasetRow(
        name=name,
        description=_PHANTOM_TEXT,
        spatial_dims=PHANTOM_DIMS[name],
        sizes=_PHANTOM_SIZES,
        n_samples=(spec.n_train, spec.n_val, spec.n_test),
        n_labels=1,
        positive_class=CLASS_NAMES[1],
        positive_share=spec.prevalence,
        licence="none",
        best=PublishedResult("ideal observer", limit, "limit", "computed from its spectrum"),
    )


def _phantom_detail(name: str) -> DatasetDetail:
    row = _phantom_row(name)
    n_train, n_val, n_test = (positives_in(n, PhantomSpec().prevalence) for n in row.n_samples)
    return DatasetDetail(
        row=row,
        title=f"Phantom in {row.spatial_dims} dimensions",
        class_names=CLASS_NAMES,
        label_names=(),
        n_positive=(n_train, n_val, n_test),
        files=(),
        citations=("H. H. Barrett, K. J. Myers. Foundations of Image Science. Wiley, 2004, chapter 13.",),
        results=(row.best,) if row.best else (),
    )
