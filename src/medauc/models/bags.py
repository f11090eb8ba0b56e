"""Bags, several images with one label: the score of each image, its weight, and the score of the bag."""

from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

BagPooling = Literal["mean", "max", "attention"]


class BagScores(NamedTuple):
    """Scores of N bags with M images in all, for L labels: ``bags`` is the weighted sum of ``images``, bag by bag.

    Attributes:
        bags: raw scores (N, L).
        images: raw score of each image by itself, (M, L).
        weights: share that each image has in the score of its bag, (M, L), in [0, 1]; they sum to 1 in a bag.
    """

    bags: Tensor
    images: Tensor
    weights: Tensor


class BagNetwork(nn.Module):
    """Scores bags of images by the network that scores one image.

    The last layer of a network is linear, so the score of averaged features is the average of scores. Each pooling
    is thus a weighted mean of the images' own scores: weights are equal ("mean"), all on the image that scores
    highest ("max"), or learned from the features ("attention": gated attention, Ilse, Tomczak and Welling, ICML
    2018, equation 9). Neither the order of images in a bag nor the bags beside it change a score.

    Args:
        encoder: images (M, C, *spatial) -> (M, L) scores, or for "attention" (M, 2 L): scores, then the logits of
            their weights (:func:`set_attention`).
        pooling: "mean", "max" or "attention".

    Attributes:
        images_at_once: most images that go through the network together in evaluation mode, where a bag may be
            large; None knows no limit. In training mode all go together, as batch normalisation needs.

    >>> network = BagNetwork(nn.Flatten(), "max")
    >>> images = torch.tensor([1.0, 5.0, 2.0]).view(3, 1, 1, 1)
    >>> network(images, torch.tensor([0, 0, 1]), 2)
    tensor([[5.],
            [2.]])
    """

    def __init__(self, encoder: nn.Module, pooling: BagPooling) -> None:
        super().__init__()
        self.encoder = encoder
        self.pooling = pooling
        self.images_at_once: int | None = None

    def forward(self, images: Tensor, bags: Tensor | None = None, count: int = 0) -> Tensor:
        """Score bags.

        Args:
            images: (M, C, *spatial) of all bags.
            bags: number of each image's bag, (M,), in [0, count); None makes each image a bag of its own.
            count: number of bags N; none of them is empty.

        Returns:
            Raw scores (N, L).
        """
        return self.detail(images, bags, count).bags

    def detail(self, images: Tensor, bags: Tensor | None = None, count: int = 0) -> BagScores:
        """Score bags as :meth:`forward` does, and tell each image's score and weight."""
        if bags is None:
            count = len(images)
            bags = torch.arange(count, device=images.device)
        output = self._encoded(images).float()
        if self.pooling == "attention":
            scores, logits = output.chunk(2, dim=1)
            weights = segment_softmax(logits, bags, count)
        else:
            scores = output
            equal = torch.ones_like(scores) if self.pooling == "mean" else _highest(scores, bags, count)
            weights = equal / segment_sum(equal, bags, count)[bags]
        return BagScores(segment_sum(weights * scores, bags, count), scores, weights)

    def _encoded(self, images: Tensor) -> Tensor:
        if self.training or self.images_at_once is None:
            encoded: Tensor = self.encoder(images)
            return encoded
        return torch.cat([self.encoder(part) for part in torch.split(images, self.images_at_once)])

    def extra_repr(self) -> str:
        """Show the pooling."""
        return self.pooling


class AttentionHead(nn.Linear):
    """A linear layer for scores that also gives the logits of attention: one weight a label.

    Being itself the linear layer keeps its parameters' names, so weights of a network for single images fit.

    Args:
        in_features: number of features F.
        out_features: number of labels L.
        hidden: width of the gate; the paper's 128.

    Shape:
        Input (M, F), output (M, 2 L): scores, then logits.
    """

    def __init__(self, in_features: int, out_features: int, hidden: int = 128) -> None:
        super().__init__(in_features, out_features)
        self.gate = _Gate(in_features, out_features, hidden)

    def forward(self, features: Tensor) -> Tensor:
        """Score ``features``, and weigh them."""
        return torch.cat([super().forward(features), self.gate(features)], dim=1)


class _Gate(nn.Module):
    """Logits w^T (tanh(V h) * sigmoid(U h)); no linear layer, since the last one of a network makes its scores."""

    def __init__(self, in_features: int, out_features: int, hidden: int) -> None:
        super().__init__()
        self.tanh = nn.Parameter(torch.empty(hidden, in_features))
        self.sigmoid = nn.Parameter(torch.empty(hidden, in_features))
        self.weight = nn.Parameter(torch.empty(out_features, hidden))
        for parameter in self.parameters():
            nn.init.xavier_uniform_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        gated = (
            functional.linear(features, self.tanh).tanh()
            * functional.linear(features, self.sigmoid).sigmoid()
        )
        return functional.linear(gated, self.weight)


def set_attention(network: Any) -> None:
    """Let the layer ``fc`` of ``network`` give attention logits beside the scores, in place."""
    network.fc = AttentionHead(network.fc.in_features, network.fc.out_features)


def segment_sum(values: Tensor, bags: Tensor, count: int) -> Tensor:
    """Sum ``values`` (M, L) over each bag: (count, L).

    >>> segment_sum(torch.tensor([[1.0], [2.0], [4.0]]), torch.tensor([0, 1, 1]), 2).flatten().tolist()
    [1.0, 6.0]
    """
    return values.new_zeros(count, values.shape[1]).index_add(0, bags, values)


def segment_softmax(logits: Tensor, bags: Tensor, count: int) -> Tensor:
    """Softmax of ``logits`` (M, L) within each bag: weights (M, L) that sum to 1 there.

    >>> segment_softmax(torch.zeros(3, 1), torch.tensor([0, 1, 1]), 2).flatten().tolist()
    [1.0, 0.5, 0.5]
    """
    powers = (logits - _peak(logits, bags, count)[bags]).exp()
    return powers / segment_sum(powers, bags, count)[bags]


def _highest(scores: Tensor, bags: Tensor, count: int) -> Tensor:
    """1 where an image has the highest score of its bag, else 0; no gradient."""
    return (scores.detach() == _peak(scores, bags, count)[bags]).to(scores.dtype)


def _peak(values: Tensor, bags: Tensor, count: int) -> Tensor:
    """Largest of ``values`` (M, L) in each bag, (count, L), as a constant."""
    lowest = values.new_full((count, values.shape[1]), -torch.inf)
    return lowest.scatter_reduce(0, bags.unsqueeze(1).expand_as(values), values.detach(), "amax")
