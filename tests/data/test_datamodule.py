import numpy as np
import torch

from medauc.data import PhantomSpec, load_dataset
from medauc.data.datamodule import ImageDataModule

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
