"""From a decoded image of any shape, grid and depth to uint8 pixels of one shape.

:func:`prepare` runs the steps of a :class:`PreparationSpec` in this order: colour, orientation, the window of
intensities, resampling together with fitting to the shape, rounding to uint8.
"""

from medauc.data.preparation.intensity import CT_WINDOWS
from medauc.data.preparation.prepare import PREPARATION_VERSION, holds_colour, prepare, prepare_file
from medauc.data.preparation.spec import PreparationSpec

__all__ = ["CT_WINDOWS", "PREPARATION_VERSION", "PreparationSpec", "holds_colour", "prepare", "prepare_file"]
