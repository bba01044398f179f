"""What FairCo guarantees of the gap between groups after t requests: a constant over t.

Morik et al. (2020) prove O(1/t). This is the constant, for requests whose groups merit the same
each time, M_g, with candidates that all have a group, no guardrail, and a cap that cannot bind.

Let u_g = received_g / M_g, so that t times the gap is max u - min u, and let W be the exposure of
all slots of a request, of which a set A of groups can have f(A) at most, placed first. Merits can
be met where f(A) >= W M(A) / M for all A; let eta be the least slack over all A but none and all.
An order by s - lambda u has the greatest sum of w (s - lambda u); so it loses at most S W of
sum w s, S the range of scores, against any mixture of orders, and among mixtures is one that takes
lambda eta (max u - min u) more off lambda sum u x than exposure by merit would (the greedy vertex
that puts groups of low u first, by Abel summation). Then V = sum M_g (u_g - ubar)^2 moves over n
requests that see one state by at most

    2 n (S W / lambda - eta (max u - min u)) + n^2 B,    B = W^2 / min M_g - W^2 / M,

and falls whenever the gap of u is above h = (S W / lambda + n B / 2) / eta. As V <= M gap^2 / 4 and
gap^2 <= (1/M_a + 1/M_b) V for the two smallest merits, the gap of u stays at most

    sqrt((1/M_a + 1/M_b) (M h^2 / 4 + 2 n S W / lambda + n^2 B)).

With two groups, eta >= 0 is enough, and the gap of u stays at most S / lambda + n max_g f(g) / M_g:
above S / lambda all of the group that is behind stand first.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import listed
from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats
from evenhand.mitigations.fairco import FairCo
from evenhand.stats.estimate import Undefined


def gap_bound(
    controller: FairCo, candidates: Candidates, merit: Floats, k: int, *, at_once: int = 1
) -> float | Undefined:
    """Return c such that max_j q_j - min_j q_j <= c / t after any t requests like the given ones.

    Scores may be anything within each request's range, requests come in any order and number.

    Args:
        controller: Its gain and the chances that slots are examined; its state has no part in it.
        candidates: Requests that stand for all.
        merit: Merit of each group in every request, M_g > 0, shape (groups,).
        k: Number of slots.
        at_once: Requests that see one state, such as a batch, or what two servers do before they
            exchange states.

    """
    groups = len(candidates.names)
    sizes = candidates.sizes
    refusal = _refusal(controller, candidates, merit)
    if refusal or not candidates.requests:
        return refusal or Undefined("no requests")
    slots = np.concatenate([[0.0], np.cumsum(controller.slots(k))])
    first = slots[np.minimum(_counts(candidates) @ _sets(groups).T, k)]
    whole = slots[np.minimum(sizes, k)]
    shares = _sets(groups) @ merit / merit.sum()
    slack = first - whole[:, None] * shares
    # The last set is that of all groups, which has neither slack nor need of it.
    eta = float(slack[:, :-1].min())
    if eta < -_ROUNDING * whole.max():
        worst = int(slack[:, :-1].min(axis=0).argmin())
        short = [
            n for n, inside in zip(candidates.names, _sets(groups)[worst], strict=True) if inside
        ]
        return Undefined(
            f"{listed(map(repr, short))} cannot receive what they merit in every request, "
            "even if placed first"
        )
    spread = float(
        (np.nanmax(candidates.scores, axis=1) - np.nanmin(candidates.scores, axis=1)).max()
    )
    most, total = float(whole.max()), float(merit.sum())
    step = most**2 / float(merit.min()) - most**2 / total
    pull = spread * most / controller.gain
    bounds = []
    if groups == _PAIR:
        alone = first[:, :groups].max(axis=0)
        bounds.append(spread / controller.gain + at_once * float((alone / merit).max()))
    if eta > _ROUNDING * most:
        least = np.sort(merit)[:_PAIR]
        held = (pull + at_once * step / 2) / eta
        energy = total * held**2 / 4 + 2 * at_once * pull + at_once**2 * step
        bounds.append(math.sqrt(float((1 / least).sum()) * energy))
    if not bounds:
        return Undefined("some groups receive what they merit only if they are always placed first")
    found = min(bounds)
    if controller.gain * found > controller.cap:
        return Undefined(f"the cap may bind; from {controller.gain * found:g} on it cannot")
    return found


def _refusal(controller: FairCo, candidates: Candidates, merit: Floats) -> Undefined | None:
    """Return why nothing is guaranteed, whatever the scores; None where something may be."""
    groups = len(candidates.names)
    if merit.shape != (groups,) or not (np.isfinite(merit) & (merit > 0)).all():
        return Undefined("every group needs a merit above 0")
    if not _PAIR <= groups <= _GROUPS:
        return Undefined(f"there are {groups} groups, and it is known for 2 to {_GROUPS}")
    if controller.gain == 0:
        return Undefined("a controller without gain corrects nothing")
    if controller.keep > 0:
        return Undefined("the guardrail may hold corrections back")
    if controller.of != "exposure":
        return Undefined("clicks are up to viewers")
    if (candidates.sizes == 0).any():
        return Undefined("a request has no candidates")
    if ((candidates.groups == UNKNOWN) & ~np.isnan(candidates.scores)).any():
        return Undefined("some candidates have no group")
    return None


def _counts(candidates: Candidates) -> NDArray[np.int64]:
    """Return how many candidates of each group a request has, shape (n, groups)."""
    there = ~np.isnan(candidates.scores)
    return np.stack(
        [((candidates.groups == g) & there).sum(axis=1) for g in range(len(candidates.names))],
        axis=1,
    )


def _sets(groups: int) -> NDArray[np.int64]:
    """Return all sets of groups but none, as rows of 0 and 1: single groups first, all last."""
    rows = [
        [int(g in chosen) for g in range(groups)]
        for size in range(1, groups + 1)
        for chosen in combinations(range(groups), size)
    ]
    return np.array(rows)


_PAIR = 2
_GROUPS = 12
"""Most groups: there are 2^G sets."""
_ROUNDING = 1e-12
