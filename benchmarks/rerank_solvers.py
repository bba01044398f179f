"""Welfare, P-MMF and fairness of exposure beside a general solver: ``make bench-rerank``.

What a user without these re-rankers would do: write the problem in CVXPY and hand it to a solver.
Both get the same requests, of a size that the solver can do, and the same objective is computed
from what each shows. The solver knows all requests at once; P-MMF sees each once, in turn, and what
it lacks is the price of that.

No package of the field is beside them. The published P-MMF finds its prices by mirror descent, each
from the last and projected onto those that are allowed; ours takes the step from the first prices
along all gradients. FairDiverse, a package that has it, asks to be used for academic purposes only,
and is not run.

Then one online decision at a time, as a server makes it.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cvxpy as cp
import numpy as np
from scipy import sparse

from evenhand.mitigations.candidates import Candidates, Floats
from evenhand.mitigations.certificate import discounts
from evenhand.mitigations.controller import State
from evenhand.mitigations.fairco import FairCo
from evenhand.mitigations.linear_program import FairnessOfExposure
from evenhand.mitigations.pmmf import PMMF
from evenhand.mitigations.welfare import Welfare

SLOTS, GROUPS = 5, 4
WEIGHT, SMOOTHING = 0.5, 0.1
REGARD = 0.5
"""P-MMF's lambda."""

ONLINE, SHOWN, DECISIONS = 1_000, 25, 2_000
"""Candidates and slots of one decision, and how many are timed."""


def made(requests: int, size: int, seed: int = 1) -> Candidates:
    """Return requests whose first group is half of the candidates and scores best."""
    rng = np.random.default_rng(seed)
    groups = rng.choice(GROUPS, (requests, size), p=[0.5, 0.3, 0.15, 0.05])
    scores = np.clip(rng.random((requests, size)) - 0.15 * groups, 0, 1)
    return Candidates(scores, groups, tuple("abcd"))


@dataclass(frozen=True)
class Reached:
    """What one contender took and reached.

    Attributes:
        name: Who.
        seconds: Of the processor, median of all runs.
        objective: What it maximises, in units in which ratios mean something.

    """

    name: str
    seconds: float
    objective: float


def timed(name: str, run: Callable[[], float], times: int) -> Reached:
    """Return the median time of some runs, and what they reach."""
    seconds, found = [], 0.0
    for _ in range(times):
        start = time.process_time()
        found = run()
        seconds.append(time.process_time() - start)
    return Reached(name, statistics.median(seconds), found)


@dataclass(frozen=True)
class Program:
    """The policies for some requests as CVXPY writes them.

    Attributes:
        placements: How often a candidate stands in a slot: of request i its rows i m to (i + 1) m.
        constraints: Each slot is filled once, and nobody stands in two.
        gained: The mean score of each request, weighted by attention.
        exposure: The attention to each group, in sum.

    """

    placements: cp.Variable
    constraints: list[cp.Constraint]
    gained: cp.Expression
    exposure: cp.Expression

    @classmethod
    def of(cls, asked: Candidates, k: int) -> Program:
        """Return the policies that fill k slots."""
        n, m = asked.scores.shape
        placements = cp.Variable((n * m, k), nonneg=True)
        requests = sparse.kron(sparse.eye_array(n), np.ones((1, m)))
        attention = discounts(k)
        shown = placements @ attention
        member = np.array([(asked.groups == group).ravel() for group in range(GROUPS)], float)
        constraints = [requests @ placements == 1, cp.sum(placements, axis=1) <= 1]
        worth = sparse.csr_array(requests.multiply(asked.scores.ravel()))
        return cls(placements, constraints, worth @ shown / attention.sum(), member @ shown)


class UnsolvedError(Exception):
    """A solver did not find the optimum."""


def solve(aim: cp.Expression, constraints: list[cp.Constraint], solver: str) -> float:
    """Return the most of an aim, found by a solver that says it is the optimum.

    Raises:
        UnsolvedError: It says something else, or fails.

    """
    problem = cp.Problem(cp.Maximize(aim), constraints)
    try:
        found = problem.solve(solver=solver)
    except cp.error.SolverError as error:
        raise UnsolvedError(str(error)) from error
    if problem.status != cp.OPTIMAL:
        raise UnsolvedError(f"it ends with '{problem.status}'")
    return float(found)


