"""Counting units from marks that merge."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.engine.sketch import count_units
from evenhand.logs.unit import MARKS, REGISTERS, integer_hash


def marks_of(units: np.ndarray) -> np.ndarray:
    """The largest mark of every occupied register."""
    hashed = integer_hash(units)
    largest = np.zeros(REGISTERS, np.int64)
    np.maximum.at(largest, hashed % REGISTERS, MARKS - hashed // REGISTERS)
    return largest[largest > 0]


# Relative standard error 1 / sqrt(512) = 4.4 %; five of them are allowed.
@pytest.mark.parametrize("count", [100, 1_000, 1_300, 5_000, 20_000, 300_000, 3_000_000])
def test_number_of_units_is_estimated_within_five_standard_errors(count):
    units = np.random.default_rng(count).choice(2**40, count, replace=True)
    assert count_units(marks_of(np.unique(units))) == pytest.approx(count, rel=0.22)


@pytest.mark.parametrize("count", [1, 10, 50])
def test_few_units_are_counted_almost_exactly(count):
    assert count_units(marks_of(np.arange(count))) == pytest.approx(count, abs=2)


def test_error_over_many_logs_is_the_stated_one():
    rng = np.random.default_rng(3)
    errors = []
    for _ in range(200):
        units = rng.integers(0, 2**62, 50_000)
        errors.append(count_units(marks_of(units)) / 50_000 - 1)
    # The standard deviation of 200 errors has a relative error of 5 %; four of them are allowed.
    assert np.std(errors) == pytest.approx(1 / np.sqrt(REGISTERS), rel=0.2)
    assert abs(np.mean(errors)) < 4 * np.std(errors) / np.sqrt(200)


def test_no_marks_are_no_units():
    assert count_units([]) == 0
