"""The FA*IR test of each list against a loop over prefixes and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from evenhand.stats.ranked_group_fairness import prefix_test
from naive_lists import assert_agree, finding_of, of_each, random_requests
from naive_provider import fair
from permuted import PERMUTED, listed


def test_fair_by_hand():
    # m = 0, 0, 0, 0, 1, 1, 1, 2, 2, 3 for ten places, p = .5 and alpha = .1.
    lists = [listed("mmmmfmmfmf"), listed("mmmmmfffff"), listed("mmmmfmmmff"), listed("ffffffffff")]
    assert of_each("FAIR(of=topic, group=f, p=0.5)@10", lists) == [1, 0, 0, 1]


def test_not_adjusted_the_test_is_stricter():
    # m = 0, 0, 0, 1 where each prefix is tested at .1.
    lists = [listed("mmmmfmmfmf")]
    assert of_each("FAIR(of=topic, group=f, p=0.5, adjusted=False)@10", lists) == [0]


@pytest.mark.parametrize("requests", PERMUTED)
@pytest.mark.parametrize(("p", "alpha", "k"), [(0.5, 0.4, 6), (0.7, 0.2, 4), (0.3, 0.1, 3)])
def test_every_permutation_passes_where_a_loop_says_so(requests, p, alpha, k):
    table = prefix_test(p, alpha, k).minimum
    found = of_each(f"FAIR(of=topic, group=a, p={p}, alpha={alpha})@{k}", requests)
    assert found == [fair(r, "a", table, k=k) for r in requests]


@pytest.mark.parametrize("soft", [False, True])
def test_fair_is_what_a_loop_finds_with_gaps_and_unknown_groups(soft):
    requests = random_requests(np.random.default_rng(8), 120, soft=soft)
    table = prefix_test(0.6, 0.3, 8).minimum
    assert max(table) > 1
    assert_agree(
        "FAIR(of=topic, group=a, p=0.6, alpha=0.3)@8",
        lambda r: fair(r, "a", table, k=8),
        requests,
    )


def test_finding_prints_the_test():
    found = finding_of("FAIR(of=topic, group=f, p=0.5)@10", [listed("mmmmfmmfmf"), listed("m" * 9)])
    says = found.conventions
    assert found.value == 0.5
    assert (says["p"], says["alpha"], says["alpha_c"]) == ("0.5", "0.1", "0.0546875")
    assert says["failure probability"] == "0.0751953 for 10 places, exact"
    assert says["m"] == "0, 0, 0, 0, 1, 1, 1, 2, 2, 3"


def test_lists_tossed_with_p_fail_as_often_as_the_table_says():
    # 20,000 lists: a deviation of 4 standard errors has a chance below 1 in 10,000.
    rng, n = np.random.default_rng(9), 20_000
    lists = [listed(row) for row in np.where(rng.random((n, 10)) < 0.5, "f", "m").tolist()]
    failed = 1 - np.mean(of_each("FAIR(of=topic, group=f, p=0.5)@10", lists))
    exact = 0.0751953125
    assert abs(failed - exact) < 4 * (exact * (1 - exact) / n) ** 0.5


@pytest.mark.parametrize(
    ("notation", "message"),
    [
        ("FAIR(of=topic, group=f, p=0.5)", "a test of k places"),
        ("FAIR(of=topic, group=f, p=1.5)@10", "p is the least share"),
        ("FAIR(of=topic, group=f, p=0.5, alpha=0)@10", "alpha is a probability"),
        ("FAIR(of=topic, group=f, p=0.5, adjusted=2)@10", "adjusted is True or False"),
        ("FAIR(of=topic, group=unknown, p=0.5)@10", "group= names one group"),
    ],
)
def test_a_test_that_makes_no_sense_is_refused(notation, message):
    with pytest.raises(ValueError, match=message):
        finding_of(notation, [listed("mf")])


def test_items_all_of_unknown_group_have_no_figure():
    found = finding_of("FAIR(of=topic, group=a, p=0.5)@5", [listed("  "), listed(" ")])
    assert "no item of known topic was shown" in found.undefined
