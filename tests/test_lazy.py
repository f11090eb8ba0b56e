"""Packages whose names are imported on first use say them twice: to type checkers, and by the module to import."""

import ast
import importlib
from pathlib import Path

import pytest

from conftest import REPOSITORY

SOURCES = REPOSITORY / "src"
LAZY = sorted(
    path.parent
    for path in (SOURCES / "medauc").rglob("__init__.py")
    if "lazy.attach(" in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("folder", LAZY, ids=lambda folder: folder.name)
def test_names_come_from_where_type_checkers_are_told(folder: Path) -> None:
    package = importlib.import_module(".".join(folder.relative_to(SOURCES).parts))
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    told = {
        name.asname: found.module
        for block in tree.body
        if isinstance(block, ast.If)
        for found in block.body
        if isinstance(found, ast.ImportFrom)
        for name in found.names
    }
    assert package.__all__ == sorted(told, key=str)
    assert set(told) <= set(dir(package))
    assert "__name__" in dir(package)
    for name, module in told.items():
        assert getattr(package, str(name)) is getattr(importlib.import_module(str(module)), str(name))


def test_they_are_found() -> None:
    assert {"audit", "cache", "data", "shards", "training"} <= {folder.name for folder in LAZY}
