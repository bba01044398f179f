"""The card in the schema 0.0.2, against our own schema and, where installed, the package's."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from evenhand.render import model_card_toolkit
from evenhand.stats.estimate import Undefined


def record(**properties):
    return {"type": "object", "properties": properties, "additionalProperties": False}


def many(entry):
    return {"type": "array", "items": entry}


TEXT = {"type": "string"}
DESCRIBED = many(record(description=TEXT))
PAIRS = many(record(key=TEXT, value=TEXT))
GRAPHICS = record(description=TEXT, collection=many(record(name=TEXT, image=TEXT)))
METRIC = record(
    type=TEXT,
    value=TEXT,
    slice=TEXT,
    confidence_interval=record(lower_bound=TEXT, upper_bound=TEXT),
)
SCHEMA = record(
    schema_version={"const": "0.0.2"},
    model_details=record(
        name=TEXT,
        overview=TEXT,
        documentation=TEXT,
        owners=many(record(name=TEXT, contact=TEXT)),
        version=record(name=TEXT, date=TEXT, diff=TEXT),
        licenses=many(record(identifier=TEXT, custom_text=TEXT)),
        references=many(record(reference=TEXT)),
        citations=many(record(style=TEXT, citation=TEXT)),
        path=TEXT,
    ),
    model_parameters=record(
        model_architecture=TEXT,
        data=many(
            record(
                name=TEXT,
                link=TEXT,
                sensitive=record(sensitive_data=many(TEXT)),
                graphics=GRAPHICS,
                description=TEXT,
            )
        ),
        input_format=TEXT,
        input_format_map=PAIRS,
        output_format=TEXT,
        output_format_map=PAIRS,
    ),
    quantitative_analysis=record(performance_metrics=many(METRIC), graphics=GRAPHICS),
    considerations=record(
        users=DESCRIBED,
        use_cases=DESCRIBED,
        limitations=DESCRIBED,
        tradeoffs=DESCRIBED,
        ethical_considerations=many(record(name=TEXT, mitigation_strategy=TEXT)),
    ),
)
"""The fields of schema 0.0.2, and no others."""


def card_of(bundle):
    return json.loads(model_card_toolkit.render(bundle))


def metrics_of(bundle):
    metrics = card_of(bundle)["quantitative_analysis"]["performance_metrics"]
    return {(one["type"], one.get("slice")): one for one in metrics}


def test_the_card_has_only_fields_of_the_schema(bundle):
    jsonschema.Draft7Validator(SCHEMA).validate(card_of(bundle))


def test_the_card_is_as_the_published_schema_says(bundle):
    spec = importlib.util.find_spec("model_card_toolkit")
    if spec is None or spec.origin is None:
        pytest.skip("model-card-toolkit is not installed; pip install --no-deps model-card-toolkit")
    path = Path(spec.origin).parent / "schema" / "v0.0.2" / "model_card.schema.json"
    jsonschema.Draft7Validator(json.loads(path.read_text())).validate(card_of(bundle))


def test_figures_and_intervals_are_listed_without_loss(bundle):
    found = metrics_of(bundle)
    for finding in bundle.findings:
        if finding.undefined is None and not finding.pair:
            metric = found[finding.key, finding.slice]
            assert float(metric["value"]) == finding.value
            limits = metric["confidence_interval"]
            assert float(limits["lower_bound"]) == finding.low
            assert float(limits["upper_bound"]) == finding.high


def test_groups_are_slices(bundle):
    (finding, *_) = bundle.findings
    men = next(group for group in finding.groups if group.group == {"sex": "men"})
    assert float(metrics_of(bundle)["selection_rate", "sex = men"]["value"]) == men.outcome.value


def test_a_group_in_a_slice_names_both(bundle):
    assert ("selection_rate", "sex = men; channel == 'web'") in metrics_of(bundle)


def test_what_is_undefined_is_listed_with_its_reason_and_no_interval(bundle):
    metric = metrics_of(bundle)["true_positive_rate", "channel == 'phone'"]
    assert metric == {
        "type": "true_positive_rate",
        "value": "undefined: fewer than 30 units",
        "slice": "channel == 'phone'",
    }


def test_no_figure_becomes_zero_for_want_of_a_value(bundle):
    none = tuple(
        replace(one, outcome=Undefined("no positive labels"), groups=()) for one in bundle.findings
    )
    values = {one["value"] for one in metrics_of(replace(bundle, findings=none)).values()}
    assert values == {"undefined: no positive labels"}


def test_a_figure_that_two_contrasts_list_is_listed_once(bundle):
    metrics = card_of(bundle)["quantitative_analysis"]["performance_metrics"]
    assert len(metrics) == len(metrics_of(bundle))


def test_failures_are_ethical_considerations_and_a_waiver_mitigates_nothing(bundle):
    found = card_of(bundle)["considerations"]["ethical_considerations"]
    assert len(found) == 2
    assert "waived until 2027-01-31 by someone@example.org" in found[0]["name"]
    assert "mitigation_strategy" not in found[0]


def test_what_is_undecided_is_a_limitation(bundle):
    found = [one["description"] for one in card_of(bundle)["considerations"]["limitations"]]
    assert any(text.startswith("Rule race-gap") and "undecided" in text for text in found)


def test_what_the_evidence_does_not_know_is_left_out(bundle):
    card = card_of(bundle)
    assert "licenses" not in card["model_details"]
    assert "model_architecture" not in card["model_parameters"]
