"""What a scan refuses: too many groups, no rows, values that no role allows, inconsistent lists."""

from __future__ import annotations

import narwhals as nw
import polars as pl

from evenhand.engine.lower import BAD, Lowered
from evenhand.engine.ranked import ALL, INCONSISTENT, UNFILTERED
from evenhand.engine.relational import collect
from evenhand.engine.state import State
from evenhand.engine.table import group_column
from evenhand.errors import Problem, SourceError, StateSizeError, ValueInLogError
from evenhand.logs.log import Log
from evenhand.logs.unit import Unit, UnitKind

MOST_GROUPS = 2_000
"""More groups than this are refused unless the most frequent are asked for: nobody reads them,
and comparing each with each would cost millions of pairs."""

_SHOWN = 5
"""Bad values that an error names."""


def check_size(
    by: tuple[str, ...], sample: pl.DataFrame, unit: UnitKind, seen: str = "in the log"
) -> None:
    """Check that a set of groups does not have too many.

    Args:
        by: The set.
        sample: Rows in which its values are seen.
        unit: How units are counted, which says how many sums each group has.
        seen: Where they are seen, for the message.

    Raises:
        StateSizeError: It has.

    """
    groups = sample.n_unique(subset=[*map(group_column, by)]) if by else 1
    if groups <= MOST_GROUPS:
        return
    states = groups * Unit(unit).buckets
    raise StateSizeError(
        Problem(
            f"by=[{', '.join(by)}]",
            f"at least {groups:,} groups {seen}, so {states:,} rows of sums; "
            f"at most {MOST_GROUPS:,} groups are compared.",
            "Keep the most frequent values with --top 20 (top=20), cut a number into bins, or "
            "group by something coarser.",
        )
    )


def check_groups(state: State) -> None:
    """Check that no set of groups of a merged state has too many.

    Raises:
        StateSizeError: One has.

    """
    for by, table in state.sums.items():
        check_size(by, table.frame, state.identity["unit"][0])


def check_requests(state: State, log: Log) -> None:
    """Check that not too many requests of ranked lists are inconsistent.

    Raises:
        ValueInLogError: More than the log allows.

    """
    requests, bad = state.requests.get(ALL, 0), state.requests.get(INCONSISTENT, 0)
    if not requests or bad <= log.max_bad_requests * requests:
        return
    reasons = {*state.requests} - {ALL, INCONSISTENT, UNFILTERED}
    why = "; ".join(f"{name} in {state.requests[name]:,}" for name in sorted(reasons))
    what = f"{bad:,} of {requests:,} requests are inconsistent: {why}."
    hint = "Check --request, --item, --rank and --user"
    hint += f"; at most {100 * log.max_bad_requests:g}% may be left out (--max-bad-requests)."
    raise ValueInLogError(Problem(log.source.name, what, hint))


def no_rows(log: Log) -> SourceError:
    """Return the error for a log without rows in scope."""
    if log.where is None:
        return SourceError(Problem(log.source.name, "there are no rows."))
    total = collect(log.source.frame.select(nw.len().cast(nw.Int64)))
    return SourceError(
        Problem(
            "where",
            f"'{log.where.text}' holds for none of {int(total.item()):,} rows.",
            "Look at the values of the columns that it names.",
        )
    )


def bad_values(lowered: Lowered) -> ValueInLogError:
    """Return the error that names the values which no role allows, found by a second look."""
    problems = []
    for entry in lowered.coded:
        if not entry.advice:
            continue
        bad = lowered.origin.filter(entry.code == BAD)
        rows = int(collect(bad.select(nw.len().cast(nw.Int64))).item())
        if not rows:
            continue
        if entry.fault:
            are = "1 row is" if rows == 1 else f"{rows:,} rows are"
            problems.append(Problem(entry.place, f"{are} {entry.fault}.", entry.advice))
            continue
        values = collect(bad.select(entry.raw.alias("value")).unique("value").head(_SHOWN + 1))
        named = [repr(value) for value in sorted(values["value"], key=str)]
        shown = ", ".join(named[:_SHOWN]) + (", and others" if len(named) > _SHOWN else "")
        holds = "1 row holds" if rows == 1 else f"{rows:,} rows hold"
        problems.append(Problem(entry.place, f"{holds} {shown}.", entry.advice))
    return ValueInLogError(problems)
