"""How figures, counts and groups are written: the same words in every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evenhand.audits.evidence.legible import cut, sized, visible
from evenhand.audits.finding import Finding
from evenhand.stats.estimate import Outcome, Undefined

DASH = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

LONGEST = 80
"""Characters of a group's name that are shown."""

ALONE = "One group alone is suppressed: its figure follows from a total, where one is shown."
"""What beside a contrast must not be overlooked."""

UNSEEN = "what was not observed is not guessed"
_COMPARED = " a figure to compare"
BRIEF = 200
"""Characters of a reason beside a table that has those of its groups."""


def number(value: float) -> str:
    """Return a number with the digits that its size deserves.

    >>> [number(x) for x in (0.44849, -0.00002, 12.5, 31415.9)]
    ['0.4485', '-2e-05', '12.50', '31,416']
    """
    size = abs(value)
    if 0 < size < 0.0005:  # noqa: PLR2004 - four decimals would leave one digit
        return f"{value:.1g}"
    if size < 10:  # noqa: PLR2004 - as rates are written
        return f"{value:.4f}"
    return f"{value:,.2f}" if size < 10_000 else f"{value:,.0f}"  # noqa: PLR2004 - cents no more


def value_of(outcome: Outcome) -> str:
    """Return the value of a figure, the set that it lies in, or that it is undefined."""
    if isinstance(outcome, Undefined):
        return "undefined"
    if outcome.identified is None:
        return number(outcome.value)
    return f"in {number(outcome.identified[0])} .. {number(outcome.identified[1])}"


def interval_of(outcome: Outcome) -> str:
    """Return the interval of a figure, or a dash."""
    if isinstance(outcome, Undefined):
        return DASH
    return f"[{number(outcome.low)}, {number(outcome.high)}]"


def summary(outcome: Outcome) -> str:
    """Return a figure in one line: value and interval, or why there is none.

    >>> summary(Undefined("no positive labels"))
    'undefined: no positive labels'
    """
    if isinstance(outcome, Undefined):
        return f"undefined: {outcome.reason}"
    return f"{value_of(outcome)} {interval_of(outcome)}"


def brief(reason: str, most: int | None = None) -> str:
    """Return a reason without that of each group, which stands beside the group.

    >>> brief("no group has a figure to compare (men: no labels; women: no labels)")
    'no group has a figure to compare; see the groups'
    """
    head, mark, _ = reason.partition(f"{_COMPARED} (")
    if mark:
        return f"{head}{_COMPARED}; see the groups"
    if most is None or len(reason) <= most:
        return reason
    return f"{reason[:most].rpartition(' ')[0]} ...; see the groups"


def alone(one: Finding) -> bool:
    """Return whether exactly one group of a contrast is suppressed."""
    return sum(group.suppressed for group in one.groups) == 1


def own_reason(reason: str) -> str:
    """Return the reason of one group, without what is said once for all.

    >>> own_reason("label is missing for 3 of 9 rows; what was not observed is not guessed")
    'label is missing for 3 of 9 rows'
    """
    return reason.replace(f"; {UNSEEN}", "")


ROWS = "rows"
_LISTS = {"every request alike": "requests", "every query alike": "queries"}


def counted_in(finding: Finding) -> str:
    """Return what a figure counts: rows, or of ranked lists requests or queries."""
    return _LISTS.get(finding.conventions.get("weighs", ""), ROWS)


def hints(reasons: Iterable[str]) -> list[str]:
    """Return what to do about figures that there are not, each once."""
    unseen = any(UNSEEN in reason and "label" in reason for reason in reasons)
    return [f"{UNSEEN}: bounds(...) says what it could be"] if unseen else []


def count_of(count: int, *, exact: bool = True) -> str:
    """Return a count; one that is an estimate has a tilde.

    >>> count_of(7214), count_of(7214, exact=False)
    ('7,214', '~7,214')
    """
    return f"{'' if exact else '~'}{count:,}"


def counted(count: int, what: str) -> str:
    """Return a count with what is counted, in the plural where it is not one.

    >>> counted(1, "line"), counted(7214, "line")
    ('1 line', '7,214 lines')
    """
    return f"{count:,} {what}{'s' * (count != 1)}"


def name_of(group: Mapping[str, str]) -> str:
    """Return a group by its values, for where the attributes are told beside it.

    >>> name_of({"race": "White", "sex": "men"})
    'White, men'
    """
    return ", ".join(map(value_shown, group.values()))


def value_shown(value: str) -> str:
    """Return a group's value so that people can read it, of a long one its ends.

    >>> value_shown("women"), value_shown("")
    ('women', '"" (blank)')
    """
    return cut(visible(value), LONGEST)


def full_name_of(group: Mapping[str, str]) -> str:
    """Return a group by its attributes and values, for where it stands alone.

    >>> full_name_of({"race": "White", "sex": "men"})
    'race = White, sex = men'
    """
    return ", ".join(f"{name} = {visible(value)}" for name, value in group.items())


def versus(
    groups: Sequence[Mapping[str, str]], name: Callable[[Mapping[str, str]], str] = full_name_of
) -> str:
    """Return a group, or two that are compared.

    >>> versus([{"sex": "men"}, {"sex": "women"}])
    'sex = men against sex = women'
    """
    return " against ".join(map(name, groups))


def pair_of(one: Finding) -> str:
    """Return the two groups of a signed difference, and which part of it this is."""
    names = f" {MINUS} ".join(name_of(group) for group in one.pair)
    return f"{names}, {one.part}" if one.part else names


def first(texts: Sequence[str], most: int) -> list[str]:
    """Return texts, of many only the first and how many more there are.

    >>> first(["a", "b", "c"], 2)
    ['a', 'b', 'and 1 more']
    """
    left = len(texts) - most
    return [*texts[:most], *([f"and {left:,} more"] if left > 0 else [])]


_FILES = 3


def left_out(skipped: Sequence[Mapping[str, Any]]) -> str:
    """Return that files were left out, with what is known of them; empty where none was.

    >>> left_out([{"file": "b.parquet", "reason": "not whole", "bytes": 2500, "rows": None}])
    'Left out: 1 file of 2.5 kB, its rows unknown: b.parquet (not whole)'
    """
    if not skipped:
        return ""
    count, size = len(skipped), sum(one["bytes"] for one in skipped)
    known = [one["rows"] for one in skipped if one["rows"] is not None]
    rows = f"{sum(known):,} rows" if known else f"{'its' if count == 1 else 'their'} rows unknown"
    if known and len(known) < count:
        rows = f"at least {rows}"
    named = [f"{visible(one['file'])} ({cut(one['reason'], BRIEF)})" for one in skipped]
    files = f"{count:,} file{'s' * (count != 1)} of {sized(size)}"
    return f"Left out: {files}, {rows}: {'; '.join(first(named, _FILES))}"