def by_solver(said: str, run: Callable[[str], float], times: int) -> Reached:
    """Return what the first of some solvers takes that finds the optimum."""
    for solver in SOLVERS:
        try:
            run(solver)
        except UnsolvedError as error:
            print(f"{said}, {solver} is left out: {error}", file=sys.stderr)
            continue
        return timed(f"{said}, CVXPY with {solver}", lambda by=solver: run(by), times)
    sys.exit(f"{said}: no solver finds the optimum")


SOLVERS = ("CLARABEL", "SCS")
"""The interior points of the first are fast and give up on some programs; the other is slow."""


def mean_log(asked: Candidates, gained: Floats, level: Floats) -> float:
    """Return exp of welfare: a geometric mean, of which there are ratios."""
    due = np.bincount(asked.groups.ravel(), minlength=GROUPS) / asked.groups.size
    users = np.log(gained + SMOOTHING).mean()
    groups = due @ np.log(level + SMOOTHING)
    return float(np.exp((1 - WEIGHT) * users + WEIGHT * groups))


def welfare(asked: Candidates, times: int) -> Iterator[Reached]:
    """Yield Frank and Wolfe's method, and the solver, on welfare of users and groups."""
    due = np.bincount(asked.groups.ravel(), minlength=GROUPS) * discounts(SLOTS).sum()
    due = due / asked.scores.shape[1]

    def ours(steps: int) -> float:
        fitted = Welfare(weight=WEIGHT, smoothing=SMOOTHING, steps=steps).fit(asked, SLOTS)
        return mean_log(asked, fitted.gained, fitted.level)

    def theirs(solver: str) -> float:
        program = Program.of(asked, SLOTS)
        level = cp.multiply(program.exposure, 1 / due)
        share = due / due.sum()
        aim = (1 - WEIGHT) * cp.sum(cp.log(program.gained + SMOOTHING)) / asked.requests
        aim += WEIGHT * (share @ cp.log(level + SMOOTHING))
        solve(aim, program.constraints, solver)
        return mean_log(asked, program.gained.value, level.value)

    for steps in (10, 100):
        yield timed(f"welfare, {steps} steps", lambda s=steps: ours(s), times)
    yield by_solver("welfare", theirs, times)


def worst_off(asked: Candidates, times: int) -> Iterator[Reached]:
    """Yield P-MMF, which sees requests once and in turn, and the best policy in hindsight."""
    attention = discounts(SLOTS)

    def ours(at_once: int) -> float:
        controller, gained = PMMF(State.of("abcd"), weight=REGARD), 0.0
        for start in range(0, asked.requests, at_once):
            rows = slice(start, start + at_once)
            part = Candidates(asked.scores[rows], asked.groups[rows], asked.names)
            order = controller.rerank(part, SLOTS).order
            gained += float((part.scores_at(order) @ attention).sum() / attention.sum())
            controller = controller.after(part, order)
        return gained / asked.requests + REGARD * controller.worst

    def theirs(solver: str) -> float:
        program = Program.of(asked, SLOTS)
        share = program.exposure / (attention.sum() * asked.requests)
        aim = cp.sum(program.gained) / asked.requests + REGARD * GROUPS * cp.min(share)
        return solve(aim, program.constraints, solver)

    for at_once in (1, 20):
        said = "one by one" if at_once == 1 else f"{at_once} at a time"
        yield timed(f"P-MMF, {said}", lambda n=at_once: ours(n), times)
    yield by_solver("the best in hindsight", theirs, times)


def exposed(asked: Candidates, times: int) -> Iterator[Reached]:
    """Yield the linear program with its mixture of rankings, and the solver without a mixture."""

    def ours() -> float:
        return float(FairnessOfExposure().rerank(asked, SLOTS).certificate.utility.mean())

    def theirs(solver: str) -> float:
        total = 0.0
        for row in range(asked.requests):
            one = Candidates(asked.scores[[row]], asked.groups[[row]], asked.names)
            program = Program.of(one, SLOTS)
            there = np.unique(one.groups)
            mean = [program.exposure[group] / (one.groups == group).sum() for group in there]
            alike = [mean[0] == other for other in mean[1:]]
            aim = cp.sum(program.gained) * discounts(SLOTS).sum()
            total += solve(aim, [*program.constraints, *alike], solver)
        return total / asked.requests

    yield timed("fairness of exposure, rankings drawn", ours, times)
    yield by_solver("the same program", theirs, times)


