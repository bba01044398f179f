"""Distances between groups' distributions and ROC curves, against SciPy and plain loops."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy.stats import (  # noqa: TID251 - the oracles, in a test only
    ks_2samp,
    wasserstein_distance,
)

import evenhand as eh
from evenhand.errors import EvenhandError


def random_rows(groups=2, count=300, seed=4):
    rng = np.random.default_rng(seed)
    g = rng.integers(0, groups, count)
    label = rng.integers(0, 2, count)
    score = 1 / (1 + np.exp(-(0.4 * g + (1.5 - 0.5 * g) * label + rng.standard_normal(count))))
    return {
        "g": np.array(list("abcd"))[g],
        "y": label,
        "p": (score > 0.5).astype(int),
        "s": score.round(2),
        "u": rng.integers(0, count // 4, count),
    }


def scores(rows, **how):
    roles = {"label": "y", "prediction": "p", "score": "s"}
    return eh.log(pl.DataFrame(rows), kind="decisions", **roles, **how)


def samples(rows, of="s"):
    g = np.array(rows["g"])
    return {name: np.array(rows[of])[g == name] for name in sorted(set(g))}


SCIPY = {
    "ks_distance": lambda a, b: ks_2samp(a, b).statistic,
    "wasserstein_distance": wasserstein_distance,
}


@pytest.mark.parametrize("groups", [2, 3])
@pytest.mark.parametrize("name", SCIPY)
def test_a_distance_is_that_of_scipy_for_the_pair_furthest_apart(name, groups):
    rows = random_rows(groups)
    found = eh.estimate(f"{name}(by=g)", scores(rows))
    pairs = {
        (one, other): SCIPY[name](a, b)
        for (one, a), (other, b) in itertools.combinations(samples(rows).items(), 2)
    }
    furthest = max(pairs, key=pairs.get)
    assert found.value == pytest.approx(pairs[furthest], abs=1e-12)
    assert found.estimate.method.endswith(f"furthest apart: {' and '.join(furthest)}")
    assert 0 <= found.low <= found.value <= found.high
    assert (found.rows, found.units) == (300, 300)


def roc(score, label, rates):
    """Return a ROC curve, ties joined by lines, at false positive rates."""
    cuts = np.unique(score)[::-1]
    fpr = [0.0, *((score[label == 0] >= cut).mean() for cut in cuts)]
    tpr = [0.0, *((score[label == 1] >= cut).mean() for cut in cuts)]
    # Where the curve rises straight up the higher end counts; areas do not see it.
    return np.interp(rates, fpr, tpr)


def test_abroca_is_the_area_between_the_curves():
    rows = random_rows()
    found = eh.estimate("abroca(by=g)", scores(rows))
    # Middles of a fine grid: an error of 1e-4 at most for curves of 150 steps.
    rates = (np.arange(200_000) + 0.5) / 200_000
    s, y = samples(rows), samples(rows, "y")
    area = np.abs(roc(s["a"], y["a"], rates) - roc(s["b"], y["b"], rates)).mean()
    assert found.value == pytest.approx(area, abs=1e-4)
    assert found.low <= found.value <= found.high


def outranks(positives, negatives):
    pairs = np.subtract.outer(positives, negatives)
    return ((pairs > 0) + (pairs == 0) / 2).mean()


def test_xauc_is_that_of_all_pairs_of_rows():
    rows = random_rows(groups=3)
    s, y = samples(rows), samples(rows, "y")
    for found in eh.estimates(["xauc(by=g)"], scores(rows)):
        a, b = (group["g"] for group in found.pair)
        forth = outranks(s[a][y[a] == 1], s[b][y[b] == 0])
        back = outranks(s[b][y[b] == 1], s[a][y[a] == 0])
        assert found.value == pytest.approx(forth - back, abs=1e-12)
        assert f"xAUC({a}, {b}) = {forth:.4f}" in found.conventions["areas"]
        assert f"xAUC({b}, {a}) = {back:.4f}" in found.conventions["areas"]
        assert found.low < found.value < found.high
        assert found.estimate.method.endswith("Bonferroni over 3 pairs")


@pytest.mark.parametrize(("of", "column"), [("", "p"), ("of=prediction", "p"), ("of=label", "y")])
@pytest.mark.parametrize("name", SCIPY)
def test_numbers_of_a_regression_are_compared_too(name, of, column):
    rng = np.random.default_rng(7)
    rows = {
        "g": np.repeat(["a", "b"], [80, 120]),
        "y": rng.normal(10, 3, 200).round(1),
        "p": rng.normal(11, 2, 200).round(1),
    }
    log = eh.log(pl.DataFrame(rows), kind="regression", label="y", prediction="p")
    found = eh.estimate(f"{name}(by=g{', ' if of else ''}{of})", log)
    assert found.value == pytest.approx(SCIPY[name](*samples(rows, column).values()))
    assert found.key == f"{name}(by=g{', ' if of else ''}{of})"


def test_groups_alike_have_distance_zero_and_an_interval_from_zero():
    rows = random_rows()
    half = {name: np.concatenate([values, values]) for name, values in rows.items()}
    half["g"] = np.repeat(["a", "b"], 300)
    log = scores(half)
    for name in [*SCIPY, "abroca"]:
        found = eh.estimate(f"{name}(by=g)", log)
        assert found.value == pytest.approx(0, abs=1e-12)
        assert found.low == 0
        assert found.high > 0
    assert eh.estimate("xauc(by=g)", log).value == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", [*SCIPY, "abroca", "xauc"])
def test_units_leave_the_distance_and_widen_its_interval(name):
    rng = np.random.default_rng(8)
    people = np.repeat(np.arange(60), 12)
    own = rng.standard_normal(60)[people]
    label = rng.integers(0, 2, 720)
    score = 1 / (1 + np.exp(-(own + label + 0.3 * rng.standard_normal(720))))
    rows = {
        "g": np.where(people % 2, "a", "b"),
        "y": label,
        "p": label,
        "s": score.round(3),
        "u": people,
    }
    by_row, by_unit = (
        eh.estimate(f"{name}(by=g)", scores(rows, unit=unit)) for unit in (None, "u")
    )
    assert by_unit.value == pytest.approx(by_row.value, abs=2e-3)
    assert by_unit.high - by_unit.low > 1.2 * (by_row.high - by_row.low)
    assert by_unit.units == 60


def test_a_seed_gives_the_same_limits():
    log = scores(random_rows())
    first, again = (eh.estimate("ks_distance(by=g)", log, seed=3) for _ in range(2))
    other = eh.estimate("ks_distance(by=g)", log, seed=4)
    assert first.outcome == again.outcome
    assert other.value == first.value
    assert other.high != first.high


def test_a_group_without_one_label_has_no_curve():
    rows = {
        "g": list("aaabb"),
        "y": [1, 0, 1, 1, 1],
        "p": [1, 0, 1, 0, 1],
        "s": [0.1, 0.2, 0.3, 0.4, 0.5],
    }
    for name in ("abroca", "xauc"):
        found = eh.estimates([f"{name}(by=g)"], scores(rows))
        assert "b: no negatives" in found[0].undefined


def test_unknown_groups_are_left_out_and_counted():
    rows = random_rows()
    rows["g"] = [None, *rows["g"][1:]]
    known = {name: values[1:] for name, values in rows.items()}
    found = eh.estimate("ks_distance(by=g)", scores(rows))
    assert found.value == eh.estimate("ks_distance(by=g)", scores(known)).value
    assert [(part.reason, part.rows) for part in found.excluded] == [("g is unknown", 1)]


@pytest.mark.parametrize(
    "notation",
    [
        "ks_distance(auc, by=g)",
        "ks_distance()",
        "ks_distance(by=g, of=unit)",
        "ks_distance(by=g, given=p)",
        "abroca(by=g, of=score)",
        "xauc(auc, by=g)",
    ],
)
def test_wrong_distances_are_refused(notation):
    with pytest.raises(EvenhandError):
        eh.estimate(notation, scores(random_rows()))
