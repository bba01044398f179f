"""Dumbbells: points stand where the axis says, and the interval begins at the figure before."""

from __future__ import annotations

import re

import pytest

from evenhand.render.dumbbell import HEIGHT, WIDTH, axis_of, dumbbell, scale


def circles(picture: str) -> list[float]:
    return [float(x) for x in re.findall(r'<circle[^>]*cx="([\d.]+)"', picture)]


def test_points_stand_between_their_ticks():
    axis = axis_of([0.2, 0.6], is_rate=True)
    was, now = circles(dumbbell(axis, 0.3, 0.5))
    places = {text: axis.place(value) for value, text in axis.ticks}
    assert was == pytest.approx(places["30%"], abs=0.05)
    assert now == pytest.approx(places["50%"], abs=0.05)


def test_the_line_of_the_interval_is_laid_off_from_the_figure_before():
    axis = axis_of([0.0, 1.0], is_rate=True)
    picture = dumbbell(axis, 0.5, 0.6, (0.05, 0.15))
    low, high = re.findall(r"M([\d.]+) \d+v8m0 -4H([\d.]+)m0", picture)[0]
    assert float(low) == pytest.approx(axis.place(0.55), abs=0.05)
    assert float(high) == pytest.approx(axis.place(0.65), abs=0.05)


def test_a_change_without_an_interval_has_no_line():
    axis = axis_of([0.0, 1.0], is_rate=False)
    assert "v8m0" not in dumbbell(axis, 0.5, 0.6)


def test_a_figure_that_there_is_not_has_no_point():
    axis = axis_of([0.0, 1.0], is_rate=False)
    assert len(circles(dumbbell(axis, None, 0.6))) == 1
    assert circles(dumbbell(axis, None, None)) == []


@pytest.mark.parametrize(
    "values", [[0.0], [5.0, 5.0], [-1e-9, 1e-9], [-3e6, 7e7], [0.1, 0.1000001]]
)
def test_every_value_has_a_place_in_the_picture_and_both_ends_a_label(values):
    axis = axis_of(values, is_rate=False)
    assert all(0 <= axis.place(value) <= WIDTH for value in values)
    assert len(axis.ticks) >= 2
    assert all(axis.low <= value <= axis.high for value, _ in axis.ticks)


def test_it_says_nothing_to_a_screen_reader_and_has_no_colour_of_its_own():
    axis = axis_of([0.0, 1.0], is_rate=True)
    for picture in (scale(axis), dumbbell(axis, 0.2, 0.4, (-0.1, 0.5))):
        assert 'aria-hidden="true"' in picture
        assert {*re.findall(r'(?:fill|stroke)="([^"]+)"', picture)} <= {"currentColor", "none"}
    assert f'height="{HEIGHT}"' in picture
