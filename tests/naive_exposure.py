"""Exposure and optima of mixtures of rankings by trying all rankings, naively."""

import itertools
import math

import numpy as np
from scipy.optimize import linprog


def weight(slot):
    return 1 / math.log2(1 + slot)


def all_orders(n, k):
    return list(itertools.permutations(range(n), min(n, k)))


def worth(scores, order):
    return sum(scores[one] * weight(slot) for slot, one in enumerate(order, 1))


def mean_exposure(groups, order, name):
    own = [one for one, group in enumerate(groups) if group == name]
    return sum(weight(order.index(one) + 1) for one in own if one in order) / len(own)


def best_mixture(scores, groups, k, tolerance, *, merit):
    """Return the highest expected utility of mixtures of all rankings, or None."""
    orders = all_orders(len(scores), k)
    names = sorted({name for name in groups if name is not None})
    level = {}
    for name in names:
        own = [score for score, group in zip(scores, groups, strict=True) if group == name]
        each = sum(own) / len(own) if merit else 1.0
        level[name] = np.array([mean_exposure(groups, order, name) / each for order in orders])
    rows = [(1 - tolerance) * level[b] - level[a] for a in names for b in names if a != b]
    solved = linprog(
        [-worth(scores, order) for order in orders],
        A_ub=rows or None,
        b_ub=np.zeros(len(rows)) if rows else None,
        A_eq=[np.ones(len(orders))],
        b_eq=[1.0],
        options={"primal_feasibility_tolerance": 1e-10},
    )
    return -solved.fun if solved.success else None


def best_order(scores, groups, k, minima):
    """Return the highest utility of one order whose prefixes hold enough, or None."""
    found = [
        worth(scores, order)
        for order in all_orders(len(scores), k)
        if all(
            sum(groups[one] == name for one in order[: slot + 1]) >= least
            for slot, row in enumerate(minima)
            for name, least in row.items()
        )
    ]
    return max(found, default=None)
