"""What items and their providers get from ranked lists, as slow loops that follow the definitions.

Each function takes one request of `naive_lists`; None says that the request does not count.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

from naive_lists import Item, Request, in_order, within


def counts(shown: Request) -> Counter:
    """How many items of each group there are; an item of several counts in parts."""
    found: Counter = Counter()
    for item in shown:
        for group in item.groups:
            found[group] += Fraction(1, len(item.groups))
    return found


def candidates(request: Request) -> dict:
    """The shares of groups among all items of a request, shown or not."""
    found = counts(request)
    total = sum(found.values())
    return {group: count / total for group, count in found.items()} if total else {}


def target_of(request: Request, target) -> dict:
    return candidates(request) if target == "candidates" else target


def discount(slot: int) -> float:
    return 1 / math.log2(1 + slot)


def clipped(slot: int) -> float:
    return 1 / math.log2(max(slot, 2))


def awrf(request, target, *, k=None, weight=discount, base=2.0):
    aims = target_of(request, target)
    exposure: Counter = Counter()
    for item in within(request, k):
        for group in item.groups:
            exposure[group] += weight(item.slot) / len(item.groups)
    total = sum(exposure.values())
    if not total or not aims:
        return None
    divergence = 0.0
    for group in {*exposure, *aims}:
        share, aim = exposure[group] / total, float(aims.get(group, 0))
        for part in (share, aim):
            if part:
                divergence += part / 2 * math.log(part / ((share + aim) / 2), base)
    return 1 - divergence


def ndkl(request, target, *, k=None, smoothing=0.0):
    aims = target_of(request, target)
    shown = within(request, k)
    total = weights = 0.0
    for place, last in enumerate(shown):
        held = counts(shown[: place + 1])
        size = sum(held.values())
        if not size:
            continue
        divergence = 0.0
        for group in {*held, *aims}:
            aim = float(aims.get(group, 0))
            share = (float(held[group]) + smoothing * aim) / (float(size) + smoothing)
            if share and not aim:
                return math.inf
            if share:
                divergence += share * math.log(share / aim)
        total += divergence * discount(last.slot)
        weights += discount(last.slot)
    return total / weights if weights and aims else None


def skews(request, target, *, k=None, smoothing=0.0):
    """The skew of each group that has items or a target; None where there is nothing to judge."""
    aims, held = target_of(request, target), counts(within(request, k))
    size = sum(held.values())
    if not size or not aims:
        return None
    found = {}
    for group in {*held, *aims}:
        aim = float(aims.get(group, 0))
        share = (float(held[group]) + smoothing * aim) / (float(size) + smoothing)
        if share or aim:
            found[group] = (
                math.log(share / aim) if share and aim else math.inf * (1 - 2 * (aim > 0))
            )
    return found


def skew(request, group, target, **more):
    found = skews(request, target, **more)
    return None if found is None else found.get(group)


def min_skew(request, target, **more):
    found = skews(request, target, **more)
    return None if found is None else min([*found.values(), 0.0])


def max_skew(request, target, **more):
    found = skews(request, target, **more)
    return None if found is None else max([*found.values(), 0.0])


def short(request, target, *, k=None):
    """The pairs of a prefix and a group that falls short there, in exact arithmetic."""
    aims = {group: Fraction(str(share)) for group, share in target_of(request, target).items()}
    known = [item for item in within(request, k) if item.groups]
    if not known or not aims:
        return None
    return [
        (size, group)
        for size in range(1, len(known) + 1)
        for group, aim in aims.items()
        if counts(known[:size])[group] < math.floor(aim * size)
    ]


def infeasible_count(request, target, **more):
    found = short(request, target, **more)
    return None if found is None else len(found)


def infeasible_index(request, target, **more):
    found = short(request, target, **more)
    return None if found is None else len({size for size, _ in found})


def fair(request, group, table, *, k):
    known = [item for item in within(request, k) if item.groups]
    if not known:
        return None
    passes = all(
        counts(known[:size])[group] >= table[size - 1] for size in range(1, len(known) + 1)
    )
    return float(passes)


def part(item: Item, group: str) -> Fraction:
    return Fraction(int(group in item.groups), len(item.groups) or 1)


def pairs(request, group, against="any", level=1.0):
    """The pairs in order, and all pairs, by looking at each."""
    ordered = every = Fraction(0)
    rows = in_order(request)
    for one in rows:
        for other in rows:
            if one.relevance is None or one.relevance < level:
                continue
            if other.relevance is None or other.relevance >= level:
                continue
            if one.slot is None and other.slot is None:
                continue
            own = part(one, group)
            theirs = {
                "any": Fraction(1),
                "same": part(other, group),
                "other": (1 if other.groups else 0) - part(other, group),
            }[against]
            above = other.slot is None or (one.slot is not None and one.slot < other.slot)
            ordered += own * theirs * above
            every += own * theirs
    return float(ordered), float(every)


def exposures(requests, group, *, k=None, weight=discount):
    """The exposure of a group, and of all known groups, over all requests."""
    own = every = 0.0
    for request in requests:
        for item in within(request, k):
            own += weight(item.slot) * float(part(item, group))
            every += weight(item.slot) * bool(item.groups)
    return own, every
