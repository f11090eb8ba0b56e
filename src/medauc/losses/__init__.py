"""Training objectives: modules called as ``loss(scores, targets, index=None)`` that return a scalar.

Scores are raw (any real number, higher = more positive). Targets are 0 or 1; -1 or NaN marks an unknown
target, which contributes neither to the value nor to the gradient. Only torch is needed.

>>> import torch
>>> from medauc.losses import CrossEntropyLoss
>>> CrossEntropyLoss()(torch.zeros(4), torch.tensor([0, 1, 1, -1]))
tensor(0.6931)
"""

from medauc.losses.aucm import AUCMLoss, prevalence_of
from medauc.losses.average_precision import AveragePrecisionLoss
from medauc.losses.base import Loss, MinMaxLoss, SaddlePoint
from medauc.losses.compositional import CompositionalAUCLoss, MultiLabelCompositionalAUCLoss
from medauc.losses.cross_entropy import CrossEntropyLoss, balanced_positive_weight
from medauc.losses.focal import FocalLoss
from medauc.losses.ldam import LDAMLoss
from medauc.losses.multiclass import MultiClassAUCLoss
from medauc.losses.multilabel_aucm import MultiLabelAUCMLoss
from medauc.losses.pairwise import PairwiseAUCLoss
from medauc.losses.partial_auc import PartialAUCLoss
from medauc.losses.partial_auc_kl import PartialAUCKLLoss
from medauc.losses.registry import available, build, lookup

__all__ = [
    "AUCMLoss",
    "AveragePrecisionLoss",
    "CompositionalAUCLoss",
    "CrossEntropyLoss",
    "FocalLoss",
    "LDAMLoss",
    "Loss",
    "MinMaxLoss",
    "MultiClassAUCLoss",
    "MultiLabelAUCMLoss",
    "MultiLabelCompositionalAUCLoss",
    "PairwiseAUCLoss",
    "PartialAUCKLLoss",
    "PartialAUCLoss",
    "SaddlePoint",
    "available",
    "balanced_positive_weight",
    "build",
    "lookup",
    "prevalence_of",
]
