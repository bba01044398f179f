"""What is remarked of features: values in fixed pairs say something where they come again."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.probes.explain.feature import grouped, remarks

NAMES = ("one", "other")


def told(one, other, text):
    x = np.column_stack([one, other]).astype(float)
    return " ".join(remarks(x, grouped(NAMES, ()), NAMES, text))


@pytest.mark.parametrize("text", [NAMES, ("one",)])
def test_values_that_hardly_come_twice_are_not_told_as_duplicated(text):
    rng = np.random.default_rng(0)
    names, amounts = rng.permutation(200), rng.permutation(200)
    assert "duplicated" not in told(names, amounts, text)
    # Every example twice: the rows are duplicated, and not the features.
    assert "duplicated" not in told(np.tile(names, 2), np.tile(amounts, 2), text)


@pytest.mark.parametrize("text", [NAMES, ("one",)])
def test_values_that_come_in_the_same_pairs_again_are_told_as_duplicated(text):
    level = np.random.default_rng(0).integers(0, 5, 200)
    school = np.array([3, 0, 4, 1, 2])[level]
    assert "duplicated: one and other" in told(level, school, text)
    school[0] = (school[0] + 1) % 5
    assert "duplicated" not in told(level, school, text)
