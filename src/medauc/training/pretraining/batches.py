"""Training batches of several data sets, each batch of one of them, spread evenly over an epoch."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch.utils.data import DataLoader, IterableDataset

from medauc.data import Dataset
from medauc.data.batches import ArrayDataset, Batch
from medauc.sampling import ShuffledBatchSampler


class SourceBatch(NamedTuple):
    """A batch, and which of the data sets it is from."""

    source: int
    batch: Batch


class InterleavedBatches(IterableDataset[SourceBatch]):
    """Each training sample of every data set once an epoch, in batches of one data set, shuffled within it.

    A batch of one data set keeps the statistics of a batch, which batch normalisation and the variance of
    self-supervision rest on, from telling the data sets apart. Validation and test splits are not held.

    Args:
        datasets: their training splits are read.
        batch_size: samples a batch; a last one that is not full is left out, unless it is the only one.
        seed: decides the order of samples.
    """

    def __init__(self, datasets: Sequence[Dataset], batch_size: int, seed: int) -> None:
        super().__init__()
        self.sets = [ArrayDataset(dataset.train) for dataset in datasets]
        self.samplers = [
            ShuffledBatchSampler(len(each), batch_size, seed, drop_last=True) for each in self.sets
        ]
        self.turns = interleaved([len(sampler) for sampler in self.samplers])

    def __len__(self) -> int:
        return len(self.turns)

    def __iter__(self) -> Iterator[SourceBatch]:
        """Yield the batches of the next epoch."""
        batches = [iter(sampler) for sampler in self.samplers]
        for source in self.turns:
            yield SourceBatch(source, self.sets[source].__getitems__(next(batches[source])))

    def loader(self) -> DataLoader[SourceBatch]:
        """As a Trainer takes it."""
        return DataLoader(self, batch_size=None)


def interleaved(counts: Sequence[int]) -> list[int]:
    """Whose turn it is, so that every data set is spread evenly over the epoch.

    >>> interleaved([4, 2])
    [0, 1, 0, 0, 1, 0]
    """
    turns = [((turn + 0.5) / count, source) for source, count in enumerate(counts) for turn in range(count)]
    return [source for _, source in sorted(turns)]
