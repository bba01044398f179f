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
from evenhand.render.format import Format
from evenhand.render.judged import Judged, Suite, suite_of

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
    return written(suite_of(bundle, plan_file))


def written(suite: Suite) -> str:
    """Return what was judged as SARIF: an alert for everything that does not pass."""
    rules = {one.id: one for one in suite.judged}
    places = {name: place for place, name in enumerate(rules)}
    driver: dict[str, Any] = {
        "name": "Evenhand",
        "version": suite.version,
        "informationUri": PROJECT,
        "rules": [_rule(one) for one in rules.values()],
    }
    if _SEMANTIC.fullmatch(suite.version):
        driver["semanticVersion"] = suite.version
    run = {
        "tool": {"driver": driver},
        # GitHub reads the category up to the last slash, and this run's name after it.
        "automationDetails": {"id": _automation(suite)},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(suite, one, places[one.id]) for one in suite.judged if one.verdict in _LEVELS
        ],
    }
    document = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _rule(one: Judged) -> dict[str, Any]:
    why = f" {one.why}" if one.why else ""
    text = f"The policy asks for it: {one.asked}.{why} It passes or fails, and is never undecided."
    if one.sure:
        text = (
            f"The rule holds when {one.asked}, {one.sure} sure.{why} "
            "An error is a rule that surely fails; a warning is one that the data cannot decide."
        )
    return {
        "id": one.id,
        "shortDescription": {"text": _message(one.asked)},
        "fullDescription": {"text": _message(one.why or one.asked)},
        "help": {"text": _message(text)},
        "helpUri": f"{PROJECT}/tree/main/docs/{'exports' if one.sure else 'gate'}.md",
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["fairness"]},
    }


def _result(suite: Suite, one: Judged, place: int) -> dict[str, Any]:
    shown = ("figure", "broken by", "undecided", "units needed", "what to do", "waiver")
    details = ". ".join(f"{name}: {one.said[name]}" for name in shown if name in one.said)
    scope = f" in {one.scope}" if one.sure else ""
    text = f"{one.id}{scope}: {one.reason}. {one.asked}; {details}."
    return {
        "ruleId": one.id,
        "ruleIndex": place,
        "level": _LEVELS[one.verdict],
        "message": {"text": _message(text)},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(suite.file)},
                    "region": {"startLine": one.line or 1},
                }
            }
        ],
        "partialFingerprints": {"evenhand/v1": fingerprint(suite, one)},
        "properties": {
            "verdict": one.verdict,
            "waived": bool(one.waiver),
            **{name: one.said[name] for name in one.said if name not in {"reason", "verdict"}},
        },
    }


def fingerprint(suite: Suite, one: Judged) -> str:
    """Return what an alert is known by from run to run: no figure, version or line is in it."""
    identity = [suite.subject[0], one.id, one.key, one.scope, *filter(None, [one.apart])]
    return hashlib.sha256(rfc8785.dumps(identity)).hexdigest()


def _automation(suite: Suite) -> str:
    product, model, version = suite.subject
    category = [part for part in (product, model) if part]
    return "/".join(quote(part, safe="") for part in ("evenhand", *category, version))


def _message(text: str) -> str:
    """Return text as a SARIF message: braces are doubled, and no part of it reads as a link."""
    doubled = text.replace("{", "{{").replace("}", "}}")
    return doubled.replace("](", "] (")


FORMAT = Format("sarif", ".sarif", "SARIF 2.1.0: alerts for code scanning.", render)
