"""Shares that are turned within a cost: by brute force, by group, and parameters that are none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError

COSTS = ("0", "0.3", "1", "2.5", "1e999")


def log_of(seed=0, size=240):
    """Decisions of two groups: favourable ones have no recourse to be asked for, some have none."""
    rng = np.random.default_rng(seed)
    kind = rng.choice(["favourable", "turned", "none"], size, p=[0.3, 0.5, 0.2])
    rows = pl.DataFrame(
        {
            "source": np.arange(size),
            "variant": "all features",
            "group": rng.choice(["a", "b"], size),
            "kind": kind,
            # Few values, so that some lie on a cost that is asked for.
            "recourse_cost": rng.integers(0, 13, size) / 4,
        }
    ).with_columns(
        recourse=pl.when(pl.col("kind") != "favourable").then(
            (pl.col("kind") == "turned").cast(pl.Float64)
        ),
        recourse_cost=pl.when(pl.col("kind") == "turned").then("recourse_cost"),
    )
    return rows, eh.log(rows, kind="attributions", groups=["group"])


def share(rows, cost):
    asked = [row for row in rows.iter_rows(named=True) if row["kind"] != "favourable"]
    return sum(row["kind"] == "turned" and row["recourse_cost"] <= cost for row in asked) / len(
        asked
    )


@pytest.mark.parametrize("seed", range(3))
def test_share_is_that_of_a_count_also_by_group(seed):
    rows, log = log_of(seed)
    for cost in COSTS:
        found = eh.estimate(f"recourse_within(cost={cost})", log)
        assert found.value == pytest.approx(share(rows, float(cost)), abs=1e-12)
        assert found.rows == (rows["kind"] != "favourable").sum()
        gap = eh.estimate(f"difference(recourse_within(cost={cost}), by=group)", log)
        for one in gap.groups:
            own = rows.filter(pl.col("group") == one.group["group"])
            assert one.outcome.value == pytest.approx(share(own, float(cost)), abs=1e-12)


def test_curve_rises_to_what_is_not_without_recourse():
    _, log = log_of()
    found = [eh.estimate(f"recourse_within(cost={cost})", log).value for cost in COSTS]
    assert found == sorted(found)
    assert found[0] < found[-1] < 1
    assert found[-1] == pytest.approx(1 - eh.estimate("no_recourse", log).value, abs=1e-12)


def test_no_recourse_counts_against_and_favourable_decisions_do_not_count():
    rows = pl.DataFrame(
        {
            "source": [1, 2, 3],
            "variant": "all features",
            "recourse": [1.0, 0.0, None],
            "recourse_cost": [0.5, None, None],
        }
    )
    found = eh.estimate("recourse_within(cost=9)", eh.log(rows, kind="attributions"))
    assert found.value == 0.5
    assert [(one.rows, "favourable" in one.reason) for one in found.excluded] == [(1, True)]


def test_a_cost_may_be_written_in_two_ways_in_one_scan():
    rows, log = log_of()
    found = eh.estimates(["recourse_within(cost=1)", "recourse_within(cost=1.0)"], log)
    assert [one.value for one in found] == pytest.approx([share(rows, 1.0)] * 2, abs=1e-12)


def test_a_rule_may_be_about_it(tmp_path):
    rows, _ = log_of()
    rows.write_parquet(tmp_path / "recourse.parquet")
    plan = {
        "evenhand": 1,
        "log": {"source": str(tmp_path / "recourse.parquet"), "kind": "attributions"},
        "groups": {"group": "group"},
        "measures": ["recourse_within(cost=3)", "recourse_within(cost=0.25)"],
        "gate": [
            {"id": "most", "rule": "recourse_within(cost=3) >= 0.5"},
            {"id": "cheap", "rule": "recourse_within(cost=0.25) >= 0.5"},
        ],
    }
    verdicts = {one.id: one.verdict for one in eh.audit(plan).rules}
    assert verdicts == {"most": "pass", "cheap": "fail"}


def test_without_any_unfavourable_decision_it_is_undefined():
    rows, _ = log_of()
    nobody = rows.filter(pl.col("kind") == "favourable")
    found = eh.estimate("recourse_within(cost=1)", eh.log(nobody, kind="attributions"))
    assert (
        found.outcome.reason
        == f"the decision is favourable, or nobody looked for a change ({len(nobody)})"
    )


@pytest.mark.parametrize("cost", ["-0.1", "nan", "true", "'a'", "[1, 2]"])
def test_cost_that_is_none_is_refused(cost):
    _, log = log_of()
    with pytest.raises(NotationError, match="cost is what a change may cost, a number from 0"):
        eh.estimate(f"recourse_within(cost={cost})", log)


def test_cost_has_to_be_said():
    _, log = log_of()
    with pytest.raises(NotationError, match="cost"):
        eh.estimate("recourse_within", log)
