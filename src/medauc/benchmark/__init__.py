"""Grids of trainings, the ledger of what they gave, and the tables made from it."""

from medauc.benchmark.archive import archive, current_title, kept_recipe
from medauc.benchmark.contenders import Contender, contenders
from medauc.benchmark.finished import row_of
from medauc.benchmark.grid import Cell, Grid, build_grid
from medauc.benchmark.identity import closest_shipped, fingerprint
from medauc.benchmark.ledger import LEDGER, Row, add_rows, read_ledger
from medauc.benchmark.measured import Measured, gather
from medauc.benchmark.run import CellsFailed, GridRun, RunSettings, Stopped, run_grid
from medauc.benchmark.summary import Summary, published, summarize
from medauc.benchmark.table import TITLES, cells, main_table, markdown, write_summary
from medauc.benchmark.version import code_version

__all__ = [
    "LEDGER",
    "TITLES",
    "Cell",
    "CellsFailed",
    "Contender",
    "Grid",
    "GridRun",
    "Measured",
    "Row",
    "RunSettings",
    "Stopped",
    "Summary",
    "add_rows",
    "archive",
    "build_grid",
    "cells",
    "closest_shipped",
    "code_version",
    "contenders",
    "current_title",
    "fingerprint",
    "gather",
    "kept_recipe",
    "main_table",
    "markdown",
    "published",
    "read_ledger",
    "row_of",
    "run_grid",
    "summarize",
    "write_summary",
]
