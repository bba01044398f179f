"""DetGreedy, DetCons, DetRelaxed, DetConstSort: every prefix holds what targets ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates, Places, shares_of
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, utility
from evenhand.mitigations.deterministic_sort import sorted_picks
from evenhand.mitigations.deterministic_step import stepped_picks
from evenhand.mitigations.minimum import broken, floors
from evenhand.mitigations.queue import Queue, picked_by
from evenhand.mitigations.target import OWN_SHARES, Alike, Own, Quota, Targets, own_of, problems_of

_FEW = 10
"""Groups whose targets a guarantee names."""


class Deterministic(ABC):
    """A re-ranker after which the first i candidates hold at least floor(p_g i) of each group g.

    A candidate without a group keeps the slot that it has by score, and prefixes are of the others.
    Products of shares are rounded as the fractions that are meant: 29 % of 100 are 29. A group that
    runs out asks for no more than all of its candidates; the certificate counts the prefixes in
    which it comes short nevertheless, and names it. Where nothing else is due, groups above their
    ceilings give the best of what is left.

    Attributes:
        targets: The share of each group of the candidates, which add up to 1; or ``request``, the
            share that each has of the candidates of known group of each request, an exact fraction,
            so that no group runs out.

    Raises:
        RoleError: Targets are neither; or, at `rerank`, a group has no target, targets do not add
            up to 1, or k is no number of slots.

    Source: Geyik, Ambler and Kenthapadi 2019, "Fairness-Aware Ranking in Search & Recommendation
    Systems with Application to LinkedIn Talent Search", arXiv 1905.01989, section 5.

    """

    targets: Targets

    promise = ""
    """For how many groups the guarantee is sure to be kept, if none runs out."""

    def __post_init__(self) -> None:
        """Refuse what is no target."""
        problems = problems_of(type(self).__name__, self.targets)
        if problems:
            raise RoleError(problems)

    @abstractmethod
    def picks(self, queue: Queue, groups: int, k: int, quota: Quota) -> Places:
        """Return which candidate stands in each slot, as `Queue.placed` takes it."""

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return orders that hold, as far as the method can, the minima of every group.

        Args:
            candidates: Of n requests.
            k: Number of slots.

        """
        count = len(candidates.names)
        alike = self._alike(candidates)

        def pick(queue: Queue) -> Places:
            return self.picks(queue, count, k, alike or Own.of(queue.known_groups, count))

        orders = picked_by(candidates, k, pick)
        violated, reasons = broken(self, candidates, orders.picked)
        return Reranked(
            orders.picked,
            Certificate(
                self._guarantee(candidates, k),
                violated,
                utility(candidates, orders.picked),
                utility(candidates, orders.best),
                TOP_K,
                reasons,
            ),
        )

    def minima(self, candidates: Candidates, k: int) -> Places:
        """Return floor(p i) of each group, shape (k, G); of each request, (n, k, G)."""
        alike = self._alike(candidates)
        return floors(alike.shares, k) if alike else own_of(candidates).minima(k)

    def _alike(self, candidates: Candidates) -> Alike | None:
        """Return the shares that are the same for all requests, if they are."""
        if not candidates.names:
            what = "no candidate has a group."
            raise RoleError(Problem("candidates, group", what, "There is nothing to balance."))
        if isinstance(self.targets, str):
            return None
        return Alike(shares_of(self.targets, candidates.names))

    def _guarantee(self, candidates: Candidates, k: int) -> str:
        alike = self._alike(candidates)
        if alike is None:
            shares = OWN_SHARES
            sure = f"{self.promise}, and none runs out"
        else:
            pairs = zip(candidates.names, alike.shares, strict=True)
            told = [f"{name!r} {share:.6g}" for name, share in pairs][:_FEW]
            shares = ", ".join(told + (["..."] if len(alike.shares) > _FEW else []))
            sure = f"{self.promise}, if none runs out"
        return f"the first i of {k} hold floor(p i) of each group or more, p = {shares}; {sure}"


