"""Parameters of probes: what is no value of one is refused, all of it at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from evenhand.errors import ModelError, Problem


def refuse(where: str, problems: Sequence[tuple[bool, str]]) -> None:
    """Refuse parameters that cannot be meant, all of them at once.

    Args:
        where: What has them.
        problems: For each, whether it is there, and what it is.

    Raises:
        ModelError: One of them is there.

    """
    found = [Problem(where, what) for there, what in problems if there]
    if found:
        raise ModelError(found)


def number_of(value: Any) -> float:  # noqa: ANN401 - what a user wrote
    """Return a number, or NaN, which is in no range."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan


def count_of(value: Any, least: int = 1) -> bool:  # noqa: ANN401 - what a user wrote
    """Return whether a value is a whole number of at least so much."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
