"""Finding corruptions by walking their package, and reading them: ``corrupt.fog``."""

from __future__ import annotations

import functools
import importlib
import inspect
import pkgutil

import evenhand.probes.corrupt
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.notation import Term
from evenhand.probes.corrupt.corruption import PREFIX, Corruption


@functools.cache
def corruptions() -> dict[str, Corruption]:
    """Return every corruption by name, sorted."""
    package = evenhand.probes.corrupt
    found: dict[str, Corruption] = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for member in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(member) or inspect.isabstract(member):
                continue
            if not issubclass(member, Corruption) or member.__module__ != module.name:
                continue
            if member.name in {*found, *_SETS}:
                raise TypeError(f"two corruptions, or sets of them, are called '{member.name}'")
            found[member.name] = member()
    return dict(sorted(found.items()))


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
