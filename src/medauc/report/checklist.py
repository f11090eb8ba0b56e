"""Reporting guidelines against what the page holds: which items it answers, which are left to the author."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import yaml

SECTIONS = {
    "ranking": "Ranking",
    "operating_points": "Operating points",
    "calibration": "Calibration",
    "usefulness": "Usefulness",
    "subgroups": "Subgroups",
    "errors": "Most confident errors",
    "training": "Training",
    "splits": "Data",
    "recipe": "Recipe",
    "methods": "Methods",
    "environment": "Environment",
}


@dataclass(frozen=True)
class Item:
    """One demand of a guideline.

    Attributes:
        guide: "TRIPOD+AI" or "CLAIM".
        item: Its number there.
        asks: What it asks for, in short.
        answered_by: Sections of the page that answer it; empty where the author must.
        left: What the author must add to them, empty if nothing.
    """

    guide: str
    item: str
    asks: str
    answered_by: tuple[str, ...]
    left: str

    @property
    def status(self) -> Literal["answered", "in part", "author"]:
        """Who answers it."""
        return "author" if not self.answered_by else "in part" if self.left else "answered"


def checklist(present: Collection[str]) -> list[Item]:
    """All items; one is answered where the page has every section that it needs.

    Args:
        present: Keys of ``SECTIONS`` that the page has.

    >>> [item.item for item in checklist({"subgroups"}) if item.status == "answered"]
    ['23b']
    >>> {item.status for item in checklist(())}
    {'author'}
    """
    found = []
    for entry in _entries():
        needed = tuple(entry.get("answered_by", ()))
        whole = bool(needed) and all(name in present for name in needed)
        found.append(
            Item(
                guide=entry["guide"],
                item=str(entry["item"]),
                asks=entry["asks"],
                answered_by=needed if whole else (),
                left=entry.get("left", "") if whole else "",
            )
        )
    return found


@cache
def _entries() -> list[dict[str, str]]:
    text = (Path(__file__).parent / "checklist.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, str]] = yaml.safe_load(text)
    return entries
