"""The median of the smallest perturbation: by hand, by brute force, exact ranks, coverage."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from scipy import special

import evenhand as eh
from evenhand.errors import ValueInLogError
from evenhand.stats.estimate import Estimate
from evenhand.stats.interval import Limits, mover_difference

MEDIAN = "median_minimal_norm"


def rows_of(norms, **columns):
    """Rows of source examples with these norms, nan where nothing was found; 0 is wrong already."""
    norms = np.asarray(norms, dtype=float)
    frame = {
        "source": np.arange(len(norms)),
        "variant": "l2",
        "correct": norms != 0,
        "minimal_norm": pl.Series(norms).fill_nan(None),
    }
    return pl.DataFrame(frame | columns)


def random_rows(seed, size=600, per=1):
    rng = np.random.default_rng(seed)
    group = np.repeat(rng.choice(["a", "b"], size // per), per)
    norms = rng.lognormal(0, 0.5, size) * (1 + 0.4 * (group == "a"))
    norms[rng.random(size) < 0.2] = np.nan
    norms[rng.random(size) < 0.1] = 0
    return rows_of(norms, source=np.repeat(np.arange(size // per), per), group=group)


def log_of(rows, engine=None, tmp_path=None, **more):
    groups = [name for name in ("group",) if name in rows.columns]
    if engine in {None, "polars"}:
        return eh.log(rows, kind="perturbed", groups=groups, **more)
    path = tmp_path / "rows.parquet"
    rows.write_parquet(path)
    return eh.log(path, kind="perturbed", groups=groups, engine=engine, **more)


def by_hand(rows):
    """Return NumPy's median, where what was not found is infinite and what is wrong is 0."""
    norms = rows["minimal_norm"].fill_null(np.inf).to_numpy()
    return np.median(np.where(rows["correct"].to_numpy(), norms, 0.0))


@pytest.mark.parametrize("per", [1, 3])
def test_median_in_groups_is_that_of_numpy(tmp_path, engine, per):
    rows = random_rows(5, per=per)
    whole, gap = eh.estimates(
        [MEDIAN, f"difference({MEDIAN}, by=group)"], log_of(rows, engine, tmp_path)
    )
    assert whole.value == by_hand(rows)
    of_group = {}
    for one in gap.groups:
        name = one.group["group"]
        of_group[name] = by_hand(rows.filter(pl.col("group") == name))
        assert one.outcome.value == of_group[name]
        assert one.outcome.low < one.outcome.value < one.outcome.high
    assert gap.value == pytest.approx(of_group["a"] - of_group["b"], rel=1e-12)


def test_what_was_not_found_is_infinitely_far_and_what_is_wrong_is_0_away():
    found = eh.estimate(MEDIAN, log_of(rows_of([np.nan, *range(30), np.nan])))
    # 32 rows: 0 (wrong), 1, ..., 29, inf, inf; the middle two are 15 and 16.
    assert found.value == 15.5
    assert found.rows == 32
    assert not found.excluded
    # Nobody attacks what is wrong already, so another tool's log may have no norm there.
    wrong = rows_of([np.nan, *range(30), np.nan]).with_columns(
        minimal_norm=pl.when(pl.col("correct")).then(pl.col("minimal_norm"))
    )
    assert eh.estimate(MEDIAN, log_of(wrong)).outcome == found.outcome


@pytest.mark.parametrize("far", [10, 11, 20])
def test_half_without_a_perturbation_have_no_median(far):
    norms = np.linspace(1, 2, 20)
    norms[:far] = np.nan
    found = eh.estimate(MEDIAN, log_of(rows_of(norms)))
    assert found.undefined == (
        "nothing was found for half of the examples or more, so their median has no end"
    )


def test_median_of_which_nothing_bounds_the_interval_is_undefined():
    norms = np.linspace(1, 2, 100)
    norms[-45:] = np.nan
    # The upper limit is the 61st smallest, which was not found; of 36 not found it was.
    assert "how far it goes" in eh.estimate(MEDIAN, log_of(rows_of(norms))).undefined
    norms = np.linspace(1, 2, 100)
    norms[-36:] = np.nan
    assert eh.estimate(MEDIAN, log_of(rows_of(norms))).outcome.high == norms[60]


@pytest.mark.parametrize(("size", "ranks"), [(6, (1, 6)), (25, (8, 18)), (100, (40, 61))])
def test_interval_of_independent_examples_is_of_exact_ranks(size, ranks):
    # Tables of the sign test, as in Conover 1999: the 40th and the 61st of 100.
    norms = np.random.default_rng(1).permutation(np.arange(1.0, size + 1))
    outcome = eh.estimate(MEDIAN, log_of(rows_of(norms))).outcome
    assert (outcome.low, outcome.high) == ranks
    lower, upper = ranks
    assert special.bdtr(lower - 1, size, 0.5) <= 0.025 < special.bdtr(lower, size, 0.5)
    assert upper == size + 1 - lower


def test_fewer_than_six_examples_have_no_interval():
    assert eh.estimate(MEDIAN, log_of(rows_of([1, 2, 3, 4, 5]))).undefined


def test_difference_is_movers_of_the_groups_limits():
    gap = eh.estimate(f"difference({MEDIAN}, by=group)", log_of(random_rows(6)))
    sides = [
        (one.outcome.value, Limits(np.float64(one.outcome.low), np.float64(one.outcome.high)))
        for one in gap.groups
    ]
    limits = mover_difference(*sides)
    assert (gap.outcome.low, gap.outcome.high) == pytest.approx(tuple(map(float, limits)))


