"""What a report shows beside the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from medauc.report.flow import SplitFlow
from medauc.training import Recipe


@dataclass(frozen=True)
class RunMaterial:
    """Facts and files of the training behind the predictions; whatever is missing is left out of the page.

    Attributes:
        data_name: Name of the data set, in the first sentence.
        notes: Sentences on data and run ("positive class: malignant", "the file was modified").
        recipe: What was trained.
        seed: Seed of the training.
        environment: Versions, seed, device and the like, by name.
        unscored: Sizes of splits that the predictions lack, by name; the training split as a rule.
        history: One row an epoch; columns ``epoch`` and any of ``loss``, ``a``, ``b``, ``alpha``, ``lr``,
            ``train_auc``, ``val_auc``, ``seconds``; of an ensemble, one row an epoch and network, with ``member``.
        images: Test images by sample id, uint8, shape ``(H, W)``, ``(H, W, 3)`` or ``(D, H, W)``; those that
            :func:`medauc.report.most_confident_errors` names are shown.
        captions: A line on an image, by sample id, where the sample has more images than this one.
    """

    data_name: str | None = None
    notes: Sequence[str] = ()
    recipe: Recipe | None = None
    seed: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    unscored: Mapping[str, SplitFlow] = field(default_factory=dict)
    history: pd.DataFrame | None = None
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_out_of_fold(self) -> bool:
        """Whether validation scores are out-of-fold scores of all that the networks were trained on."""
        return self.recipe is not None and self.recipe.ensemble.folds is not None

    @property
    def recipe_text(self) -> str | None:
        """The recipe as YAML."""
        if self.recipe is None:
            return None
        return yaml.safe_dump(self.recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
