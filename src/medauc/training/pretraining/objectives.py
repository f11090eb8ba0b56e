"""What is learned in pretraining: labels of several data sets at once, or what two views have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from medauc.data import Dataset
from medauc.data.augment import Augment
from medauc.data.normalize import Normalize
from medauc.losses import CrossEntropyLoss
from medauc.models import build_model, scoring_layer
from medauc.training.objective import build_optimizer, build_schedules
from medauc.training.pretraining.batches import SourceBatch
from medauc.training.pretraining.vicreg import expander, vicreg_loss
from medauc.training.recipe import Recipe


class Pretraining(pl.LightningModule, ABC):
    """A network that learns from batches of several data sets in turn.

    Args:
        datasets: what is learned from, equal in axes and channels.
        normalize: one for each of them.
        augment: random changes of training images.
        recipe: network, optimizer and schedule.
        seed: decides every random number.
        outputs: width of the network's last layer.
    """

    def __init__(
        self,
        datasets: Sequence[Dataset],
        normalize: Sequence[Normalize],
        augment: Augment,
        recipe: Recipe,
        seed: int,
        *,
        outputs: int,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.network = build_model(
            spatial_dims=datasets[0].spatial_dims,
            in_channels=datasets[0].channels,
            num_outputs=outputs,
            **recipe.model.model_dump(exclude={"bag_pooling"}),
        )
        self.head = scoring_layer(self.network)
        self.normalize = nn.ModuleList(normalize)
        self.augment = augment
        self.recipe = recipe
        self.seed = seed

    @abstractmethod
    def objective(self, source: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """Loss of a batch of the data set number ``source``, normalised but not yet changed at random."""

    def trunk(self) -> dict[str, Tensor]:
        """The network's tensors by name but for the last layer, which belongs to what was learned here."""
        state = self.network.state_dict()
        return {name: value for name, value in state.items() if not name.startswith(f"{self.head}.")}

    def training_step(self, batch: SourceBatch, batch_idx: int) -> Tensor:
        """One step; its random state derives from seed and step."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)
        source, found = batch
        return self.objective(source, self.normalize[source](found.images), found.targets)

    def configure_optimizers(self) -> Any:
        """Optimizer and schedules of the recipe, for all that is learned."""
        optimizer = build_optimizer(self.recipe.optim, self, nn.Identity())
        total = int(self.trainer.estimated_stepping_batches)
        schedules = build_schedules(
            self.recipe.optim, optimizer, total // self.recipe.training.max_epochs, total
        )
        return [optimizer], [{"scheduler": scheduler, "interval": every} for scheduler, every in schedules]


class JointPretraining(Pretraining):
    """Cross-entropy of every label of every data set; one trunk, one row of the last layer for each label."""

    def __init__(self, datasets: Sequence[Dataset], *parts: Any) -> None:
        labels = [len(dataset.label_names) for dataset in datasets]
        super().__init__(datasets, *parts, outputs=sum(labels))
        ends = torch.tensor(labels).cumsum(0).tolist()
        self.columns = [slice(end - count, end) for end, count in zip(ends, labels, strict=True)]
        self.loss = CrossEntropyLoss()

    def objective(self, source: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the data set's own scores; unknown targets count nothing."""
        scores = self.network(self.augment(inputs))[:, self.columns[source]].float()
        loss: Tensor = self.loss(scores, targets.view(len(scores), -1))
        return loss


class SelfSupervisedPretraining(Pretraining):
    """VICReg: two random views of an image get like embeddings, whose dimensions vary and do not repeat each other."""

    def __init__(self, datasets: Sequence[Dataset], *parts: Any) -> None:
        super().__init__(datasets, *parts, outputs=1)
        last = self.network.get_submodule(self.head)
        assert isinstance(last, nn.Linear)
        self.network.set_submodule(self.head, nn.Identity())
        self.expander = expander(last.in_features)

    def objective(self, source: int, inputs: Tensor, targets: Tensor) -> Tensor:
        """The loss of two views; targets are not looked at."""
        both = self.network(torch.cat([self.augment(inputs), self.augment(inputs)]))
        first, second = self.expander(both).float().chunk(2)
        return vicreg_loss(first, second)
