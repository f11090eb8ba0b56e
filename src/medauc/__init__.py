"""Deep AUC maximisation for medical images.

The sub-packages are imported on first use, so that ``import medauc`` costs nothing:

>>> import medauc
>>> medauc.metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
0.75
"""

import importlib
from types import ModuleType

__version__ = "0.1.0"

_SUBMODULES = ("data", "evaluation", "losses", "metrics", "models", "optim", "report", "sampling", "training")

__all__ = ["__version__"]


def __getattr__(name: str) -> ModuleType:
    """Import a sub-package when it is first asked for (PEP 562)."""
    if name in _SUBMODULES:
        return importlib.import_module(f"medauc.{name}")
    raise AttributeError(f"module 'medauc' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the lazily imported sub-packages beside what is already loaded."""
    return sorted({*globals(), *_SUBMODULES})
