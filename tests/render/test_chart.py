"""Charts: pure data of aggregates, with names that stay and pictures that can be drawn."""

from __future__ import annotations

import json
import re

import pytest

from evenhand.audits.evidence.block import name_of, together
from evenhand.audits.evidence.chart import MOST, chart, charts_of
from evenhand.render.svg import can_draw, svg
from evenhand.stats.estimate import Estimate, Undefined
from made import SECRET, contrast, group, pair

ONE = contrast(group("a", 0.3), group("b", 0.5), group("small", None))


def lines(spec) -> list[dict]:
    return spec["data"]["values"]


def test_groups_stand_from_the_largest_and_suppressed_ones_last():
    (spec,) = charts_of([ONE]).values()
    assert [line["name"] for line in lines(spec)] == ["b", "a", "small"]


def test_a_suppressed_group_has_a_line_and_no_figure():
    (spec,) = charts_of([ONE]).values()
    assert lines(spec)[-1] == {"name": "small", "note": "suppressed"}
    assert str(SECRET) not in json.dumps(spec)


def test_an_undefined_group_has_no_mark():
    other = group("none")
    undefined = type(other)(other.group, Undefined("no positive labels"), 40, 40)
    spec = chart([contrast(group("a", 0.3), undefined)])
    assert "low" not in lines(spec)[-1]


def test_where_nothing_has_a_figure_there_is_no_chart():
    assert charts_of([contrast(group("small", None))]) == {}


def test_of_bounds_the_set_is_drawn_and_no_point():
    bounded = Estimate(0.3, 0.1, 0.5, 0.95, "m", (0.2, 0.4))
    other = group("a")
    spec = chart([contrast(type(other)(other.group, bounded, 40, 40), group("b", 0.2))])
    (line,) = [line for line in lines(spec) if line["name"] == "a"]
    assert (line["from"], line["to"]) == (0.2, 0.4)
    assert "value" not in line


def test_contrasts_of_the_same_groups_share_a_chart():
    worst = contrast(*ONE.groups, key="worst(false_positive_rate, by=g)", contrast="worst")
    assert together([ONE, worst]) == [(ONE, worst)]
    assert [*charts_of([ONE, worst])] == ["charts/false_positive_rate-g.vl.json"]


def test_a_family_is_one_chart_with_a_line_at_parity():
    (spec,) = charts_of([pair("a", "b"), pair("a", "c")]).values()
    assert len(lines(spec)) == 2
    assert spec["layer"][0]["data"] == {"values": [{"parity": 0}]}


def test_names_are_stable_and_apart_where_findings_are():
    others = [
        contrast(*ONE.groups, slice="age > 30"),
        contrast(*ONE.groups, slice="age > 40"),
        contrast(*ONE.groups, by=("g", "h")),
        contrast(*ONE.groups, given=("h",)),
        contrast(*ONE.groups, measure="false_positive_rate(positive=2)"),
        contrast(*ONE.groups, by=("G",)),
        pair("a", "b"),
        pair("a", "b", key="pairs(false_positive_rate, by=g, reference=a)"),
    ]
    names = [name_of([one]) for one in [ONE, *others]]
    assert len({name.lower() for name in names}) == len(names)
    assert names[0] == "false_positive_rate-g"
    assert names[1] == "false_positive_rate-g-680bce00"


@pytest.mark.parametrize("by", ["../../x", "a" * 500, "中", "con", "a\nb"])
def test_names_are_safe_as_files(by):
    name = name_of([contrast(*ONE.groups, by=(by,))])
    assert re.fullmatch(r"[a-z0-9_-]{1,80}", name)


def test_of_many_groups_the_ends_are_drawn():
    spec = chart([contrast(*(group(f"g{n}", n / 3000) for n in range(2000)))])
    names = [line["name"] for line in lines(spec)]
    assert len(names) == MOST
    assert (names[0], names[-1]) == ("g1999", "g0")


def test_groups_of_one_name_have_lines_of_their_own():
    spec = chart([contrast(group("a", 0.3), group("a", 0.5))])
    assert [line["name"] for line in lines(spec)] == ["a", "a (2)"]


@pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")
def test_a_picture_is_well_formed_and_takes_the_colour_of_its_page():
    spec = chart([contrast(group("<a&b>", 0.3), group("b", 0.5), group("small", None))])
    picture = svg(spec)
    assert picture.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert "&lt;a&amp;b&gt;" in picture
    assert 'fill="currentColor"' in picture
    assert "<a&" not in picture


@pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")
@pytest.mark.parametrize("name", ["b", "a very long name of a group that nobody would cut"])
def test_text_of_a_picture_can_be_read_where_it_is_scaled_to_a_telephone(name):
    spec = chart([contrast(group(name, 0.3), group("c", 0.5))])
    (width,) = re.findall(r'<svg [^>]*?\bwidth="([0-9.]+)"', svg(spec))
    room, readable = 390 - 2 * 16, 10
    assert spec["config"]["axis"]["labelFontSize"] * room / float(width) >= readable


@pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")
def test_ticks_of_large_numbers_have_no_exponent():
    picture = svg(chart([contrast(group("a", 12_345.6), group("b", 0.5), is_rate=False)]))
    assert ">10,000<" in picture


def test_a_blank_name_can_be_seen_in_a_chart():
    spec = chart((contrast(group("", 0.3), group("b", 0.5)),))
    assert [line["name"] for line in lines(spec)] == ["b", '"" (blank)']
