"""The index of evidence: rows by which findings and rules are listed. The bundle is the truth."""

from __future__ import annotations

from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.gate.verdict import Verdict, of_all
from evenhand.centre.dossier import EvidenceRecord
from evenhand.stats.estimate import Outcome, Undefined


def facts_of(bundle: Bundle, record: EvidenceRecord) -> dict[str, Any]:
    """Return what the row of an audit says that its file says too."""
    verdicts = [rule.verdict for rule in bundle.rules]
    rows = bundle.environment.get("rows")
    facts = {
        "bundle": record.bundle,
        "plan": record.plan,
        "kind": record.kind[:40],
        "pillar": record.pillar,
        "artefact": record.artefact,
        "window_first": record.window[0] if record.window else None,
        "window_last": record.window[1] if record.window else None,
        "audited": record.audited,
        "evenhand": bundle.version[:40],
        "rows": rows if isinstance(rows, int) else None,
        "verdict": record.verdict,
        "passed": verdicts.count("pass"),
        "failed": verdicts.count("fail"),
        "undecided": verdicts.count("undecided"),
        "findings": len(bundle.findings),
    }
    return _row(facts)


def finding_rows(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the rows by which the findings of a bundle are listed."""
    judged: dict[tuple[str, str], list[Verdict]] = {}
    for rule in bundle.rules:
        judged.setdefault((rule.key, rule.scope), []).append(rule.verdict)
    found = []
    for position, one in enumerate(bundle.findings):
        verdicts = judged.get((one.key, one.scope)) if not one.pair else None
        row = {
            "position": position,
            "key": one.key,
            "about": " - ".join(", ".join(group.values()) for group in one.pair) or one.part,
            "measure": one.measure[:200],
            "slice": one.slice,
            **_limits(one.outcome),
            "undefined": one.undefined,
            "verdict": of_all(verdicts) if verdicts else None,
        }
        found.append(_row(row))
    return found


def rule_rows(bundle: Bundle) -> list[dict[str, Any]]:
    """Return the rows by which the rules of a bundle are listed."""
    return [
        {
            "position": position,
            "rule": keepable(rule.id)[:200],
            "verdict": rule.verdict,
            "body": rule.to_dict(),
        }
        for position, rule in enumerate(bundle.rules)
    ]


def _limits(outcome: Outcome) -> dict[str, float | None]:
    """Return value and interval; without a value where only a set is identified, or none is."""
    if isinstance(outcome, Undefined):
        return {"value": None, "low": None, "high": None}
    value = outcome.value if outcome.identified is None else None
    return {"value": value, "low": outcome.low, "high": outcome.high}


def keepable(text: str) -> str:
    r"""Return a text as every database keeps it: PostgreSQL's have no NUL.

    >>> keepable("a\x00b")
    'ab'
    """
    return text.replace("\x00", "")


def _row(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: keepable(value) if isinstance(value, str) else value for name, value in values.items()
    }
