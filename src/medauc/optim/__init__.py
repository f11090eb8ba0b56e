"""Optimizers for losses that are minimised over the network and maximised over variables of their own.

Both are ``torch.optim.Optimizer`` throughout: param groups, schedulers, closures, ``state_dict``. Only torch
is needed.
"""

from medauc.optim.minmax import MinMax
from medauc.optim.pdsca import PDSCA
from medauc.optim.pesg import PESG

__all__ = ["PDSCA", "PESG", "MinMax"]
