"""Auditing a data set: what is in it, and what would make results mean less than they say.

Names are imported on first use, so that a process that only reads files starts at once.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medauc.audit.collection import Collection as Collection
    from medauc.audit.collection import collection_of as collection_of
    from medauc.audit.document import Audit as Audit
    from medauc.audit.document import Finding as Finding
    from medauc.audit.manifests import collection_of_folder as collection_of_folder
    from medauc.audit.manifests import collection_of_manifest as collection_of_manifest
    from medauc.audit.run import Audited as Audited
    from medauc.audit.run import audit_collection as audit_collection
    from medauc.audit.text import audit_lines as audit_lines

_HOME = {
    "Audit": "document",
    "Audited": "run",
    "Collection": "collection",
    "Finding": "document",
    "audit_collection": "run",
    "audit_lines": "text",
    "collection_of": "collection",
    "collection_of_folder": "manifests",
    "collection_of_manifest": "manifests",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    """Import a public name from the module that defines it (PEP 562)."""
    if name not in _HOME:
        raise AttributeError(f"module 'medauc.audit' has no attribute {name!r}")
    return getattr(importlib.import_module(f"medauc.audit.{_HOME[name]}"), name)
