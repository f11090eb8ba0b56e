"""Packages whose names are imported when first used (PEP 562), so that a worker loads what it needs and no more."""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def attach(
    package: str, names: Mapping[str, Sequence[str]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Make ``__getattr__``, ``__dir__`` and ``__all__`` of a package.

    Type checkers are told the same names by ``from ... import name as name`` under ``TYPE_CHECKING``.

    Args:
        package: its ``__name__``.
        names: public names, by the module of the package that defines them.

    Returns:
        What a package calls so; an unknown name is an AttributeError there.

    >>> import medauc.audit
    >>> medauc.audit.audit_lines.__module__
    'medauc.audit.text'
    >>> "audit_lines" in dir(medauc.audit)
    True
    >>> medauc.audit.audit_line
    Traceback (most recent call last):
    AttributeError: module 'medauc.audit' has no attribute 'audit_line'
    """
    home = {name: module for module, found in names.items() for name in found}

    def get(name: str) -> Any:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{home[name]}"), name)

    def names_of() -> list[str]:
        return sorted({*vars(importlib.import_module(package)), *home})

    return get, names_of, sorted(home)
