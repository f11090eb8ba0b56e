"""Adjustment of p-values for having tested more than once."""

import numpy as np
from numpy.typing import ArrayLike

from medauc.metrics._inputs import FloatArray


def holm(p_values: ArrayLike) -> FloatArray:
    """Holm's step-down adjustment: controls the chance of any false rejection, whatever the dependence.

    Args:
        p_values: In [0, 1], shape ``(K,)``.

    Returns:
        Adjusted p-values, in [0, 1], in the order given; reject those at or below the wanted level.

    Raises:
        ValueError: ``p_values`` is not ``(K,)`` or has a value outside [0, 1].

    Source:
        Holm, Scand. J. Stat. 6 (1979) 65-70.

    >>> holm([0.01, 0.04, 0.03]).round(3).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0.0) & (values <= 1.0)).all():
        raise ValueError("holm needs p-values in [0, 1], of shape (K,)")
    order = np.argsort(values, kind="stable")
    stepped = values[order] * np.arange(values.size, 0, -1)
    adjusted = np.empty(values.size)
    adjusted[order] = np.minimum(np.maximum.accumulate(stepped), 1.0)
    return adjusted
