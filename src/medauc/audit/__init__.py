"""Auditing a data set: what is in it, and what would make results mean less than they say.

Names are imported on first use, so that a process that only reads files starts at once.
"""

from typing import TYPE_CHECKING

from medauc import lazy

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
else:
    __getattr__, __dir__, __all__ = lazy.attach(
        __name__,
        {
            "collection": ["Collection", "collection_of"],
            "document": ["Audit", "Finding"],
            "manifests": ["collection_of_folder", "collection_of_manifest"],
            "run": ["Audited", "audit_collection"],
            "text": ["audit_lines"],
        },
    )
