"""``medauc datasets``."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from medauc.cli.options import DataDir
from medauc.printing import show

if TYPE_CHECKING:
    from rich.table import Table

    from medauc.data import DatasetDetail, DatasetRow


def datasets(
    name: Annotated[
        str | None, typer.Argument(help="Show everything about this one.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
) -> None:
    """List what can be trained on; with a name: sizes, files, licence, published results."""
    from medauc.data import dataset_detail, dataset_rows

    if name is None:
        show(_overview(dataset_rows()))
        show(
            "`medauc datasets NAME` tells more; own files can be trained on as well: `medauc init FOLDER` begins."
        )
        return
    for part in _detail(dataset_detail(name, data_dir)):
        show(part, highlight=False)


def _table(*columns: str) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    return Table(*columns, box=SIMPLE_HEAD, pad_edge=False)


def _overview(rows: "list[DatasetRow]") -> "Table":
    table = _table("name", "sizes", "train/val/test", "positive", "best AUC")
    for column in table.columns:
        column.no_wrap = True
    for row in rows:
        table.add_row(
            row.name,
            row.sizes,
            "/".join(map(str, row.n_samples)),
            f"{row.n_labels} labels"
            if row.n_labels > 1
            else f"{row.positive_share:.0%}"
            if row.positive_share
            else "",
            "" if row.best is None else f"{row.best.auc:.3f}",
        )
    table.caption = "best AUC: highest published on test, from scratch at 28 pixels; for phantoms the limit"
    return table


def _detail(detail: "DatasetDetail") -> "Iterable[Table | str]":
    row = detail.row
    yield f"{detail.title} ({row.name}): {row.description}"
    yield f"samples (train / val / test): {' / '.join(map(str, row.n_samples))}"
    if detail.n_positive is not None:
        yield f"positives ({row.positive_class}): {' / '.join(map(str, detail.n_positive))}"
    if detail.label_names:
        yield f"labels: {', '.join(detail.label_names)}"
    else:
        yield f"classes: 0 = {detail.class_names[0]}, 1 = {detail.class_names[1]}"
    yield f"licence: {row.licence}"
    if detail.files:
        for file in detail.files:
            place = f"at {file.path}" if file.path else file.url or "not for download"
            yield f"size {file.size}: {file.file_name}, MD5 {file.md5}, {place}"
    if detail.origin:
        yield f"origin: {detail.origin}"
    results = _table("test AUC", "method", "kind", "source")
    for result in detail.results:
        results.add_row(f"{result.auc:.3f}", result.method, result.evidence, result.source)
    yield results
    for citation in detail.citations:
        yield f"cite: {citation}"