def table(found: list[Reached], requests: int) -> Iterator[str]:
    """Yield lines, the last of which is the measure."""
    measure = found[-1]
    for one in found:
        yield (
            f"| {one.name}; {requests} requests | {one.seconds:.3g} | {one.objective:.6g} | "
            f"{measure.seconds / one.seconds:,.1f} x | {one.objective / measure.objective:.5f} |"
        )


def decisions() -> Iterator[str]:
    """Yield what one decision takes, and learning from it, for each controller."""
    state = State.of(tuple("abcd"))
    for name, controller in {
        "FairCo": FairCo(state, gain=0.01),
        "FairCo, keep .99": FairCo(state, gain=0.01, keep=0.99),
        "P-MMF": PMMF(state, weight=REGARD),
        "P-MMF, keep .99": PMMF(state, weight=REGARD, keep=0.99),
    }.items():
        ranked, processor, learned = taken(controller)
        cells = [np.quantile(ranked, q) for q in (0.5, 0.99)]
        cells += [np.quantile(processor, 0.99), *(np.quantile(learned, q) for q in (0.5, 0.99))]
        yield f"| {name} | {' | '.join(f'{1e3 * cell:.2f}' for cell in cells)} |"


def taken(controller: FairCo | PMMF) -> tuple[list[float], list[float], list[float]]:
    """Return seconds of ranking by the clock and the processor, and of learning by the clock."""
    asked = made(DECISIONS, ONLINE, seed=2)
    preferences = np.random.default_rng(3).random((DECISIONS, ONLINE))
    ranked, processor, learned = list[float](), list[float](), list[float]()
    for row in range(DECISIONS):
        one = Candidates(asked.scores[[row]], asked.groups[[row]], asked.names)
        start, own = time.perf_counter(), time.process_time()
        order = controller.rerank(one, SHOWN).order
        processor.append(time.process_time() - own)
        middle = time.perf_counter()
        ranked.append(middle - start)
        if isinstance(controller, FairCo):
            controller = controller.after(one, order, merit=preferences[[row]])
        else:
            controller = controller.after(one, order)
        learned.append(time.perf_counter() - middle)
    return ranked, processor, learned


def large(users: int) -> str:
    """Return what Frank and Wolfe's method takes for many users and 1,000 items."""
    rng = np.random.default_rng(4)
    items = 1_000
    scores = rng.random((users, items), np.float32)
    groups = np.broadcast_to(np.arange(items), (users, items))
    start = time.perf_counter()
    fitted = Welfare(weight=WEIGHT, steps=20).fit(Candidates(scores, groups, (*range(items),)), 10)
    seconds = time.perf_counter() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return (
        f"{users:,} x {items:,}, 20 steps: {seconds:.0f} s, {memory:.2f} GiB, gap {fitted.gap:.2g}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--size", type=int, default=40, help="Candidates of a request.")
    parser.add_argument("--users", type=int, default=0, help="Welfare of so many users, too.")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    told = (
        f"{os.cpu_count()} cores, load {load:.1f}, NumPy {np.__version__}, CVXPY {cp.__version__}"
    )
    print(f"{told}; requests of {given.size}, {SLOTS} slots", file=sys.stderr)
    print("| contender | processor s | reached | solver's time / its own | reached / solver's |")
    print("|---|---|---|---|---|")
    for contest, requests in ((welfare, 100), (worst_off, 400), (exposed, 50)):
        found = [*contest(made(requests, given.size), given.times)]
        for line in table(found, requests):
            print(line, flush=True)
    print(f"\nOne decision for {ONLINE:,} candidates, {SHOWN} slots, in ms:\n")
    print("| controller | by the clock | p99 | p99 of the processor | learning | p99 |")
    print("|---|---|---|---|---|---|")
    for line in decisions():
        print(line, flush=True)
    if given.users:
        print(f"\n{large(given.users)}")


if __name__ == "__main__":
    main()