@dataclass(frozen=True)
class DetGreedy(Deterministic):
    """DetGreedy: the best candidate of a group below its minimum; or else of one below its maximum.

    Slot i goes to the best candidate among the groups with fewer than floor(p i); if there is none,
    among those with fewer than ceil(p i). Sure to keep the minima of up to three groups: each holds
    less than one candidate more than p i, so no two are due at once. Of four, two may be: with
    targets of 1/6, 1/6, 1/3 and 1/3 the first two may take slots 1 and 2, and slot 3 is due twice.

    Of two groups it gives the largest discounted sum of scores among all orders that hold the
    minima: the maximum of one is what the minimum of the other leaves, so that every prefix has as
    many of each as it has by score, or the nearest that may be, as with `FAStarIR`. Of three it
    need not: who is best now may be due later anyway.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4]], [["m", "m", "m", "m", "f", "f"]])
    >>> DetGreedy({"m": 0.5, "f": 0.5}).rerank(made, 4).order.tolist()
    [[0, 4, 1, 5]]

    """

    targets: Targets

    promise = "sure for up to three groups"

    def picks(self, queue: Queue, groups: int, k: int, quota: Quota) -> Places:
        """Return the picks of DetGreedy; among groups below their maximum none is preferred."""
        return stepped_picks(queue, groups, k, quota.bounds(k, "any"))


@dataclass(frozen=True)
class DetCons(Deterministic):
    """DetCons: as DetGreedy, but of groups below their maximum the one that is due first.

    That is the group with the least ceil(p i) / p, the size of the prefix that asks for its next
    candidate. Sure to keep the minima of any number of groups, as `DetRelaxed` is: what is due
    first by this is also due first by that.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4]], [["m", "m", "m", "m", "f", "f"]])
    >>> DetCons({"m": 0.4, "f": 0.6}).rerank(made, 4).order.tolist()
    [[4, 0, 5, 1]]

    """

    targets: Targets

    promise = "sure for any number of groups"

    def picks(self, queue: Queue, groups: int, k: int, quota: Quota) -> Places:
        """Return the picks of DetCons."""
        return stepped_picks(queue, groups, k, quota.bounds(k, "due"))


@dataclass(frozen=True)
class DetRelaxed(Deterministic):
    """DetRelaxed: as DetCons, but what is due at the same prefix is due alike.

    Of groups below their maximum those with the least ceil(ceil(p i) / p), and among them the best
    candidate. Sure to keep the minima of any number of groups; the paper shows it for up to three.
    The next candidate of a group may stand from the slot on at which its maximum rises, and must by
    the one at which its minimum does. An order in which all do so exists (Tijdeman 1980, "The
    chairman assignment problem"), and earliest deadline first, which this is, then finds one.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4]], [["m", "m", "m", "m", "f", "f"]])
    >>> DetRelaxed({"m": 0.45, "f": 0.55}).rerank(made, 4).order.tolist()
    [[4, 0, 5, 1]]

    """

    targets: Targets

    promise = "sure for any number of groups"

    def picks(self, queue: Queue, groups: int, k: int, quota: Quota) -> Places:
        """Return the picks of DetRelaxed."""
        return stepped_picks(queue, groups, k, quota.bounds(k, "prefix"))


@dataclass(frozen=True)
class DetConstSort(Deterministic):
    """DetConstSort: candidates as they fall due, sorted by score as far as that makes none late.

    Whenever the minimum of a group rises at a prefix, its next candidate is put last, and moves up
    past worse ones that may still move down and be in time. Sure to keep the minima of any number
    of groups. Minima of prefixes beyond k fill what slots are left; where every group with a target
    has run out, those with a target of 0 follow by score.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4]], [["m", "m", "m", "m", "f", "f"]])
    >>> DetConstSort({"m": 0.5, "f": 0.5}).rerank(made, 4).order.tolist()
    [[0, 4, 1, 5]]

    """

    targets: Targets

    promise = "sure for any number of groups"

    def picks(self, queue: Queue, groups: int, k: int, quota: Quota) -> Places:
        """Return the picks of DetConstSort."""
        return sorted_picks(queue, groups, k, quota)
