"""JUnit XML: the plan is a suite, and every rule in every scope is a case of it.

A rule that fails is a failure. One that is undecided is skipped, or a failure where that is asked
for. A waiver is a property and stands in the output of its case; it changes no verdict.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.finding import ALL_ROWS
from evenhand.audits.gate.verdict import RuleVerdict
from evenhand.render.card import subject_facts
from evenhand.render.format import Format
from evenhand.render.rule import facts, waiver_text

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(bundle: Bundle, *, plan_file: str | None = None, undecided_fails: bool = False) -> str:
    """Return the verdicts as JUnit XML.

    Args:
        bundle: The evidence.
        plan_file: The plan's path in its repository, to which cases point; None for that of
            the audit.
        undecided_fails: Whether an undecided rule is a failure, rather than skipped.

    """
    file = plan_file or bundle.plan_file
    kinds = [_kind(rule, undecided_fails=undecided_fails) for rule in bundle.rules]
    seconds = f"{float(bundle.environment.get('seconds', 0)):.3f}"
    counts = {
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": "0",
    }
    name = bundle.plan.subject.title or "evenhand"
    root = _element(None, "testsuites", {"name": "evenhand", "time": seconds, **counts})
    suite = _element(
        root,
        "testsuite",
        {
            "name": name,
            **counts,
            "skipped": str(kinds.count("skipped")),
            "time": seconds,
            "timestamp": bundle.created.isoformat(),
        },
    )
    properties = _element(suite, "properties", {})
    for key, value in _properties(bundle).items():
        _element(properties, "property", {"name": key, "value": value})
    for rule, kind in zip(bundle.rules, kinds, strict=True):
        _case(suite, bundle, rule, kind, file)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _kind(rule: RuleVerdict, *, undecided_fails: bool) -> str:
    undecided = "failure" if undecided_fails else "skipped"
    return {"pass": "", "fail": "failure", "undecided": undecided}[rule.verdict]


def _case(suite: ET.Element, bundle: Bundle, rule: RuleVerdict, kind: str, plan_file: str) -> None:
    where = "" if rule.scope == ALL_ROWS else f" in {rule.scope}"
    attributes = {
        "name": f"{rule.id}{where}",
        "classname": bundle.plan.subject.title or "evenhand",
        # All rules are judged from the same sums; the suite has the time of the audit.
        "time": "0.000",
        "file": plan_file,
    }
    if rule.line is not None:
        attributes["line"] = str(rule.line)
    case = _element(suite, "testcase", attributes)
    said = facts(bundle, rule)
    if kind:
        result = _element(case, kind, {"message": rule.reason, "type": rule.verdict})
        result.text = _lines({name: said[name] for name in _ABOUT if name in said})
    _element(case, "system-out", {}).text = _lines(said)


_ABOUT = ("figure", "broken by", "undecided", "units needed")


def _lines(said: Mapping[str, str]) -> str:
    return _safe("\n".join(f"{name}: {text}" for name, text in said.items()))


def _properties(bundle: Bundle) -> dict[str, str]:
    waived = {
        f"waiver {rule.id}": waiver_text(rule.waiver)
        for rule in bundle.rules
        if rule.waiver is not None
    }
    said = {
        "verdict": bundle.verdict or "",
        **subject_facts(bundle),
        "plan sha256": bundle.plan.digest,
        "evenhand": bundle.version,
        **waived,
    }
    return {name: text for name, text in said.items() if text}


def _element(parent: ET.Element | None, tag: str, attributes: Mapping[str, str]) -> ET.Element:
    safe = {name: _safe(text) for name, text in attributes.items()}
    return ET.Element(tag, safe) if parent is None else ET.SubElement(parent, tag, safe)


def _safe(text: str) -> str:
    """Return text with what XML cannot hold replaced by the sign for that."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


FORMAT = Format("junit", ".xml", "JUnit XML: each rule is a test case.", render)
