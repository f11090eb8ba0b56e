"""What docs/files.md and docs/recipes.md say of preparation is what happens."""

import re
from dataclasses import fields
from pathlib import Path
from typing import get_args

import yaml

from medauc.data.cache.folder import DEFAULT_LIMIT
from medauc.data.preparation import CT_WINDOWS, PreparationSpec
from medauc.data.preparation.spec import Colour, Fit, Intensity
from medauc.training.sections.data import DataSection

DOCS = Path(__file__).resolve().parents[3] / "docs"


def test_windows_and_the_limit_of_the_cache() -> None:
    page = (DOCS / "files.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^ *\| (`lung`.*)$", page, re.MULTILINE)
    names, values = row.split("|")[:2]
    assert re.findall(r"`(\w+)`", names) == list(CT_WINDOWS)
    assert re.findall(r"(-?\d+) to (-?\d+)", values) == [
        (str(low), str(high)) for low, high in CT_WINDOWS.values()
    ]
    assert f"{DEFAULT_LIMIT / 1e9:.0f} GB unless set" in page


def test_the_example_is_a_recipe() -> None:
    page = (DOCS / "files.md").read_text(encoding="utf-8")
    (example,) = [
        block for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if "preparation:" in block
    ]
    section = DataSection.model_validate(yaml.safe_load(example)["data"])
    assert section.preparation == type(section.preparation)(
        orientation="SPL", spacing=1.5, fit="crop_pad", intensity="lung"
    )


def test_every_key_and_every_name_stands_in_the_table_of_recipes() -> None:
    page = (DOCS / "recipes.md").read_text(encoding="utf-8")
    table = page.split("| `data.preparation` |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == [
        field.name for field in fields(PreparationSpec)
    ]
    named = [name for kind in (Fit, Intensity, Colour) for name in get_args(kind)]
    assert all(f"`{name}`" in table for name in named)
