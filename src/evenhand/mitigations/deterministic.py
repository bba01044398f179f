"""DetGreedy, DetCons, DetRelaxed, DetConstSort: every prefix holds what targets ask for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import Candidates, Floats, Label, Places, shares_of
from evenhand.mitigations.certificate import TOP_K, Certificate, Reranked, utility
from evenhand.mitigations.deterministic_sort import sorted_picks
from evenhand.mitigations.deterministic_step import stepped_picks
from evenhand.mitigations.minimum import NEAR, broken, ceilings, floors
from evenhand.mitigations.queue import Queue, picked_by

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
        targets: The share of each group of the candidates; they add up to 1.

    Raises:
        RoleError: At `rerank`: a group has no target, targets do not add up to 1, or k is no number
            of slots.

    Source: Geyik, Ambler and Kenthapadi 2019, "Fairness-Aware Ranking in Search & Recommendation
    Systems with Application to LinkedIn Talent Search", arXiv 1905.01989, section 5.

    """

    targets: Mapping[Label, float]

    promise = ""
    """When the guarantee is sure to be kept, if no group runs out."""

    @abstractmethod
    def picks(self, queue: Queue, shares: Floats, k: int) -> Places:
        """Return which candidate stands in each slot, as `Queue.placed` takes it."""

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return orders that hold, as far as the method can, the minima of every group.

        Args:
            candidates: Of n requests.
            k: Number of slots.

        """
        if not candidates.names:
            what = "no candidate has a group."
            raise RoleError(Problem("candidates, group", what, "There is nothing to balance."))
        shares = shares_of(self.targets, candidates.names)
        orders = picked_by(candidates, k, lambda queue: self.picks(queue, shares, k))
        every = np.arange(len(shares))
        violated, reasons = broken(candidates, orders.picked, floors(shares, k), every)
        return Reranked(
            orders.picked,
            Certificate(
                self._guarantee(candidates, shares, k),
                violated,
                utility(candidates, orders.picked),
                utility(candidates, orders.best),
                TOP_K,
                reasons,
            ),
        )

    def _guarantee(self, candidates: Candidates, shares: Floats, k: int) -> str:
        told = [f"{n!r} {s:.6g}" for n, s in zip(candidates.names, shares, strict=True)][:_FEW]
        told += ["..."] if len(shares) > _FEW else []
        return (
            f"the first i of {k} hold floor(p i) of each group or more, p = {', '.join(told)}; "
            f"{self.promise}"
        )


@dataclass(frozen=True)
class DetGreedy(Deterministic):
    """DetGreedy: the best candidate of a group below its minimum; or else of one below its maximum.

    Slot i goes to the best candidate among the groups with fewer than floor(p i); if there is none,
    among those with fewer than ceil(p i). Sure to keep the minima of up to three groups: each holds
    less than one candidate more than p i, so no two are due at once. Of four, two may be: with
    targets of 1/6, 1/6, 1/3 and 1/3 the first two may take slots 1 and 2, and slot 3 is due twice.

    >>> from evenhand.mitigations.candidates import candidates_of
    >>> made = candidates_of([[9, 8, 7, 6, 5, 4]], [["m", "m", "m", "m", "f", "f"]])
    >>> DetGreedy({"m": 0.5, "f": 0.5}).rerank(made, 4).order.tolist()
    [[0, 4, 1, 5]]

    """

    targets: Mapping[Label, float]

    promise = "sure for up to three groups, if none runs out"

    def picks(self, queue: Queue, shares: Floats, k: int) -> Places:
        """Return the picks of DetGreedy; among groups below their maximum none is preferred."""
        return stepped_picks(queue, floors(shares, k), ceilings(shares, k), np.zeros((k, 1), int))


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

    targets: Mapping[Label, float]

    promise = "sure for any number of groups, if none runs out"

    def picks(self, queue: Queue, shares: Floats, k: int) -> Places:
        """Return the picks of DetCons."""
        most = ceilings(shares, k)
        return stepped_picks(queue, floors(shares, k), most, _places_of(_due(most, shares)))


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

    targets: Mapping[Label, float]

    promise = "sure for any number of groups, if none runs out"

    def picks(self, queue: Queue, shares: Floats, k: int) -> Places:
        """Return the picks of DetRelaxed."""
        most = ceilings(shares, k)
        due = np.ceil(_due(most, shares) - NEAR)
        return stepped_picks(queue, floors(shares, k), most, _places_of(due))


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

    targets: Mapping[Label, float]

    promise = "sure for any number of groups, if none runs out"

    def picks(self, queue: Queue, shares: Floats, k: int) -> Places:
        """Return the picks of DetConstSort."""
        return sorted_picks(queue, shares, k)


def _due(most: Places, shares: Floats) -> Floats:
    """Return the size of prefix at which a group's maximum of now is its minimum; shape (k, g)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Floats = most / shares
    return np.where(most > 0, found, np.inf)


def _places_of(due: Floats) -> Places:
    """Return the place of each value in its row, from 0; those that rounding sets apart are one."""
    order = np.argsort(due, axis=1, kind="stable")
    inorder = np.take_along_axis(due, order, axis=1)
    with np.errstate(invalid="ignore"):
        apart = np.diff(inorder, axis=1, prepend=inorder[:, :1]) > NEAR * np.maximum(inorder, 1)
    found = np.empty_like(order)
    np.put_along_axis(found, order, np.cumsum(apart, axis=1), axis=1)
    return found
