"""Variance, invariance and covariance: what two views of an image should have in common, without labels."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

_INVARIANCE, _VARIANCE, _COVARIANCE = 25.0, 25.0, 1.0  # the paper's weights
_EPSILON = 1e-4


class Terms(NamedTuple):
    """The three terms before they are weighted, each >= 0."""

    invariance: Tensor
    variance: Tensor
    covariance: Tensor


def vicreg_terms(first: Tensor, second: Tensor) -> Terms:
    """The terms of VICReg for the embeddings of two views of the same images.

    Args:
        first: (N, D), N at least 2.
        second: the same shape; row i is another view of the image of row i.

    Returns:
        invariance: mean squared difference of the views, over rows and dimensions.
        variance: mean over dimensions and views of ``max(0, 1 - sqrt(Var + 1e-4))``: no dimension may collapse.
        covariance: sum over views of the squared covariances of different dimensions, divided by D: no
            dimension may repeat another.

    Reference:
        Bardes, Ponce, LeCun: VICReg, ICLR 2022, arXiv 2105.04906, equations 1 to 6, with the means of the
        authors' code (over dimensions in the invariance, over the two views in the variance).

    >>> views = torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    >>> vicreg_terms(views, views)
    Terms(invariance=tensor(0.), variance=tensor(0.), covariance=tensor(0.))
    """
    variance = (_collapse(first) + _collapse(second)) / 2
    return Terms(functional.mse_loss(first, second), variance, _redundance(first) + _redundance(second))


def vicreg_loss(first: Tensor, second: Tensor) -> Tensor:
    """Weighted sum of :func:`vicreg_terms`: 25 invariance + 25 variance + covariance."""
    terms = vicreg_terms(first, second)
    return _INVARIANCE * terms.invariance + _VARIANCE * terms.variance + _COVARIANCE * terms.covariance


def expander(features: int, width: int = 256) -> nn.Module:
    """Make the layers between features and embeddings, which are thrown away after pretraining."""
    return nn.Sequential(
        nn.Linear(features, width, bias=False),
        nn.BatchNorm1d(width),
        nn.ReLU(),
        nn.Linear(width, width),
    )


def _collapse(views: Tensor) -> Tensor:
    return functional.relu(1 - (views.var(dim=0) + _EPSILON).sqrt()).mean()


def _redundance(views: Tensor) -> Tensor:
    covariance = torch.cov(views.T).view(views.shape[1], -1)  # of one dimension torch makes a scalar
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / len(covariance)
