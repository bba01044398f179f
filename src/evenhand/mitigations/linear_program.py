"""Rankings drawn so that groups share exposure: a linear program, and Birkhoff's mixture of it."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.birkhoff import Mixture, birkhoff
from evenhand.mitigations.candidates import NOBODY, Candidates, Floats, Places, check_slots
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, discounts, utility
from evenhand.mitigations.draw import draws_of


@dataclass(frozen=True)
class Expected(Reranked):
    """Orders that were drawn, and what they were drawn from.

    The certificate is of the mixtures: its utility is expected, and `violated` is 1 for a request
    whose exposure is not shared as guaranteed.

    Attributes:
        mixtures: For each request the rankings and their chances.
        exposure: Mean expected exposure of the candidates of each group, shape (n, G); NaN where a
            group has none.

    """

    mixtures: tuple[Mixture, ...]
    exposure: Floats


@dataclass(frozen=True)
class FairnessOfExposure:
    """The mixture of rankings of highest utility in which groups share exposure.

    With `parity` candidates of every group get the same exposure on average; with `treatment` the
    same for each unit of merit, the mean score of the group. Each group gets at least
    1 - tolerance of what any other gets. Guaranteed in expectation over what is drawn, for each
    request by itself, among groups that have candidates in it. Candidates of a group that tie stand
    as they are given in every ranking: who of them is better is not for a solver to say.

    A linear program over placements P, solved by HiGHS: maximise sum_ij s_i P_ij / log2(1 + j).
    One request after the other; for up to about 200 candidates.

    Attributes:
        notion: What is shared: ``parity`` or ``treatment``.
        tolerance: From 0, exactly alike, to 1, whatever is best.
        attention: The exposure of each slot, best first; by default 1 / log2(1 + j).
        seed: Source of the draws.

    Source: Singh and Joachims 2018 (Fairness of Exposure in Rankings), sections 3 and 4.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> asked = candidates_of([[0.82, 0.81, 0.79, 0.78]], [["m", "m", "f", "f"]])
    >>> FairnessOfExposure().rerank(asked, 4).exposure.round(4).tolist()
    [[0.6404, 0.6404]]
    """

    notion: Literal["parity", "treatment"] = "parity"
    tolerance: float = 0.0
    attention: tuple[float, ...] = ()
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse what is no such mixture."""
        problems = []
        if self.notion not in {"parity", "treatment"}:
            what = f"'{self.notion}' is none."
            problems.append(Problem("notion", what, "There are: parity, treatment."))
        if not 0 <= self.tolerance <= 1:
            what = f"it is {self.tolerance}."
            problems.append(Problem("tolerance", what, "Give a number from 0 to 1."))
        if any(not 0 <= weight < np.inf for weight in self.attention):
            problems.append(Problem("attention", "a slot's is no number from 0."))
        if problems:
            raise RoleError(problems)

    def rerank(
        self, candidates: Candidates, k: int, *, keys: Sequence[Hashable] | None = None
    ) -> Expected:
        """Return an order for each request, drawn from its mixture.

        Args:
            candidates: The requests.
            k: Slots; slots below carry no exposure.
            keys: A name of each request, which decides its draw; without, its scores and groups
                do, so that requests that are alike get the same order.

        Raises:
            RoleError: k is no number of slots, or attention is given for fewer.

        """
        check_slots(k)
        if self.attention and len(self.attention) < k:
            what = f"there is some for {len(self.attention)} of {k} slots."
            raise RoleError(Problem("attention", what, "Give it for each slot."))
        attention = np.array(self.attention[:k]) if self.attention else discounts(k)
        solved = [self._solve(candidates, row, attention) for row in range(candidates.requests)]
        mixtures = tuple(mixture for mixture, _ in solved)
        reasons = {row: reason for row, (_, reason) in enumerate(solved) if reason}
        draws = draws_of(candidates, self.seed, keys)
        order = np.full((candidates.requests, k), NOBODY, np.int64)
        for row, mixture in enumerate(mixtures):
            order[row] = mixture.drawn(draws[row])
        exposure = expected_exposure(candidates, mixtures, attention)
        certificate = Certificate(
            guarantee=self._guarantee(),
            violated=self._violated(candidates, exposure, reasons),
            utility=expected_utility(candidates, mixtures),
            best=utility(candidates, candidates.best(k)),
            against=TOP_K,
            reasons=reasons,
        )
        return Expected(order, certificate, mixtures, exposure)

    def _guarantee(self) -> str:
        each = "" if self.notion == "parity" else " for its mean score"
        return (
            f"expected exposure of the candidates of each group{each} is on average at least "
            f"{100 * (1 - self.tolerance):g} % of that of any other"
        )

    def _violated(
        self, candidates: Candidates, exposure: Floats, reasons: dict[int, str]
    ) -> Places:
        level = exposure
        if self.notion == "treatment":
            merit = mean_scores(candidates)
            level = exposure / np.where(merit > 0, merit, np.nan)
        there = ~np.isnan(level)
        least = np.where(there, level, np.inf).min(axis=1, initial=np.inf)
        most = np.where(there, level, -np.inf).max(axis=1, initial=-np.inf)
        broken = least < (1 - self.tolerance - _EXACT) * most
        # Without merit there is nothing to hold exposure against.
        broken[[row for row, reason in reasons.items() if reason.startswith(_NO_MERIT)]] = True
        found: Places = broken.astype(np.int64)
        return found

    def _solve(self, candidates: Candidates, row: int, attention: Floats) -> tuple[Mixture, str]:
        size, k = int(candidates.sizes[row]), len(attention)
        one = replace(
            candidates,
            scores=candidates.scores[[row], :size],
            groups=candidates.groups[[row], :size],
        )
        by_score = Mixture(one.best(k), np.ones(1))
        present = np.unique(one.groups[one.groups >= 0])
        if len(present) <= 1 or self.tolerance == 1:
            return by_score, ""
        due = np.bincount(one.groups[one.groups >= 0], minlength=len(one.names)).astype(float)
        if self.notion == "treatment":
            merit = mean_scores(one)[0]
            without = [str(one.names[place]) for place in present.tolist() if not merit[place] > 0]
            if without:
                return by_score, f"{_NO_MERIT} of group '{without[0]}': its mean score is not > 0"
            due = due * np.where(np.isnan(merit), 1.0, merit)
        pool = _pool(one, k)
        # Every slot is filled, so where scores begin does not matter, nor do units.
        scores = one.scores[0, pool] - one.scores[0, pool].min()
        program = _Program(
            scores / (scores.max() or 1.0),
            one.groups[0, pool],
            due / due[present].mean(),
            attention[: min(k, len(pool))],
        )
        placements, reason = program.best(self.tolerance), ""
        if placements is None:
            attainable = program.most_alike()
            share = np.floor(attainable * 1e4) / 100
            reason = f"at most {share:g} % of that of any other is possible"
            placements = program.best(min(1 - attainable + _EXACT, 1.0))
        if placements is None:
            what = "HiGHS found no placements although there are some."
            raise RoleError(Problem(f"request {row}", what, "Allow a tolerance."))
        mixture = _as_given(birkhoff(placements), program)
        orders = np.full((len(mixture.orders), k), NOBODY, np.int64)
        orders[:, : mixture.orders.shape[1]] = pool[mixture.orders]
        return Mixture(orders, mixture.weights), reason


