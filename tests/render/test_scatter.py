"""The scatter of re-rankers: where marks stand, and that no name stands over anything."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from evenhand.render.axis import width_of
from evenhand.render.scatter import Box, Spot, placed, scatter

WITHIN = Box(0, 400, 0, 400)


def through(line, box, steps=4_000):
    """Whether some of many points of a line is inside a box."""
    x1, y1, x2, y2 = line
    share = np.linspace(0, 1, steps)
    x, y = x1 + share * (x2 - x1), y1 + share * (y2 - y1)
    return bool(((x > box.left) & (x < box.right) & (y > box.top) & (y < box.bottom)).any())


@pytest.mark.parametrize("seed", range(20))
def test_no_name_stands_over_a_mark_or_a_name_and_no_line_through_one(seed):
    rng = np.random.default_rng(seed)
    # Half of the points crowd in one place.
    places = np.concatenate([rng.uniform(20, 380, (6, 2)), rng.normal(200, 15, (6, 2))])
    points = [(x, y, f"re_ranker({n}, {x:.1f})"[: 6 + n]) for n, (x, y) in enumerate(places)]
    labels = placed(points, WITHIN, range(12), [6] * 12)
    assert sum(label is not None for label in labels) >= 11
    found = [label for label in labels if label]
    for (x, y, name), label in zip(points, labels, strict=True):
        if label is None:
            continue
        box = label.box
        assert box.right - box.left == pytest.approx(width_of(name))
        assert box.left >= 0
        assert box.right <= 400
        assert box.top >= 0
        assert box.bottom <= 400
        for px, py, _ in points:
            assert not (box.left < px < box.right and box.top < py < box.bottom)
        for other in found:
            if other is not label:
                apart = (
                    box.right <= other.box.left
                    or other.box.right <= box.left
                    or box.bottom <= other.box.top
                    or other.box.bottom <= box.top
                )
                assert apart
                assert not (other.line and through(other.line, box))
        if label.line:
            assert label.line[:2] == (x, y)


def test_a_point_alone_has_its_name_beside_it():
    (label,) = placed([(200.0, 200.0, "alone")], WITHIN, [0], [6])
    assert label is not None
    assert label.line is None
    assert label.box.left < 230
    assert label.box.bottom > 170


def test_a_name_for_which_there_is_no_room_is_left_out():
    assert placed([(5.0, 5.0, "far too long a name")], Box(0, 20, 0, 20), [0], [6]) == [None]


def test_marks_stand_where_their_figures_are():
    spots = [
        Spot("low", (0.2, 0.1, 0.3), (-1.0, -2.0, 0.0)),
        Spot("high", (0.8, 0.7, 0.9), (1.0, 0.5, 1.5), filled=True, chosen=True),
    ]
    root = ET.fromstring(scatter(spots, ("to the right", "upwards"), (400, 300), 0.5))  # noqa: S314
    tag = "{http://www.w3.org/2000/svg}"
    # The one that was chosen has a full mark, the other a hollow one.
    low, high = (
        next(
            (float(one.get("cx")), float(one.get("cy")))
            for one in root.iter(f"{tag}circle")
            if one.get("r") == "5" and (one.get("fill") == "var(--paper)") is hollow
        )
        for hollow in (True, False)
    )
    assert low[0] < high[0]
    assert low[1] > high[1]
    ticks = {
        one.text: float(one.get("x"))
        for one in root.iter(f"{tag}text")
        if one.get("text-anchor") == "middle"
    }
    scale = (ticks["0.8"] - ticks["0.2"]) / 0.6
    assert low[0] == pytest.approx(ticks["0.2"], abs=0.2)
    assert high[0] == pytest.approx(ticks["0.2"] + 0.6 * scale, abs=0.2)
    (dashed,) = (one for one in root.iter(f"{tag}path") if one.get("stroke-dasharray"))
    assert float(re.match(r"M([\d.]+)", dashed.get("d"))[1]) == pytest.approx(
        ticks["0.2"] + 0.3 * scale, abs=0.2
    )


def test_names_are_escaped_and_one_point_alone_has_axes():
    text = scatter([Spot("a<b", (0.5, 0.5, 0.5), (0.0, 0.0, 0.0))], ("x", "y"), (400, 300))
    assert "a&lt;b" in text
    ET.fromstring(text)  # noqa: S314 - our own
