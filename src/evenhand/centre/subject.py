"""What evidence is about: a version of a model of a product, said once and the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass

from evenhand.audits.plan.plan import Subject as Said
from evenhand.errors import ConflictError, Problem

_PARTS = ("product", "model", "version")


@dataclass(frozen=True, slots=True)
class Subject:
    """A version of a model of a product."""

    product: str
    model: str
    version: str


def subject_of(said: Said, given: Subject | None) -> Subject:
    """Return what a bundle is pushed as, where its plan does not say otherwise.

    Args:
        said: What its plan says.
        given: What it is taken for, with empty names for what is not given; None for nothing.

    Raises:
        ConflictError: They contradict each other, or nobody says.

    """
    problems, found = [], {}
    for name in _PARTS:
        own = getattr(said, name)
        wanted = getattr(given, name) if given else None
        if own and wanted and own != wanted:
            what = f"the evidence is about '{own}', and is pushed as '{wanted}'."
            hint = f"Push it as what it is, or audit {wanted} itself."
            problems.append(Problem(name, what, hint))
        elif not own and not wanted:
            hint = f"Say which: --{name} NAME."
            problems.append(Problem(name, f"the evidence names no {name}.", hint))
        found[name] = wanted or own
    if problems:
        raise ConflictError(problems)
    return Subject(**found)
