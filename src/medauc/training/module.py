"""The Lightning module: one training step from uint8 images to the loss, and scores for evaluation."""

import math
from collections.abc import Iterator
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from medauc.data.augment import Augment, Mixup
from medauc.data.batches import Batch
from medauc.data.normalize import Normalize
from medauc.models import BagNetwork, BagScores
from medauc.sampling.part import drawing_for
from medauc.training.objective import build_optimizer, build_schedules, end_stage
from medauc.training.recipe import Recipe
from medauc.training.sections.augment import AugmentSection
from medauc.training.testtime import copies


class TrainingDiverged(RuntimeError):
    """A loss, gradient or score that is not finite; training stopped before it could spoil a checkpoint."""


class Classifier(pl.LightningModule):
    """A network with its loss, trained and evaluated as a recipe says.

    Args:
        network: images (N, C, *spatial) float -> scores (N, L) raw; of bags a :class:`~medauc.models.BagNetwork`.
        loss: ``loss(scores, targets, index) -> scalar``.
        normalize: uint8 batch -> float network input (N, C, *spatial).
        augment: random changes in training mode, the evaluation form otherwise.
        recipe: optimizer, schedule and test-time augmentation.
        seed: decides every random number of the training.
        stage: number of the stage, from 1; each has random numbers of its own.
    """

    def __init__(
        self,
        network: nn.Module,
        loss: nn.Module,
        normalize: Normalize,
        augment: Augment,
        recipe: Recipe,
        seed: int,
        stage: int = 1,
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss
        self.normalize = normalize
        self.augment = augment
        mixing = recipe.augment or AugmentSection()
        self.mixup = Mixup(mixing.mixup, mixing.mixup_partners)
        self.recipe = recipe
        self.seed = seed
        self.stage = stage

    def forward(self, images: Tensor, bags: Tensor | None = None, count: int = 0) -> Tensor:
        """Raw scores, (N,) for one label and (N, L) for L, of uint8 ``images`` without random changes.

        ``bags`` (M,) and ``count`` are those of :class:`medauc.models.BagNetwork`.
        """
        return torch.stack([self._scores(copy, bags, count) for copy in self._copies(images)]).mean(dim=0)

    def detail(self, images: Tensor, bags: Tensor, count: int) -> BagScores:
        """Scores of bags as :meth:`forward` gives them, (N, L), with those of their images: means over the copies."""
        network = self.network
        assert isinstance(network, BagNetwork)
        each = [network.detail(copy, bags, count) for copy in self._copies(images)]
        return BagScores(*(torch.stack(parts).mean(dim=0) for parts in zip(*each, strict=True)))

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """One step; the random state derives from seed, stage and step, so a resumed run repeats it exactly."""
        torch.manual_seed(self.seed * 1_000_003 + (self.stage - 1) * 500_009 + self.global_step)
        images, targets, indices, bags, rows = batch
        with drawing_for(rows):
            inputs, mixed_targets = self.mixup(self.augment(self.normalize(images)), targets)
            scores = self._scores(inputs, bags, len(targets))
        loss: Tensor = self.loss(scores, mixed_targets, indices)
        self._require_finite(loss, "loss")
        return {"loss": loss, "scores": scores.detach(), "targets": targets}

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """Scores of a batch, without test-time augmentation: selection happens every epoch and should be cheap."""
        if not len(batch.targets):
            return {"scores": batch.targets.float(), "targets": batch.targets}
        inputs = self.augment(self.normalize(batch.images))
        return {"scores": self._scores(inputs, batch.bags, len(batch.targets)), "targets": batch.targets}

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor | BagScores:
        """Scores of a batch as they are reported; of bags with those of their images."""
        if not len(batch.targets):
            return _no_scores(batch)
        if batch.bags is not None:
            return self.detail(batch.images, batch.bags, len(batch.targets))
        scores: Tensor = self(batch.images)
        return scores

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop before a gradient that is not finite reaches the weights."""
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        self._require_finite(torch.nn.utils.get_total_norm(gradients), "gradient")

    def on_train_epoch_end(self) -> None:
        """End the stage of PESG or PDSCA at the epochs that the recipe names."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        end_stage(self.recipe.optim, optimizer, self.current_epoch + 1)

    def configure_optimizers(self) -> Any:
        """Optimizer and schedules of the recipe."""
        optimizer = build_optimizer(self.recipe.optim, self.network, self.loss)
        total = int(self.trainer.estimated_stepping_batches)
        per_epoch = total // max(1, self.trainer.max_epochs or 1)
        schedules = build_schedules(self.recipe.optim, optimizer, per_epoch, total)
        return [optimizer], [{"scheduler": scheduler, "interval": every} for scheduler, every in schedules]

    def _copies(self, images: Tensor) -> Iterator[Tensor]:
        return copies(self.normalize(images), self.augment, self.recipe.evaluation)

    def _scores(self, inputs: Tensor, bags: Tensor | None, count: int) -> Tensor:
        scores: Tensor = self.network(inputs) if bags is None else self.network(inputs, bags, count)
        return scores.float().squeeze(1) if scores.shape[1] == 1 else scores.float()

    def _require_finite(self, value: Tensor, what: str) -> None:
        number = float(value.detach())
        if not math.isfinite(number):
            raise TrainingDiverged(
                f"{what} is {number} in epoch {self.current_epoch}, step {self.global_step}: training stopped, "
                f"the last good checkpoint is kept; lower optim.lr (now {self.recipe.optim.lr:g}), "
                "or set training.precision=32-true"
            )


def _no_scores(batch: Batch) -> Tensor | BagScores:
    """Scores of an empty batch, which a process without samples has."""
    scores = torch.empty(batch.targets.shape)
    labels = scores.reshape(0, batch.targets.shape[1] if batch.targets.ndim == 2 else 1)
    return scores if batch.bags is None else BagScores(labels, labels, labels)
