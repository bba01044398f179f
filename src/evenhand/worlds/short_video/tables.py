"""The tables of a simulated feed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from evenhand.worlds.short_video.population import Audience, Catalogue

if TYPE_CHECKING:
    from evenhand.worlds.short_video.world import ShortVideo

Unshown = Literal["relevant", "all", "none"]
"""Which candidates that were not shown have rows in the log."""

_DAY = 86_400_000_000
"""Microseconds of a day."""


@dataclass(frozen=True)
class Batch:
    """Some requests of one day; arrays of requests x candidates, or x slots, are in ranked order.

    Attributes:
        request: Number of each request.
        day: The day, from 0.
        clock: Time of each request as a share of the day.
        viewer: Viewer of each request.
        item: Candidates.
        score: Log-weight of each candidate.
        propensity: P(the slot's item | those placed before), by slot.
        preference: P(the viewer would complete the video), by candidate.
        relevance: Whether the viewer would complete it, by candidate.
        reached: Whether the viewer got to the slot.
        watched: Whether the video was completed: reached and relevant.
        watch_share: Share of the video that was watched; 0 where it was not reached.

    """

    request: np.ndarray
    day: int
    clock: np.ndarray
    viewer: np.ndarray
    item: np.ndarray
    score: np.ndarray
    propensity: np.ndarray
    preference: np.ndarray
    relevance: np.ndarray
    reached: np.ndarray
    watched: np.ndarray
    watch_share: np.ndarray


@dataclass(frozen=True)
class Tables:
    """What a product would have logged, and the truth about each row that it would not have.

    Attributes:
        log: One row per request and item, ordered by request and slot: ``user``, ``age_band``,
            ``gender``, ``request_id``, ``day``, ``event_time``, ``item``, ``creator_id``,
            ``slot`` (1 and up, null when not shown), ``score`` (the policy's log-weight),
            ``propensity`` (null when not shown), ``preference`` (true probability of
            ``relevance``), ``relevance`` (1 if the viewer would complete the video, known for
            shown and unshown alike), ``reached``, ``watched`` (1 if reached and completed),
            ``watch_share`` in [0, 1] and ``skipped``. What happened is 0 in rows not shown.
        catalogue: One row per item that could be shown: ``item``, ``creator_id``, ``topic`` and
            ``duration`` in seconds.
        creators: One row per creator: ``creator_id``, ``creator_tier`` on the last day, as such a
            table has it, and ``region``.
        tier_history: One row per creator and tier: ``creator_id``, ``event_time`` from which it
            holds, and ``creator_tier``. The first begins with the first day.

    """

    log: pl.DataFrame
    catalogue: pl.DataFrame
    creators: pl.DataFrame
    tier_history: pl.DataFrame


def tables(
    world: ShortVideo,
    catalogue: Catalogue,
    audience: Audience,
    batches: Iterable[Batch],
    unshown: Unshown,
) -> Tables:
    """Return the tables of a world whose requests were drawn."""
    tiers = pl.Series(list(world.creators.tiers), dtype=pl.String)
    regions = pl.Series(list(world.creators.regions), dtype=pl.String)
    topics = pl.Series(list(world.creators.topics), dtype=pl.String)
    count = catalogue.tier.shape[1]
    return Tables(
        log=pl.concat(_rows(world, catalogue, audience, batch, unshown) for batch in batches),
        catalogue=pl.DataFrame(
            {
                "item": np.arange(len(catalogue.creator)),
                "creator_id": catalogue.creator,
                "topic": topics.gather(catalogue.topic),
                "duration": catalogue.duration,
            }
        ),
        creators=pl.DataFrame(
            {
                "creator_id": np.arange(count),
                "creator_tier": tiers.gather(catalogue.tier[-1]),
                "region": regions.gather(catalogue.region),
            }
        ),
        tier_history=_history(catalogue.tier, tiers, world.start),
    )


def _rows(
    world: ShortVideo, catalogue: Catalogue, audience: Audience, batch: Batch, unshown: Unshown
) -> pl.DataFrame:
    """Return the batch's rows: of each request the shown, then the unshown candidates."""
    slots = world.slots
    kept = np.zeros(batch.item.shape, dtype=bool)
    kept[:, :slots] = True
    if unshown == "all":
        kept[:, slots:] = True
    elif unshown == "relevant":
        kept[:, slots:] = batch.relevance[:, slots:]
    request, place = np.nonzero(kept)
    shown = place < slots

    def of_slot(values: np.ndarray) -> np.ndarray:
        """Spread values by slot over the rows that are kept; 0 for the unshown."""
        spread = np.zeros(len(place), dtype=values.dtype)
        spread[shown] = values.ravel()
        return spread

    def named(column: str, viewer: np.ndarray) -> pl.Series:
        names = pl.Series(world.viewers.groups[column], dtype=pl.String)
        return names.gather(audience.groups[column][viewer])

    viewer, item = batch.viewer[request], batch.item[kept]
    reached, share = of_slot(batch.reached), of_slot(batch.watch_share)
    clock = _midnight(world.start, batch.day) + (batch.clock * _DAY).astype(np.int64)
    return pl.DataFrame(
        {
            "user": viewer,
            "age_band": named("age_band", viewer),
            "gender": named("gender", viewer),
            "request_id": batch.request[request],
            "day": np.full(len(place), batch.day),
            "event_time": pl.Series(clock[request]).cast(pl.Datetime("us")),
            "item": item,
            "creator_id": catalogue.creator[item],
            "slot": place + 1,
            "score": batch.score[kept],
            "propensity": of_slot(batch.propensity),
            "preference": batch.preference[kept],
            "relevance": batch.relevance[kept].astype(np.int64),
            "reached": reached,
            "watched": of_slot(batch.watched).astype(np.int64),
            "watch_share": share,
            "skipped": reached & (share < world.skip_below),
        }
    ).with_columns(pl.when(pl.Series(shown)).then(pl.col("slot", "propensity")))


def _history(tier: np.ndarray, tiers: pl.Series, start: dt.date) -> pl.DataFrame:
    """Return the tiers of the first day, and those that changed with a later one."""
    changed = np.ones(tier.shape, dtype=bool)
    changed[1:] = tier[1:] != tier[:-1]
    creator, day = np.nonzero(changed.T)
    times = _midnight(start, 0) + day * _DAY
    return pl.DataFrame(
        {
            "creator_id": creator,
            "event_time": pl.Series(times).cast(pl.Datetime("us")),
            "creator_tier": tiers.gather(tier[day, creator]),
        }
    )


def _midnight(start: dt.date, day: int) -> int:
    """Return the microseconds from the epoch to the beginning of a day."""
    return ((start - dt.date(1970, 1, 1)).days + day) * _DAY
