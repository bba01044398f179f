"""Whether rows in scope are of one variant: an average over several would mean nothing."""

from __future__ import annotations

from collections.abc import Iterable

from evenhand.engine.relational import collect
from evenhand.errors import Problem, ValueInLogError, listed
from evenhand.logs.grammar import is_text, written
from evenhand.logs.log import Log
from evenhand.logs.source import failure
from evenhand.measures.measure import Measure

_SHOWN = 6
"""Variants that an error names."""

_VALUE = "value"


def check_variant(log: Log, measures: Iterable[Measure]) -> None:
    """Check that all rows in scope have one value of the role that tells variants apart.

    One group-by on the log's engine; nothing is read where the kind has no variants, or where every
    measure is meant over several.

    Args:
        log: The log.
        measures: What is asked of it.

    Raises:
        ValueInLogError: There are several, and a measure is of one: both are named, and how one is
            chosen.
        EvenhandError: The rows cannot be read.

    """
    role = log.kind.variant
    asked = dict.fromkeys(measures)
    single = [one for one in asked if one.variants == "one"]
    if not role or not single:
        return
    expression = log.roles[role]
    frame = log.source.frame
    if log.where is not None:
        # A row for which the filter is missing is out, as it is in every figure.
        frame = frame.filter(log.where.lower(log.schema))
    try:
        told = frame.select(expression.lower(log.schema).alias(_VALUE)).unique(_VALUE)
        values = collect(told.head(_SHOWN + 1))[_VALUE].sort(nulls_last=True).to_list()
    except Exception as error:
        raise failure(log.source.name, error) from error
    if len(values) <= 1:
        return
    shown = listed(values[:_SHOWN]) + (", ..." if len(values) > _SHOWN else "")
    count = str(len(values)) if len(values) <= _SHOWN else f"more than {_SHOWN}"
    text = is_text(expression.dtype(log.schema))
    value = repr(values[0]) if text else f"{values[0]}"
    one = f"{written(expression.text, log.schema)} == {value}"
    what = (
        f"the rows are of {count} variants, {shown}, and {single[0]} over several has no meaning."
    )
    hint = f'Choose one with where="{one}" (--where), or audit each in a slice: --slice "{one}".'
    several = [str(measure) for measure in asked if measure.variants != "one"]
    if several:
        hint += f" Of all of them together ask for {listed(several)} alone."
    raise ValueInLogError(Problem(f"role '{role}'", what, hint))
