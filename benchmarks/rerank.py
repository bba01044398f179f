"""Requests a second of re-rankers beside a loop in Python and peers: ``make bench-rerank``.

Asked are the best 25 of 100 candidates, certificates included. A loop takes one request after the
other: a sort, then lists and indices, without a certificate. It gives the same orders, or this
stops. Peers start from the same scores and groups, where they are installed and run.

Each contender runs five times, in turn; the median counts. The processor's time is what a core
that does nothing else would take; the clock's is what others on the machine left of it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import math
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.deterministic import DetCons, DetConstSort, DetGreedy, DetRelaxed
from evenhand.mitigations.fair_topk import FAStarIR

REQUESTS, SIZE, SHOWN = 20_000, 100, 25
BY_LOOP, BY_PEER = 1_000, 100
TWO = {"men": 0.6, "women": 0.4}
FIVE = {"a": 0.4, "b": 0.3, "c": 0.15, "d": 0.1, "e": 0.05}
FAIR = FAStarIR("women", 0.4)


def made(target: dict[str, float], *, steps: int = 0, unknown: float = 0.0) -> Candidates:
    """Candidates whose groups are those of the target, the last half as often as it says."""
    rng = np.random.default_rng(1)
    shape = (REQUESTS, SIZE)
    shares = np.array([*target.values()])
    shares[-1] /= 2
    groups = rng.choice(len(shares), shape, p=shares / shares.sum())
    groups[rng.random(shape) < unknown] = -1
    scores = rng.random(shape)
    return Candidates(np.round(scores * steps) / steps if steps else scores, groups, (*target,))


def loop_fair(scores: list[float], groups: list[int], table: tuple[int, ...]) -> list[int]:
    """FA*IR's two queues."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    rank = {place: number for number, place in enumerate(order)}
    yes = [place for place in order if groups[place] == 1]
    no = [place for place in order if groups[place] != 1]
    found, held = [], 0
    for slot, least in enumerate(table):
        left = held < len(yes)
        others = slot - held
        if left and (held < least or others == len(no) or rank[yes[held]] < rank[no[others]]):
            found.append(yes[held])
            held += 1
        else:
            found.append(no[others])
    return found


