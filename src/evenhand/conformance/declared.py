"""What a measure says of itself: its name, its definition, its facts and its example."""

from __future__ import annotations

import dataclasses
import doctest
import inspect
import math
import re
from collections.abc import Iterator
from typing import get_args

from evenhand.audits.contrasts import contrasts
from evenhand.audits.question import ALIASES, ALIASES_OF_ITEMS, BOUNDS
from evenhand.conformance.row import kind_of
from evenhand.errors import EvenhandError, Problem, listed
from evenhand.measures.measure import Measure, Tag
from evenhand.measures.plugin import flaws
from evenhand.measures.registry import measure_named, measures
from evenhand.notation import parse

_FEWEST_EXAMPLES = 2
"""A log, and a figure of it."""

_RANGE = re.compile(r"; in ([\[(])([^,]+), ([^,]+)([\])])\.$")


def form_problems(measure: Measure | type[Measure]) -> Iterator[Problem]:
    """Yield what keeps a class from being a measure, so that nothing else of it can be checked."""
    cls = measure if isinstance(measure, type) else type(measure)
    if not vars(cls).get("listed"):
        what = "it is not declared."
        yield Problem(
            f"'{cls.__name__}', form", what, "Decorate it with evenhand.measures.measure."
        )
        return
    wrong = flaws(cls)
    if not wrong and kind_of(cls) is None:
        wrong = [f"no kind of log that the kit makes rows of has all of {listed(cls.needs)}"]
    yield from (Problem(f"'{cls.name}', form", f"{what}.") for what in wrong)
    required = [
        parameter.name
        for parameter in dataclasses.fields(cls)  # type: ignore[arg-type]
        if parameter.default is dataclasses.MISSING
    ]
    if measure is cls and required:
        hint = f"Check a value of it: check_measure({cls.__name__}({required[0]}=...), ...)."
        yield Problem(f"'{cls.name}', form", f"it needs {listed(required)}.", hint)
    if not isinstance(measure, type) and measure.problem():
        yield Problem(f"'{cls.name}', form", f"it refuses its parameters: {measure.problem()}")


def name_problems(cls: type[Measure]) -> Iterator[Problem]:
    """Yield whose name the measure claims."""
    taken = cls.name in {*contrasts(), *ALIASES, *ALIASES_OF_ITEMS, BOUNDS}
    if taken or measures().get(cls.name, cls) is not cls:
        what = (
            "this is a contrast or stands for one." if taken else "there is another of this name."
        )
        yield Problem(f"'{cls.name}', name", what, "Choose another: measure(name=...).")


def notation_problems(measure: Measure) -> Iterator[Problem]:
    """Yield why a measure is not the value that its notation writes."""
    where, written = f"'{measure.name}', notation", str(measure)
    try:
        known = hash(measure)
    except TypeError as error:
        yield Problem(where, f"it cannot be hashed: {error}.", "Parameters are plain values.")
        return
    try:
        read = measure_named(parse(written))
    except EvenhandError as error:
        yield Problem(where, f"'{written}' does not read back: {error.problems[0].what}")
        return
    if read != measure or hash(read) != known:
        yield Problem(where, f"'{written}' reads back as another measure, '{read!s}'.")


def fact_problems(cls: type[Measure]) -> Iterator[Problem]:
    """Yield what a measure does not say of itself."""
    if not cls.cites:
        yield Problem(f"'{cls.name}', cites", "there is no source of the definition.")
    strange = [tag for tag in cls.tags if tag not in get_args(Tag)]
    if strange:
        what = f"{listed(strange)} is no pillar."
        yield Problem(f"'{cls.name}', tags", what, f"There are: {listed(get_args(Tag))}.")
    if range_of(cls) is None:
        yield Problem(
            f"'{cls.name}', summary",
            f"the first line of the docstring is '{_summary(cls)}'.",
            "It ends with the range, such as '; in [0, 1].' or '; in (-inf, inf).'",
        )


def example_problems(cls: type[Measure]) -> Iterator[Problem]:
    """Yield that the docstring has no example, or that it prints something else."""
    where = f"'{cls.name}', example"
    # Inherited docstrings are about another measure.
    if not (cls.__doc__ or "").strip():
        yield Problem(where, "there is no docstring.")
        return
    found = doctest.DocTestFinder(recurse=False).find(cls, cls.name, globs={})
    if sum(len(test.examples) for test in found) < _FEWEST_EXAMPLES:
        hint = ">>> evenhand.estimate(...) on a log of a few rows, so few that one can check it."
        yield Problem(where, "the docstring has no example with a figure.", hint)
    said: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    if sum(runner.run(test, out=said.append).failed for test in found):
        yield Problem(where, "the example in the docstring fails.", "".join(said).strip())


def range_of(cls: type[Measure]) -> tuple[float, float] | None:
    """Return the smallest and the largest value that the summary tells, None where it does not.

    Ends that are no plain number, such as a square root, are taken as infinite.
    """
    told = _RANGE.search(_summary(cls))
    if told is None:
        return None
    low, high = _number(told[2], -math.inf), _number(told[3], math.inf)
    return (low, high) if low < high else None


def _number(text: str, otherwise: float) -> float:
    try:
        return float(text)
    except ValueError:
        return otherwise


def _summary(cls: type[Measure]) -> str:
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0]
