"""Finding attacks by walking their package, and reading them from ``attack.pgd(steps=100)``."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil

import evenhand.probes.attack
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.notation import Term, parse
from evenhand.probes.attack.attack import PREFIX, Attack


@functools.cache
def attacks() -> dict[str, type[Attack]]:
    """Return every attack by name, sorted."""
    package = evenhand.probes.attack
    classes: dict[str, type[Attack]] = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for member in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(member) or inspect.isabstract(member):
                continue
            if not issubclass(member, Attack) or member.__module__ != module.name:
                continue
            if member.name in classes:
                raise TypeError(f"two attacks are called '{member.name}'")
            classes[member.name] = member
    return dict(sorted(classes.items()))


def read(text: str) -> Attack:
    """Return the attack that a text writes, with or without ``attack.`` in front.

    Raises:
        NotationError: There is no such attack, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    return attack_named(parse(text.strip().removeprefix(PREFIX)))


def attack_named(term: Term) -> Attack:
    """Return the attack that a term writes, whose name is without ``attack.``.

    Raises:
        NotationError: There is no such attack, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    where = f"'{PREFIX}{term}'"
    known = attacks()
    name = term.name.removeprefix(PREFIX)
    if name not in known:
        what = f"there is no attack '{name}'."
        raise NotationError(Problem(where, what, did_you_mean(name, [*known])))
    fields = {field.name: field.default for field in dataclasses.fields(known[name])}
    given = dict(term.params)
    problems = [
        Problem(where, f"{PREFIX}{name} has no parameter '{key}'.", _known(key, [*fields]))
        for key in given
        if key not in fields
    ]
    if term.args:
        what = f"parameters are given by name, not as '{listed(map(str, term.args))}'."
        problems.append(Problem(where, what))
    if term.cutoff is not None:
        problems.append(Problem(where, f"{PREFIX}{name} has no cutoff '@{term.cutoff}'."))
    if problems:
        raise NotationError(problems)
    return known[name](**{key: _meant(value, fields[key]) for key, value in given.items()})


def _known(key: str, fields: list[str]) -> str:
    if key in {"eps", "norm"}:
        return "It belongs to the threat, which is given beside the attack."
    return did_you_mean(key, fields) if fields else "It takes no parameters."


def _meant(value: object, default: object) -> object:
    """Return a value as its parameter's type: names such as ``false`` are text in notation."""
    if isinstance(default, bool) and value in {"true", "false"}:
        return value == "true"
    return value