def expected_exposure(
    candidates: Candidates, mixtures: Sequence[Mixture], attention: Floats
) -> Floats:
    """Return the mean expected exposure of each group's candidates, shape (n, G); NaN for none."""
    found = np.full((candidates.requests, len(candidates.names)), np.nan)
    for row, mixture in enumerate(mixtures):
        each = mixture.exposure(attention, candidates.scores.shape[1])
        groups = candidates.groups[row, : candidates.sizes[row]]
        for place in np.unique(groups[groups >= 0]):
            found[row, place] = each[: len(groups)][groups == place].mean()
    return found


def expected_utility(candidates: Candidates, mixtures: Sequence[Mixture]) -> Floats:
    """Return the expected discounted sum of the scores shown, shape (n,)."""
    found = np.zeros(candidates.requests)
    for row, mixture in enumerate(mixtures):
        each = mixture.exposure(discounts(mixture.orders.shape[1]), candidates.scores.shape[1])
        found[row] = np.nan_to_num(candidates.scores[row]) @ each
    return found


def mean_scores(candidates: Candidates) -> Floats:
    """Return the mean score of each group's candidates, shape (n, G); NaN for none."""
    found = np.full((candidates.requests, len(candidates.names)), np.nan)
    there = ~np.isnan(candidates.scores)
    for place in range(len(candidates.names)):
        own = (candidates.groups == place) & there
        count = own.sum(axis=1)
        total = np.where(own, candidates.scores, 0.0).sum(axis=1)
        found[:, place] = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return found


def _as_given(mixture: Mixture, program: _Program) -> Mixture:
    """Return a mixture in which candidates of one group and score stand in the order given.

    What groups are shown, and utility, are the same.
    """
    kinds = np.stack([program.groups.astype(np.float64), program.scores], axis=1)
    alike, kind, count = np.unique(kinds, axis=0, return_inverse=True, return_counts=True)
    if len(alike) == len(kinds):
        return mixture
    kind, orders = kind.ravel(), mixture.orders.copy()
    for tied in np.flatnonzero(count > 1).tolist():
        there = kind[mixture.orders] == tied
        nth = np.cumsum(there, axis=1) - 1
        orders[there] = np.flatnonzero(kind == tied)[nth[there]]
    rankings, place = np.unique(orders, axis=0, return_inverse=True)
    weights = np.bincount(place.ravel(), weights=mixture.weights, minlength=len(rankings))
    likely = np.argsort(-weights, kind="stable")
    return Mixture(rankings[likely], weights[likely] / weights.sum())


