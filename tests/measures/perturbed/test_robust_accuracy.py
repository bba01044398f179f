"""Figures of perturbed examples by hand, and intervals that know what stands in one row."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.errors import NotationError

ROWS = pl.DataFrame(
    {
        "source": [1, 2, 3, 4, 5, 6],
        "variant": ["linf 0.1"] * 6,
        "correct": [1, 1, 1, 1, 0, 0],
        "robust": [1, 1, 1, 0, 0, 0],
    }
)


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("clean_accuracy", 4 / 6),
        ("robust_accuracy", 3 / 6),
        ("attack_success_rate", 1 / 4),
        ("robustness_drop", 1 / 6),
    ],
)
def test_figure_of_six_examples(measure, value):
    found = eh.estimate(measure, eh.log(ROWS, kind="perturbed"))
    assert found.value == pytest.approx(value)


def test_example_that_is_wrong_already_is_never_robust():
    # A log that counts an attack on a wrong example as failed must not raise the figure.
    rows = ROWS.with_columns(robust=pl.Series([1, 1, 1, 0, 1, 1]))
    assert eh.estimate("robust_accuracy", eh.log(rows, kind="perturbed")).value == 0.5


def test_example_that_no_attack_saw_is_left_out_and_counted():
    rows = ROWS.with_columns(robust=pl.Series([1, None, 1, 0, 0, 0]))
    found = eh.estimate("robust_accuracy", eh.log(rows, kind="perturbed"))
    assert found.value == pytest.approx(2 / 5)
    assert [(one.reason, one.rows) for one in found.excluded] == [("no attack saw the example", 1)]


def test_no_example_was_right_before():
    rows = ROWS.filter(pl.col("correct") == 0)
    found = eh.estimate("attack_success_rate", eh.log(rows, kind="perturbed"))
    assert found.undefined == "no attacked rows were right before"


def test_drop_has_the_paired_interval():
    rng = np.random.default_rng(1)
    size = 4_000
    correct = rng.random(size) < 0.7
    robust = correct & (rng.random(size) < 0.97)
    rows = pl.DataFrame(
        {"source": np.arange(size), "variant": "x", "correct": correct, "robust": robust}
    )
    log = eh.log(rows, kind="perturbed")
    drop, clean, left = eh.estimates(["robustness_drop", "clean_accuracy", "robust_accuracy"], log)
    assert drop.value == pytest.approx(clean.value - left.value, abs=1e-12)
    # The variance of a difference of paired shares, McNemar 1947.
    error = np.std(correct.astype(float) - robust, ddof=1) / np.sqrt(size)
    width = drop.outcome.high - drop.outcome.low
    assert width == pytest.approx(2 * 1.96 * error, rel=0.02)
    apart = [one.outcome.high - one.outcome.low for one in (clean, left)]
    assert width < np.hypot(*apart) / 2


def test_attacks_that_break_examples_of_one_group_show_as_a_gap():
    rng = np.random.default_rng(2)
    size = 2_000
    thin = rng.random(size) < 0.5
    correct = rng.random(size) < 0.95
    robust = correct & (rng.random(size) < np.where(thin, 0.5, 0.8))
    rows = pl.DataFrame(
        {
            "source": np.arange(size),
            "variant": "x",
            "correct": correct,
            "robust": robust,
            "thin": thin,
        }
    )
    log = eh.log(rows, kind="perturbed", groups=["thin"])
    gap, clean = eh.estimates(
        ["difference(robust_accuracy, by=thin)", "difference(clean_accuracy, by=thin)"], log
    )
    assert gap.outcome.low < 0.3 * 0.95 < gap.outcome.high
    assert gap.outcome.low > 0.2
    assert clean.outcome.low == 0


DISTANCES = ROWS.with_columns(
    minimal_norm=pl.Series([0.1, 0.2, 0.3, None, 0.0, 0.0]),
    certified_radius=pl.Series([0.1, 0.2, None, None, 0.3, None]),
)


@pytest.mark.parametrize(
    ("measure", "right"),
    [
        ("accuracy_within(eps=0)", 4),
        ("accuracy_within(eps=0.1)", 3),
        ("accuracy_within(eps=0.25)", 2),
        ("accuracy_within(eps=9)", 1),
        ("certified_accuracy(r=0)", 2),
        ("certified_accuracy(r=0.2)", 1),
        ("certified_accuracy(r=0.25)", 0),
    ],
)
def test_accuracy_within_a_distance(measure, right):
    found = eh.estimate(measure, eh.log(DISTANCES, kind="perturbed"))
    assert found.value == pytest.approx(right / 6)
    assert not found.excluded
    assert found.outcome.low < found.outcome.high


def test_several_distances_are_answered_from_one_scan():
    curve = [f"accuracy_within(eps={eps})" for eps in (0, 0.1, 0.25)]
    found = eh.estimates(curve, eh.log(DISTANCES, kind="perturbed"))
    assert [one.value * 6 for one in found] == pytest.approx([4, 3, 2])


@pytest.mark.parametrize("value", [-1, "'a'", "1e999"])
def test_distance_that_is_none_is_refused(value):
    with pytest.raises(NotationError, match="distance"):
        eh.estimate(f"accuracy_within(eps={value})", eh.log(DISTANCES, kind="perturbed"))


def test_log_without_certificates_has_no_certified_accuracy():
    with pytest.raises(NotationError, match="certified_radius"):
        eh.estimate("certified_accuracy(r=0.1)", eh.log(ROWS, kind="perturbed"))


@pytest.mark.parametrize(
    ("measure", "bound"),
    [
        ("robust_accuracy", "an upper bound"),
        ("robustness_drop", "a lower bound"),
        ("attack_success_rate", "a lower bound"),
    ],
)
def test_finding_says_that_a_stronger_attack_may_break_more(measure, bound):
    found = eh.estimate(measure, eh.log(ROWS, kind="perturbed"))
    assert found.conventions["attack"].startswith(bound)
