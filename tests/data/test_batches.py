"""Batches of bags: which images come, that a resumed training sees the same ones, and bounded batches in evaluation."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medauc.data import BagSpec, BagSplit, Dataset, PhantomSpec, load_dataset, make_bags
from medauc.data.batches import BoundedBatches, drawn
from medauc.data.datamodule import ImageDataModule, SamplerName

lengths_of_bags = st.lists(st.integers(1, 9), min_size=1, max_size=8)


@pytest.fixture(scope="module")
def bags() -> Dataset:
    spec = PhantomSpec(n_train=20, n_val=7, n_test=4, prevalence=0.4, signal_width=1, bag_images=5)
    return make_bags(load_dataset("phantom2d", 8, phantom=spec), BagSpec())


@given(lengths_of_bags, st.integers(1, 6), st.text(max_size=3))
def test_a_draw_holds_the_right_number_of_each_bag(lengths: list[int], most: int, stream: str) -> None:
    positions = drawn(np.array(lengths), most, stream)
    assert (np.diff(positions) > 0).all()
    bag = np.repeat(np.arange(len(lengths)), lengths)[positions]
    assert np.bincount(bag, minlength=len(lengths)).tolist() == [min(length, most) for length in lengths]
    assert drawn(np.array(lengths), most, stream).tolist() == positions.tolist()


def test_every_pair_of_a_bag_is_drawn_equally_often() -> None:
    lengths, draws = np.array([4, 2]), 3000
    pairs = Counter(tuple(drawn(lengths, 2, str(number))[:2].tolist()) for number in range(draws))
    assert len(pairs) == 6
    expected = draws / 6
    statistic = sum((count - expected) ** 2 / expected for count in pairs.values())
    assert statistic < 20.5  # 99.9% quantile of chi-squared with 5 degrees of freedom


@given(lengths_of_bags, st.integers(1, 4), st.integers(1, 12) | st.none())
def test_bounded_batches_hold_every_bag_once_in_order(
    lengths: list[int], size: int, images: int | None
) -> None:
    found = list(BoundedBatches(range(len(lengths)), np.array(lengths), size, images))
    assert [bag for batch in found for bag in batch] == list(range(len(lengths)))
    for batch in found:
        assert len(batch) <= size
        assert images is None or len(batch) == 1 or sum(lengths[bag] for bag in batch) <= images
    for batch, following in itertools.pairwise(found):  # no batch ends before it has to
        more = [*batch, following[0]]
        assert len(more) > size or (images is not None and sum(lengths[bag] for bag in more) > images)


@pytest.mark.parametrize("sampler", ["class_balanced", "shuffled"])
def test_a_resumed_training_draws_the_same_images_and_every_epoch_others(
    bags: Dataset, sampler: SamplerName
) -> None:
    def module() -> ImageDataModule:
        return ImageDataModule(bags, 8, 0.5, seed=3, sampler=sampler, max_images=2)

    whole = module()
    epochs = [[batch.images for batch in whole.train_dataloader()] for _ in range(3)]
    first = module()
    list(first.train_dataloader())
    state = first.state_dict()
    resumed = module()
    resumed.load_state_dict(state)
    for expected in epochs[1:]:
        again = [batch.images for batch in resumed.train_dataloader()]
        assert all(torch.equal(a, b) for a, b in zip(again, expected, strict=True))
    torch.manual_seed(99)  # the global state has no part in it
    assert all(torch.equal(a.images, b) for a, b in zip(module().train_dataloader(), epochs[0], strict=True))
    shown = {image.numpy().tobytes() for epoch in epochs for batch in epoch for image in batch}
    assert len(shown) > 2 * len(bags.train)  # more images than two a bag: epochs differ


def test_a_training_batch_names_the_bag_of_each_image(bags: Dataset) -> None:
    train = bags.train
    assert isinstance(train, BagSplit)
    for batch in ImageDataModule(bags, 6, 0.5, seed=0, max_images=3).train_dataloader():
        assert batch.bags is not None
        assert torch.bincount(batch.bags).tolist() == [3] * len(batch.targets)
        assert batch.targets.tolist() == train.targets[batch.indices.numpy()].tolist()
        for image, bag in zip(batch.images.numpy(), batch.indices[batch.bags].tolist(), strict=True):
            own = train.images[train.starts[bag] : train.starts[bag + 1]]
            assert (own == image).all(axis=(1, 2)).any()


@pytest.mark.parametrize(("most", "sizes"), [(2, [2, 2, 2, 1]), (None, [5, 2])])
def test_evaluation_takes_all_images_in_batches_of_bounded_size(
    bags: Dataset, most: int | None, sizes: list[int]
) -> None:
    batches = list(ImageDataModule(bags, 5, 0.5, seed=0, max_images=most).val_dataloader())
    assert [len(batch.targets) for batch in batches] == sizes
    assert np.array_equal(torch.cat([batch.images for batch in batches]).numpy(), np.asarray(bags.val.images))
    assert torch.cat([batch.indices for batch in batches]).tolist() == list(range(7))
