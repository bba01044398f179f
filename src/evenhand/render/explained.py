"""A verdict in plain words, one fact a line: what every exporter of verdicts says of a rule."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import Finding
from evenhand.audits.gate.verdict import ALL_ROWS, RuleVerdict, WaiverNote
from evenhand.stats.estimate import Outcome, Undefined

_SHOWN = 10
"""Groups that are named before the rest is counted."""


def finding_of(bundle: Bundle, rule: RuleVerdict) -> Finding | None:
    """Return the figure that a rule is about, in the rule's scope."""
    found = (
        finding
        for finding in bundle.findings
        if finding.key == rule.key and (finding.slice or ALL_ROWS) == rule.scope
    )
    return next(found, None)


def interval(outcome: Outcome) -> str:
    """Return a figure with its interval, or why there is none.

    >>> interval(Undefined("no positive labels"))
    'undefined: no positive labels'
    """
    if isinstance(outcome, Undefined):
        return f"undefined: {outcome.reason}"
    value = f"{outcome.value:.4f}"
    if outcome.identified is not None:
        low, high = outcome.identified
        value = f"in {low:.4f} .. {high:.4f}"
    return f"{value} [{outcome.low:.4f}, {outcome.high:.4f}]"


def group_name(group: Mapping[str, str]) -> str:
    """Return a group by its attributes.

    >>> group_name({"race": "White", "sex": "men"})
    'race = White, sex = men'
    """
    return ", ".join(f"{name} = {value}" for name, value in group.items())


def waiver_text(waiver: WaiverNote) -> str:
    """Return who answers for a rule that does not pass, until when and why."""
    return f"{waiver.owner} until {waiver.expires.isoformat()}: {waiver.reason}"


def facts(bundle: Bundle, rule: RuleVerdict) -> dict[str, str]:
    """Return what is known of a verdict, by what it is; what there is not is left out."""
    figure = finding_of(bundle, rule)
    size = ""
    if figure is not None:
        size = interval(figure.outcome)
        if not isinstance(figure.outcome, Undefined):
            size += f", {100 * figure.outcome.level:g} % interval"
    needed = "" if rule.units_needed is None else f"{rule.units_needed:,.0f}"
    said = {
        "rule": rule.rule,
        "scope": rule.scope,
        "verdict": rule.verdict,
        "reason": rule.reason,
        "figure": size,
        "broken by": _listed(
            [" against ".join(map(group_name, member)) for member in rule.failed_groups]
        ),
        "undecided": _listed(
            [f"{group_name(one.group)} ({one.reason})" for one in rule.undecided_groups]
        ),
        "sure": f"{100 * rule.certainty:g} %",
        "units needed": needed,
        "why this limit": rule.why,
        "waiver": "" if rule.waiver is None else waiver_text(rule.waiver),
    }
    return {name: text for name, text in said.items() if text}


def _listed(names: Sequence[str]) -> str:
    """Return names, of many only the first."""
    more = len(names) - _SHOWN
    return "; ".join([*names[:_SHOWN], *([f"and {more:,} more"] if more > 0 else [])])
