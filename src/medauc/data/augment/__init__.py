"""Augmentation of whole batches on their device, in 2D and 3D by the same code."""

from medauc.data.augment.augment import Augment
from medauc.data.augment.copies import flips, orientations, random_copies
from medauc.data.augment.geometry import Padding
from medauc.data.augment.mixing import Mixup, Partners

__all__ = ["Augment", "Mixup", "Padding", "Partners", "flips", "orientations", "random_copies"]
