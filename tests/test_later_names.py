"""Packages whose names are imported on first use say them twice: to type checkers, and by the module to import."""

import ast
import importlib
from pathlib import Path

import pytest


@pytest.mark.parametrize("package", ["medauc.audit", "medauc.data", "medauc.data.cache", "medauc.training"])
def test_names_come_from_where_type_checkers_are_told(package: str) -> None:
    module = importlib.import_module(package)
    tree = ast.parse(Path(str(module.__file__)).read_text(encoding="utf-8"))
    told = {
        name.asname: str(found.module).removeprefix(f"{package}.")
        for block in tree.body
        if isinstance(block, ast.If)
        for found in block.body
        if isinstance(found, ast.ImportFrom)
        for name in found.names
    }
    assert told == module._HOME
    assert set(module.__all__) == set(told)
