"""Mixup: training images that are mixtures of two, for losses that compare the classes."""

import math
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from medauc.data.augment.draw import require
from medauc.losses.distributed import gather_rows
from medauc.sampling.part import current_rows, own_rows

Partners = Literal["same_class", "any"]


class Mixup(nn.Module):
    """Mix each image of a batch with another: ``share`` of itself and 1 - ``share`` of its partner.

    The share is that of Zhang et al. (mixup, ICLR 2018, arXiv 1710.09412): Beta(alpha, alpha), folded to 1/2..1,
    so that the larger part is always the sample itself and its index still names it.

    An AUC loss compares positives with negatives, and half a positive is neither. So the partner is either

    * of the same class ("same_class"): targets stay hard, every loss works. With several labels only samples
      whose labels all agree, the unknown ones included, are mixed. Losses with a state for each sample keep
      that of the larger part.
    * any other sample ("any"): targets become shares between 0 and 1, of which a loss counts ``target`` as
      positive and 1 - ``target`` as negative in the means over the classes (Xv, Li and Yang, AUC-mixup, arXiv
      2310.11693). A label that is unknown in either part is unknown (-1) in the mixture.

    A sample without partner in the batch stays as it is. Where several processes share a batch, partners come from all
    of it, for which each process fetches the images of the others.

    Args:
        alpha: at least 0; 0 mixes nothing, 1 draws the share uniformly, more mixes more evenly.
        partners: "same_class" or "any".

    Shape:
        Images (N, C, *spatial), targets (N,) or (N, L); both come back in the shape they had, targets of "any"
        in floating point.

    Raises:
        InputError: an option is out of range.

    >>> images, targets = torch.tensor([[[[0.0]]], [[[8.0]]], [[[1.0]]]]), torch.tensor([1, 1, 0])
    >>> _ = torch.manual_seed(0)
    >>> mixed, unchanged = Mixup(1.0)(images, targets)
    >>> mixed.flatten().tolist()[2], unchanged.tolist()
    (1.0, [1, 1, 0])
    """

    def __init__(self, alpha: float = 0.0, partners: Partners = "same_class") -> None:
        super().__init__()
        require(0 <= alpha < math.inf, "mixup", alpha, "at least 0")
        require(partners in get_args(Partners), "mixup_partners", partners, "same_class or any")
        self.alpha = alpha
        self.partners = partners

    def forward(self, images: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mix a batch with random numbers of torch's global generator; in evaluation mode nothing changes."""
        if not self.training or self.alpha == 0:
            return images, targets
        batch, known = _of_all_processes(images), _of_all_processes(targets)
        partners, shares = own_rows(self._draw_partners(known)), own_rows(self._draw_shares(batch))
        others = 1 - shares.to(images.dtype).view(-1, *[1] * (images.dim() - 1))
        mixed = torch.lerp(images, batch[partners], others)
        if self.partners == "same_class":
            return mixed, targets
        return mixed, _mixed_targets(targets, known[partners], shares)

    def _draw_partners(self, targets: Tensor) -> Tensor:
        """Draw for each sample the position (N,) of another one that it may mix with, or its own if there is none."""
        count = len(targets)
        random = torch.rand(count, count, device=targets.device)
        if self.partners == "same_class":
            columns = targets.view(count, -1)
            agree = (columns[:, None] == columns).all(dim=2)
            random = random.where(agree, -1.0)
        random.fill_diagonal_(-0.5)  # behind every partner, before those of another class
        return random.argmax(dim=1)

    def _draw_shares(self, images: Tensor) -> Tensor:
        """Draw the larger part (N,) of each mixture."""
        alphas = torch.full((len(images),), self.alpha, device=images.device)
        # Without validation, which would make the host wait for the device.
        shares: Tensor = torch.distributions.Beta(alphas, alphas, validate_args=False).sample()
        return torch.maximum(shares, 1 - shares)


def _of_all_processes(values: Tensor) -> Tensor:
    """Rows of the global batch, in the order in which one process would have them."""
    rows = current_rows()
    if rows is None:
        return values
    gathered, places = gather_rows(values), gather_rows(rows.places.to(values.device))
    return torch.empty_like(gathered).index_copy_(0, places, gathered)


def _mixed_targets(own: Tensor, others: Tensor, shares: Tensor) -> Tensor:
    """Mean of two targets weighted by ``shares`` (N,) of the first, -1 where either is unknown."""
    own, others = (targets.to(shares.dtype) for targets in (own, others))
    mixed = torch.lerp(others, own, shares.view(-1, *[1] * (own.dim() - 1)))
    return mixed.where((own >= 0) & (others >= 0), -1.0)
