"""Targets as a command line writes them: the share that each group is to have."""

from __future__ import annotations

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.target import REQUEST, Targets

POPULATION, EQUAL = "population", "equal"


def targets_of(text: str | None, candidates: Candidates) -> Targets | None:
    """Return the share of each group that a text says; None for no text.

    Args:
        text: ``population``, the share of all candidates that are of the group; ``request``, of
            each request's own; ``equal``; or shares by name, ``a=0.5,b=0.5``.
        candidates: Of which the population is.

    Raises:
        RoleError: It does not read as shares, or no candidate has a group.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.9, 0.8], [0.7, 0.6]], [["a", "b"], ["a", "a"]])
    >>> targets_of("population", asked), targets_of("equal", asked)
    ({'a': 0.75, 'b': 0.25}, {'a': 0.5, 'b': 0.5})
    """
    names = candidates.names
    if text is None or text == REQUEST:
        return None if text is None else REQUEST
    if text in {POPULATION, EQUAL}:
        if not names:
            what = "no candidate has a group."
            raise RoleError(Problem("candidates, group", what, "There is nothing to balance."))
        if text == EQUAL:
            return {name: 1 / len(names) for name in names}
        counts = np.bincount(candidates.groups[candidates.groups >= 0], minlength=len(names))
        shares = (counts / max(counts.sum(), 1)).tolist()
        return dict(zip(names, shares, strict=True))
    try:
        pairs = [one.split("=") for one in text.split(",")]
        return {name.strip(): float(share) for name, share in pairs}
    except ValueError:
        what = f"'{text}' is no target."
        hint = "Write population, request, equal, or a=0.5,b=0.5."
        raise RoleError(Problem("--target", what, hint)) from None
