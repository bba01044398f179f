"""Calibration figures, against rows written out, statsmodels and simulated Brownian motion.

Simulations have fixed seeds; each states with what chance a right implementation would fail.
"""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import special

from evenhand.stats.calibration import (
    Obstacle,
    calibration_line,
    equal_mass_bins,
    squared_calibration_error,
)
from evenhand.stats.cumulative_calibration import (
    brownian_range_survival,
    cumulative_calibration_error,
)

SCORES = np.linspace(0.02, 0.98, 25)


def histograms(seed, groups=4, rows=300, *, scores=SCORES, tilt=1.0):
    """Rows spread over the scores; labels by logit(chance) = tilt * logit(score)."""
    rng = np.random.default_rng(seed)
    size = rng.multinomial(rows, np.full(len(scores), 1 / len(scores)), groups).astype(float)
    positives = rng.binomial(size.astype(int), special.expit(tilt * special.logit(scores)))
    return positives.astype(float), size - positives


def expanded(positives, negatives, scores=SCORES):
    """One entry per row: scores and labels."""
    counts = [positives.astype(int), negatives.astype(int)]
    s = np.concatenate([np.repeat(scores, part) for part in counts])
    return s, np.repeat([1.0, 0.0], [part.sum() for part in counts])


def assert_is_derivative(figure, positives, negatives):
    """Compare influences with the change of the figure when a cell gains a little weight."""
    influence = figure(positives, negatives)
    step = 1e-7
    for cell in range(0, len(positives), 3):
        more = np.where(np.arange(len(positives)) == cell, step, 0.0)
        rise = (figure(positives + more, negatives).value - influence.value) / step
        assert influence.positives[cell] == pytest.approx(rise, rel=1e-4, abs=1e-7)
        rise = (figure(positives, negatives + more).value - influence.value) / step
        assert influence.negatives[cell] == pytest.approx(rise, rel=1e-4, abs=1e-7)


# Slope and intercept


@pytest.mark.parametrize("tilt", [0.5, 1.0, -0.7])
def test_line_and_sandwich_are_those_of_statsmodels(tilt):
    positives, negatives = histograms(2, tilt=tilt)
    line = calibration_line(SCORES, positives, negatives)
    assert not line.obstacle.any()
    for group in range(4):
        s, y = expanded(positives[group], negatives[group])
        fit = sm.Logit(y, sm.add_constant(special.logit(s))).fit(disp=0, cov_type="HC0", tol=1e-12)
        for part, index in ((line.intercept, 0), (line.slope, 1)):
            assert part.value[group] == pytest.approx(fit.params[index], rel=1e-8)
            variance = part.variance(positives, negatives)[group]
            assert variance == pytest.approx(fit.cov_params()[index, index], rel=1e-6)


def test_weighted_line_is_that_of_statsmodels():
    rng = np.random.default_rng(3)
    positives, negatives = histograms(3, groups=1)
    s, y = expanded(positives[0], negatives[0])
    weights = rng.uniform(0.2, 3.0, len(y))
    cell = np.searchsorted(SCORES, s)
    sums, squares = (
        [np.bincount(cell, w * (y == label), len(SCORES)) for label in (1, 0)]
        for w in (weights, weights**2)
    )
    line = calibration_line(SCORES, *sums)
    design = sm.add_constant(special.logit(s))
    family = sm.families.Binomial()
    fit = sm.GLM(y, design, family, freq_weights=weights).fit(tol=1e-12)
    assert line.intercept.value == pytest.approx(fit.params[0], rel=1e-7)
    assert line.slope.value == pytest.approx(fit.params[1], rel=1e-7)
    chance = fit.predict(design)
    bread = np.linalg.inv(design.T @ (design * (weights * chance * (1 - chance))[:, None]))
    rows = design * (weights * (y - chance))[:, None]
    sandwich = bread @ (rows.T @ rows) @ bread
    assert line.intercept.variance(*squares) == pytest.approx(sandwich[0, 0], rel=1e-6)
    assert line.slope.variance(*squares) == pytest.approx(sandwich[1, 1], rel=1e-6)


