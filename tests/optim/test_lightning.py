"""Automatic optimization: Lightning hands the optimizer a closure, and saves and restores its state."""

import warnings

import pytest
import pytorch_lightning as pl
import torch
from torch.optim import lr_scheduler
from torch.utils.data import DataLoader

from fixtures.optimizers import FORMS, batches_of, everything, parts_of


class Training(pl.LightningModule):
    def __init__(self, form):
        super().__init__()
        self.net, self.loss, self.optimizer = parts_of(form)
        self.phases = []

    def training_step(self, batch, index):
        self.phases.append(getattr(self.loss, "phase", None))
        return self.loss(self.net(batch[0]), batch[1])

    def configure_optimizers(self):
        return [self.optimizer], [lr_scheduler.StepLR(self.optimizer, 2)]


def fit(form, epochs, checkpoint=None, **options):
    module = Training(form)
    trainer = pl.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
        **options,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.fit(module, DataLoader(list(batches_of(4)), batch_size=None), ckpt_path=checkpoint)
    return module, trainer


@pytest.mark.parametrize("form", FORMS)
def test_trains_and_resumes(form, tmp_path):
    half, trainer = fit(form, 2)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = fit(form, 4, tmp_path / "half.ckpt")
    whole, _ = fit(form, 4)
    states = [everything(module.net, module.loss, module.optimizer) for module in (half, resumed, whole)]
    assert all(torch.equal(value, states[1][name]) for name, value in states[2].items())
    assert not torch.equal(states[2]["alpha"], states[0]["alpha"])
    assert whole.loss.alpha > 0


def test_one_training_step_of_lightning_is_one_cycle_of_pdsca():
    module, trainer = fit("pdsca", 1, gradient_clip_val=1.0)
    assert module.phases == ["inner", "inner", "outer"] * 4
    assert trainer.global_step == 4


def test_pdsca_bears_accumulated_gradients():
    """Lightning clears gradients at the first of the accumulated batches only."""
    module, _ = fit("pdsca", 1, accumulate_grad_batches=2)
    assert module.phases == ["inner", "inner", "inner", "outer"] * 2
    assert module.loss.alpha > 0
