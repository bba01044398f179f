"""Means of numbers in a range, most or all of which are one number: intervals that hold."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.stats.delta import Influences
from evenhand.stats.interval import bounded, critical, wilson

FIFTHS = (-0.4, -0.2, 0.2, 0.4, 0.6, 1.0)


def means(x, *, rare=True, within=(-1.0, 1.0)):
    """Return the figures of rows, shape (logs, rows), each log by itself."""
    count = x.shape[1]
    return Influences(
        value=x.mean(axis=1),
        rows=np.full(len(x), float(count)),
        variance=x.var(axis=1, ddof=1) / count,
        df=np.full(len(x), count - 1.0),
        correlation=np.eye(len(x)),
        buckets=None,
        occupied=None,
        within=within,
        dependent=None,
        mean=True,
        rare=rare,
    ).figures()


def importance(rise, **columns):
    rows = pl.DataFrame({"source": range(len(rise)), "variant": "age", "error_rise": rise})
    return eh.log(rows.with_columns(**columns), kind="attributions")


@pytest.mark.parametrize("n", [1.0, 20.0, 600.0])
def test_of_zeros_and_ones_the_score_interval_is_wilsons(n):
    share = np.linspace(0, 1, 21)
    found = bounded(share, share * (1 - share), np.full(21, n), critical(0.95))
    np.testing.assert_allclose(found, wilson(share, np.full(21, n), critical(0.95)), atol=1e-15)


def test_a_limit_is_so_many_standard_errors_of_the_mixture_from_what_was_seen():
    seen, n, crit = np.array([0.2, 0.3, 0.3, 0.4]), 50.0, 2.0
    value, spread = seen.mean(keepdims=True), seen.var(keepdims=True)
    low, high = bounded(value, spread, np.array([n]), crit)
    for limit, end in ((low[0], 0.0), (high[0], 1.0)):
        share = (limit - value[0]) / (end - value[0])
        chances = np.array([*[(1 - share) / 4] * 4, share])
        numbers = np.array([*seen, end])
        variance = chances @ (numbers - chances @ numbers) ** 2
        assert abs(limit - value[0]) == pytest.approx(crit * np.sqrt(variance / n), rel=1e-12)


@pytest.mark.parametrize("n", [12, 600])
def test_a_feature_that_is_never_read_has_the_interval_of_none_in_n(n):
    found = eh.estimate("permutation_importance", importance([0.0] * n))
    other = eh.log(pl.DataFrame({"prediction": [0] * n}), kind="decisions", prediction="prediction")
    none = eh.estimate("selection_rate", other)
    assert found.value == 0
    # Here with t's quantile, since that nothing varies is known from as many rows.
    assert found.high == pytest.approx(none.high, rel=0.25 if n == 12 else 0.006)
    assert found.low == -found.high


def test_one_answer_that_changes_a_little_moves_the_interval_a_little():
    flat = eh.estimate("permutation_importance", importance([0.0] * 600))
    near = eh.estimate("permutation_importance", importance([0.2, *[0.0] * 599]))
    assert abs(near.low - flat.low) < 0.001
    assert abs(near.high - flat.high) < 0.001


@pytest.mark.parametrize("chance", [1 / 2000, 1 / 500, 1 / 200, 1 / 60, 1 / 4])
@pytest.mark.parametrize("sizes", [(1.0,), (0.2,), (-1.0, 1.0), FIFTHS], ids=str)
def test_where_few_answers_change_the_interval_covers(chance, sizes):
    rng = np.random.default_rng([round(1 / chance), len(sizes)])
    x = np.zeros((1000, 600))
    changed = rng.random(x.shape) < chance
    x[changed] = rng.choice(sizes, changed.sum())
    low, high = means(x).limits(0.95)
    truth = chance * np.mean(sizes)
    # Covered with .95, fewer than 920 of 1,000 are so once in 40,000: of 20 cells once in 2,000.
    assert ((low <= truth) & (truth <= high)).mean() >= 0.92


def test_without_the_score_interval_few_changes_cover_too_little():
    # What the cells above would be otherwise: they can fail.
    rng = np.random.default_rng(0)
    x = np.zeros((1000, 600))
    changed = rng.random(x.shape) < 1 / 200
    x[changed] = rng.choice(FIFTHS, changed.sum())
    low, high = means(x, rare=False).limits(0.95)
    truth = np.mean(FIFTHS) / 200
    assert ((low <= truth) & (truth <= high)).mean() < 0.9


def test_a_claim_on_one_side_errs_no_more_often_than_its_level():
    # None seen: the exact share that is left out is 1 - .025^(1/n).
    figures = means(np.full((1, 100), 0.0))
    low, high = figures.sure_limits_at(np.array([critical(0.95)]))
    assert high[0] >= 1 - 0.025 ** (1 / 100)
    assert low[0] == -high[0]


@pytest.mark.parametrize("of", [0.5, 0.3])
def test_other_means_of_equal_numbers_have_it_too(of):
    count = 100
    rows = pl.DataFrame({"source": range(count), "variant": "a and b", "feature_agreement": of})
    found = eh.estimate("feature_agreement", eh.log(rows, kind="attributions"))
    crit = critical(0.95, count - 1)
    others = crit**2 / (count + crit**2)
    assert found.high - of == pytest.approx(others * (1 - of))
    assert of - found.low == pytest.approx(others * of)


def test_means_that_vary_keep_wilsons_interval_beside_some_that_do_not():
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(0.2, 0.6, 50), np.full(50, 0.4)])
    alone, both = means(x[:1], rare=False), means(x, rare=False)
    np.testing.assert_allclose(
        [one[0] for one in both.limits(0.95)], [one[0] for one in alone.limits(0.95)], rtol=1e-12
    )


def test_the_difference_of_two_groups_that_do_not_vary_is_narrow():
    log = importance([0.0] * 600, sex=pl.Series(["a", "b"] * 300))
    found = eh.estimate("difference(permutation_importance, by=sex)", log)
    assert found.value == 0
    assert found.high == pytest.approx(np.sqrt(2) * 3.87 / 304, rel=0.01)


def test_units_and_not_their_rows_could_have_been_others():
    rows = {"household": pl.Series([place // 60 for place in range(600)])}
    table = pl.DataFrame({"source": range(600), "variant": "age", "error_rise": 0.0, **rows})
    log = eh.log(table, kind="attributions", unit="household")
    found = eh.estimate("permutation_importance", log)
    assert found.high > 0.2
