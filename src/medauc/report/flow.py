"""Where the samples of each split went, as in the flow diagram of STARD."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from medauc.evaluation import Predictions
from medauc.evaluation.cells import UNKNOWN

_USES = {
    "train": "fits the network",
    "val": "chooses thresholds and calibration, and the epoch of a training",
    "test": "is reported",
}
_OUT_OF_FOLD = (
    "train and validation together: fits the networks and, out-of-fold, chooses thresholds and calibration"
)


@dataclass(frozen=True)
class SplitFlow:
    """Sizes of one split.

    Attributes:
        name: "train", "val" or "test".
        use: What it is for.
        n: Samples.
        n_groups: Patients.
        n_positive: Samples with at least one positive target.
        n_negative: Samples whose targets are known and all negative.
        n_unknown: Samples without a positive and with an unknown target, which some label leaves out.
        unknown: Unknown targets by label, where there are any.
    """

    name: str
    use: str
    n: int
    n_groups: int
    n_positive: int
    n_negative: int
    n_unknown: int
    unknown: Mapping[str, int]


def flow(
    predictions: Predictions, unscored: Mapping[str, SplitFlow], *, out_of_fold: bool = False
) -> list[SplitFlow]:
    """Sizes of all splits: of the table, and of those that the training used but did not score.

    Args:
        predictions: The table.
        unscored: The others.
        out_of_fold: Whether the validation rows are those that the networks were trained on, fold by fold.
    """
    scored = {name: _of_table(predictions.select(name), name) for name in predictions.splits}
    if out_of_fold and "val" in scored:
        scored["val"] = replace(scored["val"], use=_OUT_OF_FOLD)
    return [{**unscored, **scored}[name] for name in _USES if name in scored or name in unscored]


def split_flow(
    name: str, targets: NDArray[np.integer], groups: NDArray[np.str_], labels: tuple[str, ...] = ()
) -> SplitFlow:
    """Count a split.

    Args:
        name: "train", "val" or "test".
        targets: 0, 1 or -1 (unknown), shape ``(N,)`` or ``(N, L)``.
        groups: Patient of each sample, shape ``(N,)``.
        labels: Names of L labels.

    >>> found = split_flow("test", np.array([[0, 1], [0, -1], [0, 0]]), np.array(["a", "a", "b"]), ("mass", "edema"))
    >>> found.n_groups, found.n_positive, found.n_negative, found.n_unknown, found.unknown
    (2, 1, 1, 1, {'edema': 1})
    """
    table = targets.reshape(len(targets), -1)
    positive, negative = (table == 1).any(axis=1), (table == 0).all(axis=1)
    missing = dict(zip(labels, (table == UNKNOWN).sum(axis=0).tolist(), strict=False))
    return SplitFlow(
        name=name,
        use=_USES[name],
        n=len(table),
        n_groups=len(np.unique(groups)),
        n_positive=int(positive.sum()),
        n_negative=int(negative.sum()),
        n_unknown=int((~positive & ~negative).sum()),
        unknown={label: count for label, count in missing.items() if count},
    )


def _of_table(part: Predictions, name: str) -> SplitFlow:
    targets = np.column_stack([part.target(label) for label in part.labels or (None,)])
    return split_flow(name, targets, np.asarray(part.groups, dtype=np.str_), part.labels)