def _pool(one: Candidates, k: int) -> Places:
    """Return the places that an optimum shows: of each group its k best."""
    by_score = np.argsort(-one.scores[0], kind="stable")
    groups = one.groups[0, by_score]
    kept = np.zeros(len(by_score), np.bool_)
    for place in np.unique(groups):
        kept[np.nonzero(groups == place)[0][:k]] = True
    return np.sort(by_score[kept])


@dataclass(frozen=True)
class _Program:
    """The linear program of one request.

    Attributes:
        scores: From 0 to 1, shape (n,).
        groups: Shape (n,); `UNKNOWN` for none.
        due: What a group's exposure is divided by before groups are compared, shape (G,).
        attention: Exposure of slots, shape (k,), k <= n.

    """

    scores: Floats
    groups: Places
    due: Floats
    attention: Floats

    def best(self, tolerance: float) -> Floats | None:
        """Return the placements of highest utility, shape (n, k); None where there are none."""
        worth = self.scores[:, None] * discounts(len(self.attention))
        # The level t stands between (1 - tolerance) t and t: a pair for each group, not of groups.
        levels = self._levels()
        one = np.ones((levels.shape[0], 1))
        above = sparse.hstack([levels, -one])
        below = sparse.hstack([-levels, (1 - tolerance) * one])
        slots, candidates = self._sums()
        no_level = sparse.csr_array((slots.shape[0] + candidates.shape[0], 1))
        sums = sparse.hstack([sparse.vstack([slots, candidates]), no_level]).tocsr()
        square = slots.shape[0] == candidates.shape[0]
        equal = sums if square else sums[: slots.shape[0]]
        at_most = [above, below] if square else [above, below, sums[slots.shape[0] :]]
        count = 2 * levels.shape[0]
        limits = np.concatenate([np.zeros(count), np.ones(0 if square else len(self.scores))])
        solved = _highs(
            np.append(-worth.ravel(), 0.0),
            (sparse.vstack(at_most), limits),
            (equal, np.ones(equal.shape[0])),
        )
        return None if solved is None else self._cleaned(solved[:-1])

    def most_alike(self) -> float:
        """Return the highest share that the least exposed group can get of the most exposed's.

        A ratio, so all is divided by the level of the most exposed (Charnes and Cooper 1962).
        """
        levels = self._levels()
        slots, candidates = self._sums()
        one = np.ones((levels.shape[0], 1))
        more = [
            sparse.hstack([levels, 0 * one, 0 * one]),
            sparse.hstack([-levels, one, 0 * one]),
            sparse.hstack([candidates, np.zeros((len(self.scores), 1)), -_ones(candidates)]),
        ]
        filled = sparse.hstack([slots, np.zeros((slots.shape[0], 1)), -_ones(slots)])
        limits = np.concatenate([one[:, 0], 0 * one[:, 0], np.zeros(len(self.scores))])
        cost = np.zeros(self.scores.size * self.attention.size + 2)
        cost[-2] = -1.0
        solved = _highs(cost, (sparse.vstack(more), limits), (filled, np.zeros(slots.shape[0])))
        return 0.0 if solved is None else float(solved[-2])

    def _levels(self) -> sparse.csr_array:
        present = np.unique(self.groups[self.groups >= 0])
        rows, columns = np.nonzero(self.groups == present[:, None])
        member = sparse.csr_array(
            (1 / self.due[present[rows]], (rows, columns)), (len(present), len(self.scores))
        )
        return sparse.csr_array(sparse.kron(member, self.attention[None, :]))

    def _sums(self) -> tuple[sparse.csr_array, sparse.csr_array]:
        n, k = len(self.scores), len(self.attention)
        slots = sparse.kron(np.ones((1, n)), sparse.eye_array(k))
        candidates = sparse.kron(sparse.eye_array(n), np.ones((1, k)))
        return sparse.csr_array(slots), sparse.csr_array(candidates)

    def _cleaned(self, values: Floats) -> Floats:
        found = values.reshape(len(self.scores), len(self.attention))
        found = np.where(found > _ROUNDING, found, 0.0)
        cleaned: Floats = found / found.sum(axis=0)
        return cleaned


def _ones(matrix: sparse.csr_array) -> Floats:
    return np.ones((matrix.shape[0], 1))


def _highs(
    cost: Floats, at_most: tuple[sparse.sparray, Floats], equal: tuple[sparse.sparray, Floats]
) -> Floats | None:
    # The simplex method ends in a corner, which has few entries above 0: so few rankings mix.
    solved = linprog(
        cost,
        A_ub=at_most[0],
        b_ub=at_most[1],
        A_eq=equal[0],
        b_eq=equal[1],
        method="highs-ds",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    return None if solved.x is None or not solved.success else np.asarray(solved.x, np.float64)


_NO_MERIT = "no merit"

_ROUNDING = 1e-12
"""Placements that are none."""

_EXACT = 1e-7
"""How far the share that a group gets of another's may be from what is guaranteed."""
