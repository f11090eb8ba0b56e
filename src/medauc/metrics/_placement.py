"""Against how much of the other class each sample is ranked correctly: what DeLong's statistics are made of."""

import numpy as np

from medauc.metrics._inputs import BoolArray, FloatArray


def won_pairs(targets: BoolArray, scores: FloatArray) -> FloatArray:
    """Count, for each sample, the samples of the other class that it is ranked correctly against.

    One sort; ties count half. Counts are halves of integers, hence exact below 2^52 pairs.

    >>> won_pairs(np.array([False, True, False, True]), np.array([1.0, 2.0, 2.0, 3.0])).tolist()
    [2.0, 1.5, 1.5, 2.0]
    """
    order = np.argsort(scores)
    ordered, positive = scores[order], targets[order]
    first = np.append(True, ordered[1:] != ordered[:-1])  # of each run of equal scores
    start = np.flatnonzero(first)
    end = np.append(start[1:], scores.size)
    positives_until = np.append(0, np.cumsum(positive))
    positives_below, positives_within = (
        positives_until[start],
        np.diff(positives_until[np.append(start, end[-1])]),
    )
    negatives_below, negatives_within = start - positives_below, end - start - positives_within
    won_by_positive = negatives_below + negatives_within / 2
    won_by_negative = positives_until[-1] - positives_below - positives_within / 2
    run = np.cumsum(first) - 1
    won = np.empty(scores.size)
    won[order] = np.where(positive, won_by_positive[run], won_by_negative[run])
    return won
