"""Tables of New York City's Local Law 144, by sex, race/ethnicity and both, from selection rates.

The impact ratio of a category is its rate divided by the highest rate of a category. The rule sets
no mark that a ratio must reach, and so these tables judge nothing. What an audit under the law
needs beside the figures is asked for by name, and said to be missing where it was not given.

Source: Rules of the City of New York, title 6, chapter 5, subchapter T.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.logs.group import OTHER, UNKNOWN
from evenhand.render.card import data_text
from evenhand.render.format import Format
from evenhand.render.gfm import bullets, code, plain, table
from evenhand.render.wording import DASH, count_of, value_shown
from evenhand.stats.estimate import Estimate, Undefined

Mode = Literal["selection", "scoring"]

SMALL = 0.02
"""Share of the data below which an auditor may leave a category out of impact ratios."""

_SEX = {"sex", "gender"}
_RACE = {"race", "ethnicity", "ethnic"}
_MISSING = "**not given**"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What the law asks for and no log knows; None where it was not given.

    Attributes:
        auditor: Who audited, independently.
        data: The data's source, and whether they are historical, or test data and why.
        distributed: When use of the tool began.
        justification: Why the auditor leaves categories under `SMALL` out of impact ratios; None
            to leave none out.

    """

    auditor: str | None = None
    data: str | None = None
    distributed: str | None = None
    justification: str | None = None


def render(
    bundle: Bundle,
    *,
    sex: str | None = None,
    race: str | None = None,
    mode: Mode = "selection",
    measure: str = "selection_rate",
    statement: Statement | None = None,
) -> str:
    """Return the tables as Markdown.

    Args:
        bundle: The evidence.
        sex: The group attribute that is sex; None to find it by its name.
        race: The group attribute that is race/ethnicity; None to find it by its name.
        mode: ``scoring`` where the measure is the share that scores above the sample's median.
        measure: The measure in the evidence that is the rate.
        statement: What the law asks for beside the figures.

    """
    said = statement or Statement()
    sex = sex or _attribute(bundle, _SEX)
    race = race or _attribute(bundle, _RACE)
    titles = {"Sex": [sex], "Race/Ethnicity": [race], "Race/Ethnicity by sex": [race, sex]}
    parts = [f"# Bias audit tables: {plain(bundle.plan.subject.title) or 'unnamed tool'}"]
    parts.append(_about(bundle, mode, measure, said))
    for title, attributes in titles.items():
        by = [name for name in attributes if name is not None]
        parts.append(f"## {title}")
        if len(by) < len(attributes):
            parts.append("No group attribute of the audit is named as this.")
            continue
        finding = _finding(bundle, measure, by)
        if finding is None:
            parts.append(
                f"The audit has no {plain(measure)} for it; measure {_wanted(measure, by)}."
            )
            continue
        parts += _section(finding, by, mode, said)
    parts.append(_READING)
    return "\n\n".join(parts) + "\n"


def _wanted(measure: str, by: Sequence[str]) -> str:
    names = by[0] if len(by) == 1 else f"[{', '.join(by)}]"
    return code(f"difference({measure}, by={names})")


_READING = (
    "These tables do not say that any tool or audit is compliant with the law, which sets no mark "
    "that an impact ratio must reach. Categories are those of the data; the law names those of the "
    "EEO-1 report. Intervals of all rates are in the evidence."
)


@dataclass(frozen=True, slots=True)
class Category:
    """A row of a table.

    Attributes:
        names: The category, a name for each attribute.
        applicants: How many there are; None where the group is too small to be shown.
        rate: Selection or scoring rate; None where there is none.
        why: Why there is no rate; empty where there is one.
        left_out: Whether it is left out of impact ratios.

    """

    names: tuple[str, ...]
    applicants: int | None
    rate: float | None
    why: str = ""
    left_out: bool = False


def categories(finding: Finding, by: Sequence[str], *, leave_out: bool) -> list[Category]:
    """Return the categories of a finding, without those of unknown value."""
    shown = [group for group in finding.groups if not _apart(group)]
    total = sum(group.rows for group in finding.groups if not group.suppressed)
    return [_category(group, by, total, leave_out=leave_out) for group in shown]


def _apart(group: GroupFinding) -> bool:
    """Return whether a group is no category: a value is missing, or one of many rare ones."""
    return bool({UNKNOWN, OTHER} & {*group.group.values()})


def _category(group: GroupFinding, by: Sequence[str], total: int, *, leave_out: bool) -> Category:
    names = tuple(group.group[name] for name in by)
    if isinstance(group.outcome, Undefined):
        return Category(names, None if group.suppressed else group.rows, None, group.outcome.reason)
    if group.outcome.identified is not None:
        return Category(names, group.rows, None, "only a set is identified")
    small = leave_out and group.rows < SMALL * total
    return Category(names, group.rows, group.outcome.value, left_out=small)


def impact_ratios(found: Sequence[Category]) -> list[float | None]:
    """Return each category's rate by the highest; None where it has none or is left out.

    >>> women, men = Category(("women",), 100, 0.3), Category(("men",), 100, 0.4)
    >>> [round(ratio, 9) for ratio in impact_ratios([women, men])]
    [0.75, 1.0]
    """
    rates = [one.rate for one in found if one.rate is not None and not one.left_out]
    highest = max(rates, default=0.0)
    return [
        None if one.rate is None or one.left_out or highest == 0 else one.rate / highest
        for one in found
    ]


