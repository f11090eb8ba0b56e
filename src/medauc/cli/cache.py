"""``medauc cache``."""

import re
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from medauc.errors import InputError
from medauc.printing import say, show

if TYPE_CHECKING:
    from rich.table import Table

    from medauc.data.cache import CacheEntry

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kMGT]?)B?", re.IGNORECASE)
_POWERS = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}


def cache(
    clean: Annotated[
        bool, typer.Option("--clean", help="Remove all that is not in use, and the paths of files.")
    ] = False,
    limit: Annotated[
        str | None,
        typer.Option(
            "--limit",
            metavar="SIZE",
            help="Most that the cache may hold from now on ('50GB'); what was not used for longest goes first.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """List the prepared images of own files, how much disk they take, and remove them; they are made anew when needed.

    They lie in the user's cache folder, or where the variable MEDAUC_CACHE says.
    """
    from medauc.data.cache import (
        cache_folder,
        clean_cache,
        forget_files,
        in_units,
        index_bytes,
        list_cache,
        read_limit,
        write_limit,
    )

    if limit is not None:
        write_limit(_bytes(limit))
    if clean or limit is not None:
        removed = clean_cache(keep=0 if clean else read_limit())
        freed = sum(entry.bytes for entry in removed) + (forget_files() if clean else 0)
        say(f"removed {len(removed)} data sets, {in_units(freed)}")
    entries = list_cache()
    if entries:
        show(_overview(entries))
    total = sum(entry.bytes for entry in entries) + index_bytes()
    say(f"{cache_folder()} holds {in_units(total)} of at most {in_units(read_limit())}")


def _overview(entries: "list[CacheEntry]") -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from medauc.data.cache import in_units

    table = Table("images", "shape", "size", "last used", "", "files below", box=SIMPLE_HEAD, pad_edge=False)
    for entry in reversed(entries):
        table.add_row(
            f"{entry.images:,}",
            " x ".join(map(str, entry.shape)),
            in_units(entry.bytes),
            f"{datetime.fromtimestamp(entry.last_used):%Y-%m-%d %H:%M}",
            "in use" if entry.in_use else "" if entry.finished else "not finished",
            entry.source,
        )
    return table


def _bytes(text: str) -> int:
    """Bytes of a size such as "50GB" (powers of 1000)."""
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InputError(f"--limit is {text!r}, it must be a size such as 50GB or 800MB")
    size = int(float(found[1]) * 1000 ** _POWERS[found[2].upper()])
    if size == 0:
        raise InputError(
            f"--limit is {text!r}, with which no own files can be trained on; `medauc cache --clean` empties the cache"
        )
    return size
