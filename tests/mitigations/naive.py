"""Re-rankers one request at a time, and verifiers that look at an order alone.

Nothing here is shared with the package: lists, loops and exact fractions.
"""

from __future__ import annotations

import itertools
import math


def best_first(scores):
    """Places by score, best first; ties as they stand."""
    return sorted(range(len(scores)), key=lambda place: (-scores[place], place))


def discounted(scores, order):
    return sum(scores[place] / math.log2(slot + 2) for slot, place in enumerate(order))


def among_known(scores, groups, k, arrange):
    """Candidates without a group stay where they are by score; `arrange` orders the others."""
    order = best_first(scores)
    slots = order[:k]
    known = [place for place in order if groups[place] is not None]
    room = sum(groups[place] is not None for place in slots)
    arranged = iter(arrange(known, room))
    return [place if groups[place] is None else next(arranged) for place in slots]


def fa_ir(scores, groups, k, protected, table):
    """The two queues of FA*IR."""

    def arrange(known, room):
        yes = [place for place in known if groups[place] == protected]
        no = [place for place in known if groups[place] != protected]
        found, held = [], 0
        for slot in range(room):
            must = held < table[slot]
            wants = yes and (not no or known.index(yes[0]) < known.index(no[0]))
            if yes and (must or wants):
                found.append(yes.pop(0))
                held += 1
            else:
                found.append(no.pop(0))
        return found

    return among_known(scores, groups, k, arrange)


def stepwise(method, scores, groups, k, target):
    """DetGreedy, DetCons or DetRelaxed with exact shares."""

    def arrange(known, room):
        lines = {name: [place for place in known if groups[place] == name] for name in target}
        held = dict.fromkeys(target, 0)
        found = []
        for size in range(1, room + 1):
            some = [name for name in target if lines[name]]
            below_least = [n for n in some if held[n] < math.floor(target[n] * size)]
            below_most = [n for n in some if held[n] < math.ceil(target[n] * size)]
            if below_least:
                choice = below_least
            elif below_most and method != "greedy":
                due = {n: math.ceil(target[n] * size) / target[n] for n in below_most}
                if method == "relaxed":
                    due = {n: math.ceil(value) for n, value in due.items()}
                choice = [n for n in below_most if due[n] == min(due.values())]
            else:
                choice = below_most or some
            name = min(choice, key=lambda n: known.index(lines[n][0]))
            found.append(lines[name].pop(0))
            held[name] += 1
        return found

    return among_known(scores, groups, k, arrange)


def const_sort(scores, groups, k, target):
    """DetConstSort with exact shares, swap by swap."""

    def arrange(known, room):
        rank = {place: number for number, place in enumerate(known)}
        lines = {name: [place for place in known if groups[place] == name] for name in target}
        found, until, size = [], [], 0
        asked = dict.fromkeys(target, 0)
        while len(found) < room and any(lines[n] for n in target if target[n] > 0):
            size += 1
            risen = [n for n in target if math.floor(target[n] * size) > asked[n]]
            for name in risen:
                asked[name] += 1
            for name in sorted((n for n in risen if lines[n]), key=lambda n: rank[lines[n][0]]):
                if len(found) == room:
                    break
                insert(found, until, rank, lines[name].pop(0), size)
        while len(found) < room:
            name = min((n for n in target if lines[n]), key=lambda n: rank[lines[n][0]])
            insert(found, until, rank, lines[name].pop(0), math.inf)
        return found

    return among_known(scores, groups, k, arrange)


def insert(found, until, rank, place, size):
    """Put a candidate last and swap it with the one before while that is worse and can wait."""
    found.append(place)
    until.append(size)
    slot = len(found) - 1  # from 0: what stands there now is number slot of those before it
    while slot and rank[found[slot - 1]] > rank[found[slot]] and until[slot - 1] >= slot + 1:
        found[slot - 1], found[slot] = found[slot], found[slot - 1]
        until[slot - 1], until[slot] = until[slot], until[slot - 1]
        slot -= 1


def short_prefixes(groups, order, least):
    """The prefixes of candidates of known group that hold too few of one.

    `least(name, size)` is the fewest of a group; it is asked for names in `least.names`.
    """
    shown = [groups[place] for place in order if groups[place] is not None]
    return [
        size
        for size in range(1, len(shown) + 1)
        if any(shown[:size].count(name) < least(name, size) for name in least.names)
    ]


def floor_of(target):
    """The floor minima of exact shares."""

    def least(name, size):
        return math.floor(target[name] * size)

    least.names = [*target]
    return least


def table_of(protected, table):
    """The minima of one group, from a table."""

    def least(_, size):
        return table[size - 1]

    least.names = [protected]
    return least


def fairco(scores, groups, k, correction, factor=1.0):
    """By score plus a share of the group's correction; ties by score, then as they stand."""

    def key(place):
        added = correction.get(groups[place], 0.0)
        return -(scores[place] + factor * added), -scores[place], place

    return sorted(range(len(scores)), key=key)[:k]


def fairco_factor(scores, groups, k, correction, keep):
    """The largest share of the correction that keeps a share of the utility, from all crossings."""
    floor = keep * discounted(scores, best_first(scores)[:k]) - 1e-12
    added = [correction.get(group, 0.0) for group in groups]
    crossings = {0.0, 1.0}
    for one in range(len(scores)):
        for other in range(one):
            if added[one] != added[other]:
                factor = (scores[other] - scores[one]) / (added[one] - added[other])
                crossings |= {factor} if 0 < factor < 1 else set()
    ends = sorted(crossings)
    if discounted(scores, fairco(scores, groups, k, correction)) >= floor:
        return 1.0
    found = 0.0
    for low, high in itertools.pairwise(ends):
        order = fairco(scores, groups, k, correction, (low + high) / 2)
        if discounted(scores, order) < floor:
            break
        found = high
    return found


def weight(slot):
    """Of slots from 1."""
    return 1 / math.log2(slot + 1)


def orders_that_hold(scores, groups, k, minima):
    """Every order of k candidates that leaves those without a group where they are by score, and
    whose first i of known group hold what `minima[i - 1]` says of each, as far as there are i.
    """
    fixed = {
        slot: place for slot, place in enumerate(best_first(scores)[:k]) if groups[place] is None
    }
    for order in itertools.permutations(range(len(scores)), min(k, len(scores))):
        stay = {slot: place for slot, place in enumerate(order) if groups[place] is None}
        known = [groups[place] for place in order if groups[place] is not None]
        if stay == fixed and all(
            known[: size + 1].count(name) >= least
            for size in range(len(known))
            for name, least in minima[size].items()
        ):
            yield order


def within(groups, order, minima):
    """The minima of each prefix of known group, or what an order holds if that is fewer."""
    known = [groups[place] for place in order if groups[place] is not None]
    return [
        {name: min(least, known[: size + 1].count(name)) for name, least in row.items()}
        for size, row in enumerate(minima[: len(known)])
    ]
