"""A method in a situation whose truth is known, and how often its interval covers that truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
LOWEST = 0.935
HIGHEST = 0.97
REPLICATES = 4_000
LOOKS = ((1_000, 0.945, 0.96), (2_000, 0.9425, 0.9625))
"""Replicates after which a share within these limits, tighter than the last, needs no more."""

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator], "bool | NDArray[np.bool_]"]


@dataclass(frozen=True)
class Cell:
    """A method in a situation.

    Attributes:
        method: What is covered: the figure of a group, one difference, or all of them at once.
        situation: The distribution, sizes and dependence, for the table.
        covers: Draws logs and says of each whether the interval covered the truth; a log without
            a figure is left out.
        conservative: Whether the method may cover more than nominal in this situation.
        logs: How many logs one call of ``covers`` draws.
        most: Most replicates, fewer where one is expensive.
        outside: Whether the situation is beyond the range for which coverage is claimed. Such a
            cell is in the table and not in the tests.

    """

    method: str
    situation: str
    covers: Draw
    conservative: bool = False
    logs: int = 1
    most: int = REPLICATES
    outside: bool = False

    def problem(self, share: float) -> str:
        """Return why this coverage is not what the method claims; empty where it is."""
        if self.outside:
            return ""
        if share < LOWEST:
            return f"covers {share:.3f}, below {LOWEST}"
        if share > HIGHEST and not self.conservative:
            return f"covers {share:.3f}, above {HIGHEST}"
        return ""


def coverage(cell: Cell, replicates: int = REPLICATES, seed: int = 1) -> float:
    """Return the share of replicates in which the interval covered the truth."""
    rng = np.random.default_rng(seed)
    calls = math.ceil(min(replicates, cell.most) / cell.logs)
    return float(np.concatenate([np.atleast_1d(cell.covers(rng)) for _ in range(calls)]).mean())


def problem_of(cell: Cell, seed: int = 1) -> str:
    """Return why a cell does not cover what its method claims; empty where it does.

    A cell that is well inside its limits after the first of `REPLICATES` is not simulated to the
    end, so a sound method is refused no more often than by the whole of them. One that covers .93
    is refused with probability .87 instead of .89, one of .925 with .985 instead of .992.
    """
    rng = np.random.default_rng(seed)
    found: list[NDArray[np.bool_]] = []
    share = math.nan
    for replicates, low, high in (*LOOKS, (REPLICATES, LOWEST, HIGHEST)):
        calls = math.ceil(min(replicates, cell.most) / cell.logs)
        found += [np.atleast_1d(cell.covers(rng)) for _ in range(calls - len(found))]
        share = float(np.concatenate(found).mean())
        if low <= share and (cell.conservative or share <= high):
            return ""
    return cell.problem(share)
