import numpy as np
import pandas as pd
import pytest

from medauc.evaluation import Predictions, Settings, evaluate
from medauc.report import RunMaterial, most_confident_errors
from medauc.training import Recipe


def noisy_split(split, n=150, labels=None, names=None):
    rng = np.random.default_rng(len(split))
    shape = (n, len(labels)) if labels else (n,)
    targets = (rng.random(shape) < 0.3).astype(int)
    ids = names or [f"{split}-{row}" for row in range(n)]
    scores = 1.2 * targets + rng.normal(size=shape)
    return Predictions.from_arrays(split=split, ids=ids, targets=targets, scores=scores, label_names=labels)


@pytest.fixture
def predictions():
    return Predictions.concatenate([noisy_split("val"), noisy_split("test")])


@pytest.fixture
def evaluation(predictions):
    return evaluate(predictions, Settings(positive_name="malignant"))


@pytest.fixture
def material(predictions, evaluation):
    rng = np.random.default_rng(0)
    errors = most_confident_errors(predictions, evaluation)
    shapes = [(28, 28), (28, 28, 3), (12, 13, 14)]
    epochs = np.arange(5)
    return RunMaterial(
        data_name="SomeMNIST",
        notes=["Positive class: malignant."],
        recipe=Recipe(description="<b>bold</b>"),
        seed=7,
        environment={"medauc": "0.1.0", "device": "cpu </table>"},
        history=pd.DataFrame(
            {
                "epoch": epochs,
                "loss": 1.0 / (1 + epochs),
                "a": epochs / 5,
                "b": -epochs / 5,
                "alpha": [np.nan, 0.3, 0.2, 0.1, 0.1],
                "lr": 0.1,
                "train_auc": [0.5, 0.7, 0.8, 0.9, 0.95],
                "val_auc": [0.5, 0.7, 0.9, 0.8, 0.85],
                "seconds": 1.0,
            }
        ),
        images={
            error.id: rng.integers(0, 256, shapes[place % 3], dtype=np.uint8)
            for place, error in enumerate(errors)
        },
    )
