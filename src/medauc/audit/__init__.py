"""Auditing a data set: what is in it, and what would make results mean less than they say."""

from medauc.audit.collection import Collection, collection_of
from medauc.audit.document import Audit, Finding
from medauc.audit.manifests import collection_of_folder, collection_of_manifest
from medauc.audit.run import Audited, audit_collection
from medauc.audit.text import audit_lines

__all__ = [
    "Audit",
    "Audited",
    "Collection",
    "Finding",
    "audit_collection",
    "audit_lines",
    "collection_of",
    "collection_of_folder",
    "collection_of_manifest",
]
