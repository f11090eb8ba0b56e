"""Optimizers for losses that are minimised over the network and maximised over variables of their own; SAM for any.

All are ``torch.optim.Optimizer`` throughout: param groups, schedulers, closures, ``state_dict``. Only torch
is needed.
"""

from medauc.optim.minmax import MinMax
from medauc.optim.pdsca import PDSCA
from medauc.optim.pesg import PESG
from medauc.optim.sam import SAM

__all__ = ["PDSCA", "PESG", "SAM", "MinMax"]
