"""Days of feedback: a ranker of the reader's own orders the feed, viewers answer, and so on.

The loop is a generator, so that whoever drives it learns between batches:

    for seen in feedback(world, rank, seed=1):
        ...  # `rank` is asked again only after this

Viewers and videos are those of the world. A video's score is what the policy believes of the
probability that the viewer completes it, on the scale of probabilities; the world's boosts and its
popularity, counted from day to day, are in it. A viewer completes a video if the slot is reached
and the video liked, each by its own chance: position bias as in Craswell et al. (2008).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.worlds.short_video.population import Catalogue
from evenhand.worlds.short_video.world import ShortVideo, distinct

_FEEDBACK = 3
"""A stream of random numbers beside those of the world, whatever the seed."""


@dataclass(frozen=True)
class Asked:
    """Requests that wait for an order, n of them with m candidates each.

    Attributes:
        day: The day, from 0.
        score: Believed P(completed if reached), boosts included, in (0, 1), shape (n, m).
        group: Place of the creator's tier in `names`, shape (n, m).
        item: The videos, shape (n, m).
        names: The tiers.
        slots: Number of slots to fill, k.

    """

    day: int
    score: np.ndarray
    group: np.ndarray
    item: np.ndarray
    names: tuple[str, ...]
    slots: int


@dataclass(frozen=True)
class Seen:
    """What became of the requests.

    Attributes:
        asked: The requests.
        order: Places of the candidates shown, best slot first, shape (n, k).
        reach: P(a viewer reaches the slot), shape (k,).
        preference: True P(completed if reached), shape (n, m).
        clicks: 1 where the slot was reached and its video completed, else 0, shape (n, k).

    """

    asked: Asked
    order: np.ndarray
    reach: np.ndarray
    preference: np.ndarray
    clicks: np.ndarray


Ranker: TypeAlias = Callable[[Asked], np.ndarray]
"""Returns the places of the candidates to show, best slot first, int of shape (n, slots)."""


def feedback(world: ShortVideo, rank: Ranker, *, seed: int, batch: int = 1) -> Iterator[Seen]:
    """Yield the requests of a world's days in order of time, as a ranker has them shown.

    What is asked, and what a viewer would like, do not depend on the ranker while the world's
    `feedback` is 0; otherwise popularity does from the second day on.

    Args:
        world: The feed; its `sharpness` has no part in this, since the ranker decides.
        rank: The ranker.
        seed: Seed of everything but the catalogue.
        batch: Requests that are ranked at a time, >= 1; batches end with the day.

    Raises:
        RoleError: The ranker gave something else than an order, or `batch` is below 1.

    """
    if batch < 1:
        raise RoleError(Problem("batch of feedback", f"{batch} requests are none.", "1 or more."))
    rng = np.random.default_rng([_FEEDBACK, seed])
    catalogue = world.catalogue()
    audience = world.viewers.draw(len(world.creators.topics), rng)
    spread = np.array([world.noise_of.get(g, world.noise) for g in world.viewers.age_bands])
    boost = np.array([world.boost.get(name, 0.0) for name in world.creators.tiers])
    completions = np.zeros(len(catalogue.creator))
    for day in range(world.days):
        of_item = boost[catalogue.tier[day]][catalogue.creator] + world.popularity(completions)
        left = world.requests * (day + 1) // world.days - world.requests * day // world.days
        while left:
            count = min(batch, left)
            left -= count
            viewer = rng.choice(len(audience.activity), count, p=audience.activity)
            item = distinct(len(catalogue.creator), count, world.candidates, rng)
            taste = audience.taste[viewer[:, None], catalogue.topic[item]]
            odds = world.like + catalogue.quality[item] + taste
            noise = spread[audience.groups["age_band"][viewer]][:, None]
            believed = odds + noise * rng.standard_normal(odds.shape) + of_item[item]
            seen = _answer(
                world,
                Asked(
                    day=day,
                    score=_chance(believed),
                    group=_tier(catalogue, day, item),
                    item=item,
                    names=tuple(world.creators.tiers),
                    slots=world.slots,
                ),
                rank,
                preference=_chance(odds),
                rng=rng,
            )
            shown = np.take_along_axis(item, seen.order, axis=1)
            completions += np.bincount(
                shown.ravel(), weights=seen.clicks.ravel(), minlength=len(completions)
            )
            yield seen


def _answer(
    world: ShortVideo,
    asked: Asked,
    rank: Ranker,
    *,
    preference: np.ndarray,
    rng: np.random.Generator,
) -> Seen:
    """Have the requests ranked, and draw what viewers do with the order."""
    # Drawn before the order is known, so that rankers can be compared on the same viewers.
    liked = rng.random(preference.shape) < preference
    reached = rng.random((len(preference), 1)) < world.reach
    order = np.asarray(rank(asked))
    count, slots = len(preference), world.slots
    if order.shape != (count, slots):
        what = f"it has shape {order.shape}, and {count} requests have {slots} slots."
        raise RoleError(Problem("order of the ranker", what))
    ordered = np.sort(order, axis=1)
    inside = (ordered[:, 0] >= 0) & (ordered[:, -1] < world.candidates)
    if not (inside & (ordered[:, 1:] != ordered[:, :-1]).all(axis=1)).all():
        what = "a request has a place twice, or one that no candidate holds."
        raise RoleError(Problem("order of the ranker", what))
    clicks = (reached & np.take_along_axis(liked, order, axis=1)).astype(np.float64)
    return Seen(asked, order, world.reach, preference, clicks)


def _tier(catalogue: Catalogue, day: int, item: np.ndarray) -> np.ndarray:
    """Return the tier of the day of each item's creator."""
    found: np.ndarray = catalogue.tier[day][catalogue.creator[item]]
    return found


def _chance(odds: np.ndarray) -> np.ndarray:
    """Return the probability of log-odds."""
    found: np.ndarray = 1 / (1 + np.exp(-odds))
    return found
