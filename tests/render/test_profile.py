"""Figures of variants side by side: what is drawn together, and parts that add up to a gap."""

from __future__ import annotations

import itertools
import re

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.profile import MOST, profile_chart, profiles_of
from evenhand.audits.evidence.strength import variant_column
from evenhand.render.html import html
from evenhand.render.profile import table_of_profile
from evenhand.render.svg import svg

FEATURES = ("age", "hours", "gain")


def bundle_of(measures, *, features=FEATURES, missing=()):
    """An audit of parts whose groups' means differ by feature, each measure in every feature."""
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {
            "source": np.tile(np.arange(400), len(features)),
            "variant": np.repeat([*features], 400),
            "attribution": np.concatenate(
                [
                    np.full(400, np.nan)
                    if name in missing
                    else rng.normal(size=400) + (np.arange(400) < 200) * (place - 1)
                    for place, name in enumerate(features)
                ]
            ),
            "sex": np.tile(np.where(np.arange(400) < 200, "f", "m"), len(features)),
            "other": np.tile(np.where(np.arange(400) % 2, "f", "m"), len(features)),
        }
    ).with_columns(pl.col("attribution").fill_nan(None))
    slices = [f"variant == {name!r}" for name in features]
    return eh.audit(
        {
            "evenhand": 1,
            "log": {"source": "parts.parquet", "kind": "attributions"},
            "groups": {"sex": "sex", "other": "other"},
            "measures": [{"measure": one, "slices": slices} for one in measures],
        },
        table=rows,
    )


def profiles(bundle):
    return profiles_of(bundle.findings, variant_column(bundle.plan))


def test_parts_of_a_gap_fall_from_one_to_the_next_and_end_at_their_sum():
    bundle = bundle_of(["pairs(mean_attribution, by=sex)"])
    (one,) = profiles(bundle)
    assert one.adds_up
    assert one.title == "by sex: f \N{MINUS SIGN} m, part by part"
    lines = profile_chart(one)["data"]["values"]
    assert [line["feature"] for line in lines][-1] == "sum"
    sizes = [abs(line["part"]) for line in lines[:-1]]
    assert sizes == sorted(sizes, reverse=True)
    for before, after in itertools.pairwise(lines[:-1]):
        assert after["start"] == before["value"]
    wanted = sum(finding.outcome.value for finding in bundle.findings)
    assert lines[-1]["value"] == pytest.approx(wanted, rel=1e-12)
    table = table_of_profile(one)
    assert [row[0] for row in table.rows] == [*FEATURES, "sum"]


def test_groups_of_one_name_by_two_attributes_are_two_waterfalls():
    bundle = bundle_of(["pairs(mean_attribution, by=sex)", "pairs(mean_attribution, by=other)"])
    found = profiles(bundle)
    assert [one.by for one in found] == [("sex",), ("other",)]
    assert all(one.pair == ("f", "m") and len(one.lines) == len(FEATURES) for one in found)


def test_figures_that_do_not_add_up_stand_side_by_side_from_the_largest():
    (one,) = profiles(bundle_of(["mean_absolute_attribution"]))
    assert not one.adds_up
    values = [line["value"] for line in profile_chart(one)["data"]["values"]]
    assert values == sorted(values, reverse=True)
    assert "sum" not in [row[0] for row in table_of_profile(one).rows]


def test_names_of_pairs_stand_below_each_other_and_keep_their_ends():
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    names = [f"integrated_gradients(steps=32, baseline={one})" for one in ("low", "mean", "blur")]
    pairs = tuple(" and ".join(pair) for pair in itertools.combinations(names, 2))
    bundle = bundle_of(["mean_absolute_attribution"], features=(*pairs, "a and b"))
    (one,) = profiles(bundle)
    chart = profile_chart(one)
    # As in evidence, each line is known by its whole name.
    assert {*chart["encoding"]["y"]["scale"]["domain"]} == {*pairs, "a and b"}
    drawn = re.findall(r">([^<>]*)</(?:text|tspan)>", svg(chart))
    assert drawn.count("integrated_g…aseline=low)") == 2
    assert drawn.count("and integrated…line=blur)") == 2
    assert "a and b" in drawn
    (plain,) = profiles(bundle_of(["mean_absolute_attribution"]))
    assert "labelExpr" not in profile_chart(plain)["encoding"]["y"]["axis"]


def test_a_part_that_is_unknown_leaves_no_sum_in_the_table():
    (one,) = profiles(bundle_of(["pairs(mean_attribution, by=sex)"], missing=("hours",)))
    table = table_of_profile(one)
    assert [row[0] for row in table.rows] == [*FEATURES]
    assert any("hours: undefined" in note for note in table.notes)


def test_of_many_features_those_farthest_from_0_are_drawn_and_the_rest_as_one():
    features = tuple(f"x{place}" for place in range(MOST + 6))
    bundle = bundle_of(["pairs(mean_attribution, by=sex)"], features=features)
    (one,) = profiles(bundle)
    lines = profile_chart(one)["data"]["values"]
    assert [line["feature"] for line in lines[MOST:]] == ["6 others", "sum"]
    wanted = sum(finding.outcome.value for finding in bundle.findings)
    assert lines[-1]["value"] == pytest.approx(wanted, rel=1e-12)


def test_a_single_variant_and_strengths_of_an_attack_are_no_profile():
    assert not profiles(bundle_of(["mean_attribution"], features=("age",)))
    assert not profiles(bundle_of(["mean_attribution"], features=("linf 0.1", "linf 0.2")))


def test_the_report_draws_them_before_the_figures_of_each_feature():
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")
    page = html(bundle_of(["mean_attribution", "pairs(mean_attribution, by=sex)"]))
    assert page.index("Side by side") < page.index("part by part")
    assert page.index("part by part") < page.index("age: all together")


def test_evidence_holds_the_charts():
    bundle = bundle_of(["mean_attribution"])
    assert [name for name in bundle.charts if "profile" in name]
