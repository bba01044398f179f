"""Simulations that end early where what they find is well inside its limits."""

from __future__ import annotations

LOOKS = (0.25, 0.5, 0.75)
"""Parts of the logs after which a simulation may end."""
FEWEST = 50
"""Fewest logs after which it may."""


def settled(share: float, drawn: int, most: int, *, least: float = 0.0, greatest: float = 1.0):
    """Return whether a share of the logs drawn so far needs no more logs to be judged.

    It is where it stands 1.5 standard errors inside its limits at one of three looks. A sound
    method is then refused no more often than by all logs. One whose true share is the limit, which
    all logs refuse every other time, gets through each look with probability .07, and one two
    standard errors of a look beyond it with probability 2e-4.

    Args:
        share: The share so far.
        drawn: How many logs it is of.
        most: How many logs are drawn where it is never settled.
        least: The limit that the share must not fall below.
        greatest: The limit that it must not exceed.

    """
    if drawn < FEWEST or drawn not in [round(most * part) for part in LOOKS]:
        return False

    def margin(limit: float) -> float:
        return 1.5 * (limit * (1 - limit) / drawn) ** 0.5

    return least + margin(least) <= share <= greatest - margin(greatest)
