"""Days of a log with users who come back, and a plan for them."""

from __future__ import annotations

import numpy as np
import polars as pl

DAYS, SIZE = 10, 300


def rows_of(day, size=SIZE):
    rng = np.random.default_rng(day)
    return pl.DataFrame(
        {
            "who": rng.integers(0, 120, size),
            "sex": rng.choice(["f", "m"], size),
            "age": rng.integers(18, 80, size),
            "y": rng.integers(0, 2, size),
            "p": rng.integers(0, 2, size),
            "s": rng.random(size),
            "w": rng.random(size) + 0.5,
        }
    )


def plan_of(source, **more):
    return {
        "evenhand": 1,
        "log": {"source": str(source)},
        "roles": {"label": "y", "prediction": "p", "score": "s"},
        "unit": "who",
        "groups": {"sex": "sex", "age": {"column": "age", "bins": [30, 50]}},
        "measures": [
            {"measure": "difference(true_positive_rate, by=[sex, age])", "slices": ["age > 40"]},
            "difference(auc, by=sex)",
            "calibration_slope",
            "worst(brier_score, by=sex)",
        ],
        "gate": [{"id": "gap", "rule": "difference(auc, by=sex) <= 0.2"}],
        **more,
    }
