"""The feed itself: how a policy ranks videos, and how viewers go through them.

Candidates are drawn uniformly. The policy's score of a video is

    sharpness * (log-odds of the true preference + noise) + boost of the tier + feedback,

and slots are drawn by the model of Luce (1959) and Plackett (1975) with the score as log-weight,
so a boost is exactly the log-odds that it adds in a choice between two videos. A viewer sees one
video at a time and goes on after each with one probability: the geometric browsing of rank-biased
precision (Moffat and Zobel 2008), and the examination hypothesis, compared with others by Craswell
et al. (2008), in which seeing a slot does not depend on what it shows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.worlds.ranked import rank
from evenhand.worlds.short_video.population import Audience, Catalogue, Creators, Viewers
from evenhand.worlds.short_video.tables import Batch, Tables, Unshown, tables
from evenhand.worlds.short_video.truth import Run, Truth, truth_of_runs

_BATCH = 20_000
"""Requests simulated at a time: bounds the memory, and is part of what a seed means."""

_CATALOGUE, _LOG, _TRUTH = 0, 1, 2
"""Streams of random numbers that never meet, whatever the seeds."""


@dataclass(frozen=True)
class ShortVideo:
    """A feed whose policy favours tiers, and serves some viewers worse, by known amounts.

    One catalogue belongs to a world; viewers and requests are drawn anew with every seed. So
    figures are about this catalogue and viewers like these, unless catalogues are drawn anew too.

    Attributes:
        viewers: Who watches.
        creators: Whose videos are shown.
        requests: Number of requests, spread evenly over the days.
        days: Number of days, >= 1.
        start: The first day.
        candidates: Videos that the policy ranks for a request, all different.
        slots: Videos that a request shows, at most ``candidates``.
        like: Log-odds that a viewer without taste likes a video of average quality.
        sharpness: Weight of the log-odds of the true preference in the score, >= 0.
        boost: Log-odds that the policy adds by the creator's tier of the day; 0 for others.
        noise: Standard deviation of the error, in log-odds, of what the policy believes.
        noise_of: The same for viewers of some age bands, in place of ``noise``.
        feedback: Weight of popularity in the score; 0 switches it off. From the second day on an
            item with ``c`` completions on all days before, and a mean of ``m`` over all items, is
            given ``feedback * log((c + m) / (2 m))``: the rich get richer.
        continuation: P(the viewer goes on to the next slot), in [0, 1].
        abandoned: Mean watch share of videos that are seen but not completed, in (0, 1); the
            share has a beta distribution with parameters 1 and ``1 / abandoned - 1``.
        skip_below: A video that is watched less than this share was skipped, in [0, 1].
        catalogue_seed: Seed of the creators and items.

    """

    viewers: Viewers = field(default_factory=Viewers)
    creators: Creators = field(default_factory=Creators)
    requests: int = 20_000
    days: int = 7
    start: dt.date = dt.date(2026, 1, 5)
    candidates: int = 50
    slots: int = 20
    like: float = -1.2
    sharpness: float = 2.0
    boost: Mapping[str, float] = field(default_factory=lambda: {"star": 0.8})
    noise: float = 0.3
    noise_of: Mapping[str, float] = field(default_factory=lambda: {"45+": 1.5})
    feedback: float = 0.2
    continuation: float = 0.9
    abandoned: float = 0.25
    skip_below: float = 0.1
    catalogue_seed: int = 1

    def __post_init__(self) -> None:
        """Refuse a world that cannot be drawn, or that plants something nowhere."""
        problems = [
            Problem(f"{name} of ShortVideo", f"{group!r} is not among {', '.join(known)}")
            for name, planted, known in (
                ("boost", self.boost, self.creators.tiers),
                ("quality_shift", self.creators.quality_shift, self.creators.tiers),
                ("noise_of", self.noise_of, self.viewers.age_bands),
            )
            for group in planted
            if group not in known
        ]
        if not 1 <= self.slots <= self.candidates <= self.creators.videos:
            found = (
                f"{self.slots} slots, {self.candidates} candidates, {self.creators.videos} items"
            )
            problems.append(Problem("sizes of ShortVideo", found, "Each is at most the next."))
        if problems:
            raise RoleError(problems)

    @property
    def reach(self) -> np.ndarray:
        """P(a viewer reaches the slot) for slots 1 to ``slots``: ``continuation ** (i - 1)``."""
        reach: np.ndarray = np.power(float(self.continuation), np.arange(self.slots))
        return reach

    def simulate(self, seed: int, *, unshown: Unshown = "relevant") -> Tables:
        """Draw viewers and their requests, and return the log with its side tables.

        Args:
            seed: Seed of everything but the catalogue. The same seed gives the same tables.
            unshown: Which candidates that were not shown have rows, with a null slot. Without
                those that are relevant, an ideal ranking cannot be known from the log.

        """
        catalogue = self.catalogue()
        rng = np.random.default_rng([_LOG, seed])
        audience = self.viewers.draw(len(self.creators.topics), rng)
        batches = self._batches(catalogue, audience, rng)
        return tables(self, catalogue, audience, batches, unshown)

    def truth(
        self,
        *,
        seed: int = 0,
        runs: int = 20,
        k: int = 10,
        catalogues: Literal["this", "fresh"] = "this",
    ) -> Truth:
        """Return true figures: exact where a formula is known, otherwise by Monte Carlo.

        Whole worlds of this size are drawn again, from random numbers that ``simulate`` never
        uses, whatever the seeds; errors come from the spread of the runs. They are whole because
        popularity feeds on what was shown before, so that figures depend on ``requests``.

        Args:
            seed: Seed of the runs.
            runs: Number of independent runs, >= 2 for errors to be known.
            k: Cut-off of nDCG.
            catalogues: ``this``: figures are about the world's own creators and items, and any
                viewers: what intervals over viewers are about. ``fresh``: every run draws its own
                catalogue: what two-way intervals, over viewers and items, are about. Logs that
                they are to cover differ in ``catalogue_seed`` as well.

        """

        def drawn(world: ShortVideo) -> list[Run]:
            # The same random numbers with and without the boost: their difference varies less.
            return [world._run(seed, run, k, fresh=catalogues == "fresh") for run in range(runs)]

        neutral = replace(self, boost={}, feedback=0.0)
        groups = {
            "creator_tier": tuple(self.creators.tiers),
            "region": tuple(self.creators.regions),
        }
        return truth_of_runs(
            drawn(self), drawn(neutral), groups, self.viewers.groups, reach=self.reach, k=k
        )

    def catalogue(self) -> Catalogue:
        """Return the creators and items of this world, with what is latent in a log."""
        return self.creators.draw(
            self.days, np.random.default_rng([_CATALOGUE, self.catalogue_seed])
        )

    def popularity(self, completions: np.ndarray) -> np.ndarray:
        """Return what popularity adds to the score of each item; 0 before any completion."""
        mean = completions.mean()
        if mean == 0:
            return np.zeros(len(completions))
        added: np.ndarray = self.feedback * np.log((completions + mean) / (2 * mean))
        return added

    def _run(self, seed: int, run: int, k: int, *, fresh: bool) -> Run:
        rng = np.random.default_rng([_TRUTH, seed, run])
        catalogue = self.creators.draw(self.days, rng) if fresh else self.catalogue()
        audience = self.viewers.draw(len(self.creators.topics), rng)
        tally = Run(self, catalogue, audience, k)
        for batch in self._batches(catalogue, audience, rng):
            tally.add(batch)
        return tally

    def _batches(
        self, catalogue: Catalogue, audience: Audience, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield the requests in order of time; popularity is counted from day to day."""
        completions = np.zeros(len(catalogue.creator))
        first = 0
        for day in range(self.days):
            last = self.requests * (day + 1) // self.days
            popularity = self.popularity(completions)
            clock = np.sort(rng.random(last - first))
            for low in range(first, last, _BATCH):
                high = min(low + _BATCH, last)
                batch = self._batch(
                    catalogue,
                    audience,
                    day=day,
                    first=low,
                    clock=clock[low - first : high - first],
                    popularity=popularity,
                    rng=rng,
                )
                completed = batch.item[:, : self.slots][batch.watched]
                completions += np.bincount(completed, minlength=len(completions))
                yield batch
            first = last

    def _batch(
        self,
        catalogue: Catalogue,
        audience: Audience,
        *,
        day: int,
        first: int,
        clock: np.ndarray,
        popularity: np.ndarray,
        rng: np.random.Generator,
    ) -> Batch:
        """Draw requests of one day: who asks, what is ranked, and what becomes of it."""
        count, slots = len(clock), self.slots
        viewer = rng.choice(len(audience.activity), count, p=audience.activity)
        item = distinct(len(catalogue.creator), count, self.candidates, rng)
        taste = audience.taste[viewer[:, None], catalogue.topic[item]]
        odds = self.like + catalogue.quality[item] + taste

        spread = np.array([self.noise_of.get(g, self.noise) for g in self.viewers.age_bands])
        noise = spread[audience.groups["age_band"][viewer]][:, None]
        boost = np.array([self.boost.get(name, 0.0) for name in self.creators.tiers])
        of_item = boost[catalogue.tier[day]][catalogue.creator] + popularity
        score = self.sharpness * (odds + noise * rng.standard_normal(odds.shape)) + of_item[item]
        ranked = rank(score, rng)

        def in_order(values: np.ndarray) -> np.ndarray:
            return np.take_along_axis(values, ranked.order, axis=1)

        preference = 1 / (1 + np.exp(-in_order(odds)))
        relevance = rng.random(preference.shape) < preference
        # One draw a request: who reaches a slot has reached those above it.
        reached = rng.random((count, 1)) < self.reach
        watched = reached & relevance[:, :slots]
        power = self.abandoned / (1 - self.abandoned)
        partly = 1 - rng.random(reached.shape) ** power
        return Batch(
            request=np.arange(first, first + count),
            day=day,
            clock=clock,
            viewer=viewer,
            item=in_order(item),
            score=in_order(score),
            propensity=ranked.propensity[:, :slots],
            preference=preference,
            relevance=relevance,
            reached=reached,
            watched=watched,
            watch_share=np.where(watched, 1.0, np.where(reached, partly, 0.0)),
        )


def distinct(items: int, rows: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Return different items in each row, every set of them alike."""
    if count * (count - 1) > 2 * items:  # too many rows of independent draws would repeat an item
        drawn: np.ndarray = np.argsort(rng.random((rows, items)), axis=1)[:, :count]
        return drawn
    drawn = rng.integers(0, items, (rows, count))
    again = np.arange(rows)
    while len(again):
        ordered = np.sort(drawn[again], axis=1)
        again = again[(ordered[:, 1:] == ordered[:, :-1]).any(axis=1)]
        drawn[again] = rng.integers(0, items, (len(again), count))
    return drawn
