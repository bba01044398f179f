"""Rules as they are written."""

import pytest

from evenhand.audits.gate.rule import Limit
from evenhand.errors import NotationError


@pytest.mark.parametrize(
    ("text", "direction", "value"),
    [
        ("accuracy >= 0.9", "at least", 0.9),
        ("accuracy>0.9", "at least", 0.9),
        ("difference(selection_rate, by=sex) <= 5e-2", "at most", 0.05),
        ("difference(selection_rate, by=sex) < .05", "at most", 0.05),
        ("to_overall(mean_error, by=g) >= -2", "at least", -2.0),
    ],
)
def test_a_rule_is_a_figure_and_a_limit(text, direction, value):
    limit = Limit.parse(text)
    assert (limit.direction, limit.value) == (direction, value)
    assert Limit.parse(f"{limit.notation} {limit.sign} {limit.value!r}") == limit


@pytest.mark.parametrize(
    "text", ["", "accuracy", "accuracy >=", "<= 1", "accuracy >= high", "a <= nan", "a <= inf"]
)
def test_what_is_no_rule_is_refused_with_an_example(text):
    with pytest.raises(NotationError, match=r"Write|figure|limit"):
        Limit.parse(text)


@pytest.mark.parametrize("sign", ["<=", ">=", "<", ">"])
def test_a_missing_number_is_said(sign):
    with pytest.raises(NotationError, match=f"a number is missing after '{sign}'"):
        Limit.parse(f"ratio(accuracy, by=g) {sign}")
