"""Pictures that are drawn here, beside those that Vega draws of the same charts."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenhand.audits.evidence.chart import chart
from evenhand.audits.evidence.lorenz import lorenz_chart
from evenhand.render import svg
from evenhand.render.axis import nice_ends, ticks_between
from evenhand.render.dots import dots
from evenhand.stats.estimate import Estimate
from made import contrast, group, pair

drawn = pytest.mark.skipif(not svg.can_draw(), reason="vl-convert is not installed")

PIXELS = 3
"""Where texts are only estimated, marks may stand so far from Vega's."""


def numbers(pattern: str, picture: str) -> list[float]:
    return [float(found) for found in re.findall(pattern, picture)]


def texts(picture: str) -> list[str]:
    return [one.text for one in ET.fromstring(picture).iter() if one.text]  # noqa: S314 - ours


def by_vega(spec) -> str:
    return svg.draw(json.dumps(spec))


def bounded(name: str):
    other = group(name)
    estimate = Estimate(0.3, 0.1, 0.5, 0.95, "m", (0.2, 0.4))
    return type(other)(other.group, estimate, 40, 40)


SPECS = {
    "groups": [contrast(group("a", 0.3), group("b", 0.5), group("small", None))],
    "numbers": [contrast(group("a", 12_345.6), group("b", 0.5), is_rate=False)],
    "small numbers": [contrast(group("a", 0.00031), group("b", 0.00052), is_rate=False)],
    "negative numbers": [contrast(group("a", -3.5), group("b", 8.0), is_rate=False)],
    "bounds": [contrast(bounded("a"), group("b", 0.2))],
    "pairs": [pair("a", "b"), pair("a", "c")],
    "names": [contrast(group("Íñigo del Río", 0.3), group("WWWWWW", 0.5), group("1", 0.4))],
    "signs": [contrast(group("<a&b>", 0.3), group("'\"", 0.5))],
    "many": [contrast(*(group(f"group {number}", number / 90) for number in range(60)))],
}


@drawn
@pytest.mark.parametrize("name", SPECS)
def test_a_picture_says_what_vega_s_says_where_it_says_it(name):
    spec = chart(SPECS[name])
    ours, theirs = dots(spec), by_vega(spec)
    assert sorted(texts(ours)) == sorted(texts(theirs))
    ours_left, theirs_left = (
        numbers(r'transform="translate\(([\d.]+),', picture)[0] for picture in (ours, theirs)
    )
    assert abs(ours_left - theirs_left) <= PIXELS
    places = numbers(r'<circle cx="([-\d.]+)"', ours)
    expected = numbers(r'translate\(([-\d.e]+),[-\d.]+\)" d="M4\.743', theirs)
    assert len(places) == len(expected)
    for place, where in zip(places, expected, strict=True):
        assert abs(place + ours_left - where - theirs_left) <= PIXELS
    down = numbers(r'<circle cx="[-\d.]+" cy="([\d.]+)"', ours)
    assert down == numbers(r'translate\([-\d.e]+,([-\d.]+)\)" d="M4\.743', theirs)


@drawn
@settings(max_examples=25, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e4))
def test_ticks_stand_where_vega_has_them(low, span):
    values = (group("a", low), group("b", low + span))
    spec = chart([contrast(*values, is_rate=False)])
    assert sorted(texts(dots(spec))) == sorted(texts(by_vega(spec)))


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9))
def test_an_axis_holds_its_values_and_ends_at_round_numbers(low, span):
    first, last = nice_ends(low, low + span)
    slack = 1e-9 * max(abs(low), span)
    assert first <= low + slack
    assert last >= low + span - slack
    ticks = [tick for tick, _ in ticks_between(first, last, 5)]
    assert 2 <= len(ticks) <= 12
    steps = {round((b - a) / span, 6) for a, b in pairwise(ticks)}
    assert len(steps) <= 2
    assert all(math.isfinite(tick) for tick in ticks)


def test_other_charts_are_left_to_vega():
    found = Estimate(0.5, 0.4, 0.6, 0.95, "m")
    gini = contrast(measure="exposure_gini@10", key="exposure_gini@10", contrast=None, by=())
    tops = contrast(
        measure="top_share(share=0.1)@10", key="top_share(share=0.1)@10", contrast=None, by=()
    )
    spec = lorenz_chart([replace(one, outcome=found) for one in (gini, tops)])
    assert spec is not None
    assert dots(spec) is None


@drawn
@pytest.mark.parametrize("name", ["W" * 60, "i" * 120, "Íñigo del Río, " * 9, "a_long_name." * 9])
def test_long_names_are_cut_where_vega_cuts_them_give_or_take_a_letter(name):
    spec = chart([contrast(group(name, 0.3), group("b", 0.5))])
    ours, theirs = (
        next(text for text in texts(picture) if text.endswith("…"))
        for picture in (dots(spec), by_vega(spec))
    )
    assert abs(len(ours) - len(theirs)) <= 1
    assert ours[:-3] == theirs[: len(ours) - 3]


def test_names_of_any_script_have_room():
    spec = chart([contrast(group("中文" * 30, 0.3), group("a\u0301" * 20, 0.5))])
    (left,) = numbers(r'transform="translate\(([\d.]+),', dots(spec))
    assert 100 < left <= 5 + 8 + 165 + 2
    assert any(text.endswith("…") for text in texts(dots(spec)))


def test_all_values_alike_stand_in_the_middle():
    alike = Estimate(0.5, 0.5, 0.5, 0.95, "m")
    one = group("a")
    spec = chart([contrast(type(one)(one.group, alike, 40, 40))])
    (place,) = numbers(r'<circle cx="([-\d.]+)"', dots(spec))
    (left,) = numbers(r'transform="translate\(([\d.]+),', dots(spec))
    assert place == pytest.approx((440 - left - 5) / 2, abs=1)
