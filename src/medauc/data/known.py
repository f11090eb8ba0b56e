"""The catalog: every data set that medauc knows by name, the generated phantoms aside."""

from medauc.data.catalog import CatalogEntry
from medauc.data.lidc import LIDC_NODULES
from medauc.data.medmnist import MEDMNIST

CATALOG: dict[str, CatalogEntry] = {entry.name: entry for entry in (*MEDMNIST, LIDC_NODULES)}
