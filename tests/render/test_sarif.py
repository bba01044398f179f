"""Alerts as SARIF, against a schema of our own of the part that is written."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from evenhand.render import sarif


def closed(required, **properties):
    """Return the schema of an object with no other properties than these."""
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
MESSAGE = closed(["text"], text=TEXT)
COUNT = {"type": "integer", "minimum": 0}
RULE = closed(
    ["id", "shortDescription", "fullDescription", "help"],
    id=TEXT,
    shortDescription=MESSAGE,
    fullDescription=MESSAGE,
    help=MESSAGE,
    helpUri=TEXT,
    defaultConfiguration=closed(["level"], level={"enum": ["none", "note", "warning", "error"]}),
    properties={"type": "object"},
)
LOCATION = closed(
    ["physicalLocation"],
    physicalLocation=closed(
        ["artifactLocation"],
        artifactLocation=closed(["uri"], uri=TEXT),
        region=closed(["startLine"], startLine={"type": "integer", "minimum": 1}),
    ),
)
RESULT = closed(
    ["ruleId", "level", "message", "locations", "partialFingerprints"],
    ruleId=TEXT,
    ruleIndex=COUNT,
    level={"enum": ["none", "note", "warning", "error"]},
    message=MESSAGE,
    locations={"type": "array", "items": LOCATION, "minItems": 1},
    partialFingerprints={"type": "object", "additionalProperties": TEXT, "minProperties": 1},
    properties={"type": "object"},
)
DRIVER = closed(
    ["name", "rules"],
    name=TEXT,
    version=TEXT,
    semanticVersion=TEXT,
    informationUri=TEXT,
    rules={"type": "array", "items": RULE, "uniqueItems": True},
)
RUN = closed(
    ["tool", "results"],
    tool=closed(["driver"], driver=DRIVER),
    automationDetails=closed(["id"], id=TEXT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": RESULT},
)
SCHEMA = closed(
    ["$schema", "version", "runs"],
    version={"const": "2.1.0"},
    runs={"type": "array", "items": RUN, "minItems": 1},
    **{"$schema": TEXT},
)


def run_of(bundle, **more):
    return json.loads(sarif.render(bundle, **more))["runs"][0]


def prints(bundle):
    return [one["partialFingerprints"]["evenhand/v1"] for one in run_of(bundle)["results"]]


def test_the_alerts_are_as_the_schema_says(bundle):
    jsonschema.Draft202012Validator(SCHEMA).validate(json.loads(sarif.render(bundle)))


def test_a_failure_is_an_error_and_what_is_undecided_a_warning(bundle):
    found = [
        (one["ruleId"], one["level"], one["properties"]["verdict"])
        for one in run_of(bundle)["results"]
    ]
    assert found == [
        ("sex-gap", "error", "fail"),
        ("sex-gap", "error", "fail"),
        ("race-gap", "warning", "undecided"),
    ]


def test_rules_that_pass_are_listed_and_raise_no_alert(bundle):
    run = run_of(bundle)
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == [
        "sex-gap",
        "race-gap",
        "floor",
    ]
    assert "floor" not in {one["ruleId"] for one in run["results"]}


def test_the_index_of_a_rule_is_its_place(bundle):
    run = run_of(bundle)
    for one in run["results"]:
        assert run["tool"]["driver"]["rules"][one["ruleIndex"]]["id"] == one["ruleId"]


def test_an_alert_stands_at_the_line_of_its_rule(bundle):
    found = run_of(bundle, plan_file="my audits/lending.yaml")["results"][-1]["locations"]
    line = next(rule.line for rule in bundle.rules if rule.id == "race-gap")
    assert found == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "my%20audits/lending.yaml"},
                "region": {"startLine": line},
            }
        }
    ]


def test_a_plan_that_is_no_file_points_at_its_first_line(bundle):
    rules = tuple(replace(rule, line=None) for rule in bundle.rules)
    (first, *_) = run_of(replace(bundle, rules=rules))["results"]
    assert first["locations"][0]["physicalLocation"]["region"] == {"startLine": 1}


def test_alerts_of_different_slices_are_different_alerts(bundle):
    assert len({*prints(bundle)}) == len(prints(bundle))


def test_an_alert_keeps_its_identity_when_figures_lines_and_versions_change(bundle):
    later = replace(
        bundle,
        version="9.9.9",
        rules=tuple(
            replace(rule, reason="another", line=99, waiver=None, certainty=0.9, units_needed=7.0)
            for rule in bundle.rules
        ),
    )
    assert prints(later) == prints(bundle)


def test_the_same_rule_of_another_product_is_another_alert(bundle):
    subject = bundle.plan.subject.model_copy(update={"product": "cards"})
    other = replace(bundle, plan=bundle.plan.model_copy(update={"subject": subject}))
    assert not {*prints(other)} & {*prints(bundle)}


def test_the_category_is_the_product_and_the_model(bundle):
    identity = run_of(bundle)["automationDetails"]["id"]
    assert identity.rpartition("/")[0] == "evenhand/lending/credit"


def test_a_waived_failure_stays_an_error_and_is_not_suppressed(bundle):
    (first, *_) = run_of(bundle)["results"]
    assert first["level"] == "error"
    assert first["properties"]["waived"]
    assert "until 2027-01-31 by someone@example.org" in first["message"]["text"]
    assert "suppressions" not in first


def test_the_message_says_which_group_how_big_and_how_sure(bundle):
    text = run_of(bundle)["results"][0]["message"]["text"]
    assert "sex = men against sex = women" in text
    assert "0.1932 [" in text
    assert "95% interval" in text


def test_names_of_groups_make_neither_placeholders_nor_links(bundle):
    (rule, *_) = bundle.rules
    odd = replace(rule, failed_groups=(({"sex": "{0} [click](http://example.org)"},),))
    text = run_of(replace(bundle, rules=(odd,)))["results"][0]["message"]["text"]
    assert "{{0}}" in text
    assert "](" not in text


@pytest.mark.parametrize(
    ("version", "semantic"), [("1.2.3", True), ("1.2.3-rc.1", True), ("0.1.0.dev1", False)]
)
def test_only_a_semantic_version_is_called_one(bundle, version, semantic):
    driver = run_of(replace(bundle, version=version))["tool"]["driver"]
    assert driver["version"] == version
    assert ("semanticVersion" in driver) is semantic


def test_a_gate_that_passes_has_no_alerts(bundle):
    passing = tuple(rule for rule in bundle.rules if rule.verdict == "pass")
    assert run_of(replace(bundle, rules=passing))["results"] == []
