"""The bill of materials, against the schema that CycloneDX publishes."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from evenhand.audits.evidence.bundle import Input
from evenhand.render import cyclonedx


def wrong(text):
    schema = pytest.importorskip("cyclonedx.schema")
    validation = pytest.importorskip("cyclonedx.validation.json")
    return validation.JsonStrictValidator(schema.SchemaVersion.V1_6).validate_str(text)


def model_of(bundle):
    (model,) = json.loads(cyclonedx.render(bundle))["components"]
    return model


def metrics_of(bundle):
    metrics = model_of(bundle)["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    return {(one["type"], one.get("slice")): one for one in metrics}


def with_subject(bundle, **more):
    subject = bundle.plan.subject.model_copy(update=more)
    return replace(bundle, plan=bundle.plan.model_copy(update={"subject": subject}))


def test_the_bill_is_as_the_published_schema_says(bundle):
    assert wrong(cyclonedx.render(bundle)) is None


def test_the_schema_would_notice_a_field_that_it_does_not_know(bundle):
    document = json.loads(cyclonedx.render(bundle))
    document["components"][0]["modelCard"]["verdict"] = "fail"
    assert wrong(json.dumps(document)) is not None


def test_a_bundle_that_knows_little_is_valid_too(bundle):
    bare = with_subject(bundle, product=None, model=None, version=None, owner=None, window=None)
    assert wrong(cyclonedx.render(replace(bare, rules=(), findings=(), inputs=()))) is None


def test_the_artefact_is_the_hash_of_the_component(bundle):
    found = with_subject(bundle, artefact="sha256:" + "ab" * 32)
    assert wrong(cyclonedx.render(found)) is None
    assert model_of(found)["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]


def test_files_are_data_sets_with_their_digests(bundle):
    read = Input("decisions.parquet", 123, "sha256:" + "cd" * 32)
    found = replace(bundle, inputs=(read, read))
    assert wrong(cyclonedx.render(found)) is None
    (data, _) = model_of(found)["modelCard"]["modelParameters"]["datasets"]
    assert data["sensitiveData"] == ["sex", "race"]
    assert "sha256:cdcd" in data["description"]


def test_figures_and_intervals_are_listed_without_loss(bundle):
    found = metrics_of(bundle)
    for finding in bundle.findings:
        if finding.undefined is None and not finding.pair:
            metric = found[finding.key, finding.slice]
            assert float(metric["value"]) == finding.value
            assert float(metric["confidenceInterval"]["lowerBound"]) == finding.low
            assert float(metric["confidenceInterval"]["upperBound"]) == finding.high


def test_what_is_undefined_is_listed_with_its_reason(bundle):
    metric = metrics_of(bundle)["selection_rate", "race = Other"]
    assert metric["value"] == "undefined: fewer than 30 units"
    assert "confidenceInterval" not in metric


def test_rules_that_do_not_pass_name_the_groups_at_risk(bundle):
    assessments = model_of(bundle)["modelCard"]["considerations"]["fairnessAssessments"]
    assert [one["groupAtRisk"] for one in assessments] == [
        "sex = men against sex = women",
        "sex = men against sex = women",
        "race = Other; race = Black; race = White",
    ]


def test_a_waiver_is_a_property_and_no_mitigation(bundle):
    card = model_of(bundle)["modelCard"]
    properties = [(one["name"], one["value"]) for one in card["properties"]]
    assert ("evenhand:rule:sex-gap", "all rows: fail") in properties
    assert dict(properties)["evenhand:waiver:sex-gap"].startswith("until 2027-01-31 by someone@")
    assert not any(
        "mitigationStrategy" in one for one in card["considerations"]["fairnessAssessments"]
    )


def test_the_same_evidence_has_the_same_serial_number_and_other_evidence_another(bundle):
    def serial(one):
        return json.loads(cyclonedx.render(one))["serialNumber"]

    assert serial(bundle) == serial(bundle)
    assert serial(bundle) != serial(replace(bundle, findings=bundle.findings[1:]))
