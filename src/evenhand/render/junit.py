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
from evenhand.render.format import Format
from evenhand.render.judged import Judged, Suite, suite_of

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(bundle: Bundle, *, plan_file: str | None = None, undecided_fails: bool = False) -> str:
    """Return the verdicts as JUnit XML.

    Args:
        bundle: The evidence.
        plan_file: The plan's path in its repository, to which cases point; None for that of
            the audit.
        undecided_fails: Whether an undecided rule is a failure, rather than skipped.

    """
    return written(suite_of(bundle, plan_file), undecided_fails=undecided_fails)


def written(suite: Suite, *, undecided_fails: bool = False) -> str:
    """Return what was judged as JUnit XML; as `render`."""
    kinds = [_kind(one, undecided_fails=undecided_fails) for one in suite.judged]
    seconds = f"{suite.seconds:.3f}"
    counts = {
        "tests": str(len(kinds)),
        "failures": str(kinds.count("failure")),
        "errors": "0",
    }
    root = _element(None, "testsuites", {"name": "evenhand", "time": seconds, **counts})
    element = _element(
        root,
        "testsuite",
        {
            "name": suite.title or "evenhand",
            **counts,
            "skipped": str(kinds.count("skipped")),
            "time": seconds,
            "timestamp": suite.created.isoformat(),
        },
    )
    properties = _element(element, "properties", {})
    for key, value in {"verdict": suite.verdict or "", **suite.properties}.items():
        if value:
            _element(properties, "property", {"name": key, "value": value})
    for one, kind in zip(suite.judged, kinds, strict=True):
        _case(element, one, kind, suite.file)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _kind(one: Judged, *, undecided_fails: bool) -> str:
    undecided = "failure" if undecided_fails else "skipped"
    return {"pass": "", "fail": "failure", "undecided": undecided}[one.verdict]


def _case(suite: ET.Element, one: Judged, kind: str, plan_file: str) -> None:
    where = "" if one.scope == ALL_ROWS else f" in {one.scope}"
    attributes = {
        "name": f"{one.id}{where}",
        "classname": one.suite or "evenhand",
        # All rules are judged from the same sums; the suite has the time of the audit.
        "time": "0.000",
        "file": plan_file,
    }
    if one.line is not None:
        attributes["line"] = str(one.line)
    case = _element(suite, "testcase", attributes)
    if kind:
        result = _element(case, kind, {"message": one.reason, "type": one.verdict})
        result.text = _lines({name: one.said[name] for name in _ABOUT if name in one.said})
    _element(case, "system-out", {}).text = _lines(one.said)


_ABOUT = ("figure", "broken by", "undecided", "units needed", "what to do")


def _lines(said: Mapping[str, str]) -> str:
    return _safe("\n".join(f"{name}: {text}" for name, text in said.items()))


def _element(parent: ET.Element | None, tag: str, attributes: Mapping[str, str]) -> ET.Element:
    safe = {name: _safe(text) for name, text in attributes.items()}
    return ET.Element(tag, safe) if parent is None else ET.SubElement(parent, tag, safe)


def _safe(text: str) -> str:
    """Return text with what XML cannot hold replaced by the sign for that."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


FORMAT = Format("junit", ".xml", "JUnit XML: each rule is a test case.", render)
