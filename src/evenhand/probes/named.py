"""Finding what a package defines by walking it, and reading it from ``name(parameter=value)``."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import itertools
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.notation import Term, Value

T = TypeVar("T")


def classes_in(package: ModuleType, base: type[T], what: str) -> dict[str, type[T]]:
    """Return every concrete class of a kind that the modules of a package define, by name, sorted.

    Args:
        package: Is walked.
        base: The kind; a class of it has a ``name``.
        what: What the kind is called, in errors.

    Raises:
        TypeError: Two have one name.

    """
    found: dict[str, type[T]] = {}
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        for member in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(member) or inspect.isabstract(member):
                continue
            if not issubclass(member, base) or member.__module__ != module.name:
                continue
            name = str(vars(member)["name"])
            if name in found:
                raise TypeError(f"two {what}s are called '{name}'")
            found[name] = member
    return dict(sorted(found.items()))


def made(
    term: Term,
    known: Mapping[str, type[T]],
    *,
    prefix: str,
    what: str,
    hint: Callable[[str], str] = lambda _: "",
) -> T:
    """Return what a term writes, whose name may have its prefix in front.

    Args:
        term: Names a frozen dataclass and gives its parameters.
        known: The classes by name.
        prefix: What the name begins with where probes are named: ``attack.``.
        what: What the kind is called, in errors.
        hint: What is said of a parameter that none has; empty for the nearest name.

    Raises:
        NotationError: There is nothing of that name, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    name = term.name.removeprefix(prefix)
    where = f"'{prefix}{dataclasses.replace(term, name=name)}'"
    if name not in known:
        problem = f"there is no {what} '{name}'."
        raise NotationError(Problem(where, problem, did_you_mean(name, [*known])))
    kind: Any = known[name]
    fields = {field.name: field.default for field in dataclasses.fields(kind)}
    given = dict(term.params)
    problems = []
    for key in given:
        if key not in fields:
            near = did_you_mean(key, [*fields]) if fields else "It takes no parameters."
            problem = f"{prefix}{name} has no parameter '{key}'."
            problems.append(Problem(where, problem, hint(key) or near))
    if term.args:
        problem = f"parameters are given by name, not as '{listed(map(str, term.args))}'."
        problems.append(Problem(where, problem))
    if term.cutoff is not None:
        problems.append(Problem(where, f"{prefix}{name} has no cutoff '@{term.cutoff}'."))
    meant = {key: _meant(value, fields.get(key)) for key, value in given.items()}
    problems += [
        Problem(where, f"{key}={given[key]} is neither true nor false.")
        for key, value in meant.items()
        if isinstance(fields.get(key), bool) and not isinstance(value, bool)
    ]
    if problems:
        raise NotationError(problems)
    built: T = kind(**meant)
    return built


def written(value: Any, prefix: str) -> str:  # noqa: ANN401 - a frozen dataclass with a name
    """Return how a value is written: its name, with the parameters that are not the defaults."""
    given = [
        (field.name, getattr(value, field.name))
        for field in dataclasses.fields(value)
        if getattr(value, field.name) != field.default
    ]
    return f"{prefix}{Term(value.name, params=tuple(given))}"


def several(value: Value | Sequence[str | float]) -> tuple[Value, ...]:
    """Return the values of a parameter that may have one or several."""
    return (value,) if isinstance(value, str | int | float | Term) else tuple(value)


def combinations(term: Term) -> list[Term]:
    """Return a term for each combination of the parameters that have several values.

    >>> from evenhand.notation import parse
    >>> [str(one) for one in combinations(parse("smoothing(sigma=[0.25, 0.5])"))]
    ['smoothing(sigma=0.25)', 'smoothing(sigma=0.5)']

    Raises:
        NotationError: A parameter has no value.

    """
    empty = [name for name, value in term.params if not several(value)]
    if empty:
        what = f"{empty[0]} has no value."
        raise NotationError(Problem(f"'{term}'", what, "Leave it out, or give one or more."))
    names = [name for name, _ in term.params]
    return [
        Term(term.name, term.args, tuple(zip(names, one, strict=True)), term.cutoff)
        for one in itertools.product(*(several(value) for _, value in term.params))
    ]


def _meant(value: object, default: object) -> object:
    """Return a value as its parameter's type: names such as ``false`` are text in notation."""
    if isinstance(default, bool) and value in {"true", "false"}:
        return value == "true"
    return value
