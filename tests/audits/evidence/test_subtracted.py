"""No group's deviations follow, by subtraction, by more sums than its units allow."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.plan import Located, plan_from
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run

RATE = "selection_rate"
GAP = f"difference({RATE}, by=g)"
BY_G, BY_H, WHOLE = '[["g"], []]', '[["h"], []]', "[[], []]"
LEAST = 30


def people(sizes: dict[str | None, int], seed: int = 5) -> pl.DataFrame:
    """Return people of these groups g, h at random, one row each."""
    rng = np.random.default_rng(seed)
    count = sum(sizes.values())
    group = [name for name, size in sizes.items() for _ in range(size)]
    rows = {
        "user": np.arange(10_000, 10_000 + count),
        "g": group,
        "h": rng.choice(["x", "y"], count),
        "age": np.arange(count),
        "decided": (rng.random(count) < 0.4).astype(int),
        "label": (rng.random(count) < 0.5).astype(int),
    }
    return pl.DataFrame(rows, schema_overrides={"g": pl.String})


def audited(rows: pl.DataFrame, *measures: object) -> Bundle:
    content = {
        "evenhand": 1,
        "log": {"source": "a table"},
        "roles": {"prediction": "decided", "label": "label"},
        "unit": "user",
        "groups": {"g": "g", "h": "h"},
        "min_units": LEAST,
        "measures": [*measures],
    }
    return run(fit(plan_from(Located("", content, {})), table=rows), version="test")


def sums(bundle: Bundle, by: str, measure: str = RATE, scope: str = "") -> dict[str, int]:
    """Return how many sums there are of each group."""
    told = bundle.replicates.filter(
        (pl.col("by") == by) & (pl.col("measure") == measure) & (pl.col("slice") == scope)
    )
    return dict(told.group_by("group").agg(pl.col("buckets").first()).iter_rows())


def test_a_suppressed_group_does_not_follow_from_the_whole_and_the_other_groups():
    # 3 of 1,500: with the whole, buckets of c were counted, decisions and all.
    bundle = audited(people({"a": 700, "b": 797, "c": 3}), RATE, GAP)
    assert [one.suppressed for one in bundle.findings[1].groups] == [False, False, True]
    assert sums(bundle, BY_G) == {'["a"]': 16, '["b"]': 16}
    assert sums(bundle, WHOLE) == {}
    # The gap of the groups that are shown is paired still; the whole says why it is not.
    comparison = diff(bundle, bundle)
    paired = {one.key: one.difference.paired for one in comparison.changes if one.group is None}
    assert paired == {RATE: False, GAP: True}
    assert "would tell of these by subtraction" in comparison.pairing


@pytest.mark.parametrize(
    "sizes",
    [
        {"a": 700, "b": 797, "c": 3},
        {"a": 700, "b": 797, "c": 40},
        {"a": 700, "b": 700, "c": 100},
        {"a": 2000, "b": 500},
        {"a": 2000, "b": 500, None: 4},
        {"a": 2000, "b": 500, None: 200},
        {"a": 5000, "b": 5000},
    ],
)
def test_what_the_whole_leaves_of_other_groups_is_by_no_more_sums_than_units_allow(sizes):
    bundle = audited(people(sizes), RATE, GAP, f"difference({RATE}, by=h)")
    by_g, by_h, whole = (sums(bundle, by) for by in (BY_G, BY_H, WHOLE))
    names = {f'["{name}"]': size for name, size in sizes.items()}
    # Whatever adds up to all rows: the whole, and the groups of h.
    all_rows = [*whole.values(), *([min(by_h.values())] if by_h else [])]
    for name, size in names.items():
        others = [by_g.get(other, 0) for other in names if other != name]
        for everything in all_rows:
            assert min([everything, *others]) <= size / LEAST
    assert by_g or by_h
    if min(sizes.values()) >= 3 * LEAST:
        # Whoever has no group is counted, and never told.
        assert by_g.keys() == names.keys() - {'["None"]'}
        assert whole
        assert by_h


def test_another_measure_of_the_same_rows_is_the_whole_too():
    # A false negative rate is 1 less the true positive rate.
    bundle = audited(
        people({"a": 900, "b": 900, "c": 3}),
        "false_negative_rate",
        "difference(true_positive_rate, by=g)",
    )
    assert sums(bundle, WHOLE, "false_negative_rate") == {}
    assert sums(bundle, BY_G, "true_positive_rate").keys() == {'["a"]', '["b"]'}


def test_groups_that_are_complete_are_told_before_those_that_are_not():
    bundle = audited(people({"a": 900, "b": 900, "c": 3}), GAP, f"difference({RATE}, by=h)", RATE)
    assert sums(bundle, BY_G) == {}
    assert sums(bundle, BY_H).keys() == {'["x"]', '["y"]'}
    assert sums(bundle, WHOLE)
    assert sums(audited(people({"a": 900, "b": 900, "c": 3}), GAP), BY_G)


@pytest.mark.parametrize(("out", "most"), [(3, 0), (60, 0), (150, 5), (900, 16)])
def test_a_slice_is_told_by_no_more_sums_than_what_it_leaves_out_allows(out, most):
    rows = people({"a": 750, "b": 750})
    scope = f"age >= {out}"
    bundle = audited(rows, RATE, {"measure": RATE, "slices": [scope]})
    assert sums(bundle, WHOLE) == {"[]": 32}
    assert sums(bundle, WHOLE, scope=scope) == ({"[]": most} if most else {})


def test_a_slice_of_groups_is_compared_with_the_same_groups_of_all_rows():
    # a comes first: the slice leaves 100 of a out and nothing of b.
    rows = people({"a": 750, "b": 750})
    bundle = audited(rows, GAP, {"measure": GAP, "slices": ["age >= 100"]})
    assert sums(bundle, BY_G) == {'["a"]': 16, '["b"]': 16}
    assert sums(bundle, BY_G, scope="age >= 100") == {'["a"]': 3, '["b"]': 16}