def test_influence_on_the_line_is_the_derivative():
    positives, negatives = (part[0] for part in histograms(4, groups=1, rows=60))
    for name in ("intercept", "slope"):
        assert_is_derivative(
            lambda p, n, name=name: getattr(calibration_line(SCORES, p, n), name),
            positives,
            negatives,
        )


def test_line_converges_for_scores_near_0_and_1():
    scores = np.array([1e-12, 1e-6, 1e-3, 0.5, 1 - 1e-6, 1 - 1e-12])
    positives = np.array([1.0, 0.0, 2.0, 5.0, 90.0, 999.0])
    negatives = np.array([999.0, 80.0, 40.0, 6.0, 0.0, 1.0])
    line = calibration_line(scores, positives, negatives)
    s, y = expanded(positives, negatives, scores)
    fit = sm.Logit(y, sm.add_constant(special.logit(s))).fit(disp=0, method="bfgs", gtol=1e-9)
    assert line.obstacle == Obstacle.NONE
    assert line.slope.value == pytest.approx(fit.params[1], rel=1e-6)


@pytest.mark.parametrize(
    ("positives", "negatives", "why"),
    [
        ([0, 0, 0, 0], [0, 2, 2, 0], Obstacle.NO_POSITIVES),
        ([0, 2, 2, 0], [0, 0, 0, 0], Obstacle.NO_NEGATIVES),
        ([0, 2, 2, 1], [0, 2, 1, 0], Obstacle.EDGE_SCORES),
        ([0, 2, 2, 0], [1, 2, 1, 0], Obstacle.EDGE_SCORES),
        ([0, 3, 0, 0], [0, 4, 0, 0], Obstacle.ONE_SCORE),
        ([0, 0, 4, 0], [0, 3, 0, 0], Obstacle.SEPARATED),
        ([0, 1, 4, 0], [0, 3, 0, 0], Obstacle.SEPARATED),
        ([0, 3, 0, 0], [0, 1, 4, 0], Obstacle.SEPARATED),
        ([0, 1, 4, 0], [0, 3, 1, 0], Obstacle.NONE),
    ],
)
def test_a_line_that_does_not_exist_says_why(positives, negatives, why):
    scores = np.array([0.0, 0.3, 0.6, 1.0])
    line = calibration_line(scores, np.array(positives, float), np.array(negatives, float))
    assert line.obstacle == why
    assert np.isnan(line.slope.value) == bool(why)
    assert np.isnan(line.intercept.positives).any() == bool(why)


def test_two_scores_have_the_slope_of_the_two_rates():
    scores = np.array([0.3, 0.6])
    line = calibration_line(scores, np.array([1.0, 4.0]), np.array([3.0, 1.0]))
    slope = (np.log(4) - np.log(1 / 3)) / np.diff(special.logit(scores))[0]
    assert line.slope.value == pytest.approx(slope)


def test_groups_without_a_line_leave_the_others_alone():
    positives, negatives = histograms(5)
    negatives[2] = 0
    line = calibration_line(SCORES, positives, negatives)
    alone = calibration_line(SCORES, positives[3], negatives[3])
    assert np.isnan(line.slope.value).tolist() == [False, False, True, False]
    assert line.slope.value[3] == pytest.approx(alone.slope.value, rel=1e-12)


# Cumulative error


def by_walking(s, y):
    """ECCE of rows in order of score, all rows of one score in one step."""
    path = [0.0]
    for score in np.unique(s):
        path.append(path[-1] + np.sum((y - s)[s == score]) / len(s))
    return max(path) - min(path)


def test_cumulative_error_is_that_of_a_walk():
    positives, negatives = histograms(6)
    figure = cumulative_calibration_error(SCORES, positives, negatives)
    for group in range(4):
        s, y = expanded(positives[group], negatives[group])
        assert figure.value[group] == pytest.approx(by_walking(s, y))
        assert figure.scale[group] == pytest.approx(np.sqrt(np.sum(s * (1 - s))) / len(s))


