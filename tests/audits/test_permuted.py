import numpy as np
import polars as pl
import pytest
from scipy.stats import fisher_exact  # noqa: TID251 - an oracle

import evenhand as eh
from evenhand.errors import RoleError

DIFFERENCE = "difference(selection_rate, by=g)"


def log_of(groups, decisions, **how):
    rows = pl.DataFrame({"g": groups, "p": decisions, "u": range(len(groups))} | how.pop("and", {}))
    return eh.log(rows, kind="decisions", prediction="p", **how)


def test_two_groups_of_equal_size_agree_with_fishers_exact_test():
    # With equal sizes the gap orders tables as their probabilities do.
    decisions = [1] * 14 + [0] * 6 + [1] * 7 + [0] * 13
    log = log_of(["a"] * 20 + ["b"] * 20, decisions)
    found = eh.estimate(DIFFERENCE, log, adjust="holm", permutations=20_000)
    exact = fisher_exact([[14, 6], [7, 13]]).pvalue
    # False alarm below 1e-4: four standard errors of 20,000 draws.
    assert found.test.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20_000))
    assert found.test.method == "20,000 permutations"


def test_groups_that_are_alike_are_rejected_as_often_as_stated():
    rng = np.random.default_rng(5)
    groups = np.repeat(["a", "b", "c"], 30)
    p_values = [
        eh.estimate(
            DIFFERENCE, log_of(groups, rng.integers(0, 2, 90)), adjust="holm", permutations=199
        ).test.p_value
        for _ in range(120)
    ]
    # A permutation test is valid: beyond 0.05 + 4.5 standard errors once in 100,000 runs.
    assert np.mean(np.array(p_values) <= 0.05) <= 0.05 + 4.5 * np.sqrt(0.05 * 0.95 / 120)


@pytest.mark.parametrize("how", [{"unit": "c"}, {"weight": "w"}])
def test_rows_that_are_not_exchangeable_are_not_permuted(how):
    columns = {"c": [0, 0, 1, 1, 2, 2, 3, 3], "w": [1.0, 2.0] * 4}
    log = log_of(list("aaaabbbb"), [1, 0, 1, 1, 0, 0, 1, 0], **how, **{"and": columns})
    assert eh.estimate(DIFFERENCE, log, adjust="holm", permutations=99).test is None


def test_permutations_without_an_adjustment_say_what_is_missing():
    with pytest.raises(RoleError, match="adjust"):
        eh.estimate(DIFFERENCE, log_of(["a", "b"], [0, 1]), permutations=99)
