"""Waterfalls of a gap: which way bars go, what the axis is, parts that are 0, and where it ends."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.look import BLUE, VERMILLION
from evenhand.audits.evidence.probed import ProbeRecord
from evenhand.audits.evidence.profile import GAP, REST, Line, Profile, profile_chart, profiles_of
from evenhand.audits.evidence.strength import variant_column
from evenhand.render.profile import profile_view, table_of_profile
from evenhand.render.section import sections_of
from evenhand.render.wording import DASH
from evenhand.stats.estimate import Undefined

PARTS, WHOLE = "pairs(mean_attribution, by=sex)", "pairs(mean_explained_score, by=sex)"
ROWS = 200


def bundle_of(apart, *, whole=True, asked=None):
    """An audit of parts whose means are so far apart between f and m; 0 in every row for None."""
    rng = np.random.default_rng(1)
    first = np.arange(ROWS) < ROWS // 2
    parts = {
        name: np.zeros(ROWS)
        if by is None
        else np.where(first, by, 0.0) + rng.normal(scale=0.01, size=ROWS)
        for name, by in apart.items()
    }
    rows = pl.concat(
        pl.DataFrame(
            {
                "source": np.arange(ROWS),
                "variant": name,
                "attribution": part,
                "explained_score": 0.4 + sum(parts.values()),
                "sex": np.where(first, "f", "m"),
            }
        )
        for name, part in parts.items()
    )
    slices = [f"variant == {name!r}" for name in (asked or apart)]
    entries = [{"measure": PARTS, "slices": slices}]
    entries += [{"measure": WHOLE, "slices": slices[:1]}] if whole else []
    plan = {
        "evenhand": 1,
        "log": {"source": "parts.parquet", "kind": "attributions"},
        "groups": {"sex": "sex"},
        "measures": entries,
    }
    return eh.audit(plan, table=rows)


def profile_of(bundle, probes=()):
    (one,) = profiles_of(bundle.findings, variant_column(bundle.plan), probes)
    return one


def lines_of(one):
    return {line["feature"]: line for line in profile_chart(one)["data"]["values"]}


def record(probe, output="probabilities"):
    spec = {"labels": ["no", "yes"], "shape": [2], "output": output}
    return ProbeRecord.model_validate(
        {
            "probe": {"name": probe, "variants": ["age", "hours"]},
            "model": {"name": "model", "fingerprint": "sha256:0", "spec": spec},
            "inputs": {"name": "inputs", "examples": ROWS, "digest": "sha256:0"},
            "seed": 1,
            "queries": 1,
            "flags": None,
            "version": "0",
        }
    )


@pytest.mark.parametrize("sign", [1, -1])
def test_bars_that_raise_the_first_groups_mean_are_orange_whichever_sign_the_gap_has(sign):
    one = profile_of(bundle_of({"age": -0.4 * sign, "hours": 0.1 * sign}))
    chart = profile_chart(one)
    (colour,) = [
        layer["encoding"]["color"]["scale"]
        for layer in chart["layer"]
        if "color" in layer.get("encoding", {})
    ]
    by_kind = dict(zip(colour["domain"], colour["range"], strict=True))
    drawn = {name: by_kind[line["kind"]] for name, line in lines_of(one).items()}
    up, down = (VERMILLION, BLUE) if sign < 0 else (BLUE, VERMILLION)
    assert (drawn["age"], drawn["hours"]) == (up, down)
    caption = profile_view(one, 1, drawn=False, live=False)["caption"]
    assert "orange parts raise the mean score of f beside that of m, blue ones lower it" in caption


def test_axis_says_whose_difference_it_is_and_of_which_score():
    bundle = bundle_of({"age": -0.4, "hours": 0.1})
    minus = "f \N{MINUS SIGN} m"
    assert profile_of(bundle).axis == f"difference of mean scores: {minus}"
    for probe, output, score in (
        ("explain.gap", "probabilities", "the probability of 'yes'"),
        ("explain.gap(target=no)", "logits", "the logit of 'no'"),
        ("explain.shap(link=probability)", "logits", "the probability of 'yes'"),
    ):
        one = profile_of(bundle, [record(probe, output)])
        assert one.axis == f"difference of means of {score}: {minus}"
        assert one.axis in str(profile_chart(one))
    several = [record("explain.gap"), record("explain.gap(target=no)")]
    assert profile_of(bundle, several).score == ""
    assert profile_of(bundle, [record("explain.gap(target=maybe)")]).score == ""
    assert profile_of(bundle, [record("explain.permutation")]).score == ""


@pytest.mark.parametrize(
    ("measure", "axis"),
    [
        ("mean_attribution", "mean attribution to the logit of 'no'"),
        ("mean_absolute_attribution", "mean absolute attribution to the logit of 'no'"),
        ("permutation_importance", "permutation importance"),
        ("measure_of_another_installation", "measure of another installation"),
    ],
)
def test_axis_of_parts_side_by_side_says_of_which_score_they_are(measure, axis):
    assert Profile(measure, (), (), "", (), score="the logit of 'no'").axis == axis


def test_the_gap_itself_is_headed_by_no_feature():
    bundle = bundle_of({"age": -0.4, "hours": 0.1})
    titles = [block.title for section in sections_of(bundle) for block in section.blocks]
    assert sorted(titles) == ["age: by sex", "by sex", "hours: by sex"]


def test_waterfall_ends_at_the_gap_with_its_own_interval():
    bundle = bundle_of({"age": -0.4, "hours": 0.1})
    one = profile_of(bundle)
    (whole,) = [found.outcome for found in bundle.findings if found.key == WHOLE]
    last = [*lines_of(one).values()][-1]
    assert last["feature"] == GAP
    assert (last["value"], last["low"], last["high"]) == (whole.value, whole.low, whole.high)
    parts = [line["part"] for name, line in lines_of(one).items() if name != GAP]
    assert last["value"] == pytest.approx(sum(parts), rel=1e-9)
    row = table_of_profile(one).rows[-1]
    assert row[0] == GAP
    assert row[2].startswith("[")


def test_part_that_is_0_in_every_row_is_0_and_leaves_the_sum_drawn():
    for whole in (True, False):
        one = profile_of(bundle_of({"age": -0.4, "fixed": None}, whole=whole))
        lines = lines_of(one)
        assert lines["fixed"]["part"] == 0
        assert "low" not in lines["fixed"]
        assert (GAP if whole else "sum") in lines
        table = table_of_profile(one)
        assert ("fixed", "0.0000", DASH) in table.rows
        assert not table.notes
        caption = profile_view(one, 1, drawn=False, live=False)["caption"]
        assert "grey bar" in caption
        assert "What is 0 in every row has no interval." in caption


def test_caption_promises_no_sum_where_none_is_drawn():
    one = profile_of(bundle_of({"age": -0.4, "hours": 0.1}, whole=False))
    unknown = replace(one, lines=(*one.lines, Line("pay", Undefined("nobody knows it"))))
    for profile, said in ((one, "grey bar is their sum"), (unknown, "No sum is drawn")):
        assert said in profile_view(profile, 1, drawn=False, live=False)["caption"]
    assert "sum" not in lines_of(unknown)


def test_features_that_are_not_audited_are_left_between_the_parts_and_the_gap():
    parts = {"age": -0.4, "hours": 0.1, "pay": 0.2}
    one = profile_of(bundle_of(parts, asked=["age", "hours"]))
    lines = lines_of(one)
    assert [*lines][-2:] == [REST, GAP]
    assert lines[REST]["value"] == pytest.approx(lines[GAP]["value"])
    # Drawn to .01 a row: the mean of 200 is within .01 of .2.
    assert lines[REST]["part"] == pytest.approx(0.2, abs=0.01)
    caption = profile_view(one, 1, drawn=False, live=False)["caption"]
    assert REST in caption


def test_the_gap_is_no_profile_of_its_own_where_it_is_asked_of_every_variant():
    bundle = bundle_of({"age": -0.4, "hours": 0.1})
    assert {one.measure for one in profiles_of(bundle.findings, "variant")} == {"mean_attribution"}
