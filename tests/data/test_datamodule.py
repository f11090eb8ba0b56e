from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from medauc.data import PhantomSpec, load_dataset
from medauc.data.datamodule import ImageDataModule, SamplerName
from medauc.errors import InputError
from medauc.sampling import (
    ClassBalancedBatchSampler,
    GroupShuffledBatchSampler,
    LabelBalancedBatchSampler,
    ShuffledBatchSampler,
)
from medauc.training.sections.sampling import SamplingSection

DATA = load_dataset("phantom2d", 12, phantom=PhantomSpec(n_train=50, n_val=13, n_test=10, prevalence=0.2))


def test_batches_are_the_samplers_and_stay_uint8() -> None:
    module = ImageDataModule(DATA, batch_size=8, positive_share=0.5, seed=0)
    for batch in module.train_dataloader():
        assert batch.images.dtype == torch.uint8
        np.testing.assert_array_equal(batch.images.numpy(), DATA.train.images[batch.indices.numpy()])
        np.testing.assert_array_equal(batch.targets.numpy(), DATA.train.targets[batch.indices.numpy()])
        assert batch.targets.sum() == 4


def test_evaluation_visits_every_sample_once_in_file_order() -> None:
    module = ImageDataModule(DATA, batch_size=8, positive_share=None, seed=0)
    seen = torch.cat([batch.indices for batch in module.val_dataloader()])
    assert seen.tolist() == list(range(13))


def test_position_survives_a_checkpoint() -> None:
    whole = ImageDataModule(DATA, batch_size=8, positive_share=0.5, seed=3)
    orders = [[batch.indices.tolist() for batch in whole.train_dataloader()] for _ in range(3)]
    first = ImageDataModule(DATA, batch_size=8, positive_share=0.5, seed=3)
    list(first.train_dataloader())
    second = ImageDataModule(DATA, batch_size=8, positive_share=0.5, seed=3)
    second.load_state_dict(first.state_dict())
    assert [[batch.indices.tolist() for batch in second.train_dataloader()] for _ in range(2)] == orders[1:]


GROUPED = replace(DATA, train=replace(DATA.train, groups=np.array([f"patient {i // 3}" for i in range(50)])))
SEVERAL = replace(
    GROUPED, train=replace(GROUPED.train, targets=np.eye(50, 2, dtype=np.int64)), label_names=("a", "b")
)


def module_of(data, world_size=1, rank=0, **options) -> ImageDataModule:
    """A data module as a Trainer of several processes sets it up."""
    arguments = {"batch_size": 12, "positive_share": 0.5, "seed": 0} | options
    module = ImageDataModule(data, **arguments)
    module.trainer = SimpleNamespace(world_size=world_size, global_rank=rank)
    module.setup("fit")
    return module


def order_of(loader) -> list[list[int]]:
    return [batch.indices.tolist() for batch in loader]


@pytest.mark.parametrize(
    ("data", "options", "expected"),
    [
        (DATA, {}, ClassBalancedBatchSampler),
        (DATA, {"positive_share": None}, ShuffledBatchSampler),
        (DATA, {"sampler": "shuffled"}, ShuffledBatchSampler),
        (DATA, {"sampler": "label_balanced"}, ClassBalancedBatchSampler),
        (DATA, {"sampler": "class_balanced", "positive_share": None}, ClassBalancedBatchSampler),
        (SEVERAL, {}, ShuffledBatchSampler),
        (SEVERAL, {"sampler": "label_balanced"}, LabelBalancedBatchSampler),
        (SEVERAL, {"keep_groups": True}, GroupShuffledBatchSampler),
    ],
)
def test_the_recipe_names_the_sampler(data, options, expected) -> None:
    assert type(module_of(data, **options).sampler) is expected


