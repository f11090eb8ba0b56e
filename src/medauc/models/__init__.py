"""Networks by name: ResNets in 2D and 3D, ACS conversion from 2D to 3D, a small full-resolution net."""

from medauc.models.acs import ACSConv3d, convert_acs
from medauc.models.bags import BagNetwork, BagPooling, BagScores
from medauc.models.build import Conversion, ModelName, build_model
from medauc.models.fullres import full_resolution_net
from medauc.models.head import Pooling
from medauc.models.norm import Norm
from medauc.models.resnet import Stem
from medauc.models.weights import load_weights, scoring_layer

__all__ = [
    "ACSConv3d",
    "BagNetwork",
    "BagPooling",
    "BagScores",
    "Conversion",
    "ModelName",
    "Norm",
    "Pooling",
    "Stem",
    "build_model",
    "convert_acs",
    "full_resolution_net",
    "load_weights",
    "scoring_layer",
]
