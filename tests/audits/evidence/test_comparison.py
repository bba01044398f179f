"""``diff`` says what changed between two audits, and pairs what can be paired."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import bundles
from evenhand.audits.evidence import read_bundle, write_bundle
from evenhand.audits.evidence.comparison import diff
from evenhand.errors import BundleError
from evenhand.stats.interval import Limits, mover_difference


def later(rows: pl.DataFrame, share: float = 0.2) -> pl.DataFrame:
    """Return the same rows where group a is selected more often."""
    chosen = pl.Series(np.random.default_rng(5).random(len(rows)) < share) & (rows["group"] == "a")
    return rows.with_columns(prediction=pl.when(chosen).then(1).otherwise("prediction"))


@pytest.fixture(scope="module")
def after():
    return bundles.audited(later(bundles.rows_of()))


def found(comparison, key, group=None):
    (one,) = (
        one
        for one in comparison.changes
        if one.key == key and one.slice is None and (one.group or {}).get("group") == group
    )
    return one


GAP = "difference(selection_rate, by=group)"


def test_an_audit_is_the_same_as_itself():
    comparison = diff(bundles.bundle(), bundles.bundle())
    assert comparison.same
    assert all(one.difference.value in {0, None} for one in comparison.changes)


def test_figures_equal_but_for_rounding_are_the_same():
    one = bundles.bundle()
    finding = one.findings[0]
    near = replace(finding.outcome, value=finding.outcome.value * (1 + 1e-12))
    other = replace(one, findings=(replace(finding, outcome=near), *one.findings[1:]))
    assert diff(one, other).same
    far = replace(finding.outcome, value=finding.outcome.value * (1 + 1e-8))
    other = replace(one, findings=(replace(finding, outcome=far), *one.findings[1:]))
    assert not diff(one, other).same


def test_groups_whose_values_join_to_one_text_are_told_apart():
    one = bundles.bundle()
    gap = next(finding for finding in one.findings if finding.key == GAP)
    names = ({"x": "a, b", "y": "c"}, {"x": "a", "y": "b, c"})
    groups = tuple(
        replace(group, group=name) for group, name in zip(gap.groups, names, strict=False)
    )
    other = replace(one, findings=(replace(gap, groups=groups),))
    assert diff(other, other).same


def test_one_row_more_is_a_change():
    one = bundles.bundle()
    finding = one.findings[0]
    other = replace(one, findings=(replace(finding, rows=finding.rows + 1), *one.findings[1:]))
    assert not diff(one, other).same


def test_a_group_that_did_change_is_told_from_those_that_did_not(after):
    comparison = diff(bundles.bundle(), after)
    assert comparison.paired
    assert found(comparison, GAP, "a").difference.low > 0
    # Of group b no decision is another one, and evidence tells so unit by unit.
    still = found(comparison, GAP, "b").difference
    assert (still.value, still.low, still.high) == (0, 0, 0)


def test_paired_intervals_are_shorter_than_independent_ones(after):
    before = bundles.bundle()
    paired = found(diff(before, after), GAP, "a").difference
    apart = diff(replace(before, replicates=before.replicates[:0]), after)
    assert not apart.paired
    assert "independent" in apart.pairing
    alone = found(apart, GAP, "a").difference
    assert paired.value == alone.value
    assert paired.high - paired.low < 0.7 * (alone.high - alone.low)


def test_independent_changes_are_movers(after):
    before = replace(bundles.bundle(), replicates=bundles.bundle().replicates[:0])
    one, other = before.findings[0].outcome, after.findings[0].outcome
    sides = [(np.array(e.value), Limits(np.array(e.low), np.array(e.high))) for e in (other, one)]
    expected = mover_difference(*sides)
    gap = found(diff(before, after), "selection_rate").difference
    assert (gap.low, gap.high) == pytest.approx((float(expected.low), float(expected.high)))


def test_a_lower_level_shortens_every_interval(after):
    wide, short = (diff(bundles.bundle(), after, level=level) for level in (0.95, 0.8))
    for one, other in zip(wide.changes, short.changes, strict=True):
        if one.difference.low is not None:
            assert one.difference.low <= other.difference.low
            assert other.difference.high <= one.difference.high
            if one.difference.low < one.difference.high:
                width = other.difference.high - other.difference.low
                assert width < one.difference.high - one.difference.low


def test_a_gap_and_a_worst_group_have_intervals_that_hold_their_values(after):
    comparison = diff(bundles.bundle(), after)
    for key in (GAP, "worst(accuracy, by=group)"):
        gap = found(comparison, key).difference
        assert gap.low <= gap.value <= gap.high


def test_a_ratio_has_an_interval_that_holds_its_change(after):
    gap = found(diff(bundles.bundle(), after), "ratio(selection_rate, by=group)").difference
    assert gap.paired
    assert -1 <= gap.low < gap.value < gap.high <= 1


def test_a_contrast_without_an_interval_says_so(after):
    none = replace(bundles.bundle().findings[1], contrast="relative_std")
    before, later = (replace(one, findings=(none,), rules=()) for one in (bundles.bundle(), after))
    gap = diff(before, later).changes[0].difference
    assert gap.value is not None
    assert gap.low is None
    assert "relative_std" in gap.reason


def test_pairs_are_compared_pair_by_pair(after):
    pairs = [one for one in diff(bundles.bundle(), after).changes if one.pair]
    names = [[group["group"] for group in one.pair] for one in pairs]
    assert names == [["a", "b"], ["a", "c"], ["b", "c"]]
    assert pairs[0].difference.low > 0
    assert pairs[2].difference.low < 0 < pairs[2].difference.high


def test_verdicts_stand_beside_the_figures(after):
    one = found(diff(bundles.bundle(), after), GAP)
    verdicts = {bundle.rules[0].verdict for bundle in (bundles.bundle(), after)}
    assert {one.verdict_before, one.verdict_after} == verdicts
    assert found(diff(bundles.bundle(), after), "selection_rate").verdict_before is None


def test_another_plan_is_compared_where_both_measure_the_same():
    text = bundles.PLAN.split("measures:")[0] + "measures: [selection_rate, accuracy]\n"
    other = bundles.audited(bundles.rows_of(), text)
    comparison = diff(bundles.bundle(), other)
    assert [one.key for one in comparison.changes] == ["selection_rate"]
    assert comparison.added == ("accuracy",)
    assert GAP in comparison.removed
    assert "worst(accuracy, by=group) in label == 1" in comparison.removed
    assert comparison.changes[0].same
    assert not comparison.same


def test_a_group_that_only_one_audit_has_leaves_the_gap_without_an_interval():
    rows = bundles.rows_of().filter(pl.col("group") != "c")
    comparison = diff(bundles.bundle(), bundles.audited(rows))
    gap = found(comparison, GAP).difference
    assert gap.low is None
    assert gap.reason == "not the same groups are compared: c"
    assert f"{GAP}: c" in comparison.removed


def test_audits_of_rows_say_why_they_are_not_paired():
    text = bundles.PLAN.replace("unit: unit\n", "")
    one = bundles.audited(bundles.rows_of(), text)
    comparison = diff(one, bundles.audited(later(bundles.rows_of()), text))
    assert not comparison.paired
    assert comparison.pairing.startswith("rows are the units")


def test_audits_of_other_units_say_so():
    text = bundles.PLAN.replace("unit: unit\n", "unit: person\n")
    other = bundles.audited(bundles.rows_of().rename({"unit": "person"}), text)
    comparison = diff(bundles.bundle(), other)
    assert not comparison.paired
    assert comparison.pairing.startswith("the units are not the same: unit and person")


def test_another_set_of_units_is_said():
    other = bundles.audited(bundles.rows_of().filter(pl.col("unit") > 20))
    assert diff(bundles.bundle(), other).pairing.startswith("of different sets of units")


def test_units_of_one_row_each_are_paired():
    rows = bundles.rows_of().unique("unit", keep="first", maintain_order=True)
    one, other = bundles.audited(rows), bundles.audited(later(rows))
    comparison = diff(one, other)
    assert comparison.paired
    gap = found(comparison, GAP, "b").difference
    apart = found(diff(replace(one, replicates=one.replicates[:0]), other), GAP, "b").difference
    assert gap.high - gap.low < 0.5 * (apart.high - apart.low)


def test_evidence_is_the_same_before_and_after_it_is_written(tmp_path):
    rows = bundles.rows_of()
    few = rows.filter(pl.col("unit") < 3).with_columns(group=pl.lit("few"))
    one = bundles.audited(pl.concat([rows, few]))
    assert any(group.suppressed for group in one.findings[1].groups)
    write_bundle(one, tmp_path / "x.zip")
    assert diff(one, read_bundle(tmp_path / "x.zip")).same


def test_two_units_of_a_row_are_paired():
    rows = bundles.rows_of().with_columns(item=pl.int_range(pl.len()) % 40)
    text = bundles.PLAN.replace("unit: unit\n", "unit: [unit, item]\n")
    one = bundles.audited(rows, text)
    comparison = diff(one, bundles.audited(later(rows), text))
    assert comparison.paired
    gap = found(comparison, GAP, "a").difference
    alone = diff(replace(one, replicates=one.replicates[:0]), one)
    assert gap.low > 0
    width = found(alone, GAP, "a").difference
    assert gap.high - gap.low < width.high - width.low


def test_figures_by_score_of_two_units_a_row_are_paired():
    scored = bundles.rows_of().with_columns(
        item=pl.int_range(pl.len()) % 40,
        score=pl.Series(np.random.default_rng(8).integers(0, 10, 1_500) / 10),
    )
    text = (
        bundles.PLAN.split("measures:")[0]
        .replace("unit: unit\n", "unit: [unit, item]\n")
        .replace("prediction: prediction", "score: score")
    )
    one = bundles.audited(scored, f"{text}measures: ['difference(auc, by=group)']")
    assert one.replicates["bucket"].max() < 64
    gap = found(diff(one, one), "difference(auc, by=group)", "b").difference
    alone = diff(replace(one, replicates=one.replicates[:0]), one)
    width = found(alone, "difference(auc, by=group)", "b").difference
    assert gap.high - gap.low < 0.5 * (width.high - width.low)


@pytest.mark.parametrize("buckets", [0, -4, 129, 1_000, 2**31 - 1])
def test_numbers_of_buckets_that_evidence_never_has_pair_nothing(after, buckets):
    strange = bundles.bundle().replicates.with_columns(buckets=pl.lit(buckets, pl.Int32))
    comparison = diff(replace(bundles.bundle(), replicates=strange), after)
    assert not any(one.difference.paired for one in comparison.changes)


def test_pairs_of_buckets_that_are_no_square_pair_nothing():
    rows = bundles.rows_of().with_columns(item=pl.int_range(pl.len()) % 40)
    text = bundles.PLAN.replace("unit: unit\n", "unit: [unit, item]\n")
    one = bundles.audited(rows, text)
    strange = replace(one, replicates=one.replicates.with_columns(buckets=pl.lit(1_000, pl.Int32)))
    assert not any(one.difference.paired for one in diff(strange, one).changes)


def test_an_undefined_figure_has_no_change_and_the_reason():
    text = bundles.PLAN.split("measures:")[0] + "measures: [false_positive_rate]\n"
    one = bundles.audited(bundles.rows_of(), text)
    other = bundles.audited(bundles.rows_of().with_columns(label=1), text)
    (change,) = diff(one, other).changes
    assert change.after is None
    assert change.difference.value is None
    assert change.difference.reason.startswith("after: ")
    assert not change.same


@pytest.mark.parametrize("level", [0, 1, -1, float("nan")])
def test_a_level_that_is_none_is_refused(level):
    with pytest.raises(BundleError, match="not between 0 and 1"):
        diff(bundles.bundle(), bundles.bundle(), level=level)


def test_the_json_of_a_comparison_is_that_of_the_contract(after):
    document = diff(bundles.bundle(), after).to_dict()
    assert {"paired", "changes", "added", "removed"} <= {*document}
    for one in document["changes"]:
        assert {"key", "slice", "group", "before", "after", "difference"} <= {*one}
        assert {"verdict_before", "verdict_after"} <= {*one}
        assert {*one["difference"]} == {"value", "low", "high", "reason", "paired"}
