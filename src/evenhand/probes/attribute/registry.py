"""Finding attributions by walking their package, and reading them: ``attribute.occlusion``."""

from __future__ import annotations

import functools

import evenhand.probes.attribute
from evenhand.errors import NotationError, Problem
from evenhand.notation import Term
from evenhand.probes.attribute.attribution import PREFIX, Attribution
from evenhand.probes.named import classes_in, combinations, made


@functools.cache
def attributions() -> dict[str, type[Attribution]]:
    """Return every attribution's class by name, sorted."""
    # An abstract class is what mypy takes for no value of a type.
    return classes_in(evenhand.probes.attribute, Attribution, "attribution")  # type: ignore[type-abstract]


COMMON = "common"
"""Names those attributions that are shown most often."""


def attributions_named(term: Term) -> tuple[Attribution, ...]:
    """Return the attributions that a term names, one for each combination of several values.

    ``common`` are those that are shown most often; every other name is of one.

    Raises:
        NotationError: There is no such attribution, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    name, known = term.name.removeprefix(PREFIX), attributions()
    if name == COMMON:
        if term.args or term.params:
            what = "a set of attributions has no parameters."
            raise NotationError(Problem(f"'{PREFIX}{term}'", what, "Name one to set its own."))
        return tuple(kind() for kind in known.values() if kind.common)
    plain = Term(name, term.args, term.params, term.cutoff)
    found = [made(one, known, prefix=PREFIX, what="attribution") for one in combinations(plain)]
    return tuple(dict.fromkeys(found))