def test_cumulative_error_by_hand():
    # The path of 4 rows: (1 - .4) / 4 = .15, then .15 + (0 - 1.2) / 4 = -.15.
    figure = cumulative_calibration_error(
        np.array([0.2, 0.6]), np.array([1.0, 0.0]), np.array([1.0, 2.0])
    )
    assert figure.value == pytest.approx(0.3)


def test_weights_leave_no_p_value():
    positives, negatives = histograms(7)
    figure = cumulative_calibration_error(SCORES, positives, negatives, weighted=True)
    assert np.isnan(figure.p_value).all()
    assert np.isfinite(figure.value).all()


def test_certain_scores_are_right_or_refuted():
    scores = np.array([0.0, 1.0])
    positives, negatives = np.array([[0.0, 5.0], [1.0, 5.0]]), np.array([[5.0, 0.0], [5.0, 0.0]])
    figure = cumulative_calibration_error(scores, positives, negatives)
    assert figure.p_value.tolist() == [1.0, 0.0]
    nothing = cumulative_calibration_error(scores, scores * 0, scores * 0)
    assert np.isnan([nothing.value, nothing.scale, nothing.p_value]).all()
    outside = cumulative_calibration_error(np.array([0.5, 1.5]), positives[0], negatives[0])
    assert np.isnan(outside.p_value)


def test_range_of_brownian_motion_has_its_known_moments():
    grid = np.linspace(0, 12, 240_001)
    tail = brownian_range_survival(grid)
    assert np.trapezoid(tail, grid) == pytest.approx(2 * np.sqrt(2 / np.pi), abs=1e-8)
    assert np.trapezoid(2 * grid * tail, grid) == pytest.approx(4 * np.log(2), abs=1e-8)


def test_both_series_of_the_range_agree():
    terms = np.arange(1, 400)
    for width in (0.5, 1.0, 1.6, 1.69, 1.71, 2.5):
        feller = 8 * np.sum(np.where(terms % 2, 1, -1) * terms * special.ndtr(-terms * width))
        assert brownian_range_survival(np.array(width)) == pytest.approx(feller, abs=1e-12)


@pytest.mark.slow
def test_range_of_brownian_motion_is_that_of_fine_walks():
    # Within each of 192 steps the extremes of the bridge are drawn exactly, each by itself. With
    # a million walks the two distribution functions are .0023 apart with probability 1e-4 (DKW).
    rng = np.random.default_rng(8)
    width = []
    for _ in range(1000):
        step = rng.standard_normal((1000, 192)) / np.sqrt(192)
        end = np.cumsum(step, axis=1)
        reach = [
            np.sqrt(step**2 + 2 / 192 * rng.standard_exponential(step.shape)) for _ in range(2)
        ]
        high = (2 * end - step + reach[0]).max(axis=1) / 2
        low = (2 * end - step - reach[1]).min(axis=1) / 2
        width.append(high - low)
    width = np.sort(np.concatenate(width))
    gap = 1 - brownian_range_survival(width) - np.arange(1, len(width) + 1) / len(width)
    assert np.abs(gap).max() < 0.0023


@pytest.mark.slow
@pytest.mark.parametrize("level", [0.05, 0.2])
def test_calibrated_scores_are_refused_as_often_as_stated(level):
    # Many distinct scores: 4,000 data sets of 3,000 rows. The discrete path is a little narrower,
    # so the share may fall short of the level; above it, 4 standard errors have chance 3e-5.
    rng = np.random.default_rng(9)
    scores = np.sort(rng.uniform(0.02, 0.98, 3000))
    positives = (rng.random((4000, 3000)) < scores).astype(float)
    p_value = cumulative_calibration_error(scores, positives, 1 - positives).p_value
    error = np.sqrt(level * (1 - level) / 4000)
    assert level * 0.85 - 4 * error < np.mean(p_value <= level) < level + 4 * error


# Squared error in bins


def by_bins(s, y, index):
    """Return the debiased mean over bins, row by row."""
    total = 0.0
    for one in np.unique(index):
        label, score = y[index == one], s[index == one]
        n, rate = len(label), label.mean()
        total += n / len(y) * ((rate - score.mean()) ** 2 - rate * (1 - rate) / (n - 1))
    return total


