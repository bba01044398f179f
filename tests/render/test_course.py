"""Figures against strength: which are points of one course, and how they are drawn."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

import probed
from evenhand.audits.evidence.chart import charts_of
from evenhand.audits.evidence.course import MOST_LINES, course_chart, drawn_of, name_of_course
from evenhand.audits.evidence.strength import courses_of, variant_column
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.render.course import course_view, table_of_course
from evenhand.render.html import html
from evenhand.render.svg import can_draw, svg
from evenhand.stats.estimate import Estimate
from made import SECRET, contrast, estimate, group


def at(variant, *groups, measure="robust_accuracy", rest="", **more):
    key = f"difference({measure}, by=g)"
    scope = f"variant == '{variant}'{rest}"
    return contrast(*groups, key=key, measure=measure, slice=scope, **more)


def courses(*findings, variant="variant"):
    return courses_of(findings, variant)


TWO = (group("a", 0.3), group("b", 0.5))


def test_variants_of_one_norm_are_one_course_from_the_least_on():
    found = courses(*(at(f"linf {eps}", *TWO) for eps in ("0.1", "8/255", "0.05")))
    (one,) = found
    assert [point.written for point in one.points] == ["8/255", "0.05", "0.1"]
    assert [point.strength for point in one.points] == pytest.approx([8 / 255, 0.05, 0.1])
    assert one.axis == "eps (linf)"
    assert one.names == ["a", "b"]


def test_norms_corruptions_and_other_conditions_are_courses_of_their_own():
    rest = " and label == 3"
    found = courses(
        *(at(f"{what} {n}", *TWO) for what in ("linf", "l2", "gaussian_noise") for n in (1, 2)),
        *(at(f"linf {n}", *TWO, rest=rest) for n in (1, 2)),
    )
    assert [(one.axis, one.where) for one in found] == [
        ("eps (linf)", ""),
        ("eps (l2)", ""),
        ("severity of gaussian noise", ""),
        ("eps (linf)", "label == 3"),
    ]
    assert len({name_of_course(one) for one in found}) == 4


def test_one_variant_is_no_course_and_other_kinds_have_none():
    assert not courses(at("linf 0.1", *TWO))
    assert not courses(at("linf 0.1", *TWO), at("linf 0.2", *TWO), variant="")
    assert not courses(at("l2 smoothing(sigma=0.25)", *TWO), at("clean", *TWO))
    assert not courses(at("zone 1", *TWO), at("zone 2", *TWO), variant="other_column")


def test_accuracy_begins_at_clean_examples_and_an_attacks_success_does_not():
    clean = at("linf 0.1", group("a", 0.9), group("b", 0.8), measure="clean_accuracy")
    robust = [at(f"linf {eps}", *TWO) for eps in (0.1, 0.2)]
    success = [at(f"linf {eps}", *TWO, measure="attack_success_rate") for eps in (0.1, 0.2)]
    found = {one.measure: one for one in courses(clean, *robust, *success)}
    assert [point.written for point in found["robust_accuracy"].points] == ["clean", "0.1", "0.2"]
    assert found["robust_accuracy"].points[0].lines[0].outcome == estimate(0.9)
    assert [point.written for point in found["attack_success_rate"].points] == ["0.1", "0.2"]
    assert "clean_accuracy" not in found


def test_a_measure_that_takes_a_budget_is_a_course_within_one_slice():
    found = courses(
        *(at("l2", *TWO, measure=f"accuracy_within(eps={eps})") for eps in (0.5, 0.25)),
        *(at("l2", *TWO, measure=f"certified_accuracy(r={r})") for r in (0.1, 0.2)),
    )
    assert [(one.measure, one.axis) for one in found] == [
        ("accuracy_within", "eps"),
        ("certified_accuracy", "radius"),
    ]
    assert [point.strength for point in found[0].points] == [0.25, 0.5]


def test_lines_differ_in_more_than_colour():
    (one,) = courses(at("linf 0.1", *TWO), at("linf 0.2", *TWO))
    spec = course_chart(one)
    bars, lines, points = (layer["encoding"] for layer in spec["layer"])
    assert bars["y"]["field"], bars["y2"]["field"] == ("low", "high")
    assert len({*map(str, lines["strokeDash"]["scale"]["range"])}) == 2
    assert len({*points["shape"]["scale"]["range"]}) == 2
    assert points["shape"]["legend"] is not None
    # A little beside each other: their intervals would hide each other.
    first = [line["at"] for line in spec["data"]["values"] if line["strength"] == "0.1"]
    assert len({*first}) == 2
    assert sum(first) / 2 == pytest.approx(0.1)


def test_a_set_is_drawn_as_a_set_and_not_as_a_point():
    bounded = Estimate(0.3, 0.1, 0.5, 0.95, "m", (0.2, 0.4))
    groups = (replace(group("a"), outcome=bounded), group("b", 0.2))
    (one,) = courses(at("linf 0.1", *groups), at("linf 0.2", *groups))
    spec = course_chart(one)
    drawn = [line for line in spec["data"]["values"] if line["name"] == "a"]
    assert [(line["from"], line["to"]) for line in drawn] == [(0.2, 0.4)] * 2
    assert not any("value" in line for line in drawn)
    # The set, its two ends with the group's shape, and the layers of other figures.
    assert len(spec["layer"]) == 6


def test_of_attacks_beside_certificates_it_says_which_end_is_which():
    bounded = Estimate(0.3, 0.1, 0.5, 0.95, "m", (0.2, 0.4))
    bounds = "bounds(robust_accuracy, missing=certificate)"
    groups = (replace(group("a"), outcome=bounded), group("b", 0.2))
    (one,) = courses(*(at(f"linf {eps}", *groups, measure=bounds) for eps in (0.1, 0.2)))
    caption = course_view(one, 1, drawn=False, live=False)["caption"]
    assert "the lower end is certified, the upper is what attacks left" in caption


@pytest.mark.parametrize(
    "strength", ["1e999999999", "9" * 5_000, "1/0", "1/1e-999", "1.2.3", "8/255/2", "--1"]
)
def test_what_is_no_strength_is_none_and_takes_no_time(strength):
    assert not courses(at(f"linf {strength}", *TWO), at("linf 0.1", *TWO))
    assert not courses(*(at("l2", *TWO, measure=f"accuracy_within(eps={x})") for x in ("1e999", 1)))


def test_a_suppressed_group_has_no_line_and_no_number():
    groups = (*TWO, group("few", None))
    (one,) = courses(at("linf 0.1", *groups), at("linf 0.2", *groups))
    assert drawn_of(one) == ["a", "b"]
    table = table_of_course(one)
    assert [row[2] for row in table.rows if row[0] == "few"] == ["suppressed"] * 2
    for text in (json.dumps(course_chart(one)), str(table)):
        assert str(SECRET) not in text


def test_of_many_groups_those_that_end_highest_and_lowest_are_drawn():
    groups = [group(f"g{place}", 0.05 + place / 20) for place in range(12)]
    (one,) = courses(at("linf 0.1", *groups[::-1]), at("linf 0.2", *groups))
    assert drawn_of(one) == ["g11", "g10", "g9", "g2", "g1", "g0"]
    assert len(drawn_of(one)) == MOST_LINES
    assert len(table_of_course(one).rows) == 24


def test_groups_that_are_written_alike_stay_apart():
    long = "x" * 50
    groups = (group(f"{long}1{long}", 0.3), group(f"{long}2{long}", 0.4))
    (one,) = courses(at("linf 0.1", *groups), at("linf 0.2", *groups))
    assert len({line["name"] for line in course_chart(one)["data"]["values"]}) == 2


def test_where_no_group_has_two_figures_there_is_no_chart():
    (one,) = courses(at("linf 0.1", group("few", None)), at("linf 0.2", group("few", None)))
    assert course_chart(one) is None


def test_evidence_has_the_chart():
    found = charts_of([at("linf 0.1", *TWO), at("linf 0.2", *TWO)], "variant")
    assert any(re.fullmatch(r"charts/robust_accuracy-g-against-eps-linf-\w{8}\.vl\.json", one)
               for one in found)  # fmt: skip
    assert len(charts_of([at("linf 0.1", *TWO), at("linf 0.2", *TWO)])) == len(found) - 1


@pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")
def test_a_course_is_drawn_with_its_strengths_as_they_were_written():
    (one,) = courses(at("linf 4/255", *TWO), at("linf 8/255", *TWO))
    picture = svg(course_chart(one))
    for text in ("4/255", "8/255", "eps (linf)", "robust accuracy", ">a<", ">b<"):
        assert text in picture


def bundle(tmp_path, **roles):
    """An audit of a made log, in two variants."""
    content = {
        "evenhand": 1,
        "log": {"source": str(probed.log(tmp_path / "a.parquet")), "kind": "perturbed"},
        "groups": {"stroke": "stroke"},
        "measures": [
            {
                "measure": f"difference({measure}, by=stroke)",
                "slices": [f"variant == 'linf {eps}'" for eps in (0.05, 0.1)],
            }
            for measure in ("clean_accuracy", "robust_accuracy")
        ],
        **roles,
    }
    return run(fit(plan_from(Located("", content, {}))), version="test")


def test_a_report_shows_accuracy_against_eps_by_group(tmp_path):
    made = bundle(tmp_path)
    assert variant_column(made.plan) == "variant"
    page = html(made)
    assert page.count('class="block course"') == 1
    assert "Against eps (linf), by stroke" in page
    assert ("<svg" in page.partition('class="block course"')[2]) == can_draw()
    table = page.partition('class="block course"')[2].partition("</table>")[0]
    # By the counts of the made log: of 100 thin images 90 are right, and 60 and 50 stay so.
    cells = re.findall(
        r"<tr><th[^>]*>(\w+)</th><th[^>]*>([\w.]+)</th><td class=\"n\">([\d.]+)<", table
    )
    assert [cell for cell in cells if cell[0] == "thin"] == [
        ("thin", "clean", "0.9000"),
        ("thin", "0.05", "0.6000"),
        ("thin", "0.1", "0.5000"),
    ]


def test_the_column_of_variants_may_have_another_name(tmp_path):
    made = bundle(tmp_path, roles={"variant": "variant"})
    plan = made.plan.model_copy(update={"roles": {"variant": "what"}})
    assert variant_column(plan) == "what"
    assert not courses_of(made.findings, variant_column(plan))
    decisions = plan.log.model_copy(update={"kind": "decisions"})
    assert variant_column(plan.model_copy(update={"log": decisions})) == ""


def test_recourse_within_a_cost_is_drawn_in_steps_and_nothing_of_it_is_clean():
    costs = ("0", "0.5", "2")
    found = [at("all features", *TWO, measure=f"recourse_within(cost={cost})") for cost in costs]
    clean = at("all features", *TWO, measure="clean_accuracy")
    (one,) = courses(*found, clean)
    assert one.axis == "cost"
    assert [point.written for point in one.points] == [*costs]
    spec = course_chart(one)
    assert "clean" not in json.dumps(spec)
    (line,) = (layer["mark"] for layer in spec["layer"] if layer["mark"]["type"] == "line")
    assert line["interpolate"] == "step-after"
    view = course_view(one, 1, drawn=False, live=False)
    assert "clean" not in view["caption"]
    assert "at least the left one, at most the right one" in view["caption"]
    assert "a difference of two is bounded on neither side" in view["caption"]
    assert {row[1] for row in view["table"].rows} == {*costs}


def test_accuracy_within_nothing_is_clean_and_a_certified_one_at_radius_0_is_not():
    accuracy = [at("l2", *TWO, measure=f"accuracy_within(eps={eps})") for eps in (0, 0.5)]
    certified = [at("l2", *TWO, measure=f"certified_accuracy(r={r})") for r in (0, 0.5)]
    written = {
        one.measure: [point.written for point in one.points]
        for one in courses(*accuracy, *certified)
    }
    assert written == {"accuracy_within": ["clean", "0.5"], "certified_accuracy": ["0", "0.5"]}
    assert all(
        layer["mark"]["interpolate"] == "linear"
        for one in courses(*accuracy)
        for layer in course_chart(one)["layer"]
        if layer["mark"]["type"] == "line"
    )
