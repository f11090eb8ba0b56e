"""What docs/data.md shows is what happens."""

import doctest
import re
from pathlib import Path

from medauc.data import CATALOG, PhantomSpec
from medauc.data.medmnist import MEDMNIST

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data.md"


def test_the_page_runs() -> None:
    result = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert result.attempted > 10
    assert result.failed == 0


def test_its_tables_agree_with_the_catalog() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for entry in CATALOG.values():
        (row,) = re.findall(rf"^\| `{entry.name}` .*$", text, re.MULTILINE)
        assert " / ".join(map(str, entry.n_samples)) in row
        assert ", ".join(map(str, entry.sizes)) in row
        share = f"{entry.positive_share:.0%}" if entry.positive_share else "told once"
        assert share in row
    rows = {
        "seed method, as reported": [entry.seed_result for entry in MEDMNIST],
        "from scratch, 28 pixels": [entry.best_from_scratch for entry in MEDMNIST],
        "pretrained or higher resolution": [entry.best_of_any_kind for entry in MEDMNIST],
    }
    for label, results in rows.items():
        (row,) = re.findall(rf"^\| {label} \|(.*)\|$", text, re.MULTILINE)
        shown = [None if cell.strip() == "-" else float(cell) for cell in row.split("|")]
        assert shown == [result.auc if result else None for result in results]


def test_its_defaults_are_the_phantom_s() -> None:
    text = PAGE.read_text(encoding="utf-8")
    spec = PhantomSpec()
    assert f"| {spec.n_train}, {spec.n_val}, {spec.n_test} |" in text
    assert f"| {spec.prevalence:.2f} |" in text
    assert f"| {spec.detectability} (AUC 0.95) |" in text
    assert f"| {spec.signal_width:g}, {spec.correlation_length:g} pixels |" in text