@pytest.mark.parametrize("sampler", ["class_balanced", "label_balanced", "shuffled"])
def test_patients_stay_together(sampler) -> None:
    data = GROUPED if sampler == "class_balanced" else SEVERAL
    for batch in module_of(data, sampler=sampler, keep_groups=True).train_dataloader():
        groups = batch.indices // 3
        for group in groups.unique():
            assert set(batch.indices[groups == group].tolist()) == {i for i in range(50) if i // 3 == group}


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize("options", [{}, {"keep_groups": True}, {"sampler": "shuffled", "batch_size": 10}])
def test_processes_share_batches_and_splits(world_size, options) -> None:
    modules = [module_of(GROUPED, world_size, rank, **options) for rank in range(world_size)]
    for batch, *parts in zip(
        order_of(module_of(GROUPED, **options).train_dataloader()),
        *(order_of(module.train_dataloader()) for module in modules),
        strict=True,
    ):
        assert sorted(batch) == sorted(i for part in parts for i in part)
    blocks = [order_of(module.val_dataloader()) for module in modules]
    assert [i for block in blocks for batch in block for i in batch] == list(range(13))


def test_the_position_survives_another_number_of_processes() -> None:
    whole = module_of(GROUPED)
    order_of(whole.train_dataloader())
    state = module_of(GROUPED).state_dict() | whole.state_dict()
    expected = order_of(whole.train_dataloader())
    pairs = [module_of(GROUPED, 2, rank) for rank in (0, 1)]
    for module in pairs:
        module.load_state_dict(state)
    halves = [order_of(module.train_dataloader()) for module in pairs]
    assert [sorted(first + second) for first, second in zip(*halves, strict=True)] == [*map(sorted, expected)]


def test_a_loaded_position_is_kept_when_the_trainer_comes_after_it() -> None:
    whole = module_of(GROUPED)
    order_of(whole.train_dataloader())
    late = ImageDataModule(GROUPED, batch_size=12, positive_share=0.5, seed=0)
    late.load_state_dict(whole.state_dict())
    late.trainer = SimpleNamespace(world_size=2, global_rank=1)
    late.setup("fit")
    assert [batch[1::2] for batch in order_of(whole.train_dataloader())] == order_of(late.train_dataloader())


@pytest.mark.parametrize(
    ("size", "world_size", "batches"),
    [(7, 1, 7), (7, 2, 7), (12, 1, 5), (12, 2, 5), (12, 3, 4), (46, 2, 2), (46, 5, 1)],
)
def test_a_last_batch_of_one_or_of_fewer_samples_than_processes_is_left_out(
    size, world_size, batches
) -> None:
    """50 samples: batch normalisation, which sees the batches of all processes, cannot train on one sample."""
    loaders = [
        module_of(DATA, world_size, rank, positive_share=None, batch_size=size).train_dataloader()
        for rank in range(world_size)
    ]
    parts = [order_of(loader) for loader in loaders]
    assert [len(part) for part in parts] == [batches] * world_size
    assert all(map(len, [batch for part in parts for batch in part]))
    assert min(sum(map(len, batch)) for batch in zip(*parts, strict=True)) >= 2


@pytest.mark.parametrize("options", [{}, {"keep_groups": True}, {"sampler": "shuffled", "batch_size": 10}])
def test_a_part_tells_its_places_in_the_batch_of_one_process(options) -> None:
    whole = order_of(module_of(GROUPED, **options).train_dataloader())
    for rank in range(3):
        loader = module_of(GROUPED, 3, rank, **options).train_dataloader()
        for batch, part in zip(whole, loader, strict=True):
            assert part.rows is not None
            assert part.rows.total == len(batch)
            assert [batch[place] for place in part.rows.places] == part.indices.tolist()


def test_one_process_has_all_rows() -> None:
    assert all(batch.rows is None for batch in module_of(DATA).train_dataloader())


def test_a_process_without_samples_to_score_has_one_empty_batch() -> None:
    blocks = [order_of(module_of(DATA, 20, rank, batch_size=20).test_dataloader()) for rank in range(20)]
    assert [i for block in blocks for batch in block for i in batch] == list(range(10))
    assert sum(block == [[]] for block in blocks) == 10


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        (
            SEVERAL,
            {"sampler": "class_balanced"},
            "class-balanced batches need one label, this set has 2; use --set",
        ),
        (
            GROUPED,
            {"keep_groups": True, "batch_size": 5},
            "sampling.*batch_size must be at least 6 to fit group 'patient",
        ),
        (DATA, {"batch_size": 4, "world_size": 8}, "batch_size is that of all processes together"),
    ],
)
def test_batches_that_cannot_be_drawn_are_one_line(data, options, message) -> None:
    with pytest.raises(InputError, match=message) as error:
        module_of(data, **options)
    assert "\n" not in str(error.value)


def test_a_checkpoint_of_other_batches_is_refused_in_one_line() -> None:
    state = module_of(GROUPED).state_dict()
    with pytest.raises(
        InputError, match="saved with other batches: state has batch_size=12, this sampler 10"
    ):
        module_of(GROUPED, batch_size=10).load_state_dict(state)


def test_the_prevalence_of_what_batches_are_drawn_from() -> None:
    assert module_of(DATA).prevalence == 0.5
    assert module_of(DATA, positive_share=None).prevalence is None
    assert module_of(SEVERAL).prevalence is None
    assert module_of(SEVERAL, sampler="label_balanced").prevalence == pytest.approx(
        (0.2551, 0.2551), abs=1e-4
    )
    grouped = module_of(GROUPED, keep_groups=True)
    drawn = [i for _ in range(60) for batch in order_of(grouped.train_dataloader()) for i in batch]
    assert grouped.prevalence == pytest.approx(GROUPED.train.targets[drawn].mean(), abs=0.02)
    assert grouped.prevalence < 0.4  # positive patients hold negatives too


def test_the_recipe_knows_the_same_names() -> None:
    assert get_args(SamplingSection.model_fields["name"].annotation) == get_args(SamplerName)
