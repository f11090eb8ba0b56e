"""A figure together with its interval."""

import math
from typing import NamedTuple


class Estimate(NamedTuple):
    """One figure with the bounds of its confidence interval; unpacks as ``(value, low, high)``.

    An undefined figure (0/0) has ``nan`` for all three; a ratio by zero is ``inf``.

    >>> value, low, high = Estimate(0.5, 0.25, 0.75)
    >>> low, high
    (0.25, 0.75)
    """

    value: float
    low: float
    high: float

    @property
    def is_defined(self) -> bool:
        """Whether the figure exists.

        >>> UNDEFINED.is_defined
        False
        """
        return not math.isnan(self.value)


UNDEFINED = Estimate(math.nan, math.nan, math.nan)
