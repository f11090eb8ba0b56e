"""Two models that need no training run, to tell what duplicates between training and test are worth."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

MOST_FITTED = 20_000  # training samples used; a random draw of that many stands for more

Scores = Callable[[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]], NDArray[np.float64]]


def nearest_neighbour(
    train: NDArray[np.float32], target: NDArray[np.int64], test: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Score by the likeness to the most similar positive less that to the most similar negative.

    Args:
        train: vectors of length 1, shape (N, d).
        target: 0 or 1, both present, shape (N,).
        test: vectors of length 1, shape (M, d).

    Returns:
        Shape (M,), higher is more positive.

    >>> corners = np.eye(2, dtype=np.float32)
    >>> nearest_neighbour(corners, np.array([0, 1]), corners).tolist()
    [-1.0, 1.0]
    """
    likeness = test @ train.T
    positive, negative = (likeness[:, target == value].max(axis=1) for value in (1, 0))
    return np.asarray(positive - negative, dtype=np.float64)


def logistic_regression(
    train: NDArray[np.float32], target: NDArray[np.int64], test: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Score by an L2-penalised logistic regression on standardised thumbnails; arguments as above."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
    return np.asarray(model.fit(train, target).decision_function(test), dtype=np.float64)


SIMPLE_MODELS: dict[str, Scores] = {
    "nearest neighbour on thumbnails": nearest_neighbour,
    "logistic regression on thumbnails": logistic_regression,
}


def fitted_rows(train: NDArray[np.int64], twins: NDArray[np.bool_], seed: int = 0) -> NDArray[np.int64]:
    """Rows to fit on: all of training, or a draw of it that keeps every duplicate.

    >>> fitted_rows(np.arange(5), np.zeros(5, bool)).tolist()
    [0, 1, 2, 3, 4]
    """
    if len(train) <= MOST_FITTED:
        return train
    kept, rest = train[twins], train[~twins]
    drawn = np.random.default_rng(seed).choice(rest, max(MOST_FITTED - len(kept), 0), replace=False)
    return np.sort(np.concatenate([kept, drawn]))
