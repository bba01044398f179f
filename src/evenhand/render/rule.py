"""Verdicts in plain words: of the gate in a sentence, of a rule by facts with names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import Finding
from evenhand.audits.gate.verdict import (
    WORST_FIRST,
    RuleVerdict,
    UndecidedGroup,
    WaiverNote,
)
from evenhand.render.reading import capital
from evenhand.render.section import Section
from evenhand.render.wording import (
    DASH,
    brief,
    first,
    full_name_of,
    hints,
    left_out,
    name_of,
    own_reason,
    summary,
    versus,
)
from evenhand.stats.estimate import Undefined

LIMITS = (
    "Verdicts use one-sided limits of the groups compared; failures are judged at the certainty "
    "shared among all checks of the gate (Holm), so their limits are more cautious than the "
    "intervals shown."
)
"""Why the limit of a verdict differs from the interval beside it; once in a report."""

RELIABLE = "an attack that is to be relied on"
"""What a rule may ask for before it passes."""

_MOST_RULES = 200
_NAMED = 10
"""Groups that are named before the rest is counted."""


def worst_first(rules: Iterable[RuleVerdict]) -> list[RuleVerdict]:
    """Return verdicts, what fails first."""
    return sorted(rules, key=lambda rule: WORST_FIRST.index(rule.verdict))


def counted(rules: Sequence[RuleVerdict]) -> str:
    """Return how many rules have which verdict, such as ``1 fail, 2 pass``."""
    verdicts = [rule.verdict for rule in rules]
    return ", ".join(f"{verdicts.count(one):,} {one}" for one in WORST_FIRST if one in verdicts)


def sentence(bundle: Bundle) -> str:
    """Return the verdict of a gate in a sentence, and that files were left out where some were.

    With waivers it says so, since a waiver never changes a verdict.
    """
    lost = left_out(bundle.skipped)
    also = f" {lost}." if lost else ""
    if bundle.verdict is None:
        return f"This plan has no rules, so there is no verdict.{also}"
    verdicts = [rule.verdict for rule in bundle.rules]
    counts = [(verdicts.count(kind), kind) for kind in WORST_FIRST]
    forms = {"fail": ("fails", "fail"), "pass": ("passes", "pass")}
    forms["undecided"] = ("is undecided", "are undecided")
    told = [f"{count:,} {forms[kind][count != 1]}" for count, kind in counts if count]
    total = len(verdicts)
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    waived = sum(rule.waiver is not None and rule.verdict != "pass" for rule in bundle.rules)
    note = f" Waived: {waived:,}." if waived else ""
    rules = len({rule.id for rule in bundle.rules})
    # A rule is held in all rows and in every slice in which its measure is measured.
    checks = f"{total:,} checks of " if total != rules else ""
    return f"Of {checks}{rules:,} rule{'s' if rules > 1 else ''}, {listed}.{note}{also}"


def finding_of(bundle: Bundle, rule: RuleVerdict) -> Finding | None:
    """Return the figure that a rule is about, in the rule's scope."""
    found = (
        finding
        for finding in bundle.findings
        if finding.key == rule.key and finding.scope == rule.scope
    )
    return next(found, None)


def units_needed(rule: RuleVerdict) -> str:
    """Return how many units would decide a rule; empty where no number would, or it is decided."""
    needed = rule.units_needed
    return "" if needed is None or math.isinf(needed) else f"{math.ceil(needed):,}"


def waiver_text(waiver: WaiverNote) -> str:
    """Return until when a rule is waived, by whom and why."""
    return f"until {waiver.expires.isoformat()} by {waiver.owner}: {waiver.reason}"


def facts(bundle: Bundle | None, rule: RuleVerdict) -> dict[str, str]:
    """Return what is known of a verdict, by what it is; what there is not is left out.

    Args:
        bundle: The evidence; None where only its verdicts are known, and no figure is.
        rule: The verdict.

    """
    figure = None if bundle is None else finding_of(bundle, rule)
    size = ""
    if figure is not None:
        size = brief(summary(figure.outcome))
        if not isinstance(figure.outcome, Undefined):
            size += f", {100 * figure.outcome.level:g}% interval"
    said = {
        "rule": rule.rule,
        "scope": rule.scope,
        "verdict": rule.verdict,
        "reason": rule.reason,
        "figure": size,
        "broken by": _listed([versus(member) for member in rule.failed_groups]),
        "undecided": _undecided(rule),
        "sure": f"{100 * rule.certainty:g}%",
        "units needed": units_needed(rule),
        "asks for": RELIABLE if rule.reliable else "",
        "why this limit": rule.why,
        "waiver": "" if rule.waiver is None else waiver_text(rule.waiver),
    }
    return {name: text for name, text in said.items() if text}


def _undecided(rule: RuleVerdict) -> str:
    groups = rule.undecided_groups
    named = [f"{full_name_of(one.group)} ({own_reason(one.reason)})" for one in groups]
    return "; ".join(filter(None, [_listed(named), *hints(one.reason for one in groups)]))


def _listed(names: Sequence[str]) -> str:
    return "; ".join(first(names, _NAMED))


def rules_view(
    bundle: Bundle, sections: Sequence[Section] = ()
) -> tuple[list[dict[str, Any]], str]:
    """Return the verdicts, what fails first, and a sentence about those that are left out."""
    places = {
        (one.key, one.scope): f"#f{block.number}"
        for section in sections
        for block in section.blocks
        for one in block.findings
    }
    rules = worst_first(bundle.rules)
    left = len(rules) - _MOST_RULES
    told = f"{left:,} more verdicts are in the evidence file; none is worse." if left > 0 else ""
    shown = [rule_view(one, places.get((one.key, one.scope), "")) for one in rules[:_MOST_RULES]]
    return shown, told


def rule_view(one: RuleVerdict, address: str = "") -> dict[str, Any]:
    """Return the verdict of a rule, and where its figure is shown."""
    failed = [versus(member, name_of) for member in one.failed_groups]
    return {
        "id": one.id,
        "rule": one.rule,
        "verdict": one.verdict,
        "scope": one.scope,
        "address": address,
        "reason": capital(brief(one.reason.removeprefix(f"{one.verdict}: "))),
        "failed": "; ".join(first(failed, _NAMED)) if one.verdict == "fail" else "",
        "undecided": [
            *first([undecided(group) for group in one.undecided_groups], _NAMED),
            *hints(group.reason for group in one.undecided_groups),
        ],
        "certainty": f"{100 * one.certainty:g}%",
        "pass_share": DASH if one.pass_share is None else share(one.pass_share),
        "units_needed": units_needed(one) or DASH,
        "why": one.why,
        "asks": RELIABLE if one.reliable else "",
        "waiver": "" if one.waiver is None else waiver_text(one.waiver),
    }


def share(value: float) -> str:
    """Return a share as a percentage that is never rounded up to all.

    >>> share(0.99996), share(1.0)
    ('99.9%', '100%')
    """
    return "100%" if value >= 1 else f"{math.floor(value * 1000) / 10:.1f}%"


def undecided(one: UndecidedGroup) -> str:
    """Return a group of which nothing is said, and why; not how small a small one is."""
    units = "" if one.units is None else f" ({one.units:,} units)"
    return f"{name_of(one.group)}{units}: {own_reason(one.reason)}"