def loop_greedy(scores: list[float], groups: list[int], shares: list[float]) -> list[int]:
    """DetGreedy with a line for each group; no group may run out."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    lines: list[list[int]] = [[] for _ in shares]
    for rank, place in enumerate(order):
        lines[groups[place]].append(rank)
    held = [0] * len(shares)
    every = range(len(shares))
    found = []
    for size in range(1, SHOWN + 1):
        some = [g for g in every if held[g] < len(lines[g])]
        able = [g for g in some if held[g] < math.floor(size * shares[g] + 1e-9)]
        able = able or [g for g in some if held[g] < math.ceil(size * shares[g] - 1e-9)] or some
        group = min(able, key=lambda g: lines[g][held[g]])
        found.append(order[lines[group][held[group]]])
        held[group] += 1
    return found


def loop_sort(scores: list[float], groups: list[int], shares: list[float]) -> list[int]:
    """DetConstSort, swap by swap; targets are above 0."""
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    lines: list[list[int]] = [[] for _ in shares]
    for rank, place in enumerate(order):
        lines[groups[place]].append(rank)
    asked = [0] * len(shares)
    found: list[int] = []
    until: list[int] = []
    size = 0
    while len(found) < SHOWN:
        size += 1
        due = []
        for group, share in enumerate(shares):
            if math.floor(size * share + 1e-9) > asked[group]:
                if asked[group] < len(lines[group]):
                    due.append(lines[group][asked[group]])
                asked[group] += 1
        for rank in sorted(due)[: SHOWN - len(found)]:
            slot = len(found)
            found.append(rank)
            until.append(size)
            while slot and found[slot - 1] > rank and until[slot - 1] > slot:
                found[slot], until[slot] = found[slot - 1], until[slot - 1]
                slot -= 1
                found[slot], until[slot] = rank, size
    return [order[rank] for rank in found]


def fairsearchcore(scores: list[float], groups: list[int], table: tuple[int, ...]) -> list[int]:
    """Its queues with our table: its own raises TypeError on NumPy 2 (`__hash__`)."""
    models, rank = _module("fairsearchcore.models"), _module("fairsearchcore.re_ranker")
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    docs = [models.FairScoreDoc(place, scores[place], groups[place] == 1) for place in order]
    yes = [doc for doc in docs if doc.is_protected]
    no = [doc for doc in docs if not doc.is_protected]
    return [doc.id for doc in rank.fair_top_k(len(table), yes, no, table)]


def fairranktune(scores: list[float], groups: list[int], shares: list[float]) -> list[int]:
    """Its DetConstSort, which asks for tables of the sorted candidates."""
    pandas, peer = _module("pandas"), _module("FairRankTune.Rankers.DetConstSort_Geyiketal")
    order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
    found, _, _ = peer.DETCONSTSORT(
        pandas.DataFrame(order),
        dict(enumerate(groups)),
        pandas.DataFrame([scores[place] for place in order]),
        dict(enumerate(shares)),
        SHOWN,
    )
    return found[0].tolist()


def _module(name: str):  # noqa: ANN202
    return importlib.import_module(name)


@dataclass(frozen=True)
class Contender:
    """Something that re-ranks some requests."""

    name: str
    requests: int
    run: Callable[[], object]


def each(rank: Callable[..., list[int]], made: Candidates, count: int, rule: object) -> Contender:
    """Return a contender that takes one request after the other."""
    scores, groups = made.scores[:count].tolist(), made.groups[:count].tolist()
    name = rank.__name__.replace("loop_", "loop in Python: ")

    def run() -> list[list[int]]:
        return [rank(s, g, rule) for s, g in zip(scores, groups, strict=True)]

    return Contender(name, count, run)


def compare(contenders: list[Contender], times: int) -> Iterator[str]:
    """Yield a line of a table for each contender, the first of which is the measure."""
    taken: dict[str, list[tuple[float, float]]] = {one.name: [] for one in contenders}
    for _ in range(times):
        for one in contenders:
            clock, processor = time.perf_counter(), time.process_time()
            one.run()
            taken[one.name].append((time.process_time() - processor, time.perf_counter() - clock))
    speeds = {
        one.name: [one.requests / statistics.median(t) for t in zip(*taken[one.name], strict=True)]
        for one in contenders
    }
    fastest = speeds[contenders[0].name][0]
    for name, (processor, clock) in speeds.items():
        yield f"| {name} | {processor:,.0f} | {clock:,.0f} | {fastest / processor:,.1f} x |"


def same(method: object, made: Candidates, loop: Contender) -> None:
    """Stop where a loop puts candidates in another order."""
    found = method.rerank(made, SHOWN).order[: loop.requests].tolist()
    if found != loop.run():
        sys.exit(f"{type(method).__name__} is not what the loop does")


def peers(target: list[float], two: Candidates, table: tuple[int, ...]) -> Iterator[Contender]:
    """Yield the peers that are there and run; say why the others do not."""
    for rank, rule in ((fairsearchcore, table), (fairranktune, target)):
        one = each(rank, two, BY_PEER, rule)
        try:
            found = one.run()
        except Exception as error:  # noqa: BLE001
            print(f"{rank.__name__} is left out: {type(error).__name__}: {error}", file=sys.stderr)
            continue
        if rank is fairranktune:
            print(f"{rank.__name__}: {_broken(two, found, target)}", file=sys.stderr)
        yield one


def _broken(made: Candidates, orders: list[list[int]], shares: list[float]) -> str:
    broken = 0
    for groups, order in zip(made.groups.tolist(), orders, strict=False):
        shown = [groups[place] for place in order]
        broken += any(
            shown[:size].count(group) < math.floor(size * share + 1e-9)
            for size in range(1, SHOWN + 1)
            for group, share in enumerate(shares)
        )
    return f"{broken} of {len(orders)} orders break a minimum"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    two, shares = made(TWO), [*TWO.values()]
    table = FAIR.test(SHOWN).minimum
    loops = [
        each(loop_fair, two, BY_LOOP, table),
        each(loop_greedy, two, BY_LOOP, shares),
        each(loop_sort, two, BY_LOOP, shares),
    ]
    for method, loop in zip((FAIR, DetGreedy(TWO), DetConstSort(TWO)), loops, strict=True):
        same(method, two, loop)
    sets = {
        "": (two, TWO),
        ", scores tied": (made(TWO, steps=20), TWO),
        ", 5 groups": (made(FIVE), FIVE),
        ", a tenth unknown": (made(TWO, unknown=0.1), TWO),
    }
    ours = [
        Contender(f"{name}{said}", REQUESTS, lambda m=method, c=candidates: m.rerank(c, SHOWN))
        for said, (candidates, target) in sets.items()
        for name, method in {
            **({"FA*IR": FAIR} if len(target) == len(TWO) else {}),
            "DetGreedy": DetGreedy(target),
            "DetCons": DetCons(target),
            "DetRelaxed": DetRelaxed(target),
            "DetConstSort": DetConstSort(target),
        }.items()
    ]
    others = [*peers(shares, two, table)]
    with contextlib.suppress(OSError):
        load = os.getloadavg()[0]
        print(f"{os.cpu_count()} cores, load {load:.1f}, NumPy {np.__version__}", file=sys.stderr)
    print("| contender | requests / s of a core | by the clock | FA*IR / contender |")
    print("|---|---|---|---|")
    for line in compare([*ours, *loops, *others], asked.times):
        print(line)


if __name__ == "__main__":
    main()
