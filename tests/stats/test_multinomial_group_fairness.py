"""The test of several protected groups against every ranking, in exact fractions."""

from __future__ import annotations

import functools
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest

from evenhand.stats.multinomial_group_fairness import (
    counts_of,
    lattice,
    multinomial_test,
)
from evenhand.stats.ranked_group_fairness import prefix_test


def exactly(counts, size, p):
    """The chance that `size` throws give just these counts of the protected groups."""
    rest = size - sum(counts)
    ways = math.factorial(size)
    chance = (1 - sum(p)) ** rest
    for count, share in zip((*counts, rest), (*p, None), strict=True):
        ways //= math.factorial(count)
        chance *= 1 if share is None else share**count
    return ways * chance


@functools.cache
def at_most(counts, size, p):
    """The chance that no protected group has more than its count."""
    every = itertools.product(*(range(count + 1) for count in counts))
    return sum(exactly(one, size, p) for one in every if sum(one) <= size)


def held(ranking, groups):
    return tuple(ranking.count(group) for group in range(groups))


def chance_of_failure(k, p, level):
    """Of all rankings of k by the throw of a die, ranking by ranking."""
    groups = len(p)
    shares = [*p, 1 - sum(p)]
    failed = Fraction(0)
    for ranking in itertools.product(range(groups + 1), repeat=k):
        for size in range(1, k + 1):
            if at_most(held(ranking[:size], groups), size, p) <= level:
                failed += math.prod(shares[one] for one in ranking)
                break
    return failed


CASES = [
    ((Fraction(1, 2),), 6),
    ((Fraction(1, 3), Fraction(1, 3)), 5),
    ((Fraction(1, 5), Fraction(3, 10)), 5),
    ((Fraction(1, 10), Fraction(3, 5)), 5),
    ((Fraction(1, 5), Fraction(1, 5), Fraction(3, 10)), 4),
    ((Fraction(0), Fraction(2, 5)), 4),
    pytest.param((Fraction(1, 3), Fraction(1, 3)), 7, marks=pytest.mark.slow),
    pytest.param((Fraction(1, 10), Fraction(1, 5), Fraction(3, 10)), 5, marks=pytest.mark.slow),
]


@pytest.mark.parametrize("alpha", [Fraction(1, 20), Fraction(1, 10), Fraction(3, 10)])
@pytest.mark.parametrize(("p", "k"), CASES)
def test_level_and_failure_are_those_of_all_rankings(p, k, alpha):
    groups = len(p)
    every = [
        (size, counts)
        for size in range(1, k + 1)
        for counts in itertools.product(range(size + 1), repeat=groups)
        if sum(counts) <= size
    ]
    chance = {key: at_most(key[1], key[0], p) for key in every}
    levels = sorted({value for value in chance.values() if 0 < value <= alpha})
    sound = (level for level in reversed(levels) if chance_of_failure(k, p, level) <= alpha)
    found = multinomial_test(tuple(map(float, p)), float(alpha), k)
    level = next(sound, Fraction(0))
    assert found.level == pytest.approx(float(level), rel=1e-10)
    assert found.failure == pytest.approx(float(chance_of_failure(k, p, level)), rel=1e-10)
    place = {tuple(counts): row for row, counts in enumerate(found.lattice.counts.tolist())}
    for (size, counts), value in chance.items():
        assert found.fails[size - 1][place[counts]] == (value <= level and level > 0)
    free = multinomial_test(tuple(map(float, p)), float(alpha), k, adjusted=False)
    for (size, counts), value in chance.items():
        assert free.fails[size - 1][place[counts]] == (value <= alpha)
    assert free.failure == pytest.approx(float(chance_of_failure(k, p, alpha)), rel=1e-10)


@pytest.mark.parametrize("adjusted", [False, True])
@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.8])
@pytest.mark.parametrize("k", [1, 10, 20, 60])
def test_of_one_group_it_is_the_binomial_test(p, k, adjusted):
    found, expected = (test(each, 0.1, k, adjusted=adjusted) for test, each in (
        (multinomial_test, (p,)), (prefix_test, p)))  # fmt: skip
    assert found.level == pytest.approx(expected.level, rel=1e-10)
    assert found.failure == pytest.approx(expected.failure, rel=1e-10, abs=1e-15)
    assert [int(fail.sum()) for fail in found.fails] == [*expected.minimum]


def test_a_larger_level_would_fail_too_often():
    p, alpha, k = (0.2, 0.3), 0.1, 12
    found = multinomial_test(p, alpha, k)
    assert found.failure <= alpha
    # The next level fails one more count: the smallest F among those that pass.
    passing = [
        at_most(tuple(counts), size, tuple(map(Fraction, ("1/5", "3/10"))))
        for size, fail in enumerate(found.fails, start=1)
        for counts in found.lattice.counts[: len(fail)][~fail].tolist()
    ]
    above = multinomial_test(p, float(min(passing)), k, adjusted=False)
    assert above.failure > alpha


def test_more_of_a_group_never_fails():
    found = multinomial_test((0.2, 0.3), 0.2, 15)
    for size, fail in enumerate(found.fails, start=1):
        for group in range(2):
            inner = found.lattice.sizes[size - 1]
            more = found.lattice.more[:inner, group]
            assert not (fail[more] & ~fail[:inner]).any()


def test_chances_of_simulated_rankings_agree():
    # 4 standard errors: a false alarm in 16,000.
    p, k, times = (0.15, 0.35), 20, 10_000
    found = multinomial_test(p, 0.1, k)
    rng = np.random.default_rng(1)
    thrown = rng.choice(3, (times, k), p=[*p, 0.5])
    place = {tuple(counts): row for row, counts in enumerate(found.lattice.counts.tolist())}
    held_by = np.stack([np.cumsum(thrown == group, axis=1) for group in range(2)], axis=2)
    failed = 0
    for ranking in held_by.tolist():
        failed += any(
            found.fails[size][place[tuple(counts)]] for size, counts in enumerate(ranking)
        )
    error = math.sqrt(found.failure * (1 - found.failure) / times)
    assert abs(failed / times - found.failure) < 4 * error


@pytest.mark.parametrize(("k", "groups"), [(1, 1), (3, 1), (4, 2), (5, 3), (2, 4)])
def test_the_lattice_holds_every_count_once(k, groups):
    found = lattice(k, groups)
    rows = [tuple(row) for row in found.counts.tolist()]
    every = [c for c in itertools.product(range(k + 1), repeat=groups) if sum(c) <= k]
    assert sorted(rows) == sorted(every)
    for size in range(k + 1):
        assert {*rows[: found.sizes[size]]} == {c for c in every if sum(c) <= size}
    for row, counts in enumerate(rows):
        for group in range(groups):
            more = tuple(count + (one == group) for one, count in enumerate(counts))
            assert found.more[row, group] == (rows.index(more) if more in rows else -1)
    assert counts_of(k, groups) == sum(found.sizes[1:])
