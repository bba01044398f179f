"""Variants beside each other: one table of all measures, and what sections need not say again."""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.render import svg
from evenhand.render.chapter import chapters_of
from evenhand.render.course import courses_in
from evenhand.render.html import html
from evenhand.render.latex import latex
from evenhand.render.markdown import markdown
from evenhand.render.notebook import notebook
from evenhand.render.overview import compared_in, overview_of
from evenhand.render.section import sections_of, shown_sections, variant_of
from made import bundle_of as plain_bundle
from made import contrast, group

VARIANTS = ("gradient mean", "occlusion mean", "random mean")
RULE = "faithful_share >= 0.9"


@pytest.fixture(autouse=True)
def _bare(monkeypatch):
    """No pictures, so that a page is made in no time."""
    monkeypatch.setattr(svg, "can_draw", lambda: False)


def card(*measures, variants=VARIANTS, rule=RULE, more="", **columns):
    """An audit of explanations: the second always beats random orders, the others half the time."""
    rng = np.random.default_rng(4)
    each = 200
    half = np.where(np.arange(each) % 2, 1.0, -1.0)
    rows = pl.DataFrame(
        {
            "source": np.tile(np.arange(each), len(variants)),
            "variant": np.repeat([*variants], each),
            "stroke": np.tile(
                np.where(np.arange(each) < each // 2, "thin", "thick"), len(variants)
            ),
            "insertion": np.concatenate(
                [np.abs(half) if "occlusion" in name else half for name in variants]
            ),
            "insertion_random": 0.0,
            "deletion": 0.0,
            "deletion_random": 0.5,
            "scaled_infidelity": rng.random(each * len(variants)),
            "seed_stability": pl.Series(
                [
                    0.9 + 0.001 * place if name.startswith("random") else None
                    for name in variants
                    for place in range(each)
                ],
                dtype=pl.Float64,
            ),
            **{
                name: np.tile(np.asarray(values), len(variants)) for name, values in columns.items()
            },
        }
    )
    slices = [f"variant == {name!r}{more}" for name in variants]
    plan = {
        "evenhand": 1,
        "log": {"source": "cards.parquet", "kind": "attributions"},
        "groups": {"stroke": "stroke"},
        "measures": [{"measure": one, "slices": slices} for one in measures],
    }
    if "correct" in columns:
        plan["roles"] = {"correct": "correct"}
    if rule:
        plan["gate"] = [{"id": "shown", "rule": rule}]
    return eh.audit(plan, table=rows)


CARD = ("scaled_infidelity", "faithful_share", "seed_stability")


def overview(bundle):
    return overview_of(bundle, shown_sections(bundle))


def test_variants_are_rows_and_measures_columns_and_those_of_rules_come_first():
    bundle = card(*CARD)
    found = overview(bundle)
    assert found.measures == ("faithful_share", "scaled_infidelity", "seed_stability")
    assert found.better == ("higher", "lower", "higher")
    rows = dict(found.rows)
    assert [*rows] == [*VARIANTS]
    assert [cells[0].value for cells in rows.values()] == ["0.500", "1.000", "0.500"]
    for one in bundle.findings:
        if one.undefined is None:
            name = variant_of(one.slice, "variant")[0]
            cell = rows[name][found.measures.index(one.measure)]
            assert float(cell.value) == pytest.approx(one.value, abs=0.0005)
            low, high = map(float, cell.interval.strip("[]").split(", "))
            assert (low, high) == pytest.approx((one.low, one.high), abs=0.0005)


def test_a_rule_has_its_verdict_in_each_variant():
    bundle = card(*CARD)
    rows = dict(overview(bundle).rows)
    verdicts = {variant_of(rule.scope, "variant")[0]: rule.verdict for rule in bundle.rules}
    assert verdicts == {"gradient mean": "fail", "occlusion mean": "pass", "random mean": "fail"}
    for name, verdict in verdicts.items():
        assert rows[name][0].verdicts == (("shown", verdict),)
        assert rows[name][1].verdicts == ()


def test_a_rule_about_groups_has_its_verdict_at_the_measure_that_it_compares():
    worst = "worst(faithful_share, by=stroke)"
    found = overview(card("scaled_infidelity", worst, rule=f"{worst} >= 0.9"))
    assert found.measures == ("faithful_share", "scaled_infidelity")
    assert [cells[0].value for _, cells in found.rows] == ["\N{EN DASH}"] * 3
    assert [cells[0].verdicts[0][1] for _, cells in found.rows] == ["fail", "pass", "fail"]
    both = overview(card("scaled_infidelity", "faithful_share", worst, rule=f"{worst} >= 0.9"))
    rows = dict(both.rows)
    assert both.measures[0] == "faithful_share"
    assert rows["occlusion mean"][0].verdicts[0][1] == "pass"
    assert rows["gradient mean"][0].verdicts[0][1] == "fail"


def test_what_is_undefined_is_a_dash_and_its_reason_is_said_once():
    found = overview(card(*CARD))
    place = found.measures.index("seed_stability")
    assert [cells[place].value for _, cells in found.rows][:2] == ["\N{EN DASH}"] * 2
    (note,) = (note for note in found.notes if note.startswith("seed_stability"))
    assert "gradient mean, occlusion mean" in note


def test_one_variant_one_figure_and_other_kinds_have_none():
    assert overview(card(*CARD, variants=VARIANTS[:1])) is None
    assert overview(card("faithful_share", rule=None)) is None
    assert overview(card(*CARD, more=" and stroke == 'thin'")) is None
    assert overview(plain_bundle(contrast(group("a", 0.3), group("b", 0.5)))) is None


@pytest.mark.parametrize("render", [html, markdown, latex, notebook])
def test_every_format_with_sections_has_it_before_them(render):
    bundle = card(*CARD)
    page = render(bundle).replace("\\allowbreak{}", "").replace("\\", "").replace("<wbr>", "")
    start = page.index("faithful share" if render in {html, notebook} else "faithful_share")
    for name in VARIANTS:
        assert name in page
    # The figure of every variant is there before the first section's own four digits.
    assert start < page.index("0.500") < page.index("0.5000")


def test_html_links_measures_and_tells_what_the_rule_asks():
    page = html(card(*CARD))
    table = page[page.index('<table class="overview') :].partition("</section>")[0]
    targets = re.findall(r'href="#(m\d+)"', table)
    assert len(targets) == len(CARD)
    for target in targets:
        assert f'id="{target}"' in page
    assert "faithful_share &gt;= 0.9" in table


def test_blocks_of_single_variants_are_folded_and_groups_stand_in_a_table():
    measures = [*CARD, "difference(faithful_share, by=stroke)"]
    bundle = card(*measures)
    section = shown_sections(bundle)[0]
    assert section.measure == "faithful_share"
    assert section.folded == {block.number for block in section.blocks}
    ((title, table),) = compared_in(section, {})
    assert title == "by stroke"
    assert [row[0] for row in table.rows] == [*VARIANTS]
    assert table.headings == ("variant", "difference", "interval", "highest", "lowest")
    page = html(bundle)
    folded = page[page.index('<details class="fold">') :]
    for block in section.blocks:
        assert f'id="f{block.number}"' in folded
    text = markdown(bundle)
    assert text.count("<details>") == text.count("</details>") == len(CARD)


def test_headings_name_the_variant_and_not_the_only_one():
    assert sections_of(card(*CARD))[0].blocks[0].title == "gradient mean: all together"
    (one,) = sections_of(card("faithful_share", variants=VARIANTS[:1]))
    assert one.blocks[0].title == "all together"
    (one,) = sections_of(
        card("faithful_share", variants=VARIANTS[:1], more=" and stroke == 'thin'")
    )
    assert one.blocks[0].title == "all together in stroke == 'thin'"


def test_a_mean_over_variants_that_is_asked_of_one_is_headed_by_it():
    variants = ("fog 3", "blur 1")
    rows = pl.DataFrame(
        {
            "source": np.tile(np.arange(100), 2),
            "variant": np.repeat(variants, 100),
            "corrupted_correct": np.tile([1, 0], 100),
        }
    )
    plan = {
        "evenhand": 1,
        "log": {"source": "rows.parquet", "kind": "perturbed"},
        "measures": [
            {
                "measure": "mean_corruption_error",
                "slices": [f"variant == {name!r}" for name in variants],
            }
        ],
    }
    (section,) = sections_of(eh.audit(plan, table=rows))
    titles = [block.title for block in section.blocks]
    assert titles == ["fog 3: all together", "blur 1: all together"]


def test_strengths_on_a_course_of_groups_are_in_no_table_and_a_lone_one_is():
    variants, by = ("linf 0.1", "linf 0.2", "fog 1"), "difference(faithful_share, by=stroke)"
    bundle = card("faithful_share", by, variants=variants)
    (section,) = shown_sections(bundle)
    ((_, table),) = compared_in(section, courses_in(bundle))
    assert [row[0] for row in table.rows] == ["fog 1"]


def test_what_is_told_nowhere_else_is_folded_away_open():
    text = html(card("faithful_share", rule=None))
    assert '<details class="fold">' in text
    right = np.arange(200) % 3 > 0
    linf = ("linf 0.1", "linf 0.2")
    strengths = card("clean_accuracy", variants=linf, rule=None, correct=right)
    assert '<details class="fold" open>' in html(strengths)


COSTS = (0.5, 1.0, 2.0)


def recourse(*more):
    rng = np.random.default_rng(5)
    cost = rng.exponential(1.0, 200)
    within = [f"recourse_within(cost={one})" for one in COSTS]
    return card(
        *(*within, *(f"difference({one}, by=stroke)" for one in within), *more),
        variants=("all features",),
        rule=None,
        recourse=(cost < 3).astype(float),
        recourse_cost=np.where(cost < 3, cost, np.nan),
    )


def test_costs_of_a_measure_are_one_section_with_one_course():
    bundle = recourse("no_recourse")
    sections = shown_sections(bundle)
    assert [one.measure for one in sections] == ["recourse_within", "no_recourse"]
    within = sections[0]
    assert within.about.startswith("Share of unfavourable decisions")
    assert within.folded == {block.number for block in within.blocks}
    assert len(within.blocks) == 2 * len(COSTS)
    page = html(bundle)
    assert page.count("Against cost, all together") == 1
    assert page.count("Against cost, by stroke") == 1
    assert "in variant ==" not in page
    assert "Each cost in full: 6 parts" in page


def test_one_cost_stays_what_it_is():
    bundle = card(
        "recourse_within(cost=1.0)",
        variants=("all features",),
        rule=None,
        recourse=np.ones(200),
        recourse_cost=np.linspace(0, 2, 200),
    )
    (one,) = sections_of(bundle)
    assert one.measure == "recourse_within(cost=1.0)"
    assert not shown_sections(bundle)[0].folded


def test_of_other_kinds_the_order_of_the_plan_stays_and_nothing_is_folded():
    bundle = plain_bundle(contrast(group("a", 0.3), group("b", 0.5)))
    (chapter,) = chapters_of(bundle)
    assert all(not section.folded for section in chapter.sections)
    assert '<details class="fold">' not in html(bundle)
