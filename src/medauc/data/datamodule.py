"""The Lightning data module: uint8 batches, read from one array per split, in a resumable order."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from medauc.data.bags import BagSplit
from medauc.data.batches import ArrayDataset, BagDataset, Batch, BoundedBatches, OneEmptyBatch
from medauc.data.dataset import Dataset, Split
from medauc.data.shards.images import ShardedImages
from medauc.errors import InputError
from medauc.sampling import (
    ClassBalancedBatchSampler,
    GroupShuffledBatchSampler,
    LabelBalancedBatchSampler,
    SequentialShardSampler,
    Shards,
    ShardShuffledBatchSampler,
    ShuffledBatchSampler,
)
from medauc.sampling.part import Part

SamplerName = Literal["auto", "class_balanced", "label_balanced", "shuffled"]
BatchSampler = (
    ClassBalancedBatchSampler
    | LabelBalancedBatchSampler
    | ShuffledBatchSampler
    | GroupShuffledBatchSampler
    | ShardShuffledBatchSampler
)

DEFAULT_SHARE = 0.5
DEFAULT_WINDOW = 16


def _as_it_is(batch: Any) -> Any:
    return batch


def choose_sampler(name: SamplerName, positive_share: float | None, multi_label: bool) -> SamplerName:
    """Say which sampler a name stands for.

    Args:
        name: "auto" balances for one label and shuffles for several, or when there is no share; "label_balanced"
            with one label is "class_balanced".
        positive_share: share of positives a batch, if given.
        multi_label: whether there are several labels.

    >>> choose_sampler("auto", 0.5, multi_label=False), choose_sampler("auto", 0.5, multi_label=True)
    ('class_balanced', 'shuffled')
    """
    if name == "auto":
        return "shuffled" if multi_label or positive_share is None else "class_balanced"
    return "class_balanced" if name == "label_balanced" and not multi_label else name


class ImageDataModule(pl.LightningDataModule):
    """Batches of a :class:`~medauc.data.dataset.Dataset`; its state is the sampler's position.

    Under several processes of a Trainer each one gets its part of every batch. The Trainer must leave the
    samplers alone (``use_distributed_sampler=False``).

    Args:
        dataset: the data set with its three splits.
        batch_size: samples per batch over all processes, in training and in evaluation.
        positive_share: share of positives per balanced training batch; None shuffles, or means 0.5 where a
            balancing sampler is named.
        seed: decides the order of training samples.
        sampler: how training batches are drawn (:func:`choose_sampler`).
        keep_groups: samples of one group (patient) come in one training batch.
        max_images: most images of a bag in a training batch, drawn anew each time; None takes all. Evaluation takes
            all, in batches that hold no more images than a training batch may, larger bags aside.
        window: of a set in shards, most shards of a class that are mixed at a time.
        epoch_batches: training batches an epoch; None takes as many as hold all samples.

    Raises:
        InputError: the data set has no such batches: several labels for "class_balanced", a group larger than
            a batch.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        positive_share: float | None,
        seed: int,
        *,
        sampler: SamplerName = "auto",
        keep_groups: bool = False,
        max_images: int | None = None,
        window: int = DEFAULT_WINDOW,
        epoch_batches: int | None = None,
    ) -> None:
        super().__init__()
        self.dataset = dataset
        self.batch_size = batch_size
        self.positive_share = DEFAULT_SHARE if positive_share is None else positive_share
        self.seed = seed
        self.keep_groups = keep_groups
        self.max_images = max_images
        self.window = window
        self.epoch_batches = epoch_batches
        self._sampler_name = choose_sampler(sampler, positive_share, dataset.multi_label)
        if self._sampler_name == "class_balanced" and dataset.multi_label:
            raise InputError(
                f"{dataset.name}: class-balanced batches need one label, this set has {len(dataset.label_names)}; "
                "use --set sampling.name=label_balanced or shuffled"
            )
        self.sampler = self._make_sampler(1, 0)

    @property
    def prevalence(self) -> float | tuple[float, ...] | None:
        """Share of positives in what training batches are drawn from, one a label; None where it is the data's own."""
        if not isinstance(self.sampler, ClassBalancedBatchSampler | LabelBalancedBatchSampler):
            return None
        if self.dataset.multi_label:
            return self.sampler.prevalence
        return self.sampler.prevalence[0] if self.keep_groups else self.positive_share

    def setup(self, stage: str) -> None:
        """Take this process's part of each batch, from the position reached so far."""
        if self.trainer is not None:
            self.take_part(self.trainer.world_size, self.trainer.global_rank)

    def take_part(self, num_replicas: int, rank: int) -> None:
        """Be process ``rank`` of ``num_replicas`` that share every batch and every split, from the position reached."""
        place = num_replicas, rank
        if place != (self.sampler.num_replicas, self.sampler.rank):
            position = self.sampler.state_dict()
            self.sampler = self._make_sampler(*place)
            self.sampler.load_state_dict(position)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training batches in the sampler's order."""
        train = self._streamed(self.dataset.train)
        data = (
            BagDataset(train, self.max_images, self._position, self._part)
            if isinstance(train, BagSplit)
            else ArrayDataset(train, self._part)
        )
        return DataLoader(data, batch_sampler=self.sampler, collate_fn=_as_it_is)

    def val_dataloader(self) -> DataLoader[Batch]:
        """Validation samples in file order."""
        return self._ordered(self.dataset.val)

    def test_dataloader(self) -> DataLoader[Batch]:
        """Test samples in file order."""
        return self._ordered(self.dataset.test)

    def state_dict(self) -> dict[str, Any]:
        """Position of the sampler, stored in the checkpoint."""
        return {"sampler": self.sampler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue where the checkpoint stopped; raise InputError when it is of other batches."""
        try:
            self.sampler.load_state_dict(state_dict["sampler"])
        except ValueError as error:
            raise InputError(
                f"{self.dataset.name}: the checkpoint was saved with other batches: {error}"
            ) from None

    def _streamed(self, train: Split) -> Split:
        """The training split; images in shards are fetched ahead of the sampler."""
        if not isinstance(train.images, ShardedImages):
            return train
        train.images.require_room(self.window, kinds=1 if self.dataset.multi_label else 2)
        sampler = self.sampler
        if not isinstance(sampler, ClassBalancedBatchSampler | ShardShuffledBatchSampler):
            return replace(train, images=train.images.streamed(list))
        return replace(train, images=train.images.streamed(sampler.shards_ahead))

    def _ordered(self, split: Split) -> DataLoader[Batch]:
        """This process's block of a split; together the processes have every sample once."""
        num_replicas, rank = self.sampler.num_replicas, self.sampler.rank
        shard = SequentialShardSampler(len(split), num_replicas, rank)
        size = -(-self.batch_size // num_replicas)
        if not len(shard) and len(split):  # Lightning would leave out the hooks of a process without batches
            empty = BagDataset(split) if isinstance(split, BagSplit) else ArrayDataset(split)
            return DataLoader(empty, batch_sampler=OneEmptyBatch(), collate_fn=_as_it_is)
        if isinstance(split, BagSplit):
            images = None if self.max_images is None else size * self.max_images
            batches = BoundedBatches(list(shard), split.lengths, size, images)
            return DataLoader(BagDataset(split), batch_sampler=batches, collate_fn=_as_it_is)
        return DataLoader(ArrayDataset(split), batch_size=size, sampler=shard, collate_fn=_as_it_is)

    def _position(self) -> str:
        """Where the sampler stands: unlike at any other batch, the same on all ranks and in a resumed training."""
        return f"0 {self.sampler.state_dict()}"

    def _part(self) -> Part | None:
        """Of which global batch the one that is being read is a part; None where one process has it all."""
        return self.sampler.part if self.sampler.num_replicas > 1 else None

    def _make_sampler(self, num_replicas: int, rank: int) -> BatchSampler:
        try:
            return self._sampler_for({"num_replicas": num_replicas, "rank": rank})
        except ValueError as error:
            raise InputError(f"{self.dataset.name}: section sampling of the recipe: {error}") from None

    def _sampler_for(self, place: dict[str, int]) -> BatchSampler:
        train, size, seed, length = self.dataset.train, self.batch_size, self.seed, self.epoch_batches
        groups = train.groups.tolist() if self.keep_groups else None
        shards = self._windows()
        if shards is not None and (groups is not None or self._sampler_name == "label_balanced"):
            count = shards.count()
            raise ValueError(
                f"label-balanced batches and whole groups are drawn from all {count} shards at a time; take "
                f"sampling.window={count}, or sampling.name=shuffled and sampling.keep_groups=false"
            )
        if self._sampler_name != "shuffled":
            options: dict[str, Any] = {"groups": groups, "epoch_batches": length, **place}
            targets = torch.from_numpy(train.targets)
            if self.dataset.multi_label:
                return LabelBalancedBatchSampler(targets, size, self.positive_share, seed, **options)
            return ClassBalancedBatchSampler(
                targets, size, self.positive_share, seed, shards=shards, **options
            )
        if groups is not None:
            return GroupShuffledBatchSampler(groups, size, seed, epoch_batches=length, **place)
        # Batch normalisation cannot train on a last batch of one; every process needs one.
        too_few_left = len(train) > size and 0 < len(train) % size < max(2, place["num_replicas"])
        if shards is None and length is None:
            return ShuffledBatchSampler(len(train), size, seed, drop_last=too_few_left, **place)
        one_label = not self.dataset.multi_label and shards is not None
        return ShardShuffledBatchSampler(
            torch.from_numpy(train.targets if one_label else np.zeros(len(train), np.int64)),
            shards or Shards(torch.zeros(len(train), dtype=torch.int64), 1),
            size,
            seed,
            too_few_left,
            epoch_batches=length,
            **place,
        )

    def _windows(self) -> Shards | None:
        """Where the training images lie; None where they are no shards, or one window holds all."""
        images = self.dataset.train.images
        if not isinstance(images, ShardedImages) or len(np.unique(images.shards)) <= self.window:
            return None
        return Shards(torch.from_numpy(images.shards), self.window)