def test_copies_of_a_source_example_tell_no_more_than_it_does():
    once = random_rows(7, 400)
    copies = pl.concat([once] * 6)
    one, many = (eh.estimate(MEDIAN, log_of(rows)).outcome for rows in (once, copies))
    assert many.value == one.value
    assert many.high - many.low == pytest.approx(one.high - one.low, rel=0.25)
    as_if_independent = copies.with_columns(source=pl.int_range(pl.len()))
    wrong = eh.estimate(MEDIAN, log_of(as_if_independent)).outcome
    assert wrong.high - wrong.low < 0.6 * (many.high - many.low)


def test_scale_of_weights_changes_nothing():
    rng = np.random.default_rng(8)
    rows = random_rows(8).with_columns(weight=pl.Series(rng.integers(1, 5, 600)) / 4)
    one, other = (
        eh.estimate(MEDIAN, log_of(of, weight="weight")).outcome
        for of in (rows, rows.with_columns(weight=pl.col("weight") * 37))
    )
    assert one == other
    # A row of weight 4 is no four rows.
    plain = eh.estimate(MEDIAN, log_of(rows)).outcome
    assert one.high - one.low > 0.9 * (plain.high - plain.low)


def test_more_norms_than_are_kept_apart_are_taken_in_bins():
    rng = np.random.default_rng(9)
    norms = rng.random(150_000) + 0.5
    norms[rng.random(150_000) < 0.3] = np.nan
    rows = rows_of(norms)
    found = eh.estimate(MEDIAN, log_of(rows))
    assert "in bins of" in found.conventions["minimal_norm"]
    assert found.value == pytest.approx(by_hand(rows), abs=2e-5)
    order = np.sort(np.where(np.isnan(norms), np.inf, norms))
    # The normal limit of the binomial is within a rank or two of the exact one.
    low, high = 75_000 + np.array([-1.96, 1.96]) * np.sqrt(150_000) / 2
    assert found.outcome.low == pytest.approx(order[int(low)], abs=1e-4)
    assert found.outcome.high == pytest.approx(order[int(high)], abs=1e-4)


def test_half_are_broken_within_the_median():
    rows = random_rows(10, 601)
    median = eh.estimate(MEDIAN, log_of(rows)).value
    left = eh.estimate(f"accuracy_within(eps={median})", log_of(rows)).value
    assert left == pytest.approx(300 / 601)


def test_negative_norm_is_refused():
    rows = random_rows(11).with_columns(minimal_norm=pl.lit(-1.0))
    with pytest.raises(ValueInLogError, match="600 rows hold -1"):
        eh.estimate(MEDIAN, log_of(rows))


def test_worst_and_ratio_speak_of_the_smaller_median():
    rows = random_rows(12)
    worst, ratio = eh.estimates(
        [f"worst({MEDIAN}, by=group)", f"ratio({MEDIAN}, by=group)"], log_of(rows)
    )
    a, b = (by_hand(rows.filter(pl.col("group") == name)) for name in "ab")
    assert worst.value == b < a
    assert ratio.value == pytest.approx(b / a)
    assert ratio.outcome.low < b / a < ratio.outcome.high <= 1


def test_two_versions_of_a_model_are_compared_as_pairs():
    plan = {
        "evenhand": 1,
        "log": {"source": "probed.parquet", "kind": "perturbed"},
        "groups": {"group": "group"},
        "measures": [f"difference({MEDIAN}, by=group)"],
        "gate": [{"id": "gap", "rule": f"difference({MEDIAN}, by=group) <= 9"}],
    }
    rows = random_rows(13, 2_000)
    after = rows.with_columns(minimal_norm=pl.col("minimal_norm") * 1.1)
    bundles = [eh.audit(plan, table=of) for of in (rows, after)]
    assert [one.verdict for bundle in bundles for one in bundle.rules] == ["pass", "pass"]
    deviations = [one.replicates["deviation"].sum() for one in bundles]
    assert deviations == pytest.approx([0, 0], abs=1e-9)


def drawn(rng, units, per, correlation):
    """Return rows of two groups of units, whose true medians are 1 and 1.3."""
    parts = []
    for place, (name, median) in enumerate({"a": 1.0, "b": 1.3}.items()):
        of_unit = np.repeat(rng.standard_normal(units), per) * np.sqrt(correlation)
        z = of_unit + rng.standard_normal(units * per) * np.sqrt(1 - correlation)
        norms = median * np.exp(0.8 * z)
        norms[z > special.ndtri(0.8)] = np.nan
        norms[z < special.ndtri(0.1)] = 0
        source = np.repeat(np.arange(units), per) + place * units
        parts.append(rows_of(norms, source=source, group=name))
    return pl.concat(parts, how="vertical_relaxed")


@pytest.mark.slow
@pytest.mark.parametrize(("units", "per", "correlation"), [(100, 1, 0.0), (40, 5, 0.3)])
def test_intervals_cover(units, per, correlation):
    # 150 logs each: coverage .95 gives fewer than 135 hits (.90) in 0.4 % of seeds.
    rng = np.random.default_rng(14)
    hits = np.zeros(4)
    for _ in range(150):
        log = log_of(drawn(rng, units, per, correlation))
        gap, ratio = eh.estimates(
            [f"difference({MEDIAN}, by=group)", f"ratio({MEDIAN}, by=group)"], log
        )
        outcomes = [*(one.outcome for one in gap.groups), gap.outcome, ratio.outcome]
        truth = (1.0, 1.3, 0.3, 1 / 1.3)
        # An interval without an end, which is undefined, counts as a miss.
        hits += [
            isinstance(one, Estimate) and one.low <= t <= one.high
            for one, t in zip(outcomes, truth, strict=True)
        ]
    assert hits.min() >= 135
