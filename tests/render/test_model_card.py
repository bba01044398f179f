"""The model card of the Hub, read back by the Hub's own library."""

from __future__ import annotations

import math
from dataclasses import replace

import polars as pl
import pytest
import yaml

from evenhand.render import model_card
from evenhand.render.card import limitations
from evenhand.stats.estimate import Estimate, Undefined


@pytest.fixture(scope="module")
def card(bundle):
    hub = pytest.importorskip("huggingface_hub")
    return hub.ModelCard(model_card.render(bundle))


def results(card):
    return {(one.metric_type, one.metric_args.get("slice")): one for one in card.data.eval_results}


def test_the_hub_reads_every_defined_figure_with_its_interval(bundle, card):
    found = results(card)
    for finding in bundle.findings:
        if isinstance(finding.outcome, Estimate) and not finding.pair:
            one = found[finding.key, finding.slice]
            assert one.metric_value == finding.value
            assert (one.metric_args["low"], one.metric_args["high"]) == (finding.low, finding.high)
            assert one.metric_args["level"] == 0.95


def test_figures_of_groups_are_metrics_of_their_slice(bundle, card):
    (finding, *_) = bundle.findings
    men = next(group for group in finding.groups if group.group == {"sex": "men"})
    one = results(card)["selection_rate", "sex = men"]
    assert one.metric_value == men.outcome.value
    assert one.metric_args["units"] == men.units


def test_the_interval_stands_in_the_name_of_a_metric(card):
    name = results(card)["difference(selection_rate, by=sex)", None].metric_name
    assert name == "difference(selection_rate, by=sex), 95% interval [0.1292, 0.2550]"


def test_the_head_survives_the_hub_unchanged(card):
    hub = pytest.importorskip("huggingface_hub")
    again = hub.ModelCard(f"---\n{card.data.to_yaml()}\n---\n\n{card.text}")
    assert again.data.eval_results == card.data.eval_results
    assert again.data.model_name == "credit"


def test_what_is_undefined_is_in_the_text_and_not_in_the_head(bundle, card):
    assert not any("phone" in (slice_ or "") for _, slice_ in results(card))
    text = model_card.render(bundle).split("---\n", 2)[2]
    assert "true\\_positive\\_rate (channel == 'phone'): undefined, fewer than 30 units" in text


def test_no_value_in_the_head_is_none_or_no_number(bundle):
    head = yaml.safe_load(model_card.render(bundle).split("---\n", 2)[1])
    (entry,) = head["model-index"]
    values = [one["value"] for result in entry["results"] for one in result["metrics"]]
    assert all(math.isfinite(value) for value in values)


def test_a_figure_of_which_only_a_set_is_known_has_no_one_value(bundle):
    (finding, *_) = bundle.findings
    found = Estimate(0.3, 0.1, 0.5, 0.95, "bounds", identified=(0.2, 0.4))
    partly = replace(bundle, findings=(replace(finding, outcome=found, groups=()),))
    head = yaml.safe_load(model_card.render(partly).split("---\n", 2)[1])
    (metric,) = head["model-index"][0]["results"][0]["metrics"]
    assert metric["value"] == "in 0.2 .. 0.4"


def test_without_a_defined_figure_there_is_no_model_index(bundle):
    (finding, *_) = bundle.findings
    none = replace(bundle, findings=(replace(finding, outcome=Undefined("no rows"), groups=()),))
    assert "model-index" not in model_card.render(none)


def test_verdicts_and_waivers_are_in_the_text(bundle):
    text = model_card.render(bundle)
    assert "**fail**" in text
    assert "until 2027-01-31 by someone@example.org" in text


def test_a_name_cannot_end_the_head(bundle):
    hub = pytest.importorskip("huggingface_hub")
    subject = bundle.plan.subject.model_copy(update={"model": "a\n---\nb: [", "product": "x: y"})
    odd = replace(bundle, plan=bundle.plan.model_copy(update={"subject": subject}))
    assert hub.ModelCard(model_card.render(odd)).data.model_name == "a\n---\nb: ["


def test_rows_left_out_of_pairs_are_said_once(audit):
    plan = """\
evenhand: 1
log: {source: log.parquet}
roles: {prediction: approved}
groups: {sex: sex}
min_units: 0
measures: ["pairs(selection_rate, by=sex)"]
"""
    rows = {"sex": [*"abc"] * 40, "approved": [1, None, 0, 1, 0] * 24}
    said = limitations(audit(plan, pl.DataFrame(rows)))
    assert said == [
        "24 rows left out of pairs(selection_rate, by=sex) in all rows: prediction is missing"
    ]
