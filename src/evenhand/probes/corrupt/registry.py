"""Finding corruptions by walking their package, and reading them: ``corrupt.fog``."""

from __future__ import annotations

import functools

import evenhand.probes.corrupt
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.notation import Term
from evenhand.probes.corrupt.corruption import PREFIX, Corruption
from evenhand.probes.named import classes_in


@functools.cache
def corruptions() -> dict[str, Corruption]:
    """Return every corruption by name, sorted."""
    # An abstract class is what mypy takes for no value of a type.
    known = classes_in(evenhand.probes.corrupt, Corruption, "corruption")  # type: ignore[type-abstract]
    taken = sorted({*known} & {*_SETS})
    if taken:
        raise TypeError(f"'{taken[0]}' is the name of a set of corruptions")
    return {name: kind() for name, kind in known.items()}


_SETS = ("all", "common", "video")


def corruptions_named(term: Term) -> tuple[Corruption, ...]:
    """Return the corruptions that a term names, with or without ``corrupt.`` in front.

    ``common`` are the fifteen of Hendrycks and Dietterich 2019, ``video`` those of short videos,
    ``all`` are all; every other name is of one.

    Raises:
        NotationError: There is no such corruption, or something is said of it; it takes nothing.

    """
    where = f"'{PREFIX}{str(term).removeprefix(PREFIX)}'"
    name, known = term.name.removeprefix(PREFIX), corruptions()
    problems = []
    if name not in {*known, *_SETS}:
        hint = did_you_mean(name, [*_SETS, *known])
        problems.append(Problem(where, f"there is no corruption '{name}'.", hint))
    if term.args or term.params:
        said = [*map(str, term.args), *(key for key, _ in term.params)]
        what = f"corruptions have no parameters, such as '{listed(said)}'."
        problems.append(Problem(where, what))
    if term.cutoff is not None:
        problems.append(Problem(where, f"{PREFIX}{name} has no cutoff '@{term.cutoff}'."))
    if problems:
        raise NotationError(problems)
    if name in known:
        return (known[name],)
    return tuple(one for one in known.values() if name == "all" or one.common == (name == "common"))
