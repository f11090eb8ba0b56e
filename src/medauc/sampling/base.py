"""What all batch samplers share: counting an epoch's batches, and the state that resumes them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import Sampler

from medauc.sampling.part import Part


class ResumableBatchSampler(Sampler[list[int]], ABC):
    """Counts the batches of an epoch; the subclass knows which batch is next.

    Args:
        batch_size: samples a batch, over all processes.
        seed: any integer.
        num_replicas: number of processes that share each batch.
        rank: which of them this one is, in ``[0, num_replicas)``.

    Attributes:
        part: the batch that was handed out last, and this rank's part of it; None before the first one.

    Raises:
        ValueError: no such rank, or fewer samples in a batch than processes.
    """

    def __init__(self, batch_size: int, seed: int, num_replicas: int, rank: int) -> None:
        require_rank(num_replicas, rank)
        if batch_size < num_replicas:
            raise ValueError(
                f"batch_size is that of all processes together and must be at least num_replicas={num_replicas}, "
                f"got {batch_size}"
            )
        self.batch_size = batch_size
        self.seed = seed
        self.num_replicas = num_replicas
        self.rank = rank
        self._handed_out = 0
        self._resumed = False
        self.part: Part | None = None

    @abstractmethod
    def __len__(self) -> int:
        """Number of batches in an epoch, equal on all ranks."""

    @abstractmethod
    def _next_part(self) -> Part:
        """Draw the next batch; return it with this rank's part."""

    def _begin_epoch(self) -> None:
        """Prepare an epoch; samplers whose walk goes on over epochs have nothing to do."""

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the batches of one epoch, or what is left of it right after ``load_state_dict``."""
        if not self._resumed:
            self._handed_out = 0
            self._begin_epoch()
        self._resumed = False
        while self._handed_out < len(self):
            self._handed_out += 1
            self.part = self._next_part()
            yield self.part.own

    def state_dict(self) -> dict[str, Any]:
        """Position and identity of the sampler, plain numbers only; the same on every rank."""
        # A finished epoch counts as none begun: its length may depend on the number of processes.
        handed_out = self._handed_out % len(self)
        return {"seed": self.seed, "batch_size": self.batch_size, "handed_out": handed_out}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go to a saved position: the batches that follow are those that would have followed there.

        The state may come from another rank and another number of processes.

        Raises:
            ValueError: the state is of another sampler: other seed, batch size, data or options.
        """
        if state_dict.keys() != self.state_dict().keys():
            raise ValueError(f"state is of another kind than this sampler, a {type(self).__name__}")
        require_same(state_dict, seed=self.seed, batch_size=self.batch_size)
        self._handed_out = state_dict["handed_out"]
        self._resumed = 0 < self._handed_out < len(self)


def require_rank(num_replicas: int, rank: int) -> None:
    """Raise ValueError unless ``rank`` is one of ``num_replicas`` processes."""
    if not 0 <= rank < num_replicas:
        raise ValueError(f"rank must lie in [0, num_replicas), got rank={rank}, num_replicas={num_replicas}")


def require_same(state_dict: Mapping[str, Any], **own: object) -> None:
    """Raise ValueError when a state was saved by a sampler of other arguments."""
    for name, value in own.items():
        if state_dict.get(name) != value:
            raise ValueError(f"state has {name}={state_dict.get(name)}, this sampler {value}")


def require_length(epoch_batches: int | None) -> int | None:
    """Raise ValueError when a number of batches is given that is no number of batches."""
    if epoch_batches is not None and epoch_batches < 1:
        raise ValueError(f"epoch_batches must be at least 1, got {epoch_batches}")
    return epoch_batches