def _section(finding: Finding, by: Sequence[str], mode: Mode, said: Statement) -> list[str]:
    found = categories(finding, by, leave_out=said.justification is not None)
    exact = _exact(finding)
    rows = []
    for one, ratio in zip(found, impact_ratios(found), strict=True):
        selected = _selected(one, exact=exact)
        numbers = [
            DASH if one.applicants is None else count_of(one.applicants),
            *([selected] if mode == "selection" else []),
            DASH if one.rate is None else f"{one.rate:.1%}",
            DASH if ratio is None else f"{ratio:.3f}",
        ]
        rows.append([*map(plain, map(value_shown, one.names)), *numbers])
    rate = "Selection Rate" if mode == "selection" else "Scoring Rate"
    counts = ["# of Applicants", *(["# Selected"] if mode == "selection" else [])]
    headings = [*map(plain, by), *counts, rate, "Impact Ratio"]
    return [
        table(headings, rows, numbers=len(counts) + 2),
        bullets(_notes(finding, found, said, exact=exact)),
    ]


def _selected(one: Category, *, exact: bool) -> str:
    if one.rate is None or one.applicants is None:
        return DASH
    return count_of(round(one.rate * one.applicants), exact=exact)


def _exact(finding: Finding) -> bool:
    """Return whether rates are counts by counts, so that rate times rows is a count."""
    counts = [
        group.outcome.value * group.rows
        for group in finding.groups
        if isinstance(group.outcome, Estimate) and not group.suppressed
    ]
    whole = all(abs(count - round(count)) <= 1e-6 * max(1.0, count) for count in counts)
    return whole and "weight" not in finding.conventions and finding.estimand == "row"


def _notes(
    finding: Finding,
    found: Sequence[Category],
    said: Statement,
    *,
    exact: bool,
) -> list[str]:
    hidden = sum(group.suppressed for group in finding.groups)
    notes = [_not_included(finding)]
    if not exact:
        why = finding.conventions.get("weight", "rates are no share of counts")
        notes.append(f"# Selected is rate times applicants, not a count: {plain(why)}.")
    notes += [
        f"{plain(', '.join(map(value_shown, one.names)))}: no rate, {plain(one.why)}."
        for one in found
        if one.why
    ]
    if hidden:
        notes.append("The law asks for these too: audit again with `min_units: 0`.")
    notes += [
        f"Rows left out: {part.rows:,}, {plain(part.reason)}."
        for part in finding.excluded
        if part.rows
    ]
    notes += _small(finding, found, said)
    return notes


def _not_included(finding: Finding) -> str:
    """Return how many are in no category."""
    apart = [group for group in finding.groups if _apart(group)]
    count = sum(group.rows for group in apart if not group.suppressed)
    few = "; others are too few to be shown" * any(group.suppressed for group in apart)
    rare = sum(group.rows for group in apart if UNKNOWN not in group.group.values())
    rest = f", of these {rare:,} with a value that the log keeps under {OTHER!r}" * bool(rare)
    return f"Not included because the category is unknown: {count:,}{rest}{few}."


def _small(finding: Finding, found: Sequence[Category], said: Statement) -> list[str]:
    """Return which categories are under two per cent of the data, and what became of them."""
    total = sum(group.rows for group in finding.groups if not group.suppressed)
    under = [
        plain(", ".join(map(value_shown, one.names)))
        for one in found
        if one.applicants is not None and one.applicants < SMALL * total
    ]
    if not under:
        return []
    names = "; ".join(under)
    became = (
        "and included. An auditor may leave these out of impact ratios with a justification"
        if said.justification is None
        else f"and left out of impact ratios. Justification: {plain(said.justification)}"
    )
    return [f"Under {SMALL:.0%} of the data: {names}, {became}."]


def _about(bundle: Bundle, mode: Mode, measure: str, said: Statement) -> str:
    found = "; ".join(f"{one.name} ({data_text(bundle, one)})" for one in bundle.inputs)
    decision = bundle.plan.roles.get("prediction", "")
    kind = {
        "selection": "Selected",
        "scoring": "Scoring above the median of the full sample, as the auditor states",
    }[mode]
    lines = [
        f"Date of the audit: {bundle.created.date().isoformat()}",
        f"Independent auditor: {_given(said.auditor)}",
        f"Source and explanation of the data: {_given(said.data)}",
        f"Files read: {plain(found)}",
        f"Distribution date of the tool, when its use began: {_given(said.distributed)}",
        f"{kind}: {plain(measure)}{f' of {plain(decision)}' if decision else ''}",
    ]
    return bullets(lines)


def _given(text: str | None) -> str:
    return _MISSING if text is None else plain(text)


def _attribute(bundle: Bundle, words: set[str]) -> str | None:
    """Return the group attribute one of whose words is among these."""
    found = (name for name in bundle.plan.groups if words & {*re.split(r"[\W_]+", name.lower())})
    return next(found, None)


def _finding(bundle: Bundle, measure: str, by: Sequence[str]) -> Finding | None:
    """Return a finding of all rows that lists these groups."""
    found = (
        one
        for one in bundle.findings
        if one.measure == measure
        and {*one.by} == {*by}
        and len(one.by) == len(by)
        and not one.given
        and one.slice is None
        and one.groups
    )
    return next(found, None)


FORMAT = Format("local-law-144", ".md", "Tables of New York City's Local Law 144.", render)
