"""Which features come first by several methods: orders from figures, and what reports show."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.audits.evidence.order import MOST, orders_of
from evenhand.audits.evidence.strength import variant_column
from evenhand.render.html import html
from evenhand.render.markdown import markdown
from evenhand.render.order import TITLE, orders_in
from evenhand.render.overview import overview_of
from evenhand.render.section import sections_of

SIZES = {
    "occlusion": {"age": 3.0, "hours": 1.0, "gain": 2.0},
    "shap": {"age": 1.0, "hours": 0.97, "gain": 2.0},
}
"""Mean sizes of parts by method; of shap two that nobody tells apart."""

RISES = {"age": 0.05, "hours": 0.8, "gain": 0.4}

COUNT = 300


def rows_of(sizes=SIZES, rises=RISES, zero=()):
    """Parts of several methods, and rises of the error, of 300 examples in two groups."""
    rng = np.random.default_rng(2)
    sex = np.where(np.arange(COUNT) < COUNT // 2, "f", "m")
    parts = []
    for method, by in sizes.items():
        for feature, size in by.items():
            name = f"{method}: {feature}"
            part = rng.choice([-1.0, 1.0], COUNT) * rng.gamma(9.0, size / 9.0, COUNT)
            # Of men gains come first by occlusion.
            part = np.where((name == "occlusion: gain") & (sex == "m"), 4 * part, part)
            parts.append((name, part * (name not in zero), None))
    for feature, rise in rises.items():
        parts.append((feature, None, (rng.random(COUNT) < rise).astype(float)))
    empty = np.full(COUNT, np.nan)
    return pl.concat(
        pl.DataFrame(
            {
                "source": np.arange(COUNT),
                "variant": name,
                "attribution": empty if part is None else part,
                "error_rise": empty if rise is None else rise,
                "sex": sex,
            }
        )
        for name, part, rise in parts
    ).with_columns(pl.col("attribution", "error_rise").fill_nan(None))


def bundle_of(rows, *, gate=(), by="sex"):
    found = {"mean_absolute_attribution": [], "permutation_importance": []}
    for name in rows["variant"].unique(maintain_order=True):
        of = "mean_absolute_attribution" if ": " in name else "permutation_importance"
        found[of].append(f"variant == {name!r}")
    texts = [one for one in found if found[one]]
    measures = [{"measure": one, "slices": found[one]} for one in texts]
    if by:
        measures += [
            {"measure": f"difference({one}, by={by})", "slices": found[one]} for one in texts
        ]
    plan = {
        "evenhand": 1,
        "log": {"source": "parts.parquet", "kind": "attributions"},
        "groups": {by or "sex": "sex"},
        "measures": measures,
    }
    return eh.audit({**plan, **({"gate": [*gate]} if gate else {})}, table=rows)


def orders(bundle):
    return orders_of(bundle.findings, variant_column(bundle.plan))


def test_each_method_puts_features_in_its_order_as_far_as_intervals_tell():
    rows = rows_of()
    (found,) = orders(bundle_of(rows))
    assert [one.name for one in found.whole] == ["occlusion", "shap", "permutation_importance"]
    for one in found.whole:
        sizes = {
            name: abs(
                rows.filter(variant=f"{one.name}: {name}")["attribution"]
                if one.name in SIZES
                else rows.filter(variant=name)["error_rise"]
            ).mean()
            for name in RISES
        }
        order = sorted(sizes, key=lambda name: -sizes[name])
        assert sorted(one.ranks(), key=lambda name: one.ranks()[name].value) == order
    shap = found.whole[1].ranks()
    assert (shap["gain"].best, shap["gain"].worst) == (1, 1)
    for name in ("age", "hours"):
        assert (shap[name].best, shap[name].worst) == (2, 3)


def test_agreement_counts_the_pairs_that_both_methods_tell():
    (found,) = orders(bundle_of(rows_of()))
    told = {(one.name, other.name): each for one, other, each in found.pairs()}
    # Occlusion: gain, age, hours; permutation: hours, gain, age; all are told apart.
    both = told["occlusion", "permutation_importance"]
    assert (both.alike, both.opposite, both.unknown) == (1, 2, 0)
    assert both.tau == both.low == both.high == pytest.approx(-1 / 3)
    # Shap leaves open whether age or hours comes first.
    both = told["occlusion", "shap"]
    assert (both.alike, both.opposite, both.unknown) == (2, 0, 1)
    assert both.low == pytest.approx(1 / 3)
    assert both.high == 1


def test_orders_of_groups_are_compared_method_by_method():
    (found,) = orders(bundle_of(rows_of()))
    told = {one.name: (one.group, other.group, each) for one, other, each in found.between("sex")}
    assert [*told] == ["occlusion", "shap", "permutation_importance"]
    first, second, both = told["occlusion"]
    assert {first, second} == {"f", "m"}
    # Age before gain of women, gain before age of men.
    assert (both.alike, both.opposite) == (2, 1)
    assert told["shap"][2].opposite == 0


def test_a_feature_that_is_0_in_every_row_is_last_and_nobody_knows_its_place():
    (found,) = orders(bundle_of(rows_of(zero=("shap: hours",)), by=""))
    shap = found.whole[1].ranks()
    assert (shap["hours"].value, shap["hours"].best, shap["hours"].worst) == (3, 1, 3)
    # Nor is it known of the others whether it comes before them.
    assert (shap["gain"].best, shap["gain"].worst) == (1, 2)
    (page,) = orders_in(bundle_of(rows_of(zero=("shap: hours",)), by=""))
    cells = dict(page.ranks.rows)["hours"]
    assert cells[1].text == "1st to 3rd 0"


def test_a_feature_that_differs_from_0_by_rounding_is_as_one_that_is_0():
    noise = {"occlusion": SIZES["occlusion"], "shap": {"age": 1.0, "gain": 2e-17, "hours": 1e-17}}
    bundle = bundle_of(rows_of(noise, {}), by="")
    (found,) = orders(bundle)
    shap = found.whole[1].ranks()
    # Their limits do not meet, and say nothing.
    assert shap["gain"] == shap["hours"] == (2, 1, 3)
    (told,) = (each for _, _, each in found.pairs())
    assert (told.alike, told.opposite, told.unknown) == (0, 0, 3)
    (page,) = orders_in(bundle)
    assert dict(page.ranks.rows)["gain"][1].text == "1st to 3rd 0"


def test_one_method_alone_is_no_comparison():
    alone = {"shap": SIZES["shap"]}
    assert orders(bundle_of(rows_of(alone, {}))) == []
    assert TITLE not in html(bundle_of(rows_of(alone, {})))


def test_a_name_with_a_colon_that_is_no_method_is_a_feature():
    rows = rows_of({"occlusion": SIZES["occlusion"], "time: of day": SIZES["shap"]}, RISES)
    (found,) = orders(bundle_of(rows, by=""))
    assert [one.name for one in found.whole] == [
        "occlusion",
        "mean_absolute_attribution",
        "permutation_importance",
    ]
    assert "time: of day: age" in found.whole[1].figures


def test_reports_show_ranks_with_their_figures_and_how_far_orders_agree():
    bundle = bundle_of(rows_of())
    for page in (html(bundle), markdown(bundle)):
        for said in (TITLE, "2nd to 3rd", "Kendall", "95%, by Bonferroni", "occlusion and shap"):
            assert said in page
    (shown,) = orders_in(bundle)
    assert shown.ranks.measures == ("occlusion", "shap", "permutation_importance")
    assert [title for title, _ in shown.tables] == [
        "how far the methods agree",
        "how far groups agree, by sex",
    ]
    # What stands here is not told once more among the variants, where each has one figure.
    assert overview_of(bundle, sections_of(bundle), ordered=True) is None
    # Formats without orders have all variants in one table.
    whole = overview_of(bundle, sections_of(bundle))
    assert whole is not None
    assert len(whole.rows) == 9


def test_groups_are_called_as_the_plan_calls_them():
    bundle = bundle_of(rows_of(), by="Sex")
    for page in (html(bundle), markdown(bundle)):
        assert "How far groups agree, by Sex" in page


def test_figures_that_a_rule_is_about_stay_among_the_variants():
    gate = [{"id": "most", "rule": "mean_absolute_attribution <= 9"}]
    bundle = bundle_of(rows_of(), gate=gate)
    shown = overview_of(bundle, sections_of(bundle), ordered=True)
    # The rule is about sizes of parts, and not about importances by permutation.
    names = [f"{by}: {feature}" for by in SIZES for feature in RISES]
    assert [name for name, _ in shown.rows] == names


def test_of_very_many_features_no_order_is_told():
    many = {f"x{place}": 1.0 for place in range(MOST + 1)}
    rows = pl.concat(
        pl.DataFrame(
            {
                "source": np.arange(40),
                "variant": f"{by}: {name}",
                "attribution": np.arange(40) - 9.5,
            }
        )
        for by in ("shap", "occlusion")
        for name in many
    )
    measured = {
        "measure": "mean_absolute_attribution",
        "slices": [f"variant == {name!r}" for name in rows["variant"].unique(maintain_order=True)],
    }
    plan = {
        "evenhand": 1,
        "log": {"source": "parts.parquet", "kind": "attributions"},
        "measures": [measured],
    }
    assert orders(eh.audit(plan, table=rows)) == []
