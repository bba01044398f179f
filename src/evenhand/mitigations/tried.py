"""Which re-rankers are tried on candidates where nobody names any, and why the others are not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.mitigations.candidates import Candidates, Label
from evenhand.mitigations.registry import rerankers
from evenhand.notation import parse

_WEIGHTS = (0.5, 0.9, 0.99)
"""Of calibration: what it weighs beside scores depends on their scale, so that several are."""

_MOST_CANDIDATES, _MOST_REQUESTS = 200, 2_000
"""Beyond which a linear program for each request takes too long to be tried unasked."""

_LONGEST = 5_000
"""Slots that FA*IR's test can have."""


@dataclass(frozen=True)
class Tried:
    """What is tried.

    Attributes:
        methods: As they are written, in order.
        left_out: Why others are not, by name.

    """

    methods: tuple[str, ...]
    left_out: Mapping[str, str]


def tried(candidates: Candidates, k: int, targets: Mapping[Label, float]) -> Tried:
    """Return the re-rankers that apply to candidates and need no choice of the user's.

    Args:
        candidates: Of the requests.
        k: Number of slots.
        targets: The share that each group is to have.

    """
    left_out: dict[str, str] = {}
    methods = ["det_greedy", "det_cons", "det_relaxed", "det_const_sort"]
    methods += [f"calibrated(weight={weight})" for weight in _WEIGHTS]
    most = int(candidates.sizes.max(initial=0))
    if most > _MOST_CANDIDATES:
        left_out["fairness_of_exposure"] = (
            f"a request has {most:,} candidates, and it solves a program for each request, for up "
            f"to {_MOST_CANDIDATES}"
        )
    elif candidates.requests > _MOST_REQUESTS:
        left_out["fairness_of_exposure"] = (
            f"there are {candidates.requests:,} requests, and it solves a program for each"
        )
    else:
        methods.append("fairness_of_exposure")
    names = candidates.names
    counts = np.bincount(candidates.groups[candidates.groups >= 0], minlength=len(names))
    smaller = names[int(np.argmin(counts))] if names else ""
    p = float(targets.get(smaller, 0.0))
    if len(names) != 2:  # noqa: PLR2004 - one protected group and the others
        left_out["fa_star_ir"] = f"it protects one of two groups, and there are {len(names)}"
    elif not 0 < p < 1:
        left_out["fa_star_ir"] = f"the target of '{smaller}' is {p:g}, which is no test"
    elif k > _LONGEST:
        left_out["fa_star_ir"] = f"a test of {k:,} prefixes is too long"
    else:
        # As notation writes it: without quotes, where a name needs none.
        methods.append(str(parse(f"fa_star_ir(protected={smaller!r}, p={p:.4g})")))
    chosen = {method.partition("(")[0] for method in methods}
    for name in rerankers():
        if name not in chosen:
            left_out.setdefault(name, "it is tried only where it is named")
    return Tried(tuple(methods), left_out)
