"""The Lightning data module: uint8 batches, read from one array per split, in a resumable order."""

from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from medauc.data.dataset import Dataset, Split
from medauc.sampling import ClassBalancedBatchSampler, ShuffledBatchSampler


class Batch(NamedTuple):
    """Images (N, *spatial[, C]) uint8, targets (N,) or (N, L) int64, indices (N,) int64 into the split."""

    images: Tensor
    targets: Tensor
    indices: Tensor


class ArrayDataset(TorchDataset[Batch]):
    """A split read batch-wise: one fancy-indexed copy per batch instead of one Python call per sample."""

    def __init__(self, split: Split) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.targets)

    def __getitems__(self, indices: list[int]) -> Batch:
        """Fetch a whole batch; PyTorch's fetcher prefers this to ``__getitem__``."""
        index = np.asarray(indices, dtype=np.int64)
        images, targets = self.split.images[index], self.split.targets[index]
        return Batch(torch.from_numpy(images), torch.from_numpy(targets), torch.from_numpy(index))


def _as_it_is(batch: Any) -> Any:
    return batch


class ImageDataModule(pl.LightningDataModule):
    """Batches of a :class:`~medauc.data.dataset.Dataset`; its state is the sampler's position.

    Args:
        dataset: the data set with its three splits.
        batch_size: samples per batch, in training and in evaluation.
        positive_share: share of positives per training batch, or None to shuffle without balancing.
        seed: decides the order of training samples.
    """

    def __init__(self, dataset: Dataset, batch_size: int, positive_share: float | None, seed: int) -> None:
        super().__init__()
        self.dataset = dataset
        self.batch_size = batch_size
        targets = dataset.train.targets
        self.sampler: ClassBalancedBatchSampler | ShuffledBatchSampler
        if positive_share is None:
            # Batch normalisation cannot train on a last batch of one.
            one_left = len(targets) > batch_size and len(targets) % batch_size == 1
            self.sampler = ShuffledBatchSampler(len(targets), batch_size, seed=seed, drop_last=one_left)
        else:
            self.sampler = ClassBalancedBatchSampler(
                torch.from_numpy(targets), batch_size, positive_share=positive_share, seed=seed
            )

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training batches in the sampler's order."""
        return DataLoader(ArrayDataset(self.dataset.train), batch_sampler=self.sampler, collate_fn=_as_it_is)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation samples in file order."""
        return self._ordered(self.dataset.val)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test samples in file order."""
        return self._ordered(self.dataset.test)

    def _ordered(self, split: Split) -> DataLoader[Batch]:
        return DataLoader(ArrayDataset(split), batch_size=self.batch_size, collate_fn=_as_it_is)

    def state_dict(self) -> dict[str, Any]:
        """Position of the sampler, stored in the checkpoint."""
        return {"sampler": self.sampler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the checkpoint stopped."""
        self.sampler.load_state_dict(state_dict["sampler"])
