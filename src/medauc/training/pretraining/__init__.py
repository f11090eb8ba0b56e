"""Starting weights from the training splits of one or several data sets."""

from medauc.training.pretraining.run import Pretrained, pretrain

__all__ = ["Pretrained", "pretrain"]
