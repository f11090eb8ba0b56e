"""What a report shows beside the figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True)
class RunMaterial:
    """Facts and files of the training behind the predictions; whatever is missing is left out of the page.

    Attributes:
        data_name: Name of the data set, in the first sentence.
        notes: Sentences on data and run ("positive class: malignant", "the file was modified").
        recipe_text: The recipe as YAML.
        environment: Versions, seed, device and the like, by name.
        history: One row an epoch; columns ``epoch`` and any of ``loss``, ``a``, ``b``, ``alpha``, ``lr``,
            ``train_auc``, ``val_auc``, ``seconds``.
        images: Test images by sample id, uint8, shape ``(H, W)``, ``(H, W, 3)`` or ``(D, H, W)``; those that
            :func:`medauc.report.most_confident_errors` names are shown.
    """

    data_name: str | None = None
    notes: Sequence[str] = ()
    recipe_text: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    history: pd.DataFrame | None = None
    images: Mapping[str, NDArray[np.uint8]] = field(default_factory=dict)
