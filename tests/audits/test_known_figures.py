"""Figures of real data that are published, or computed here from the raw rows with NumPy alone."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

import evenhand as eh

BLACK, WHITE = "African-American", "Caucasian"


def open_compas(source, **how):
    roles = {"label": "two_year_recid", "prediction": "score_text != 'Low'"}
    return eh.log(source, kind="decisions", **roles | how)


@pytest.fixture(scope="module")
def compas_file(data):
    return data / "compas_two_years.parquet"


@pytest.fixture(scope="module")
def compas_rows(compas_file):
    return pl.read_parquet(compas_file)


@pytest.fixture(scope="module")
def adult_file(data):
    return data / "adult_1994.parquet"


def of_groups(found):
    return {next(iter(group.group.values())): group for group in found.groups}


def pair_of(notation, log):
    """The finding of the two groups of COMPAS that are always compared, first minus second."""
    found = eh.estimates([notation], log)
    wanted = ({"race": BLACK}, {"race": WHITE})
    (one,) = [finding for finding in found if finding.pair == wanted]
    return one


# All 7,214 rows and all six groups: a group's own figure does not depend on who else is there.
@pytest.mark.parametrize(
    ("measure", "black", "white"),
    [
        ("selection_rate", (2174, 3696), (854, 2454)),
        ("base_rate", (1901, 3696), (966, 2454)),
        ("false_positive_rate", (805, 1795), (349, 1488)),
        ("true_negative_rate", (990, 1795), (1139, 1488)),
        ("true_positive_rate", (1369, 1901), (505, 966)),
        ("false_negative_rate", (532, 1901), (461, 966)),
        ("positive_predictive_value", (1369, 2174), (505, 854)),
        ("false_discovery_rate", (805, 2174), (349, 854)),
        ("negative_predictive_value", (990, 1522), (1139, 1600)),
        ("false_omission_rate", (532, 1522), (461, 1600)),
        ("accuracy", (1369 + 990, 3696), (505 + 1139, 2454)),
    ],
)
def test_compas_counts_of_all_rows(compas_file, measure, black, white):
    found = of_groups(eh.estimate(f"difference({measure}, by=race)", open_compas(compas_file)))
    assert len(found) == 6
    for name, (of, among) in ((BLACK, black), (WHITE, white)):
        assert found[name].outcome.value == of / among
        assert found[name].rows == among


# ProPublica 2016, as printed.
@pytest.mark.parametrize(
    ("measure", "black", "white"),
    [
        ("false_positive_rate", 0.4485, 0.2345),
        ("false_negative_rate", 0.2799, 0.4772),
        ("positive_predictive_value", 0.6297, 0.5913),
    ],
)
def test_compas_rates_as_propublica_printed_them(compas_file, measure, black, white):
    found = of_groups(eh.estimate(f"difference({measure}, by=race)", open_compas(compas_file)))
    assert round(found[BLACK].outcome.value, 4) == black
    assert round(found[WHITE].outcome.value, 4) == white


TWO = {"where": f"race in ['{BLACK}', '{WHITE}']"}


@pytest.mark.parametrize(
    ("measure", "signed"),
    [
        ("selection_rate", (0.24020, 0.21534, 0.26458)),
        ("false_positive_rate", (0.21392, 0.18205, 0.24502)),
        ("true_positive_rate", (0.19737, 0.15986, 0.23456)),
        ("false_negative_rate", (-0.19737, -0.23456, -0.15986)),
        ("true_negative_rate", (-0.21392, -0.24502, -0.18205)),
    ],
)
def test_compas_signed_differences_have_the_digits_of_newcombe(compas_file, measure, signed):
    found = pair_of(f"pairs({measure}, by=race)", open_compas(compas_file, **TWO))
    assert (found.value, found.low, found.high) == pytest.approx(signed, abs=5e-6)


@pytest.mark.parametrize(
    ("measure", "black", "white"),
    [
        ("positive_predictive_value", (1369, 2174), (505, 854)),
        ("negative_predictive_value", (990, 1522), (1139, 1600)),
        ("base_rate", (1901, 3696), (966, 2454)),
    ],
)
def test_compas_differences_equal_the_newcombe_interval_of_statsmodels(
    compas_file, measure, black, white
):
    found = pair_of(f"pairs({measure}, by=race)", open_compas(compas_file, **TWO))
    wanted = confint_proportions_2indep(*black, *white, method="newcomb")
    assert (found.low, found.high) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("measure", "smaller", "larger", "ratio"),
    [
        ("selection_rate", (854, 2454), (2174, 3696), 0.59164),
        ("false_positive_rate", (349, 1488), (805, 1795), 0.52299),
        ("positive_predictive_value", (505, 854), (1369, 2174), 0.93905),
    ],
)
def test_compas_ratios_are_close_to_the_score_interval(
    compas_file, measure, smaller, larger, ratio
):
    found = eh.estimate(f"ratio({measure}, by=race)", open_compas(compas_file, **TWO))
    low, high = confint_proportions_2indep(*smaller, *larger, compare="ratio", method="score")
    assert found.value == pytest.approx(ratio, abs=1e-5)
    assert (found.low, found.high) == pytest.approx((low, min(high, 1.0)), abs=0.003)


def test_compas_equalised_odds_is_the_gap_of_the_false_positives(compas_file):
    found = eh.estimate("equalized_odds_difference(by=race)", open_compas(compas_file, **TWO))
    assert found.value == pytest.approx(0.21392, abs=1e-5)
    shown = "shown is difference(false_positive_rate, by=race)"
    assert found.conventions["largest"].endswith(shown)
    # Two gaps share the level, so each is wider than alone.
    assert found.low < 0.18205
    assert found.high > 0.24502


def placements(positives, negatives):
    """Share of negatives below each positive, ties one half; every pair is looked at."""
    above = positives[:, None] > negatives
    return above + (positives[:, None] == negatives) / 2


def split(rows, race):
    members = rows.filter(pl.col("race") == race)
    label = members["two_year_recid"].to_numpy()
    score = members["decile_score"].to_numpy()
    return score[label == 1], score[label == 0]


def delong(positives, negatives):
    """The area and its variance, from the placements of both samples."""
    above = placements(positives, negatives)
    parts = [above.mean(axis=axis).var(ddof=1) / above.shape[1 - axis] for axis in (0, 1)]
    return above.mean(), sum(parts)


def test_compas_area_by_race_equals_all_pairs_of_rows(compas_file, compas_rows):
    log = open_compas(compas_file, score="decile_score")
    found = of_groups(eh.estimate("difference(auc, by=race)", log))
    for race, group in found.items():
        area, variance = delong(*split(compas_rows, race))
        assert group.outcome.value == pytest.approx(area, abs=1e-12)
        if group.rows > 300:
            half = 1.959964 * variance**0.5
            limits = (area - half, area + half)
            assert (group.outcome.low, group.outcome.high) == pytest.approx(limits, abs=0.004)


def test_compas_areas_of_two_groups_differ_as_delong_says(compas_file, compas_rows):
    log = open_compas(compas_file, score="decile_score", **TWO)
    found = pair_of("pairs(auc, by=race)", log)
    (one, first), (other, second) = (delong(*split(compas_rows, race)) for race in (BLACK, WHITE))
    half = 1.959964 * (first + second) ** 0.5
    wanted = (one - other, one - other - half, one - other + half)
    assert (found.value, found.low, found.high) == pytest.approx(wanted, abs=0.001)


@pytest.mark.parametrize("measure", ["bpsn_auc", "bnsp_auc"])
def test_compas_areas_across_groups_equal_all_pairs_of_rows(compas_file, compas_rows, measure):
    log = open_compas(compas_file, score="decile_score", **TWO)
    found = of_groups(eh.estimate(f"worst({measure}, by=race)", log))
    for race, other in ((BLACK, WHITE), (WHITE, BLACK)):
        inside, outside = split(compas_rows, race), split(compas_rows, other)
        positives = outside[0] if measure == "bpsn_auc" else inside[0]
        negatives = inside[1] if measure == "bpsn_auc" else outside[1]
        area = placements(positives, negatives).mean()
        assert found[race].outcome.value == pytest.approx(area, abs=1e-12)


PROBABILITY = "decile_score / 10 - 0.05"


def newton_slope(score, label):
    """The slope of a logistic regression of the label on logit(score)."""
    design = np.column_stack([np.ones_like(score), np.log(score / (1 - score))])
    beta = np.zeros(2)
    for _ in range(30):
        fitted = 1 / (1 + np.exp(-design @ beta))
        bend = (design * (fitted * (1 - fitted))[:, None]).T @ design
        beta += np.linalg.solve(bend, design.T @ (label - fitted))
    return beta[1]


def calibration_path(score, label):
    """The cumulative sum of label minus score over the distinct scores, from 0."""
    steps = [(label - score)[score == value].sum() for value in np.unique(score)]
    return np.concatenate([[0], np.cumsum(steps)]) / len(score)


FROM_SCORES = {
    "mean_score": lambda s, _: s.mean(),
    "brier_score": lambda s, y: ((s - y) ** 2).mean(),
    "log_loss": lambda s, y: -np.log(np.where(y == 1, s, 1 - s)).mean(),
    "calibration_in_the_large": lambda s, y: (y - s).mean(),
    "calibration_slope": newton_slope,
    "ecce": lambda s, y: np.ptp(calibration_path(s, y)),
    "generalized_false_positive_rate": lambda s, y: s[y == 0].mean(),
    "generalized_false_negative_rate": lambda s, y: (1 - s)[y == 1].mean(),
}


@pytest.mark.parametrize("measure", FROM_SCORES)
def test_compas_deciles_as_probabilities(compas_file, compas_rows, measure):
    log = open_compas(compas_file, score=PROBABILITY)
    found = of_groups(eh.estimate(f"difference({measure}, by=race)", log))
    for race in (BLACK, WHITE, "Hispanic"):
        members = compas_rows.filter(pl.col("race") == race)
        score = members["decile_score"].to_numpy() / 10 - 0.05
        label = members["two_year_recid"].to_numpy()
        outcome = found[race].outcome
        assert outcome.value == pytest.approx(FROM_SCORES[measure](score, label), abs=1e-9)
        assert outcome.low < outcome.value < outcome.high


def test_compas_tenth_decile_as_certainty_has_no_finite_log_loss(compas_file):
    log = open_compas(compas_file, score="decile_score / 10")
    found = eh.estimates(["log_loss", "calibration_slope"], log)
    assert "infinite" in found[0].undefined
    assert "a score of 0 or 1" in found[1].undefined


def test_compas_f1_balanced_accuracy_and_correlation_from_the_cells(compas_file):
    log = open_compas(compas_file)
    names = ("f1", "balanced_accuracy", "matthews_correlation")
    found = [
        of_groups(finding)
        for finding in eh.estimates([f"difference({name}, by=race)" for name in names], log)
    ]
    for race, (tp, fp, tn, fn) in {
        BLACK: (1369, 805, 990, 532),
        WHITE: (505, 349, 1139, 461),
    }.items():
        wanted = (
            2 * tp / (2 * tp + fp + fn),
            (tp / (tp + fn) + tn / (tn + fp)) / 2,
            (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5,
        )
        assert [one[race].outcome.value for one in found] == pytest.approx(wanted, abs=1e-12)


def test_compas_inequality_of_benefits_from_the_rows(compas_file, compas_rows):
    names = ("generalized_entropy", "theil_index", "atkinson_index", "gini_index")
    found = [
        of_groups(one)
        for one in eh.estimates(
            [f"difference({name}, by=race)" for name in names], open_compas(compas_file)
        )
    ]
    for race in (BLACK, WHITE):
        members = compas_rows.filter(pl.col("race") == race)
        decided = (members["score_text"] != "Low").to_numpy()
        benefit = decided - members["two_year_recid"].to_numpy() + 1.0
        relative = np.sort(benefit / benefit.mean())
        held = relative[relative > 0]
        place = np.arange(1, len(relative) + 1)
        wanted = (
            np.mean(relative**2 - 1) / 2,
            np.sum(held * np.log(held)) / len(relative),
            1 - np.mean(relative**0.5) ** 2,
            2 * np.sum(place * relative) / len(relative) ** 2 - 1 - 1 / len(relative),
        )
        assert [one[race].outcome.value for one in found] == pytest.approx(wanted, abs=1e-9)


def test_adult_signed_gap_of_women_and_men(adult_file):
    log = eh.log(adult_file, kind="decisions", label="income_gt_50k")
    signed, ratio = eh.estimates(["pairs(base_rate, by=sex)", "ratio(base_rate, by=sex)"], log)
    assert signed.pair == ({"sex": "Female"}, {"sex": "Male"})
    assert signed.value == pytest.approx(-0.194516, abs=5e-7)
    wanted = confint_proportions_2indep(1769, 16192, 9918, 32650, method="newcomb")
    assert (signed.low, signed.high) == pytest.approx(wanted, abs=1e-9)
    assert signed.rows == 48_842
    assert ratio.value == pytest.approx(0.109251 / 0.303767, abs=5e-6)


@pytest.mark.parametrize("way", ["group expression", "column"])
def test_adult_signed_gap_of_other_races_and_white(adult_file, way):
    source, groups = adult_file, {"white": {"column": "race == 'White'"}}
    if way == "column":
        source, groups = pl.read_parquet(source).with_columns(white=pl.col("race") == "White"), ()
    log = eh.log(source, kind="decisions", label="income_gt_50k", groups=groups)
    (found,) = eh.estimates(["pairs(base_rate, by=white)"], log)
    assert found.pair == ({"white": "false"}, {"white": "true"})
    assert found.value == pytest.approx(-0.101445, abs=5e-7)


def test_adult_rates_inside_and_outside_a_filter_are_those_of_the_groups(adult_file):
    inside, outside = (
        eh.estimate(
            "base_rate",
            eh.log(adult_file, kind="decisions", label="income_gt_50k", where=where),
        )
        for where in ("race == 'White'", "race != 'White'")
    )
    assert outside.value - inside.value == pytest.approx(-0.101445, abs=5e-7)
    assert inside.rows + outside.rows == 48_842


def test_adult_reweighed_by_sex_has_equal_base_rates(adult_file):
    rows = pl.read_parquet(adult_file)
    sex, income = rows["sex"].to_numpy(), rows["income_gt_50k"].to_numpy()
    weight = np.zeros(len(rows))
    cells = {}
    for who in ("Female", "Male"):
        for what in (False, True):
            cell = (sex == who) & (income == what)
            cells[who[0], int(what)] = (sex == who).mean() * (income == what).mean() / cell.mean()
            weight[cell] = cells[who[0], int(what)]
    assert cells == pytest.approx(
        {("M", 1): 0.78771, ("F", 0): 0.85402, ("M", 0): 1.09262, ("F", 1): 2.19019}, abs=5e-6
    )
    log = eh.log(
        rows.with_columns(w=pl.Series(weight)),
        kind="decisions",
        label="income_gt_50k",
        weight="w",
    )
    found = eh.estimate("difference(base_rate, by=sex)", log)
    values = [group.outcome.value for group in found.groups]
    assert values == pytest.approx([0.239282] * 2, abs=5e-7)
    assert found.value == pytest.approx(0, abs=1e-12)
    assert found.low == 0
    # The weights of a cell are equal, so Kish's number of trials is all but that of the rows.
    assert found.high < 0.02


@pytest.mark.parametrize("rows", [1, 10, 400])
def test_none_of_n_has_the_upper_limit_of_wilson(rows):
    log = eh.log(pl.DataFrame({"p": [0] * rows}), kind="decisions", prediction="p")
    found = eh.estimate("selection_rate", log)
    square = 1.959963984540054**2
    assert (found.low, found.high) == pytest.approx((0, square / (rows + square)), abs=1e-12)


# The mean of max - min where all groups are equal at 30 % of 100 rows: it is biased upwards.
@pytest.mark.slow
@pytest.mark.parametrize(("groups", "mean"), [(2, 0.05), (5, 0.11), (20, 0.17)])
def test_largest_gap_of_equal_groups_is_biased_by_as_much_as_is_known(groups, mean):
    rng = np.random.default_rng(17)
    gaps = []
    for _ in range(200):
        rows = pl.DataFrame(
            {
                "g": np.repeat(np.arange(groups), 100),
                "p": (rng.random(groups * 100) < 0.3).astype(int),
            }
        )
        log = eh.log(rows, kind="decisions", prediction="p")
        gaps.append(eh.estimate("difference(selection_rate, by=g)", log).value)
    # The standard error of the mean is at most .003, and the figure has two digits.
    assert np.mean(gaps) == pytest.approx(mean, abs=0.013)


# The mean range of Brownian motion is 1.596; that of a walk of finite steps a little less.
@pytest.mark.slow
def test_cumulative_calibration_error_of_calibrated_scores_is_biased_by_as_much_as_is_known():
    rng = np.random.default_rng(158)
    ratios = []
    for _ in range(400):
        score = rng.beta(2, 3, 2_000)
        rows = pl.DataFrame({"s": score, "y": (rng.random(2_000) < score).astype(int)})
        log = eh.log(rows, kind="decisions", label="y", score="s")
        deviation = np.sqrt((score * (1 - score)).sum()) / 2_000
        ratios.append(eh.estimate("ecce", log).value / deviation)
    # The range has a standard deviation of .48, so its mean one of .024; four are allowed.
    assert np.mean(ratios) == pytest.approx(1.58, abs=0.1)
