"""Verdicts as JUnit XML, against an independent reader and the fields that readers know."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from evenhand.render import junit

COUNTS = {"tests", "failures", "errors"}
FIELDS = {
    # element: (its children, the attributes that it must have, those that it may have)
    "testsuites": ({"testsuite"}, {"name", *COUNTS}, {"time"}),
    "testsuite": ({"properties", "testcase"}, {"name", *COUNTS}, {"skipped", "time", "timestamp"}),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": (
        {"failure", "error", "skipped", "system-out"},
        {"name", "classname", "time"},
        {"file", "line"},
    ),
    "failure": (set(), {"message", "type"}, set()),
    "skipped": (set(), {"message", "type"}, set()),
    "system-out": (set(), set(), set()),
}
"""What the published forms share; ``file`` and ``line`` of a case are read by tools, not by all."""


def read(text):
    return ET.fromstring(text)  # noqa: S314 - our own output


def cases(root):
    return {case.get("name"): case for case in root.iter("testcase")}


def test_every_element_and_attribute_is_one_that_readers_know(bundle):
    for element in read(junit.render(bundle)).iter():
        children, required, optional = FIELDS[element.tag]
        assert {child.tag for child in element} <= children
        assert required <= {*element.attrib} <= required | optional


def test_an_independent_reader_finds_the_same_results(bundle):
    junitparser = pytest.importorskip("junitparser")
    (suite,) = junitparser.JUnitXml.fromstring(junit.render(bundle).encode())
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (4, 2, 0, 1)
    found = {case.name: [type(one).__name__ for one in case.result] for case in suite}
    assert found == {
        "sex-gap": ["Failure"],
        "sex-gap in channel == 'web'": ["Failure"],
        "race-gap": ["Skipped"],
        "floor": [],
    }


def test_counts_are_those_of_the_cases(bundle):
    suite = read(junit.render(bundle)).find("testsuite")
    assert int(suite.get("tests")) == len(suite.findall("testcase"))
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure"))
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped"))


def test_undecided_rules_are_failures_where_that_is_asked_for(bundle):
    root = read(junit.render(bundle, undecided_fails=True))
    assert root.find("testsuite").get("failures") == "3"
    assert cases(root)["race-gap"].find("failure").get("type") == "undecided"


def test_a_waiver_is_shown_and_the_rule_still_fails(bundle):
    root = read(junit.render(bundle))
    case = cases(root)["sex-gap"]
    assert case.find("failure") is not None
    assert "until 2027-01-31 by someone@example.org" in case.find("system-out").text
    properties = {one.get("name"): one.get("value") for one in root.iter("property")}
    assert properties["waiver sex-gap"].startswith("until 2027-01-31 by someone@example.org")


def test_a_case_points_at_its_line_of_the_plan(bundle):
    case = cases(read(junit.render(bundle, plan_file="audits/lending.yaml")))["race-gap"]
    line = next(rule.line for rule in bundle.rules if rule.id == "race-gap")
    assert (case.get("file"), case.get("line")) == ("audits/lending.yaml", str(line))


def test_a_failure_says_which_group_and_how_big(bundle):
    text = cases(read(junit.render(bundle)))["sex-gap"].find("failure").text
    assert "broken by: sex = men against sex = women" in text
    assert "figure: 0.1932 [" in text


def test_an_undecided_rule_says_how_many_units_would_decide(bundle):
    rule = next(rule for rule in bundle.rules if rule.id == "race-gap")
    text = cases(read(junit.render(bundle)))["race-gap"].find("skipped").text
    assert f"units needed: {rule.units_needed:,.0f}" in text


def test_signs_that_xml_cannot_hold_are_replaced(bundle):
    odd = "a\x00\x1b\x0b<&>\"'\ufffe\ud800]]>"
    (rule, *others) = bundle.rules
    broken = replace(rule, failed_groups=(({odd: odd},),), reason=odd, scope=odd)
    root = read(junit.render(replace(bundle, rules=(broken, *others))))
    message = root.find("testsuite/testcase/failure").get("message")
    assert message == "a\ufffd\ufffd\ufffd<&>\"'\ufffd\ufffd]]>"


def test_a_bundle_without_rules_is_an_empty_suite(bundle):
    suite = read(junit.render(replace(bundle, rules=()))).find("testsuite")
    assert suite.get("tests") == "0"
    assert suite.findall("testcase") == []
