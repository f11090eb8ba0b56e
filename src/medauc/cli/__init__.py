"""The command line: one verb a file; each parses, calls, prints."""

from medauc.cli.app import main

__all__ = ["main"]
