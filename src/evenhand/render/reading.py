"""A finding in a sentence: what the figure says about people, and how sure that is.

Sentences say what an interval shows and no more: where it contains parity, that no gap is shown
and how large it can be. With the roles of a plan they name its columns instead of the measure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.block import has_target, is_of_items
from evenhand.audits.finding import Finding
from evenhand.audits.plan.condition import condition
from evenhand.errors import NotationError
from evenhand.measures.decisions.confusion import Rate
from evenhand.measures.registry import measure_named
from evenhand.notation import parse
from evenhand.render import ranked
from evenhand.render.wording import BRIEF, brief, number, own_reason, value_shown
from evenhand.stats.estimate import Estimate, Undefined

Roles = Mapping[str, str]

_HAVING = {
    "positives": ("label", True),
    "negatives": ("label", False),
    "selected": ("prediction", True),
    "rejected": ("prediction", False),
    "true_positives": ("", True),
    "false_positives": ("", True),
    "true_negatives": ("", False),
    "false_negatives": ("", False),
}
"""What the rows of a term of the confusion table have: a role, and whether it holds. Of a cell the
role is the one that its denominator does not fix."""

_FEW = 3


def reading(one: Finding, roles: Roles | None = None) -> str:
    """Return a finding in a sentence; empty where its figure says all.

    Args:
        one: The finding.
        roles: The expression of each role, where a plan gives them.

    """
    if isinstance(one.outcome, Undefined):
        reason = own_reason(one.outcome.reason)
        return f"Undefined: {brief(reason, BRIEF) if one.groups else reason}."
    if one.pair:
        return _signed(one, one.outcome)
    if has_target(one):
        return ranked.shares(one, one.outcome, who)
    match form_of(one.contrast):
        case None:
            return _plain(one, one.outcome, roles)
        case "gap" | "largest gap":
            return _gap(one, one.outcome, roles)
        case "ratio":
            return _ratio(one, one.outcome, roles)
        case "worst":
            found = one.outcome
            return f"{_groups(one, roles)}; the worst group's is {_span(found, _own(one))}."
    return _distance(one, one.outcome)


def family(block: Sequence[Finding], roles: Roles | None = None) -> list[str]:
    """Return a block of findings in sentences; a long family by what is furthest apart."""
    if not block[0].pair:
        return [text for text in (reading(one, roles) for one in block) if text]
    if form_of(block[0].contrast) == "parts":
        return _kitagawa(block)
    if len(block) <= _FEW:
        return [reading(one, roles) for one in block]
    known = [(one, one.outcome) for one in block if isinstance(one.outcome, Estimate)]
    shown = [(one, found) for one, found in known if found.low > 0 or found.high < 0]
    members = "groups" if form_of(block[0].contrast) == "to overall" else "pairs"
    what = "differ from all together" if members == "groups" else "are shown to differ"
    told = [f"{len(shown)} of {len(block)} {members} {what}."]
    if shown:
        furthest, found = max(shown, key=lambda pair: abs(pair[1].value))
        told.append(f"Furthest apart: {_signed(furthest, found)}")
    return told


def definition(measure: str, roles: Roles) -> str:
    """Return what a rate counts, in the words of a plan; empty for measures that are no rate.

    >>> definition("true_positive_rate", {"label": "repaid", "prediction": "score >= 0.5"})
    'the share where score is at least 0.5 among rows where repaid is 1'
    """
    try:
        found = measure_named(parse(measure))
    except NotationError:
        return ""
    if not isinstance(found, Rate) or found.average is not None:
        return ""
    positive = 1 if found.positive is None else found.positive
    fixed = _HAVING.get(found.among)
    counted, holds = _HAVING[found.of]
    if not counted:
        # A true cell agrees with its denominator, a false one does not.
        told = fixed[0] if fixed else ""
        counted = "prediction" if told == "label" else "label"
        holds = _holds(found.of, counted)
    share = f"the share where {_having(roles, counted, positive, holds=holds)}"
    if fixed is None:
        return share
    return f"{share} among rows where {_having(roles, fixed[0], positive, holds=fixed[1])}"


def _holds(cell: str, role: str) -> bool:
    said, of = cell.split("_")
    predicted = of == "positives"
    return predicted if role == "prediction" else predicted == (said == "true")


def _having(roles: Roles, role: str, positive: object, *, holds: bool) -> str:
    text = roles.get(role, role)
    if positive != 1 and text.isidentifier():
        return f"{text} is {'' if holds else 'not '}{positive}"
    return condition(text, holds=holds)


def _subject(one: Finding, roles: Roles | None) -> str:
    return (definition(one.measure, roles) if roles else "") or one.measure.replace("_", " ")


def _own(one: Finding) -> Callable[[float], str]:
    """Return how a figure of groups is written: as a percentage, or in its own unit."""
    return (lambda x: f"{x:.1%}") if one.is_rate else number


def _points(one: Finding) -> Callable[[float], str]:
    """Return how a difference is written."""
    return (lambda x: f"{100 * x:.1f}") if one.is_rate else number


def _span(found: Estimate, shown: Callable[[float], str]) -> str:
    return f"{shown(found.low)} to {shown(found.high)}"


def _unit(one: Finding) -> str:
    return " points" if one.is_rate else ""


def _plain(one: Finding, found: Estimate, roles: Roles | None) -> str:
    own, subject = _own(one), _subject(one, roles)
    if found.identified is not None:
        low, high = map(own, found.identified)
        return f"{capital(subject)} lies in {low} to {high}, whatever was not observed."
    level = f"{100 * found.level:g}%"
    told = f"{subject} is {own(found.value)} ({level} interval {_span(found, own)})"
    return f"{capital(told)}{ranked.beside(one)}.{ranked.ideal(one)}"


def ends_of(one: Finding) -> list[tuple[float, str]]:
    """Return the lowest and the highest of the groups compared, by their own figures."""
    shown = [
        (group.outcome.value, who(group.group))
        for group in one.groups
        if group.compared
        and isinstance(group.outcome, Estimate)
        and group.outcome.identified is None
    ]
    return [min(shown), max(shown)] if shown else []


def _groups(one: Finding, roles: Roles | None) -> str:
    ends, own, subject = ends_of(one), _own(one), _subject(one, roles)
    if is_of_items(one):
        subject += " of items"
    if not ends:
        return subject
    (lowest, low_name), (highest, high_name) = ends
    apart = "; " if len(one.by) > 1 else ", "
    return f"{subject}: {high_name} {own(highest)}{apart}{low_name} {own(lowest)}"


def _gap(one: Finding, found: Estimate, roles: Roles | None) -> str:
    points, unit, rates = _points(one), _unit(one), _groups(one, roles)
    if found.identified is not None:
        low, high = map(points, found.identified)
        return f"{rates}: the gap lies in {low} to {high}{unit}, whatever was not observed."
    if found.low <= 0:
        return f"{rates}; no gap is shown, and it is at most {points(found.high)}{unit}."
    compared = sum(group.compared and isinstance(group.outcome, Estimate) for group in one.groups)
    ends = ends_of(one)
    if roles and compared == len(ends) and form_of(one.contrast) == "gap":
        (lowest, low_name), (highest, high_name) = ends
        own = _own(one)
        return (
            f"{capital(_subject(one, roles))} is {_span(found, points)}{unit} higher for "
            f"{high_name} ({own(highest)}) than for {low_name} ({own(lowest)})."
        )
    return f"{rates}; the gap is {_span(found, points)}{unit}."


def _ratio(one: Finding, found: Estimate, roles: Roles | None) -> str:
    rates = _groups(one, roles)
    if found.identified is not None:
        low, high = found.identified
        return f"{rates}: the lower is {low:.0%} to {high:.0%} of the higher, whatever was missed."
    if found.high < 1:
        return f"{rates}; the lower is {found.low:.0%} to {found.high:.0%} of the higher."
    return f"{rates}; no difference is shown, and the lower is at least {found.low:.0%}."


def who(group: Mapping[str, str]) -> str:
    """Return a group as a sentence names it: with its attributes where values say nothing alone.

    >>> who({"race": "White"}), who({"sex": "1"}), who({"age": "(25, 45]"})
    ('White', 'sex 1', 'age over 25 to 45')
    >>> who({"black": "no", "single": "yes"})
    'black no, single yes'
    """
    if {*group.values()} == {"overall"}:
        return "overall"
    several = len(group) > 1
    told = []
    for name, value in group.items():
        text = _bin(value)
        bare = _BARE.fullmatch(value.strip()) or text
        said = text or value_shown(value)
        told.append(f"{value_shown(name)} {said}" if several or bare else said)
    return ", ".join(told)


_BARE = re.compile(r"|[^\W\d_]|[-+\u2212]?[\d.,]+|yes|no|true|false|ja|nein", re.IGNORECASE)
"""Values that say nothing without their attribute."""

_NUMBER = r"[-+]?[\d.]+(?:e[-+]?\d+)?"
_BINS = (
    (re.compile(rf"<=\s*({_NUMBER})"), r"\1 or less"),
    (re.compile(rf">\s*({_NUMBER})"), r"over \1"),
    (re.compile(rf"\(({_NUMBER}), ({_NUMBER})\]"), r"over \1 to \2"),
)
"""How parts of numbers are written in tables, and said in sentences."""


def _bin(value: str) -> str:
    """Return a part of numbers in words; empty for any other value."""
    found = ((pattern.fullmatch(value), words) for pattern, words in _BINS)
    return next((match.expand(words) for match, words in found if match), "")


def _signed(one: Finding, found: Estimate) -> str:
    first, second = (who(group) for group in one.pair)
    if {*one.pair[1].values()} == {"overall"}:
        second = "all groups together"
    points, unit = _points(one), _unit(one)
    if found.low > 0:
        return f"{first} is {_span(found, points)}{unit} above {second}."
    if found.high < 0:
        return f"{first} is {points(-found.high)} to {points(-found.low)}{unit} below {second}."
    # A dash would be read as a minus sign, so the two are joined by words.
    return f"No gap between {first} and {second} is shown: {_span(found, points)}{unit}."


def _distance(one: Finding, found: Estimate) -> str:
    name = (one.contrast or one.measure).replace("_", " ")
    if found.low <= 0:
        return f"{capital(name)}: none is shown, and it is at most {number(found.high)}."
    return f"{capital(name)}: {_span(found, number)}; 0 is parity."


def _kitagawa(block: Sequence[Finding]) -> list[str]:
    parts: dict[tuple[str, ...], dict[str, Finding]] = {}
    for one in block:
        pair = tuple(who(group) for group in one.pair)
        parts.setdefault(pair, {})[one.part] = one
    told = []
    for (first, second), found in [*parts.items()][:_FEW]:
        lead = found.get("gap", next(iter(found.values())))
        if isinstance(lead.outcome, Undefined) or not {"composition", "rates"} <= found.keys():
            told.append(f"{first} and {second}: {reading(lead)}")
            continue
        gap, moved, rates = (found[part] for part in ("gap", "composition", "rates"))
        points, unit, strata = _points(gap), _unit(gap), ", ".join(gap.given)
        told.append(
            f"Of the gap of {points(gap.value)}{unit} ({first} minus {second}), "
            f"{points(moved.value)} come from who is where in {strata}, and "
            f"{points(rates.value)} from different rates there ({_span(rates.estimate, points)})."
        )
    if len(parts) > _FEW:
        told.append(f"{len(parts) - _FEW} more pairs are in the table.")
    return told


def capital(text: str) -> str:
    """Return a text that begins with a capital letter, save names such as nDCG.

    >>> capital("accuracy is 1"), capital("nDCG@10 is 1")
    ('Accuracy is 1', 'nDCG@10 is 1')
    """
    if text[1:2].isupper():
        return text
    return f"{text[:1].upper()}{text[1:]}"
