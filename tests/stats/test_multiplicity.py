"""Multiple findings against statsmodels, brute force over subsets, and simulated error rates."""

from __future__ import annotations

from itertools import chain, combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special
from statsmodels.stats.multitest import multipletests

from evenhand.stats.interval import critical
from evenhand.stats.multiplicity import (
    benjamini_hochberg,
    benjamini_hochberg_adjusted,
    benjamini_yekutieli,
    benjamini_yekutieli_adjusted,
    fcr_level,
    holm,
    holm_adjusted,
)

METHODS = [
    ("holm", holm, holm_adjusted),
    ("fdr_bh", benjamini_hochberg, benjamini_hochberg_adjusted),
    ("fdr_by", benjamini_yekutieli, benjamini_yekutieli_adjusted),
]
EACH = pytest.mark.parametrize(
    ("decide", "adjust"), [method[1:] for method in METHODS], ids=[name for name, *_ in METHODS]
)
P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=6).map(np.array)


@pytest.mark.parametrize(("name", "decide", "adjust"), METHODS, ids=[m[0] for m in METHODS])
@pytest.mark.parametrize("count", [1, 2, 7, 200])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.3])
def test_method_equals_statsmodels(name, decide, adjust, count, rate):
    p = np.random.default_rng(count).random(count) ** 4
    p[: count // 3] = p[0]  # ties
    reject, adjusted, *_ = multipletests(p, alpha=rate, method=name)
    assert adjust(p) == pytest.approx(adjusted, rel=1e-12)
    assert decide(p, rate).tolist() == reject.tolist()


@given(P_VALUES)
def test_holm_is_bonferroni_over_every_subset_that_holds_the_hypothesis(p):
    places = range(len(p))
    subsets = list(chain.from_iterable(combinations(places, size + 1) for size in places))
    wanted = [
        max(min(1.0, len(chosen) * min(p[list(chosen)])) for chosen in subsets if one in chosen)
        for one in places
    ]
    assert holm_adjusted(p) == pytest.approx(wanted, rel=1e-12)


@given(P_VALUES, st.sampled_from([0.011, 0.052, 0.103, 0.307]))
def test_benjamini_hochberg_takes_the_largest_number_that_its_line_allows(p, q):
    fits = [k for k in range(1, len(p) + 1) if (p <= k * q / len(p)).sum() >= k]
    assert benjamini_hochberg(p, q).sum() == max(fits, default=0)


@EACH
def test_undefined_findings_are_not_tested_and_cost_nothing(decide, adjust):
    p = np.array([0.01, np.nan, 0.02, 0.6, np.nan])
    tested = ~np.isnan(p)
    assert adjust(p)[tested].tolist() == adjust(p[tested]).tolist()
    assert np.isnan(adjust(p)[~tested]).all()
    assert not decide(p, 0.999)[~tested].any()


@EACH
@pytest.mark.parametrize("p", [[], [np.nan]])
def test_nothing_tested_finds_nothing(decide, adjust, p):
    assert decide(np.array(p), 0.05).tolist() == [False] * len(p)
    assert adjust(np.array(p)).shape == (len(p),)


def test_false_coverage_level_is_the_closed_form():
    assert fcr_level(0.9, 3, 12) == pytest.approx(1 - 0.1 * 3 / 12)
    assert fcr_level(0.9, 12, 12) == pytest.approx(0.9)
    assert fcr_level(0.9, 0, 12) == 0.9


def simulated(replicates=4000):
    """Estimates of 20 effects of which 15 are 0, and their two-sided p-values."""
    effect = np.repeat([0.0, 2.5], [15, 5])
    estimate = effect + np.random.default_rng(7).standard_normal((replicates, 20))
    return effect, estimate, 2 * special.ndtr(-np.abs(estimate))


def within_four_errors(values):
    return 4 * np.std(values) / np.sqrt(len(values))


# Each bound below is 4 standard errors away: it fails by chance once in 30,000 runs.
def test_holm_keeps_the_familywise_error_rate():
    effect, _, p = simulated()
    wrong = [holm(each, 0.1)[effect == 0].any() for each in p]
    assert np.mean(wrong) <= 0.1 + within_four_errors(wrong)
    assert np.mean(wrong) >= 0.1 * 15 / 20 - within_four_errors(wrong)


def test_benjamini_hochberg_has_the_false_discovery_rate_of_its_theorem():
    effect, _, p = simulated()
    false = []
    for each in p:
        found = benjamini_hochberg(each, 0.2)
        false.append(found[effect == 0].sum() / max(found.sum(), 1))
    # For independent findings it is exactly q times the share of true hypotheses.
    assert np.mean(false) == pytest.approx(0.2 * 15 / 20, abs=within_four_errors(false))


def test_intervals_of_selected_findings_keep_the_false_coverage_rate():
    effect, estimate, p = simulated()
    missed: dict[str, list[float]] = {"corrected": [], "naive": []}
    for values, each in zip(estimate, p, strict=True):
        found = benjamini_hochberg(each, 0.2)
        count = int(found.sum())
        for name, level in (("corrected", fcr_level(0.9, count, 20)), ("naive", 0.9)):
            miss = np.abs(values - effect)[found] > critical(level)
            missed[name].append(miss.sum() / max(count, 1))
    allowed = within_four_errors(missed["corrected"])
    assert np.mean(missed["corrected"]) <= 0.1 + allowed
    assert np.mean(missed["naive"]) > 0.1 + allowed
