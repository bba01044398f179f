"""What a gate judged: rules, and facts beside them, as test reports, alerts and summaries show it.

A suite is of one bundle, or of a release, which rests on several bundles and on a policy.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import ALL_ROWS
from evenhand.audits.gate.verdict import WORST_FIRST, RuleVerdict, Verdict
from evenhand.render.card import subject_facts
from evenhand.render.rule import facts, waiver_text


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule in one scope, or a fact.

    Attributes:
        id: Its name.
        asked: What must hold.
        verdict: The verdict.
        reason: The verdict in a sentence.
        said: What is known of it, by what that is.
        key: The figure that a rule is about; empty for a fact.
        scope: ``all rows``, or the slice.
        sure: How sure a verdict must be; empty for a fact.
        why: Why it is asked.
        suite: What it belongs to.
        line: Its line in the plan.
        apart: What tells it from others of the same name, where several plans have one.

    """

    id: str
    asked: str
    verdict: Verdict
    reason: str
    said: Mapping[str, str]
    key: str = ""
    scope: str = ALL_ROWS
    sure: str = ""
    why: str = ""
    suite: str = ""
    line: int | None = None
    apart: str = ""

    @property
    def waiver(self) -> str:
        """Until when it is waived, by whom and why; empty where it is not."""
        return self.said.get("waiver", "")


@dataclass(frozen=True, slots=True)
class Suite:
    """All that was judged together.

    Attributes:
        subject: Product, model and version, as far as they are named.
        verdict: The worst of all; None where nothing is judged.
        judged: Everything, in order.
        file: The plan's path in its repository.
        created: When it was judged.
        version: The release of Evenhand that did it.
        seconds: How long it took.
        properties: What else is known of it.

    """

    subject: tuple[str, str, str]
    verdict: Verdict | None
    judged: tuple[Judged, ...]
    file: str
    created: dt.datetime
    version: str
    seconds: float = 0.0
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The subject in a headline; empty when nothing of it is named."""
        return " / ".join(filter(None, self.subject))


def suite_of(bundle: Bundle, plan_file: str | None = None) -> Suite:
    """Return what the gate of a bundle judged.

    Args:
        bundle: The evidence.
        plan_file: The plan's path in its repository; None for that of the audit.

    """
    subject = bundle.plan.subject
    waived = {
        f"waiver {rule.id}": waiver_text(rule.waiver)
        for rule in bundle.rules
        if rule.waiver is not None
    }
    properties = {
        **subject_facts(bundle),
        "plan sha256": bundle.plan.digest,
        "evenhand": bundle.version,
        **waived,
    }
    return Suite(
        subject=(subject.product or "", subject.model or "", subject.version or ""),
        verdict=bundle.verdict,
        judged=tuple(judged(rule, facts(bundle, rule), subject.title) for rule in bundle.rules),
        file=plan_file or bundle.plan_file,
        created=bundle.created,
        version=bundle.version,
        seconds=float(bundle.environment.get("seconds", 0)),
        properties=properties,
    )


def judged(rule: RuleVerdict, said: Mapping[str, str], suite: str, apart: str = "") -> Judged:
    """Return a rule as it is judged.

    Args:
        rule: The rule.
        said: What is known of it, from `facts`.
        suite: What it belongs to.
        apart: What tells it from others of the same name.

    """
    return Judged(
        id=rule.id,
        asked=rule.rule,
        verdict=rule.verdict,
        reason=rule.reason,
        said=said,
        key=rule.key,
        scope=rule.scope,
        sure=f"{100 * rule.certainty:g}%",
        why=rule.why,
        suite=suite,
        line=rule.line,
        apart=apart,
    )


def worst_first(all_judged: Iterable[Judged]) -> list[Judged]:
    """Return what is judged, what fails first."""
    return sorted(all_judged, key=lambda one: WORST_FIRST.index(one.verdict))
