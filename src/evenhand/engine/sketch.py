"""How many units there are, from a state that merges: the largest mark seen in each register.

Units are spread over 512 registers; each keeps the largest of the marks that its units drew
uniformly from 1 .. 2**22. The gap from the largest mark to the top shrinks as units are added,
which measures their number. Registers merge by maximum; a unit seen twice changes nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from evenhand.logs.unit import MARKS, REGISTERS

STANDARD_ERROR: float = REGISTERS**-0.5
"""Relative standard error of the number of many units."""

_SMALL = 2.5
"""Below this many units a register, empty registers tell more than gaps do."""


def count_units(marks: ArrayLike) -> float:
    """Return the estimated number of units.

    The relative standard error is about 1 / sqrt(512) = 4.4 % for many units and less for fewer
    than about 500.

    Args:
        marks: Largest mark of each occupied register, integers in 1 .. 2**22.

    Source: Lumbroso 2010 (minima of stochastic averages); Whang et al. 1990 (linear counting).

    """
    largest = np.asarray(marks, dtype=np.float64)
    occupied = largest.size
    empty = REGISTERS - occupied
    if empty:
        linear = REGISTERS * float(np.log(REGISTERS / empty))
        if linear < _SMALL * REGISTERS:
            return linear
    # Each gap is the minimum of uniform draws; an empty register's gap is the whole range.
    gaps = (MARKS - largest + 0.5) / MARKS
    hashes = float((REGISTERS - 1) * occupied / (gaps.sum() + empty))
    # Units that share a hash look like one; this matters from about 10**8 units.
    space = float(REGISTERS * MARKS)
    return -space * float(np.log1p(-min(hashes / space, 0.999)))
