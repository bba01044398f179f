"""The part of an inequality that lies between groups, against plain loops."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError

INDICES = {
    "theil_index": lambda b: float(np.mean([x * math.log(x) if x else 0.0 for x in b / b.mean()])),
    "generalized_entropy": lambda b: float(np.mean((b / b.mean()) ** 2 - 1) / 2),
    "generalized_entropy(alpha=0.5)": lambda b: float(np.mean((b / b.mean()) ** 0.5 - 1) / -0.25),
    "atkinson_index": lambda b: float(1 - np.mean(np.sqrt(b)) ** 2 / b.mean()),
    "gini_index": lambda b: float(np.abs(b[:, None] - b).mean() / 2 / b.mean()),
}
ADDITIVE = {"theil_index": 1, "generalized_entropy": 2, "generalized_entropy(alpha=0.5)": 0.5}


def decisions(rows, **how):
    return eh.log(
        pl.DataFrame(rows, strict=False), kind="decisions", prediction="p", label="y", **how
    )


def random_rows(groups="abc", count=300, seed=3):
    rng = np.random.default_rng(seed)
    g = rng.integers(0, len(groups), count)
    return {
        "g": np.array(list(groups))[g],
        "y": rng.integers(0, 2, count),
        "p": (rng.random(count) < 0.3 + 0.2 * g).astype(int),
    }


def benefits_of(rows):
    return np.array(rows["p"]) - np.array(rows["y"]) + 1.0


def by_group(rows):
    benefits, g = benefits_of(rows), np.array(rows["g"])
    return {name: benefits[g == name] for name in sorted(set(g))}


@pytest.mark.parametrize("name", INDICES)
def test_between_is_the_index_of_the_groups_means(name):
    rows = random_rows()
    means = np.concatenate([np.full(len(b), b.mean()) for b in by_group(rows).values()])
    found = eh.estimate(f"between({name}, by=g)", decisions(rows))
    assert found.value == pytest.approx(INDICES[name](means), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high
    assert found.key == f"between({name}, by=g)"
    assert (found.rows, found.units) == (300, 300)


@pytest.mark.parametrize("name", ADDITIVE)
def test_within_and_between_add_up_to_the_whole(name):
    rows = random_rows()
    whole, between, parts = eh.estimates(
        [name, f"between({name}, by=g)", f"difference({name}, by=g)"], decisions(rows)
    )
    mean, power = benefits_of(rows).mean(), ADDITIVE[name]
    within = 0.0
    for group in parts.groups:
        own = by_group(rows)[group.group["g"]]
        within += len(own) / 300 * (own.mean() / mean) ** power * group.outcome.value
    assert within + between.value == pytest.approx(whole.value, abs=1e-12)


def test_groups_of_equal_means_have_nothing_between_them_and_no_interval():
    rows = {"g": list("aabb"), "y": [1, 0, 1, 0], "p": [0, 1, 1, 0]}
    for name in ("theil_index", "generalized_entropy"):
        found = eh.estimate(f"between({name}, by=g)", decisions(rows))
        assert found.undefined.startswith("the groups' mean benefits are equal")
    for name in ("atkinson_index", "gini_index"):
        found = eh.estimate(f"between({name}, by=g)", decisions(rows))
        assert found.value == pytest.approx(0, abs=1e-12)


def test_a_group_whose_benefits_are_all_equal_is_between_the_others_too():
    # Every decision about c is right, so c has no inequality of its own to show.
    rows = random_rows()
    c = rows["g"] == "c"
    rows["p"] = np.where(c, rows["y"], rows["p"])
    whole, between, parts = eh.estimates(
        ["theil_index", "between(theil_index, by=g)", "difference(theil_index, by=g)"],
        decisions(rows),
    )
    means = np.concatenate([np.full(len(b), b.mean()) for b in by_group(rows).values()])
    assert between.value == pytest.approx(INDICES["theil_index"](means))
    assert between.rows == 300
    assert between.value < whole.value
    assert "all rows have the same value" in parts.groups[2].outcome.reason


def test_groups_that_take_all_leave_all_between_them():
    # a has benefit 2 each and b none: the index of all rows is that of the groups.
    rows = {"g": list("aaabbb"), "y": [0, 0, 0, 1, 1, 1], "p": [1, 1, 1, 0, 0, 0]}
    whole, between = eh.estimates(["gini_index", "between(gini_index, by=g)"], decisions(rows))
    assert between.value == pytest.approx(whole.value)
    assert whole.value == 0.5


def test_units_widen_the_interval():
    rng = np.random.default_rng(4)
    people = np.repeat(np.arange(80), 8)
    own = rng.random(80)[people]
    rows = {
        "u": people,
        "g": np.where(people % 2, "a", "b"),
        "y": rng.integers(0, 2, 640),
        "p": (rng.random(640) < own * np.where(people % 2, 1.0, 0.5)).astype(int),
    }
    by_row, by_unit = (
        eh.estimate("between(theil_index, by=g)", decisions(rows, unit=unit))
        for unit in (None, "u")
    )
    assert by_unit.value == pytest.approx(by_row.value)
    assert by_unit.high > by_row.high


def test_unknown_groups_are_left_out_and_counted():
    rows = random_rows("ab")
    rows["g"] = [None, *rows["g"][1:]]
    known = {name: values[1:] for name, values in rows.items()}
    found = eh.estimate("between(gini_index, by=g)", decisions(rows))
    expected = eh.estimate("between(gini_index, by=g)", decisions(known))
    assert found.value == pytest.approx(expected.value)
    assert [(part.reason, part.rows) for part in found.excluded] == [("g is unknown", 1)]


def test_a_single_group_is_undefined():
    found = eh.estimate("between(theil_index, by=g)", decisions({"g": ["a"], "y": [1], "p": [1]}))
    assert "group has a figure to compare" in found.undefined


def test_what_is_no_inequality_is_refused():
    with pytest.raises(NotationError, match="accuracy is no inequality index"):
        eh.estimate("between(accuracy, by=g)", decisions(random_rows()))
