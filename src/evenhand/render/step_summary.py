"""A gate for the page of a run: which rule, which group, how big, how sure, how many units more.

Markdown for the file that ``$GITHUB_STEP_SUMMARY`` names. A waiver stands beside its verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import ALL_ROWS, Finding
from evenhand.render.format import Format
from evenhand.render.gfm import code, plain, table
from evenhand.render.judged import Judged, suite_of, worst_first
from evenhand.render.rule import LIMITS, counted
from evenhand.render.wording import ALONE, alone, brief, first, name_of, summary, versus

_MOST = 200
"""Rows of a table: a page of a run holds one megabyte."""


def render(bundle: Bundle) -> str:
    """Return the verdicts of a gate as Markdown, failures first; without rules, the figures."""
    title = plain(bundle.plan.subject.title) or "audit"
    if not bundle.rules:
        loud = [f"**{plain(text)}**" for text in _alone(bundle)]
        return "\n\n".join([f"## {title}: no rules", _figures(bundle.findings), *loud]) + "\n"
    parts = [
        f"## {title}: {bundle.verdict}",
        f"{counted(bundle.rules)}.",
        *rules_told(suite_of(bundle).judged),
        *(f"**{plain(text)}**" for text in _alone(bundle)),
    ]
    parts.append(_made(bundle))
    return "\n\n".join(parts) + "\n"


def rules_told(rules: Sequence[Judged]) -> Iterator[str]:
    """Yield rules as Markdown, failures first: their table, and what must be said of it."""
    ordered = worst_first(rules)
    yield _rules(ordered[:_MOST])
    yield plain(LIMITS)
    if len(ordered) > _MOST:
        yield f"{len(ordered) - _MOST:,} more are in the evidence."
    if any(rule.waiver for rule in rules):
        yield "A waiver says who answers for a rule; the verdict stays what it is."


def _rules(rules: Sequence[Judged]) -> str:
    headings = ["verdict", "rule", "rows", "figure", "groups", "sure", "units needed"]
    waived = any(rule.waiver for rule in rules)
    rows = []
    for rule in rules:
        said = rule.said
        groups = [f"{name}: {said[name]}" for name in ("broken by", "undecided") if name in said]
        cells = [
            f"**{rule.verdict}**",
            f"{plain(rule.id)}: {code(rule.asked)}",
            rule.scope if rule.scope == ALL_ROWS else code(rule.scope),
            plain(said.get("figure", "")),
            "<br>".join(map(plain, groups)),
            plain(said["sure"]),
            plain(said.get("units needed", "")),
        ]
        rows.append([*cells, plain(rule.waiver)] if waived else cells)
    return table([*headings, *(["waiver"] if waived else [])], rows)


def _alone(bundle: Bundle) -> list[str]:
    named = dict.fromkeys(one.key for one in bundle.findings if alone(one))
    return [f"{key}: {ALONE}" for key in first([*named], _FEW)]


_FEW = 10


def _figures(findings: Sequence[Finding]) -> str:
    rows = [
        [
            code(one.key),
            plain(versus(one.pair, name_of)),
            plain(one.scope),
            plain(brief(summary(one.outcome))),
            f"{one.units:,}",
        ]
        for one in findings[:_MOST]
    ]
    shown = table(["figure", "pair", "rows", "value, interval", "units"], rows, numbers=2)
    left = len(findings) - _MOST
    return f"{shown}\n\n{left:,} more are in the evidence." if left > 0 else shown


def _made(bundle: Bundle) -> str:
    day = bundle.created.date().isoformat()
    return f"Evenhand {plain(bundle.version)}, {day}, plan {code(bundle.plan.digest[:12])}."


FORMAT = Format("step-summary", ".md", "Markdown for the page of a GitHub run.", render)
