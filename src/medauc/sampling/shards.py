"""A data set in file order, shared by several processes."""

from collections.abc import Iterator

from torch.utils.data import Sampler

from medauc.sampling.base import require_rank


class SequentialShardSampler(Sampler[int]):
    """All samples in order, one block of them a process; together every sample exactly once.

    For scoring: unlike ``torch.utils.data.DistributedSampler`` no sample is repeated to make the blocks
    equal (they differ by one sample at most), so the ranks' scores joined in order of rank are those of the
    whole set, in its order. A rank is empty when there are more processes than samples.

    Args:
        num_samples: number of samples N, >= 0.
        num_replicas: number of processes.
        rank: which of them this one is, in ``[0, num_replicas)``.

    Raises:
        ValueError: an argument out of range.

    >>> [list(SequentialShardSampler(7, num_replicas=3, rank=rank)) for rank in range(3)]
    [[0, 1], [2, 3], [4, 5, 6]]
    """

    def __init__(self, num_samples: int, num_replicas: int = 1, rank: int = 0) -> None:
        require_rank(num_replicas, rank)
        if num_samples < 0:
            raise ValueError(f"num_samples must not be negative, got {num_samples}")
        self._block = range(rank * num_samples // num_replicas, (rank + 1) * num_samples // num_replicas)

    def __len__(self) -> int:
        """Number of samples of this rank."""
        return len(self._block)

    def __iter__(self) -> Iterator[int]:
        """Yield the sample numbers of this rank, ascending."""
        return iter(self._block)
