"""The variance that influences give, against a mean whose variance is known."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.influence import Influence


def test_variance_of_a_rate_is_p_q_over_n():
    positives, negatives = np.array([3.0, 2.0]), np.array([4.0, 11.0])
    rate = Influence(np.array(0.25), np.full(2, 0.75 / 20), np.full(2, -0.25 / 20))
    assert rate.variance(positives, negatives) == pytest.approx(0.25 * 0.75 / 20)
