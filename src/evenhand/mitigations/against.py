"""Certificates held against the optimum: what minima cost, and what a method loses beyond."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from evenhand.mitigations.candidates import UNKNOWN, Candidates, Floats, Places
from evenhand.mitigations.certificate import Certificate, Reranked, utility
from evenhand.mitigations.minimum import GuaranteesMinima, blocks
from evenhand.mitigations.optimum import best_under_minima

OPTIMUM = "the optimum under the same minima"
"""What `Certificate.against` says where the best is that of `best_under_minima`."""


@dataclass(frozen=True)
class HeldAgainst(Certificate):
    """A certificate whose best is the optimum under the minima that are guaranteed.

    Attributes:
        by_score: The utility of top-k by score, shape (n,). What minima cost is `by_score` - `best`
            at least; what the method loses beyond that is `lost`.

    """

    by_score: Floats

    def to_dict(self) -> dict[str, Any]:
        """Return it in sum, as JSON: no request by itself."""
        mean = float(self.by_score.mean()) if len(self.by_score) else None
        return {**super().to_dict(), "by_score": mean}


def held_against(reranker: object, candidates: Candidates, done: Reranked) -> Reranked:
    """Return the same orders, their utility held against the best that keep the same minima.

    Where an order holds fewer of a group than are due, such as of one that runs out, its optimum is
    asked for no more of that group in that prefix than it holds; certificates count such requests.
    So what is lost is never negative. Exact, for any number of candidates (`best_under_minima`); it
    takes some three times as long as DetGreedy itself.

    A re-ranker that guarantees no minima keeps its certificate. Fairness of exposure is the optimum
    of its linear program already, in expectation, and tells its cost beside top-k by score.

    Args:
        reranker: Whose orders they are.
        candidates: Of n requests.
        done: What it gave for them.

    >>> from evenhand.mitigations import DetGreedy, candidates_of
    >>> asked = candidates_of([[9, 8, 2, 1]], [["b", "b", "a", "a"]])
    >>> method = DetGreedy({"a": 0.5, "b": 0.5})
    >>> done = held_against(method, asked, method.rerank(asked, 4))
    >>> done.certificate.against, done.certificate.lost.tolist()
    ('the optimum under the same minima', [0.0])
    """
    if not isinstance(reranker, GuaranteesMinima) or isinstance(done.certificate, HeldAgainst):
        return done
    k = done.order.shape[1]
    best = np.zeros(candidates.requests)
    short = 0
    for rows in blocks(candidates.requests, k * len(candidates.names)):
        block = Candidates(candidates.scores[rows], candidates.groups[rows], candidates.names)
        due, held = reranker.minima(block, k), _held(block, done.order[rows])
        best[rows] = best_under_minima(block, np.minimum(due, held), k).utility
        short += int((due > held).any(axis=(1, 2)).sum())
    told = {one.name: getattr(done.certificate, one.name) for one in fields(Certificate)}
    told["best"] = best
    told["against"] = OPTIMUM
    if short:
        requests = "1 request" if short == 1 else f"{short:,} requests"
        told["against"] += f", or in {requests} under as much of them as was kept"
    by_score = utility(candidates, candidates.best(k))
    return replace(done, certificate=HeldAgainst(**told, by_score=by_score))


def _held(candidates: Candidates, order: Places) -> Places:
    """Return how many of each group prefixes of candidates of known group hold, shape (n, k, G).

    Beyond the last of them, where nothing is due, more than there are.
    """
    shown = candidates.groups_at(order)
    known = shown != UNKNOWN
    first = np.argsort(~known, axis=1, kind="stable")
    groups = np.take_along_axis(shown, first, axis=1)
    held = np.cumsum(groups[:, :, None] == np.arange(len(candidates.names)), axis=1)
    beyond = np.arange(order.shape[1]) >= known.sum(axis=1)[:, None]
    held[beyond] = order.shape[1]
    return held
