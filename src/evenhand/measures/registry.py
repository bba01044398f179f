"""Finding measures: ours by walking the package, other packages' by entry point."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

import evenhand.measures
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.measures import plugin
from evenhand.measures.measure import CUTOFF, Measure
from evenhand.notation import Term, parse

Measures = Mapping[str, type[Measure]]


def measures() -> dict[str, type[Measure]]:
    """Return every known measure by name, sorted."""
    also = _also.get()
    return dict(sorted({**_installed(), **also}.items())) if also else _installed()


@functools.cache
def own() -> dict[str, type[Measure]]:
    """Return the measures of this package by name."""
    classes: dict[str, type[Measure]] = {}
    for module in pkgutil.walk_packages(evenhand.measures.__path__, "evenhand.measures."):
        for member in plugin.members(importlib.import_module(module.name)):
            other = classes.setdefault(member.name, member)
            if other is not member:
                raise TypeError(f"two measures are called '{member.name}': {other}, {member}")
    return classes


@functools.cache
def plugins() -> tuple[plugin.Plugin, ...]:
    """Return the measures that other packages bring, and what of them is left out."""
    return plugin.loaded(own())


@functools.cache
def _installed() -> dict[str, type[Measure]]:
    others = {cls.name: cls for one in plugins() for cls in one.classes}
    return dict(sorted({**own(), **others}.items()))


_also: ContextVar[Measures] = ContextVar("also", default=MappingProxyType({}))


@contextmanager
def also(cls: type[Measure]) -> Iterator[None]:
    """Let a measure that no installed package declares be asked for by name, in this block."""
    token = _also.set({**_also.get(), cls.name: cls})
    try:
        yield
    finally:
        _also.reset(token)


def measure_in(text: str) -> type[Measure] | None:
    """Return the measure that a notation writes, itself or what it is a contrast of.

    None where no measure of this installation is in it, as in the evidence of another one.

    >>> measure_in("pairs(mean_attribution, by=sex)").__name__
    'MeanAttribution'
    """
    try:
        term = parse(text)
    except NotationError:
        return None
    known = measures()
    while term.name not in known:
        inner = next((one for one in term.args if isinstance(one, Term)), None)
        if inner is None:
            return None
        term = inner
    return known[term.name]


def measure_named(term: Term) -> Measure:
    """Return the measure that a term writes.

    Raises:
        NotationError: There is no such measure, or it has no such parameter.

    """
    known = measures()
    where = f"'{term}'"
    if term.name not in known:
        hint = _left_out(term.name) or did_you_mean(term.name, [*known])
        raise NotationError(Problem(where, f"there is no measure '{term.name}'.", hint))
    cls = known[term.name]
    parameters = dataclasses.fields(cls)  # type: ignore[arg-type]
    fields = [field.name for field in parameters if field.name != CUTOFF]
    given = dict(term.params)
    problems = [
        Problem(
            where,
            f"{term.name} has no parameter '{key}'.",
            did_you_mean(key, fields) if fields else f"{term.name} takes no parameters.",
        )
        for key in given
        if key not in fields
    ]
    problems += [
        Problem(where, f"{term.name} needs its parameter '{field.name}'.")
        for field in parameters
        if field.name not in given
        and field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    ]
    if term.args:
        values = listed(str(arg) for arg in term.args)
        problems.append(Problem(where, f"parameters are given by name, not as '{values}'."))
    if term.cutoff is not None and len(fields) == len(parameters):
        problems.append(Problem(where, f"{term.name} has no cutoff '@{term.cutoff}'."))
    if problems:
        raise NotationError(problems)
    chosen = cls(**given, **({} if term.cutoff is None else {CUTOFF: term.cutoff}))
    wrong = chosen.problem()
    if wrong:
        raise NotationError(Problem(where, wrong, f"See evenhand measures {term.name}."))
    return chosen


def _left_out(name: str) -> str:
    """Return why a plug-in does not bring the measure of this name; empty where none would."""
    for one in plugins():
        for missing, reason in one.left_out:
            if missing == name:
                return f"{one.package} has it, but is left out: {reason}. See evenhand doctor."
    return ""
