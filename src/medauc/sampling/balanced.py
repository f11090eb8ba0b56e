"""Batches that hold a given share of positives: for one binary target, or for several labels in turn."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from medauc.sampling.balance import Balance, GroupBalance, SampleBalance
from medauc.sampling.base import ResumableBatchSampler, require_length, require_same
from medauc.sampling.groups import Groups
from medauc.sampling.order import Shards
from medauc.sampling.part import Part

UNKNOWN = -1


class _BalancedBatchSampler(ResumableBatchSampler):
    """Draws batch after batch from the labels' balances in turn; ``targets`` (N, L) are 1, 0 or UNKNOWN."""

    def __init__(
        self,
        targets: Tensor,
        streams: Sequence[str],
        batch_size: int,
        positive_share: float,
        seed: int,
        groups: Iterable[Hashable] | Tensor | None,
        num_replicas: int,
        rank: int,
        epoch_batches: int | None,
        shards: Shards | None = None,
    ) -> None:
        if batch_size < 2:
            raise ValueError(f"batch_size must be at least 2, one sample of either class, got {batch_size}")
        if not 0 < positive_share < 1:
            raise ValueError(f"positive_share must lie strictly between 0 and 1, got {positive_share}")
        super().__init__(batch_size, seed, num_replicas, rank)
        self._length = require_length(epoch_batches) or -(-len(targets) // batch_size)
        self._turn = 0
        gathered = None if groups is None else Groups.of(groups, len(targets))
        kinds = targets if gathered is None else gathered.highest(targets)
        self._balances: dict[int, Balance] = {}
        rates = torch.zeros(len(targets), dtype=torch.float64)
        for label, stream in enumerate(streams):
            positive, negative = ((kinds[:, label] == kind).nonzero().flatten() for kind in (1, 0))
            if not len(positive) or not len(negative):
                continue
            if gathered is None:
                balance: Balance = SampleBalance(
                    positive, negative, stream, batch_size, positive_share, shards
                )
            else:
                gathered.require_room(batch_size, num_replicas, positive.tolist(), negative.tolist())
                balance = GroupBalance(positive, negative, stream, gathered, batch_size, positive_share)
            self._balances[label] = balance
            for units, share in ((positive, balance.share), (negative, 1 - balance.share)):
                samples = units if gathered is None else gathered.samples(units)
                rates[samples] += share / len(samples)
        self.prevalence = _prevalence(targets, rates)

    def __len__(self) -> int:
        """Number of batches in an epoch."""
        return self._length

    def shards_ahead(self) -> list[int]:
        """Shards of the samples that come next, in the order in which they are worth fetching."""
        return [shard for balance in self._balances.values() for shard in balance.shards_ahead()]

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only; the same on every rank."""
        balances = {str(label): balance.state_dict() for label, balance in self._balances.items()}
        return super().state_dict() | {"turn": self._turn, "balances": balances}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        Raises:
            ValueError: the state is of another sampler: other targets, groups, share, seed or batch size.
        """
        super().load_state_dict(state_dict)
        require_same(
            {"labels": list(state_dict["balances"])}, labels=[str(label) for label in self._balances]
        )
        for label, balance in self._balances.items():
            balance.load_state_dict(state_dict["balances"][str(label)])
        self._turn = state_dict["turn"]

    def _next_part(self) -> Part:
        balances = list(self._balances.values())
        balance = balances[self._turn]
        self._turn = (self._turn + 1) % len(balances)
        return balance.draw(self.num_replicas, self.rank)


class ClassBalancedBatchSampler(_BalancedBatchSampler):
    """Batches with a fixed number of positives, for one binary target.

    Each class is walked through in random order, every sample once before any comes again; the walk goes on
    over batches and epochs. A batch holds ``round(batch_size * positive_share)`` positives, but at least one
    sample of either class, positives first. Within a batch a sample comes twice only when its class is
    smaller than its part of the batch. An epoch is ``ceil(N / batch_size)`` batches, or ``epoch_batches``, all full.

    With ``groups`` what is walked through is groups, positive ones (that hold a positive sample) and negative
    ones, and a batch is made of whole groups: of either kind by turns, as keeps the samples of positive groups
    nearest to ``positive_share`` of the batch, until the next one would not fit.

    Args:
        targets: 0 or 1 for each of N samples, shape (N,) or (N, 1).
        batch_size: samples a batch over all processes, >= 2; with ``groups`` the most it may hold, at least the
            largest positive and the largest negative group together.
        positive_share: share of positives in a batch, in (0, 1).
        seed: any integer; equal seeds give equal batches.
        groups: the group (patient) of each sample, anything hashable or an integer tensor of shape (N,), whose
            samples come in one batch and go to one process; None to draw samples by themselves.
        shards: where samples lie, to walk through either class by windows of a few shards; None shuffles as a whole.
        epoch_batches: batches an epoch, >= 1; None takes ``ceil(N / batch_size)``.
        num_replicas: number of processes that share each batch, each with its part of either class to within a
            sample (whole groups: by their sizes; then ``batch_size`` >= ``num_replicas`` times the largest group).
        rank: which of them this one is, in ``[0, num_replicas)``.

    Attributes:
        prevalence: expected share of positives over all batches, of the one label; with ``groups`` it is below
            ``positive_share`` if positive groups hold negative samples too.

    Raises:
        ValueError: an argument out of range, more than one target a sample, a target other than 0 and 1,
            only one class, or a group that does not fit (it is named).

    >>> sampler = ClassBalancedBatchSampler([0, 0, 0, 0, 0, 1], batch_size=4, positive_share=0.25)
    >>> batches = list(sampler)
    >>> [batch[0] for batch in batches], sorted(batches[0][1:] + batches[1][1:3])
    ([5, 5], [0, 1, 2, 3, 4])

    Whole patients:

    >>> groups = ["ann", "ann", "bob", "bob", "cyd", "cyd"]
    >>> sampler = ClassBalancedBatchSampler([0, 1, 0, 0, 0, 0], batch_size=4, groups=groups)
    >>> sorted(sorted(batch) for batch in sampler)
    [[0, 1, 2, 3], [0, 1, 4, 5]]
    """

    def __init__(
        self,
        targets: Sequence[Any] | Tensor,
        batch_size: int,
        positive_share: float = 0.5,
        seed: int = 0,
        *,
        groups: Iterable[Hashable] | Tensor | None = None,
        shards: Shards | None = None,
        epoch_batches: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        if groups is not None and shards is not None:
            raise ValueError("whole groups cannot be drawn by windows of shards: give groups or shards")
        column = _binary(targets)
        super().__init__(
            column,
            [f"{seed}"],
            batch_size,
            positive_share,
            seed,
            groups,
            num_replicas,
            rank,
            epoch_batches,
            shards,
        )
        if not self._balances:
            raise ValueError(
                "every group holds a positive sample: balanced batches need groups without one too"
            )


class LabelBalancedBatchSampler(_BalancedBatchSampler):
    """Batches balanced for one label after another, for targets with several labels.

    Batch t is drawn for label ``labels[t % len(labels)]`` as :class:`ClassBalancedBatchSampler` would, from the
    samples whose target of that label is known; each label has walks of its own, which go on over batches and
    epochs. An epoch is ``ceil(N / batch_size)`` batches. The other labels of a batch come as they happen to.

    Args:
        targets: shape (N, L); 1 positive, 0 negative, -1 or NaN unknown.
        batch_size: samples a batch over all processes, >= 2; with ``groups`` the most it may hold.
        positive_share: share of positives of the label whose turn it is, in (0, 1).
        seed: any integer; equal seeds give equal batches.
        groups: as for :class:`ClassBalancedBatchSampler`; a group comes whole, with samples whose target is
            unknown, when it has any that is known.
        epoch_batches: batches an epoch, >= 1; None takes ``ceil(N / batch_size)``.
        num_replicas: number of processes that share each batch.
        rank: which of them this one is, in ``[0, num_replicas)``.

    Attributes:
        labels: label numbers in turn: those with positives and negatives (with ``groups``: groups of both kinds).
        skipped_labels: the others, for which no batch is drawn.
        prevalence: expected share of positives among the known targets of all batches, for each of L labels; a class
            that never comes counts as half a sample. It is what an AUC-margin loss of version 1 weighs with.

    Raises:
        ValueError: an argument out of range, a target other than 0, 1 and unknown, no label with both classes,
            or a group that does not fit (it is named).

    >>> targets = [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, -1, 0]]
    >>> sampler = LabelBalancedBatchSampler(targets, batch_size=2)
    >>> sampler.labels, sampler.skipped_labels
    ((0, 1), (2,))
    >>> [targets[batch[0]] for batch in sampler]
    [[1, 0, 0], [0, 1, 0]]
    """

    def __init__(
        self,
        targets: Sequence[Any] | Tensor,
        batch_size: int,
        positive_share: float = 0.5,
        seed: int = 0,
        *,
        groups: Iterable[Hashable] | Tensor | None = None,
        epoch_batches: int | None = None,
        num_replicas: int = 1,
        rank: int = 0,
    ) -> None:
        columns = _multi_label(targets)
        streams = [f"{seed}/label {label}" for label in range(columns.shape[1])]
        super().__init__(
            columns, streams, batch_size, positive_share, seed, groups, num_replicas, rank, epoch_batches
        )
        self.labels = tuple(self._balances)
        self.skipped_labels = tuple(label for label in range(len(streams)) if label not in self._balances)
        if not self.labels:
            units = "samples" if groups is None else "groups"
            raise ValueError(f"none of {len(streams)} labels has both positive and negative {units}")


def _prevalence(targets: Tensor, rates: Tensor) -> tuple[float, ...]:
    """Share of positives among known targets, label by label, of samples that come at these rates (N,)."""
    positive, known = ((chosen * rates.unsqueeze(1)).sum(0) for chosen in (targets == 1, targets != UNKNOWN))
    shares = torch.where(known > 0, positive / known, 0.5)
    # A class that never comes counts as half a sample: losses divide by its share.
    return tuple(shares.clamp(0.5 / len(targets), 1 - 0.5 / len(targets)).tolist())


def _binary(targets: Sequence[Any] | Tensor) -> Tensor:
    """Targets as a column (N, 1) of 0 and 1."""
    column = torch.as_tensor(targets).cpu()
    if column.ndim == 1:
        column = column.unsqueeze(1)
    if column.ndim != 2 or column.shape[1] != 1:
        raise ValueError(
            f"targets must be (N,) or (N, 1), got {tuple(column.shape)}: for several labels there are "
            "LabelBalancedBatchSampler and ShuffledBatchSampler"
        )
    positive = column == 1
    if not (positive | (column == 0)).all():
        raise ValueError("targets must be 0 or 1 everywhere: leave out samples whose target is unknown")
    if positive.all() or not positive.any():
        kind = "positive" if len(column) and positive.all() else "negative"
        raise ValueError(f"all {len(column)} targets are {kind}: balanced batches need both classes")
    return positive.to(torch.int8)


def _multi_label(targets: Sequence[Any] | Tensor) -> Tensor:
    """Targets (N, L) as 0, 1 and UNKNOWN."""
    columns = torch.as_tensor(targets).cpu()
    if columns.ndim != 2:
        raise ValueError(f"targets must be (N, L), got {tuple(columns.shape)}")
    known = (columns == 0) | (columns == 1)
    if not (known | (columns == UNKNOWN) | columns.isnan()).all():
        raise ValueError("targets must be 0, 1 or unknown (-1 or NaN)")
    return torch.where(known, columns, UNKNOWN).to(torch.int8)