@pytest.mark.parametrize("bins", [5, 15])
def test_squared_error_is_that_of_rows_in_bins(bins):
    positives, negatives = histograms(10)
    index = equal_mass_bins(positives + negatives, bins=bins)
    figure = squared_calibration_error(SCORES, positives, negatives, bins=bins)
    for group in range(4):
        s, y = expanded(positives[group], negatives[group])
        of_row = index[group][np.searchsorted(SCORES, s)]
        assert figure.value[group] == pytest.approx(by_bins(s, y, of_row), abs=1e-14)


def test_squared_error_takes_the_bins_of_the_caller():
    positives, negatives = histograms(11)
    index = np.arange(25) // 5
    figure = squared_calibration_error(SCORES, positives, negatives, bins=index)
    s, y = expanded(positives[1], negatives[1])
    of_row = index[np.searchsorted(SCORES, s)]
    assert figure.value[1] == pytest.approx(by_bins(s, y, of_row), abs=1e-14)
    alone = squared_calibration_error(SCORES, positives[1], negatives[1], bins=index)
    assert alone.value == pytest.approx(figure.value[1])
    assert alone.positives == pytest.approx(figure.positives[1])


def test_influence_on_the_squared_error_is_the_derivative_without_correction():
    positives, negatives = (part[0] * 1e6 for part in histograms(12, groups=1, tilt=0.4))
    index = np.arange(25) // 5

    def figure(p, n):
        return squared_calibration_error(SCORES, p, n, bins=index)

    of = figure(positives, negatives)
    step = 10.0
    for cell in range(0, 25, 4):
        more = np.where(np.arange(25) == cell, step, 0.0)
        rise = (figure(positives + more, negatives).value - of.value) / step
        assert of.positives[cell] == pytest.approx(rise, rel=1e-3, abs=1e-13)


def test_a_bin_of_one_row_leaves_the_squared_error_undefined():
    counts = np.array([1.0, 4.0])
    index = np.arange(2)
    figure = squared_calibration_error(np.array([0.2, 0.7]), counts, counts * 0, bins=index)
    assert np.isnan(figure.value)
    nothing = squared_calibration_error(SCORES, SCORES * 0, SCORES * 0)
    assert np.isnan(nothing.value)


@pytest.mark.parametrize("seed", range(5))
def test_bins_hold_the_least_number_of_rows(seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.3, 10, (6, 40))).astype(float)
    index = equal_mass_bins(counts, bins=8, least=5)
    assert index.max() < 8
    assert (np.diff(index, axis=1) >= 0).all()
    for group in range(6):
        rows = np.bincount(index[group], counts[group])
        assert (rows >= min(5, counts[group].sum())).all()


def test_bins_without_ties_are_equal():
    assert np.bincount(equal_mass_bins(np.ones(1000), bins=15)).tolist() == [67] * 10 + [66] * 5


@pytest.mark.parametrize("rows", [60, 500])
def test_squared_error_of_calibrated_scores_is_zero_on_average(rows):
    # 4,000 data sets; |z| > 4.4 has chance 1e-5. The uncorrected mean would give z > 50.
    positives, negatives = histograms(13, groups=4000, rows=rows)
    value = squared_calibration_error(SCORES, positives, negatives).value
    z = value.mean() / (value.std() / np.sqrt(len(value)))
    assert abs(z) < 4.4
    assert value.min() < 0


def test_variance_of_the_squared_error_is_that_of_its_influence_when_miscalibrated():
    # The standard deviation of 4,000 values is known to 1.1 %; second-order terms add some more.
    positives, negatives = histograms(14, groups=4000, rows=4000, tilt=0.5)
    figure = squared_calibration_error(SCORES, positives, negatives, bins=np.arange(25) // 5)
    stated = np.sqrt(figure.variance(positives, negatives).mean())
    assert stated == pytest.approx(figure.value.std(), rel=0.05)
