"""Telling a set in shards by its name; nothing heavy is imported for it."""

from pathlib import Path

DESCRIPTION = "shards.json"


def is_url(name: str | Path) -> bool:
    """Whether a data set is named by an address.

    >>> is_url("https://example.org/chest"), is_url("data/chest")
    (True, False)
    """
    return str(name).startswith(("http://", "https://"))


def is_shards(name: str | Path) -> bool:
    """Whether a data set is in shards: at an address, or a folder with ``shards.json`` (or that file itself)."""
    return is_url(name) or (folder_of(Path(name)) / DESCRIPTION).is_file()


def folder_of(path: Path) -> Path:
    """Folder of a set that is named by its folder or by its ``shards.json``."""
    path = path.expanduser()
    return path.parent if path.name == DESCRIPTION else path
