"""Groups of samples, such as the images of a patient, that stay together."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medauc.sampling.part import Part


@dataclass(frozen=True, eq=False)
class Groups:
    """Samples by group, groups numbered in order of appearance.

    Attributes:
        names: of each group, as given.
        members: sample numbers of each group, in order.
    """

    names: tuple[Hashable, ...]
    members: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, groups: Iterable[Hashable] | Tensor, num_samples: int | None = None) -> "Groups":
        """Gather samples of equal group.

        Args:
            groups: the group of each of N samples: anything hashable, or an integer tensor of shape (N,).
            num_samples: N, if known.

        Raises:
            ValueError: not N groups, none at all, or a sample without one (None or NaN).
        """
        listed = groups.flatten().tolist() if isinstance(groups, Tensor) else list(groups)
        if not listed or num_samples not in (None, len(listed)):
            known = "" if num_samples is None else f" for {num_samples} samples"
            raise ValueError(f"groups must name the group of each sample, got {len(listed)} names{known}")
        members: dict[Hashable, list[int]] = {}
        for sample, group in enumerate(listed):
            if group is None or group != group:
                raise ValueError(
                    f"sample {sample} has no group: give each sample without one a group of its own"
                )
            members.setdefault(group, []).append(sample)
        return cls(tuple(members), tuple(map(tuple, members.values())))

    def size(self, group: int) -> int:
        """Number of samples in a group."""
        return len(self.members[group])

    def samples(self, groups: Tensor) -> Tensor:
        """Samples of several groups, one after another."""
        return torch.tensor([sample for group in groups.tolist() for sample in self.members[group]])

    def highest(self, targets: Tensor) -> Tensor:
        """Highest target of each group, label by label: (N, L) -> (number of groups, L)."""
        count = len(self.members)
        samples = self.samples(torch.arange(count))
        numbers = torch.arange(count).repeat_interleave(torch.tensor([*map(len, self.members)]))
        where = numbers.unsqueeze(1).expand(-1, targets.shape[1])
        empty = targets.new_empty(count, targets.shape[1])
        return empty.scatter_reduce(0, where, targets[samples], "amax", include_self=False)

    def require_room(self, batch_size: int, num_replicas: int, *kinds: Iterable[int]) -> None:
        """Check that every batch has room for one group of each kind, and for one group a process.

        Args:
            batch_size: samples a batch.
            num_replicas: number of processes.
            kinds: group numbers of each kind, none empty.

        Raises:
            ValueError: it has not; names the largest groups and the size needed.
        """
        largest = [max(kind, key=self.size) for kind in kinds]
        named = " and ".join(f"'{self.names[group]}' of {self.size(group)} samples" for group in largest)
        together = sum(map(self.size, largest))
        needed = max(together, num_replicas * max(map(self.size, largest)))
        if batch_size < needed:
            places = "one batch" if needed == together else f"one batch of {num_replicas} processes"
            raise ValueError(
                f"batch_size must be at least {needed} to fit group {named} into {places}, got {batch_size}"
            )

    def deal(self, kinds: Sequence[Sequence[int]], num_replicas: int, rank: int) -> Part:
        """Samples of a batch, and those of them that ``rank`` gets.

        Kind by kind, the largest groups first, each goes to the process with the fewest samples so far: the
        processes' sizes differ by no more than a group, and none is empty if there are as many groups.

        Args:
            kinds: group numbers of the batch: positive and negative ones, or all.
            num_replicas: number of processes.
            rank: this one.

        >>> groups = Groups.of("aaabbcd")
        >>> [groups.deal([[0, 1], [2, 3]], 2, rank).own for rank in (0, 1)]
        [[0, 1, 2, 6], [3, 4, 5]]
        """
        totals = [0] * num_replicas
        batch: list[int] = []
        places: list[int] = []
        for kind in kinds:
            owners = [0] * len(kind)
            for place in sorted(range(len(kind)), key=lambda place: -self.size(kind[place])):
                owners[place] = min(range(num_replicas), key=totals.__getitem__)
                totals[owners[place]] += self.size(kind[place])
            for group, owner in zip(kind, owners, strict=True):
                if owner == rank:
                    places += range(len(batch), len(batch) + self.size(group))
                batch += self.members[group]
        return Part(batch, places)
