"""How long one decision of an online controller takes: ``python benchmarks/online.py``.

A request has 1,000 candidates of four groups, of which 25 are shown. A decision is `rerank`, its
certificate included, and `after`, which learns from it. Each is timed by the clock and by the time
of the processor, which leaves out what others on the machine took. Where there is a guardrail, the
share of requests in which it bound is told.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.certificate import Reranked
from evenhand.mitigations.controller import State
from evenhand.mitigations.fairco import FairCo
from evenhand.mitigations.pmmf import PMMF

SIZE, SHOWN = 1_000, 25
GROUPS = ("a", "b", "c", "d")
SHARES = (0.4, 0.3, 0.2, 0.1)


def requests(count: int) -> list[Candidates]:
    """Requests in which smaller groups have lower scores."""
    rng = np.random.default_rng(1)
    groups = rng.choice(len(GROUPS), (count, SIZE), p=SHARES)
    scores = rng.random((count, SIZE)) * (1 - 0.05 * groups)
    return [Candidates(scores[[row]], groups[[row]], GROUPS) for row in range(count)]


def by_merit(controller: FairCo, asked: Candidates, done: Reranked) -> FairCo:
    return controller.after(asked, done.order, merit=asked.scores)


def by_order(controller: PMMF, asked: Candidates, done: Reranked) -> PMMF:
    return controller.after(asked, done.order)


@dataclass(frozen=True)
class Contender:
    """A controller and how it learns."""

    name: str
    controller: FairCo | PMMF
    learn: Callable[..., FairCo | PMMF]


def decide(one: Contender, asked: list[Candidates], warm: int) -> tuple[np.ndarray, float]:
    """Return the times of every decision after the first ones, in ms, and how many were guarded.

    The first axis is rerank, after, both; the second the clock, the processor; then requests.
    """
    controller, found, guarded = one.controller, [], []
    for candidates in asked:
        clock, processor = [time.perf_counter()], [time.process_time()]
        done = controller.rerank(candidates, SHOWN)
        clock.append(time.perf_counter())
        processor.append(time.process_time())
        controller = one.learn(controller, candidates, done)
        clock.append(time.perf_counter())
        processor.append(time.process_time())
        steps = np.diff([clock, processor])
        found.append(np.column_stack([steps, steps.sum(axis=1)]).T)
        guarded.append(done.certificate.factor[0] < 1)  # type: ignore[attr-defined]
    return 1e3 * np.stack(found, axis=2)[..., warm:], float(np.mean(guarded[warm:]))


def load() -> str:
    with contextlib.suppress(OSError):
        return f"{os.getloadavg()[0]:.1f}"
    return "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=3_000)
    parser.add_argument("--warm", type=int, default=300)
    told = parser.parse_args()
    targets = dict(zip(GROUPS, SHARES, strict=True))
    start = State.of(GROUPS)
    fairco, pmmf = FairCo(start, gain=0.02), PMMF(start, weight=0.1, targets=targets)
    contenders = [
        Contender("FairCo", fairco, by_merit),
        Contender("FairCo, keep .995", replace(fairco, keep=0.995), by_merit),
        Contender("P-MMF", pmmf, by_order),
        Contender("P-MMF, keep .995", replace(pmmf, keep=0.995), by_order),
    ]
    print(f"{os.cpu_count()} cores, load {load()}, NumPy {np.__version__}", file=sys.stderr)
    print("| ms | step | clock, median | p99 | processor, median | p99 | guarded |")
    print("|---|---|---|---|---|---|---|")
    asked = requests(told.requests)
    for one in contenders:
        times, guarded = decide(one, asked, told.warm)
        for step, (clock, processor) in zip(("rerank", "after", "both"), times, strict=True):
            figures = [q for t in (clock, processor) for q in np.quantile(t, [0.5, 0.99])]
            cells = " | ".join(f"{figure:.3f}" for figure in figures)
            print(f"| {one.name} | {step} | {cells} | {guarded:.0%} |")
    print(f"load {load()} at the end", file=sys.stderr)


if __name__ == "__main__":
    main()
