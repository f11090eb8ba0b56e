"""Reporting guidelines against what the page holds: which items it answers, which are left to the author."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

SECTIONS = {
    "ranking": "Ranking",
    "operating_points": "Operating points",
    "calibration": "Calibration",
    "subgroups": "Subgroups",
    "errors": "Most confident errors",
    "splits": "Splits",
    "recipe": "Recipe",
    "methods": "Methods",
    "environment": "Environment",
}


@dataclass(frozen=True)
class Item:
    """One demand of a guideline; ``answered_by`` names sections of the page, none where the author must answer."""

    guide: str
    item: str
    asks: str
    answered_by: tuple[str, ...]


def checklist(present: Collection[str]) -> list[Item]:
    """All items, each with those of the sections ``present`` that answer it.

    >>> [item.item for item in checklist({"subgroups"}) if item.answered_by]
    ['23b']
    """
    return [
        Item(
            guide=entry["guide"],
            item=str(entry["item"]),
            asks=entry["asks"],
            answered_by=tuple(name for name in entry.get("answered_by", ()) if name in present),
        )
        for entry in _entries()
    ]


@cache
def _entries() -> list[dict[str, str]]:
    text = (Path(__file__).parent / "checklist.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, str]] = yaml.safe_load(text)
    return entries
