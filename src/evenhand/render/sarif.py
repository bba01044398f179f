"""SARIF 2.1.0, the part that GitHub shows: an alert for each rule that does not pass.

An alert stands at the line of the plan that writes the rule, and keeps its identity from run to
run: its fingerprint is of product, rule, measure and slice, and of no figure. What is undecided is
a warning, since SARIF allows no level beside the kind ``review``. A waiver is shown and is no
suppression, because it changes no verdict.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any
from urllib.parse import quote

import rfc8785

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.gate.verdict import RuleVerdict
from evenhand.render.format import Format
from evenhand.render.rule import facts

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
PROJECT = "https://github.com/evenhand/evenhand"
_SEMANTIC = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
_LEVELS = {"fail": "error", "undecided": "warning"}


def render(bundle: Bundle, *, plan_file: str | None = None) -> str:
    """Return the alerts as SARIF.

    Args:
        bundle: The evidence.
        plan_file: The plan's path in its repository, with forward slashes; None for that of
            the audit.

    """
    file = plan_file or bundle.plan_file
    rules = {rule.id: rule for rule in bundle.rules}
    places = {name: place for place, name in enumerate(rules)}
    driver: dict[str, Any] = {
        "name": "Evenhand",
        "version": bundle.version,
        "informationUri": PROJECT,
        "rules": [_rule(rule) for rule in rules.values()],
    }
    if _SEMANTIC.fullmatch(bundle.version):
        driver["semanticVersion"] = bundle.version
    run = {
        "tool": {"driver": driver},
        # GitHub reads the category up to the last slash, and this run's name after it.
        "automationDetails": {"id": _automation(bundle)},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(bundle, rule, places[rule.id], file)
            for rule in bundle.rules
            if rule.verdict in _LEVELS
        ],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: RuleVerdict) -> dict[str, Any]:
    why = f" {rule.why}" if rule.why else ""
    text = _message(
        f"The rule holds when {rule.rule}, {100 * rule.certainty:g}% sure.{why} "
        "An error is a rule that surely fails; a warning is one that the data cannot decide."
    )
    return {
        "id": rule.id,
        "shortDescription": {"text": _message(rule.rule)},
        "fullDescription": {"text": _message(rule.why or rule.rule)},
        "help": {"text": text},
        "helpUri": f"{PROJECT}/tree/main/docs/exports.md",
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["fairness"]},
    }


def _result(bundle: Bundle, rule: RuleVerdict, place: int, plan_file: str) -> dict[str, Any]:
    said = facts(bundle, rule)
    shown = ("figure", "broken by", "undecided", "units needed", "waiver")
    details = ". ".join(f"{name}: {said[name]}" for name in shown if name in said)
    text = f"{rule.id} in {rule.scope}: {rule.reason}. {rule.rule}; {details}."
    return {
        "ruleId": rule.id,
        "ruleIndex": place,
        "level": _LEVELS[rule.verdict],
        "message": {"text": _message(text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(plan_file)},
                    "region": {"startLine": rule.line or 1},
                }
            }
        ],
        "partialFingerprints": {"evenhand/v1": fingerprint(bundle, rule)},
        "properties": {
            "verdict": rule.verdict,
            "waived": rule.waiver is not None,
            **{name: said[name] for name in said if name not in {"reason", "verdict"}},
        },
    }


def fingerprint(bundle: Bundle, rule: RuleVerdict) -> str:
    """Return what an alert is known by from run to run: no figure, version or line is in it."""
    identity = [bundle.plan.subject.product or "", rule.id, rule.key, rule.scope]
    return hashlib.sha256(rfc8785.dumps(identity)).hexdigest()


def _automation(bundle: Bundle) -> str:
    subject = bundle.plan.subject
    category = [part for part in (subject.product, subject.model) if part]
    return "/".join(quote(part, safe="") for part in ("evenhand", *category, subject.version or ""))


def _message(text: str) -> str:
    """Return text as a SARIF message: braces are doubled, and no part of it reads as a link."""
    doubled = text.replace("{", "{{").replace("}", "}}")
    return doubled.replace("](", "] (")


FORMAT = Format("sarif", ".sarif", "SARIF 2.1.0: alerts for code scanning.", render)
