"""Tests of parity, verdicts about a margin and shrunk figures: what they say together."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.multitest import multipletests

import evenhand as eh
from evenhand.errors import RoleError
from looks import settled

PAIRS = "pairs(selection_rate, by=g)"
GAP = "difference(selection_rate, by=g)"


def decisions(rows, **how):
    rows = pl.DataFrame(rows, strict=False)
    roles = {"prediction": "p"} | ({"label": "y"} if "y" in rows.columns else {})
    return eh.log(rows, kind="decisions", **roles, **how)


def random_log(rates, count=120, seed=9, **how):
    return decisions(random_rows(rates, count, seed), **how)


def random_rows(rates, count=120, seed=9):
    rng = np.random.default_rng(seed)
    group = np.repeat(np.arange(len(rates)), count)
    return {
        "g": [f"g{one}" for one in group],
        "y": rng.integers(0, 2, len(group)),
        "p": (rng.random(len(group)) < np.array(rates)[group]).astype(int),
        "u": np.arange(len(group)) // 3,
    }


@pytest.mark.parametrize("unit", [None, "u"])
@pytest.mark.parametrize("name", ["selection_rate", "f1", "matthews_correlation"])
def test_a_pairs_p_value_is_below_where_its_own_interval_leaves_out_parity(name, unit):
    rows = random_rows([0.3, 0.44, 0.5])
    log = decisions(rows, unit=unit)
    for found in eh.estimates([f"pairs({name}, by=g)"], log, adjust="holm"):
        # Two groups alone have an interval of their own, not adjusted for the others.
        names = [group["g"] for group in found.pair]
        alone = decisions(rows, unit=unit, where=f"g in {names}")
        (own,) = eh.estimates([f"pairs({name}, by=g)"], alone, adjust="holm")
        assert (own.test.p_value < 0.05) == (not own.low <= 0 <= own.high)
        assert own.test.adjusted == own.test.p_value
        if unit is None:
            assert own.test.p_value == pytest.approx(found.test.p_value, rel=1e-6)


@pytest.mark.parametrize("rates", [[0.3, 0.3, 0.3], [0.3, 0.45, 0.3], [0.2, 0.5, 0.6, 0.4]])
def test_a_differences_p_value_agrees_with_its_interval(rates):
    for seed in range(6):
        (found,) = eh.estimates([GAP], random_log(rates, count=60, seed=seed), adjust="holm")
        assert (found.test.p_value < 0.05) == (found.low > 0)


def test_at_a_given_level_the_p_value_is_where_the_interval_turns_over():
    log = random_log([0.3, 0.45])
    (found,) = eh.estimates([PAIRS], log, adjust="holm")
    p = found.test.p_value
    inside, outside = (eh.estimate(PAIRS, log, level=1 - p + step) for step in (1e-4, -1e-4))
    assert inside.low <= 0 <= inside.high
    assert not outside.low <= 0 <= outside.high


@pytest.mark.parametrize(
    ("adjust", "method"),
    [("holm", "holm"), ("benjamini_hochberg", "fdr_bh"), ("benjamini_yekutieli", "fdr_by")],
)
def test_adjusted_p_values_are_those_of_statsmodels_over_all_that_is_asked(adjust, method):
    log = random_log([0.3, 0.45, 0.6, 0.36])
    found = eh.estimates([PAIRS, GAP, "difference(accuracy, by=g)"], log, adjust=adjust)
    assert len(found) == 8
    expected = multipletests([one.test.p_value for one in found], alpha=0.05, method=method)
    assert [one.test.adjusted for one in found] == pytest.approx(expected[1].tolist())
    assert [one.test.rejected for one in found] == expected[0].tolist()
    assert {one.test.adjustment for one in found} == {adjust}
    assert 0 < sum(one.test.rejected for one in found) < 8


def test_holm_leaves_intervals_as_they_are():
    log = random_log([0.3, 0.45, 0.5, 0.36])
    plain, tested = (eh.estimates([PAIRS], log, adjust=adjust) for adjust in (None, "holm"))
    assert [(one.low, one.high) for one in plain] == [(one.low, one.high) for one in tested]
    assert plain[0].test is None


def test_discoveries_have_intervals_that_keep_the_false_coverage_rate():
    log = random_log([0.3, 0.48, 0.5, 0.36])
    found = eh.estimates([PAIRS], log, adjust="benjamini_hochberg")
    plain = eh.estimates([PAIRS], log)
    rejected = sum(one.test.rejected for one in found)
    assert 0 < rejected < 6
    level = 1 - 0.05 * rejected / 6
    wide = eh.estimates([PAIRS], log, level=level)
    for one, own, wider in zip(found, plain, wide, strict=True):
        if one.test.rejected:
            assert one.estimate.level == pytest.approx(level)
            assert (one.low, one.high) == pytest.approx((wider.low, wider.high))
            assert f"{rejected} of 6 selected" in one.conventions["false coverage rate"]
        else:
            assert (one.low, one.high, one.estimate.level) == (own.low, own.high, 0.95)
            assert "false coverage rate" not in one.conventions


def test_what_is_no_test_of_parity_has_none_and_costs_the_others_nothing():
    log = random_log([0.3, 0.45])
    asked = [GAP, "selection_rate", "ratio(selection_rate, by=g)"]
    found = eh.estimates(asked, log, adjust="holm")
    assert [one.test is None for one in found] == [False, True, True]
    assert found[0].test.adjusted == found[0].test.p_value
    assert "test" not in found[1].to_dict()


def test_an_undefined_finding_has_no_test():
    rows = {"g": list("aabbc"), "y": [1, 1, 1, 1, 0], "p": [1, 0, 1, 1, 1]}
    found = eh.estimates(
        ["pairs(true_positive_rate, by=g)", "difference(true_positive_rate, by=[g, p])"],
        decisions(rows),
        adjust="holm",
        margin=0.1,
    )
    assert [one.test is None for one in found][:3] == [False, True, True]
    assert [one.equivalence is None for one in found][:3] == [False, True, True]


def test_bounds_are_not_tested():
    rows = {"g": list("aabb"), "y": [1, None, 1, 0], "p": [1, 0, 1, 1]}
    asked = ["pairs(bounds(accuracy), by=g)", "difference(bounds(accuracy), by=g)"]
    found = eh.estimates(asked, decisions(rows), adjust="holm", margin=0.1)
    assert [one.test for one in found] == [None, None]
    assert [one.equivalence.verdict for one in found] == ["undecided", "undecided"]


def test_gaps_inside_strata_are_tested():
    rng = np.random.default_rng(3)
    s = rng.integers(0, 2, 600)
    g = (rng.random(600) < 0.2 + 0.6 * s).astype(int)
    rows = {
        "g": [f"g{one}" for one in g],
        "s": s,
        "p": (rng.random(600) < 0.2 + 0.5 * s).astype(int),
    }
    asked = [GAP, "difference(selection_rate, by=g, given=s)"]
    plain, inside = eh.estimates(asked, decisions(rows), adjust="holm")
    assert plain.test.rejected
    assert not inside.test.rejected
    assert (inside.test.p_value < 0.05) == (inside.low > 0)


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        (((3000, 10_000), (3010, 10_000)), "equivalent"),
        (((3000, 10_000), (4000, 10_000)), "different"),
        (((30, 100), (32, 100)), "undecided"),
    ],
)
def test_three_verdicts_about_a_margin(counts, verdict):
    rows = {"g": [], "p": []}
    for group, (selected, count) in zip("ab", counts, strict=True):
        rows["g"] += [group] * count
        rows["p"] += [1] * selected + [0] * (count - selected)
    for found in eh.estimates([GAP, PAIRS], decisions(rows), margin=0.05):
        assert found.equivalence.verdict == verdict
        document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert document["equivalence"]["margin"] == 0.05
        # Twice p (1 - p) times the square of (1.64 + 1.28) / .025, about: .42 * 13 700.
        assert 4_000 < document["equivalence"]["units_needed"] < 8_000


def test_so_many_units_as_are_needed_decide_in_about_eighty_percent():
    log = random_log([0.3, 0.3], count=2_000)
    (found,) = eh.estimates([GAP], log, margin=0.1)
    needed = found.equivalence.units_needed
    rng = np.random.default_rng(2)
    decided = 0
    for _ in range(100):
        selected = rng.binomial(needed, [0.325, 0.275])
        p1, p2 = selected / needed
        spread = 1.645 * (p1 * (1 - p1) / needed + p2 * (1 - p2) / needed) ** 0.5
        decided += abs(p1 - p2) + spread < 0.1
    # The standard error of 100 draws is .04; 3 are allowed.
    assert decided / 100 == pytest.approx(0.8, abs=0.12)


def test_a_group_of_a_single_unit_tells_no_number_of_units():
    rows = {"g": list("aaabbbbb"), "p": [1, 0, 1, 1, 0, 1, 0, 0], "u": [1, 1, 1, 2, 2, 3, 3, 4]}
    for found in eh.estimates([GAP, PAIRS], decisions(rows, unit="u"), margin=0.1):
        assert found.equivalence.verdict == "undecided"
        document = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert document["equivalence"]["units_needed"] is None


def test_all_pairs_must_be_inside_for_equivalence_and_one_beyond_is_enough_to_differ():
    log = random_log([0.3, 0.3, 0.6], count=3_000)
    gap, *pairs = eh.estimates([GAP, PAIRS], log, margin=0.06)
    assert gap.equivalence.verdict == "different"
    assert [one.equivalence.verdict for one in pairs] == ["equivalent", "different", "different"]


@pytest.mark.parametrize("name", ["selection_rate", "f1", "matthews_correlation"])
def test_shrunk_figures_lie_between_the_raw_ones_and_their_mean(name):
    rng = np.random.default_rng(5)
    sizes = [400, 300, 200, 60, 15, 8]
    g = np.repeat(np.arange(6), sizes)
    rate = np.array([0.3, 0.4, 0.35, 0.5, 0.2, 0.7])[g]
    rows = {"g": g, "y": rng.integers(0, 2, len(g)), "p": (rng.random(len(g)) < rate).astype(int)}
    log = decisions(rows)
    (found,) = eh.estimates([f"difference({name}, by=g)"], log, shrink=True)
    raw = np.array([group.outcome.value for group in found.groups])
    shrunk = np.array([group.shrunk.value for group in found.groups])
    moved = shrunk - raw
    # Some common mean lies on the far side of every move.
    assert shrunk[moved > 0].max(initial=-np.inf) <= shrunk[moved < 0].min(initial=np.inf) + 1e-9
    assert raw.min() <= shrunk.min() <= shrunk.max() <= raw.max()
    for group in found.groups:
        assert group.shrunk.low <= group.shrunk.value <= group.shrunk.high
        assert group.to_dict()["shrunk"]["value"] == group.shrunk.value
    (plain,) = eh.estimates([f"difference({name}, by=g)"], log)
    assert plain.outcome == found.outcome
    assert plain.groups[0].shrunk is None
    assert "shrunk" not in plain.groups[0].to_dict()


def test_only_groups_that_are_compared_are_shrunk():
    rows = {"g": ["a"] * 20 + ["b"] * 10 + [None] * 5, "p": [1, 0] * 17 + [1]}
    (found,) = eh.estimates([GAP], decisions(rows), shrink=True)
    assert [group.shrunk is None for group in found.groups] == [False, False, True]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"adjust": "holms"}, "there is no adjustment 'holms'"),
        ({"margin": 0}, "not above 0"),
        ({"margin": float("nan")}, "not above 0"),
        ({"level": 1}, "not between 0 and 1"),
        ({"level": 0.5, "margin": 0.1}, "needs a level above 0.5"),
    ],
)
def test_wrong_arguments_are_refused(how, message):
    with pytest.raises(RoleError, match=message):
        eh.estimates([GAP], random_log([0.3, 0.4]), **how)


# 800 logs; a true error of .05 exceeds .073 with probability 0.2 %, and the seed is fixed.
@pytest.mark.slow
@pytest.mark.parametrize("unit", [None, "u"])
def test_holm_over_ten_equal_pairs_keeps_the_familywise_error(unit):
    rng = np.random.default_rng(14)
    wrong = 0
    g = np.repeat([f"g{i}" for i in range(5)], 120)
    for drawn in range(1, 801):
        own = np.repeat(rng.beta(0.3 / 0.3, 0.7 / 0.3, 150), 4) if unit else np.full(600, 0.3)
        rows = {"g": g, "u": np.repeat(np.arange(150), 4), "p": (rng.random(600) < own).astype(int)}
        found = eh.estimates([PAIRS], decisions(rows, unit=unit), adjust="holm")
        assert len(found) == 10
        wrong += any(one.test.rejected for one in found)
        if settled(wrong / drawn, drawn, 800, greatest=0.073):
            break
    assert wrong / drawn <= 0.073
