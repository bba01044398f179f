"""Decisions for people and for other programs: the terminal, test reports, alerts, summaries."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

import evenhand
from evenhand.audits.evidence.document import read_rules
from evenhand.audits.evidence.legible import legible
from evenhand.audits.gate.verdict import WORST_FIRST, RuleVerdict
from evenhand.centre.client.release import Answer, Reconciled
from evenhand.centre.condition import Condition, brief
from evenhand.centre.decision import Decision, Used
from evenhand.centre.dossier import PolicyRecord
from evenhand.render.gfm import bullets, plain, table
from evenhand.render.judged import Judged, Suite, judged
from evenhand.render.rule import facts
from evenhand.render.step_summary import rules_told
from evenhand.render.verdicts import STYLES, SYMBOLS, rules_table


def rules_of(decision: Decision) -> tuple[RuleVerdict, ...]:
    """Return the rules of a decision, each with the waiver that was approved for it."""
    return read_rules(decision.rules)


def suite_of(decision: Decision, plan_file: str | None = None) -> Suite:
    """Return what a decision judged: conditions first, then rules.

    Args:
        decision: The decision.
        plan_file: The plan's path in its repository, at whose lines rules stand.

    """
    title = f"{decision.product} / {decision.model} / {decision.version}"
    names = {one.bundle: one.name or brief(one.plan) for one in decision.evidence}
    several = len(names) > 1
    rules = [
        judged(
            rule,
            facts(None, rule),
            f"{title}: {names[raw['bundle']]}" if several else title,
            names[raw["bundle"]] if several else "",
        )
        for raw, rule in zip(decision.rules, rules_of(decision), strict=True)
    ]
    properties = {
        "product": decision.product,
        "model": decision.model,
        "version": decision.version,
        "artefact": decision.artefact or "",
        "against": decision.against or "",
        "policy": policy_text(decision.policy),
        "decided": decided(decision),
        "decision": decision.id,
        "evenhand": evenhand.__version__,
        **{f"evidence {one.bundle}": used_text(one) for one in decision.evidence},
        **{f"waiver {one.id}": one.waiver for one in rules if one.waiver},
    }
    return Suite(
        subject=(decision.product, decision.model, decision.version),
        verdict=decision.verdict,
        judged=(*map(_fact, decision.conditions), *rules),
        file=plan_file or "audit.yaml",
        created=decision.at,
        version=evenhand.__version__,
        properties=properties,
    )


def _fact(one: Condition) -> Judged:
    said = {"asked": one.asked, "verdict": one.verdict, "reason": one.reason}
    if one.hint:
        said["what to do"] = one.hint
    return Judged(
        id=one.id,
        asked=one.asked,
        verdict=one.verdict,
        reason=one.reason,
        said=said,
        suite="policy",
    )


def text(answer: Answer) -> RenderableType:
    """Return an answer for the terminal: the verdict, what the policy asks, rules, evidence."""
    decision = answer.decision
    verdict, subject = decision.verdict, f"{decision.product} / {decision.model}"
    headline = Text(f"{SYMBOLS[verdict]} {verdict.upper()}", style=STYLES[verdict])
    headline.append("  ", style="not bold")
    told = f"{subject} / {decision.version}, {decided(decision)}"
    headline.append(legible(told), style="not bold")
    grid = Table(box=None, pad_edge=False, show_header=False)
    for _ in range(3):
        grid.add_column(overflow="fold")
    for one in _failed_first(decision.conditions):
        said = Text(legible(one.reason), style="dim")
        if one.hint:
            said.append(f"\n{legible(one.hint)}")
        mark = Text(SYMBOLS[one.verdict], style=STYLES[one.verdict])
        grid.add_row(mark, Text(one.id, style="bold"), said)
    facts = Text("\n".join(f"{name:<10}{legible(line)}" for name, line in _facts(answer)))
    conditions = Padding(grid, (0, 0, 0, 2), expand=False)
    return Group(headline, conditions, rules_table(rules_of(decision)), facts)


def _facts(answer: Answer) -> Iterator[tuple[str, str]]:
    """Yield what a decision rests on, by what it is."""
    decision = answer.decision
    for one in decision.evidence:
        yield "evidence", used_text(one)
    yield "policy", policy_text(decision.policy)
    yield "decision", decision.id
    for earlier in answer.reconciled:
        yield "cached", reconciled_text(earlier)


def warnings(answer: Answer) -> Iterator[str]:
    """Yield what somebody should see even where nobody reads the verdict."""
    decision = answer.decision
    yield from answer.notes
    for one in answer.reconciled:
        if one.compared != "same":
            yield f"a verdict of the cache: {reconciled_text(one)}"
    if answer.unpushed:
        words = ["evenhand", "push", *map(str, answer.unpushed), "--product", decision.product]
        words += ["--model", decision.model, "--version", decision.version, "--to", answer.centre]
        yield f"at hand and not pushed, so not decided by: {shlex.join(words)}"


def summary(answer: Answer) -> str:
    """Return an answer as Markdown for the page of a GitHub run."""
    decision = answer.decision
    suite = suite_of(decision)
    rules = [one for one in suite.judged if one.sure]
    conditions = [
        [f"**{one.verdict}**", plain(one.id), plain(one.reason), plain(one.hint)]
        for one in _failed_first(decision.conditions)
    ]
    parts = [f"## {plain(suite.title)}: {decision.verdict}", f"{plain(decided(decision))}."]
    if conditions:
        parts.append(table(["verdict", "asked by the policy", "because", "what to do"], conditions))
    if rules:
        parts += rules_told(rules)
    parts.append(bullets(plain(f"{name}: {line}") for name, line in _facts(answer)))
    loud = [f"**{plain(one)}**" for one in warnings(answer)]
    return "\n\n".join([*parts, *loud]) + "\n"


def decided(decision: Decision) -> str:
    """Return who decided, and when."""
    who = "the centre" if decision.mode == "online" else "the cache, while the centre was away"
    return f"decided by {who} on {decision.at:%Y-%m-%d %H:%M} UTC"


def policy_text(policy: PolicyRecord) -> str:
    """Return which policy judged, and which version of it."""
    if not policy.version:
        return "built in: nobody wrote one"
    whose = f"of product {policy.product}" if policy.product else "of the company"
    return f"{whose}, version {policy.version} ({brief(policy.digest)})"


def used_text(one: Used) -> str:
    """Return which evidence was used, and which of how many it is."""
    verdict = one.verdict or "no rules"
    told = f"{brief(one.bundle)} of {one.audited:%Y-%m-%d %H:%M} UTC, {verdict}"
    plan = f"plan {one.name}" if one.name else f"plan {brief(one.plan)}"
    if one.runs == 1:
        return f"{told}; the only audit by {plan}"
    return f"{told}; the newest of {one.runs} audits by {plan}, others: {', '.join(one.others)}"


def reconciled_text(one: Reconciled) -> str:
    """Return what the centre makes of a verdict of the cache."""
    told = f"version {one.version}, {one.verdict} on {one.at:%Y-%m-%d %H:%M} UTC"
    if one.compared == "same":
        return f"{told}: the centre decides the same"
    if one.compared == "unpushed":
        return f"{told}: it rests on evidence that the centre does not have; it goes on waiting"
    return f"{told}: the centre DIFFERS, by all that it knows it is {one.now}"


def _failed_first(conditions: list[Condition]) -> list[Condition]:
    return sorted(conditions, key=lambda one: WORST_FIRST.index(one.verdict))
