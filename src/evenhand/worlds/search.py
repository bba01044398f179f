"""A world of search results: graded documents, authors in groups, and a ranker that is unfair.

The ranker believes a document's grade up to an error, and takes a penalty off documents by the
share of their authors that belong to a group. It draws its rankings by the model of Luce (1959)
and Plackett (1975), so that several rankings of a query differ, and expected exposure (Diaz et al.
2020) can be told from that of one ranking.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl

from evenhand.errors import Problem, RoleError
from evenhand.worlds.ranked import (
    MonteCarlo,
    Ranked,
    Shown,
    by_group,
    draw_groups,
    gap_of_groups,
    ndcg,
    rank,
    share_by_group,
)

_LOG, _TRUTH = 1, 2
"""Streams of random numbers that never meet, whatever the seeds."""

_PAIR = 2
"""Rankings of each query in a run of the truth: their product is free of sampling bias."""

UNKNOWN = "unknown"
"""Where the exposure of documents without a known author goes."""


@dataclass(frozen=True)
class Sampled:
    """What two rankings of a query have in common, for the browsing weights a reader chooses.

    Attributes:
        by_run: Mean products of slot i of one ranking and slot j of another, independent one: an
            array of runs x slots x slots.

    """

    by_run: np.ndarray

    def disparity(self, weights: Sequence[float] | np.ndarray) -> MonteCarlo:
        """Return expected exposure's disparity EE-D (Diaz et al. 2020), the mean of ``e . e``.

        ``e`` is the expected exposure of what is ranked, and the mean is over queries. No sampling
        of rankings adds to it, as it would to the product of an average with itself.

        Args:
            weights: Browsing weight of each slot; slots that are not named weigh 0.

        """
        weight = np.zeros(self.by_run.shape[2])
        weight[: len(weights)] = weights
        values = np.einsum("i,rij,j->r", weight, self.by_run, weight)
        return MonteCarlo.ratio(values, np.ones(len(values)))


@dataclass(frozen=True)
class Truth:
    """True figures of a search product, over all queries that could be asked.

    Attributes:
        shown: What the ranker puts in each slot, by author group; a document counts for a group by
            the share of its authors, and for ``unknown`` if none is known.
        unpenalised: The same without the penalty.
        merit: Each group's share of the candidates' grades.
        documents: Each group's share of the documents, exactly.
        ndcg: Expected nDCG@k of a query by locale, among queries with a document of grade > 0.
        ndcg_gap: The largest less the smallest of these: too large, by about its error, where the
            locales are alike.
        per_document: Products of rankings, for the disparity between documents.
        per_group: Products of rankings, for the disparity between groups, ``unknown`` included.
        k: Cut-off of nDCG.
        gain: Gain of a grade in nDCG: the grade, or ``2 ** grade - 1``.

    """

    shown: Shown
    unpenalised: Shown
    merit: Mapping[str, MonteCarlo]
    documents: Mapping[str, float]
    ndcg: Mapping[str, MonteCarlo]
    ndcg_gap: MonteCarlo
    per_document: Sampled
    per_group: Sampled
    k: int
    gain: Literal["linear", "exponential"]


@dataclass(frozen=True)
class _Drawn:
    """Queries with their documents; arrays are queries x documents (x groups)."""

    locale: np.ndarray
    grade: np.ndarray
    authors: np.ndarray
    membership: np.ndarray
    belief: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Search:
    """Queries whose documents have grades, and authors in groups.

    Grades do not depend on authors, nor on the locale: gaps are the ranker's.

    Attributes:
        queries: Number of queries.
        rankings: Independent rankings drawn of every query, >= 1.
        documents: Candidates of every query, which no other query has.
        slots: Documents that a ranking shows, at most ``documents``.
        grades: P(a document has the grade) for grades 0, 1, 2, ...; 1 in sum.
        author_groups: P(an author belongs to the group); 1 in sum.
        author_counts: P(a document has 0, 1, 2, ... known authors); 1 in sum.
        locales: Shares of the queries by locale.
        sharpness: Weight of the believed grade in the score, >= 0.
        noise: Standard deviation of the error of the believed grade, in grades.
        noise_of: The same for queries of some locales, in place of ``noise``.
        penalty: Log-odds that the ranker takes off a document whose authors all belong to the
            group, in proportion to the share of those that do; 0 for groups not named.

    """

    queries: int = 2_000
    rankings: int = 1
    documents: int = 30
    slots: int = 20
    grades: tuple[float, ...] = (0.55, 0.2, 0.13, 0.08, 0.04)
    author_groups: Mapping[str, float] = field(
        default_factory=lambda: {"north": 0.6, "south": 0.3, "islands": 0.1}
    )
    author_counts: tuple[float, ...] = (0.05, 0.55, 0.25, 0.15)
    locales: Mapping[str, float] = field(default_factory=lambda: {"en": 0.6, "fr": 0.3, "mt": 0.1})
    sharpness: float = 1.2
    noise: float = 0.5
    noise_of: Mapping[str, float] = field(default_factory=lambda: {"mt": 1.5})
    penalty: Mapping[str, float] = field(default_factory=lambda: {"south": 0.7})

    def __post_init__(self) -> None:
        """Refuse a world that cannot be drawn, or that plants something nowhere."""
        problems = [
            Problem(f"{name} of Search", f"{group!r} is not among {', '.join(known)}")
            for name, planted, known in (
                ("penalty", self.penalty, self.author_groups),
                ("noise_of", self.noise_of, self.locales),
            )
            for group in planted
            if group not in known
        ]
        if not 1 <= self.slots <= self.documents:
            found = f"{self.slots} slots, {self.documents} documents"
            problems.append(Problem("sizes of Search", found, "Slots are at most the documents."))
        if problems:
            raise RoleError(problems)

    def simulate(self, seed: int) -> pl.DataFrame:
        """Return a log: one row per ranking and document, ordered by ranking and position.

        Columns: ``query_id``, ``ranking_id`` (unique in the log), ``doc_id``, ``position`` (1 and
        up, null for candidates not shown), ``score`` (the ranker's log-weight), ``propensity``
        (P(the document | those placed before), null when not shown), ``grade``,
        ``author_groups`` (one entry per known author; empty if none is) and ``locale``.

        Args:
            seed: Seed of everything. The same seed gives the same log.

        """
        rng = np.random.default_rng([_LOG, seed])
        drawn = self._draw(rng)
        query = np.repeat(np.arange(self.queries), self.rankings)
        ranked = rank(drawn.score[query], rng)
        candidate = (query[:, None] * self.documents + ranked.order).ravel()
        place = np.tile(np.arange(self.documents), len(query))
        locales = pl.Series(list(self.locales), dtype=pl.String)
        of_query = np.repeat(query, self.documents)
        return pl.DataFrame(
            {
                "query_id": of_query,
                "ranking_id": np.repeat(np.arange(len(query)), self.documents),
                "doc_id": candidate,
                "position": place + 1,
                "score": drawn.score.ravel()[candidate],
                "propensity": ranked.propensity.ravel(),
                "grade": drawn.grade.ravel()[candidate],
                "author_groups": self._names(drawn.authors).gather(candidate),
                "locale": locales.gather(drawn.locale[of_query]),
            }
        ).with_columns(
            pl.when(pl.Series(place < self.slots)).then(pl.col("position", "propensity"))
        )

    def truth(
        self,
        *,
        seed: int = 0,
        runs: int = 20,
        k: int = 10,
        gain: Literal["linear", "exponential"] = "linear",
    ) -> Truth:
        """Return true figures: exact where a formula is known, otherwise by Monte Carlo.

        Every run draws ``queries`` other queries and two rankings of each, from random numbers
        that ``simulate`` never uses, whatever the seeds; errors come from the spread of the runs.

        Args:
            seed: Seed of the runs.
            runs: Number of independent runs, >= 2 for errors to be known.
            k: Cut-off of nDCG.
            gain: Gain of a grade in nDCG: the grade, or ``2 ** grade - 1``.

        """
        sums = [self._run(np.random.default_rng([_TRUTH, seed, r]), k, gain) for r in range(runs)]
        part = {name: np.stack([run[name] for run in sums]) for name in sums[0]}
        groups = (*self.author_groups, UNKNOWN)
        chance = np.array(list(self.author_groups.values()))
        known = 1 - self.author_counts[0]
        of_documents = [*(known * chance / chance.sum()).tolist(), self.author_counts[0]]
        ndcgs = tuple(self.locales), part["ndcg"], part["ideals"]
        return Truth(
            shown=Shown(groups, part["shown"]),
            unpenalised=Shown(groups, part["unpenalised"]),
            merit=share_by_group(groups, part["merit"]),
            documents=dict(zip(groups, of_documents, strict=True)),
            ndcg=by_group(*ndcgs),
            ndcg_gap=gap_of_groups(*ndcgs),
            per_document=Sampled(part["per_document"]),
            per_group=Sampled(part["per_group"]),
            k=k,
            gain=gain,
        )

    def _draw(self, rng: np.random.Generator) -> _Drawn:
        shape = self.queries, self.documents
        groups = list(self.author_groups)
        locale = draw_groups(self.locales, self.queries, rng)
        grade = rng.choice(len(self.grades), shape, p=self.grades)
        most = len(self.author_counts) - 1
        count = rng.choice(most + 1, shape, p=self.author_counts)
        authors = draw_groups(self.author_groups, self.queries * self.documents * most, rng)
        # Authors beyond the document's count are none.
        authors = np.where(np.arange(most) < count[..., None], authors.reshape(*shape, most), -1)
        number = np.stack([(authors == g).sum(axis=2) for g in range(len(groups))], axis=2)
        share = number / np.maximum(count, 1)[..., None]
        membership = np.concatenate([share, (count == 0)[..., None]], axis=2)

        spread = np.array([self.noise_of.get(name, self.noise) for name in self.locales])
        error = spread[locale][:, None] * rng.standard_normal(shape)
        penalty = np.array([self.penalty.get(name, 0.0) for name in groups])
        belief = self.sharpness * (grade + error)
        return _Drawn(locale, grade, authors, membership, belief, belief - share @ penalty)

    def _names(self, authors: np.ndarray) -> pl.Series:
        """Return the list of groups of every document, in the order of the documents."""
        flat = authors.reshape(-1, authors.shape[2])
        known = flat >= 0
        names = pl.Series(list(self.author_groups), dtype=pl.String).gather(flat[known])
        document = np.nonzero(known)[0]
        lists = (
            pl.DataFrame({"document": document, "author_groups": names})
            .group_by("document", maintain_order=True)
            .agg("author_groups")
        )
        every = pl.DataFrame({"document": np.arange(len(flat))})
        empty = pl.lit([], dtype=pl.List(pl.String))
        return every.join(lists, on="document", how="left", maintain_order="left")[
            "author_groups"
        ].fill_null(empty)

    def _run(
        self, rng: np.random.Generator, k: int, gain: Literal["linear", "exponential"]
    ) -> dict[str, np.ndarray]:
        """Return the sums of one run, per query where they are not shares."""
        drawn = self._draw(rng)
        # The same random numbers with and without the penalty: their difference varies less.
        seeds = rng.integers(2**63, size=_PAIR)
        rankings = [rank(drawn.score, np.random.default_rng(seed)) for seed in seeds]
        neutrals = [rank(drawn.belief, np.random.default_rng(seed)) for seed in seeds]

        def members(ranked: Ranked) -> np.ndarray:
            """Return the membership of what is shown: queries x slots x groups."""
            order = ranked.order[:, : self.slots, None]
            return np.take_along_axis(drawn.membership, order, axis=1)

        one, other = (members(ranked) for ranked in rankings)
        first, second = (ranked.order[:, : self.slots] for ranked in rankings)
        same = first[:, :, None] == second[:, None, :]
        grade = np.take_along_axis(drawn.grade, rankings[0].order, axis=1).astype(float)
        value = ndcg(grade if gain == "linear" else np.exp2(grade) - 1, k)
        ideal = ~np.isnan(value)
        locale, locales = drawn.locale[ideal], len(self.locales)
        return {
            "shown": (one + other).mean(axis=0).T / _PAIR,
            "unpenalised": np.mean([members(r).mean(axis=0).T for r in neutrals], axis=0),
            "merit": np.einsum("qd,qdg->g", drawn.grade, drawn.membership),
            "per_document": same.mean(axis=0),
            "per_group": np.einsum("qig,qjg->ij", one, other) / self.queries,
            "ndcg": np.bincount(locale, weights=value[ideal], minlength=locales),
            "ideals": np.bincount(locale, minlength=locales),
        }
