"""Optimizers for losses that are minimised over the network and maximised over variables of their own.

Both are ``torch.optim.Optimizer`` throughout: param groups, schedulers, closures, ``state_dict``. Only torch
is needed.
"""

from medauc.optim.minmax import MinMax
from medauc.optim.pesg import PESG

__all__ = ["PESG", "MinMax"]
