"""What is true of a feed: sums over independent runs of its model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from evenhand.worlds.ranked import (
    MonteCarlo,
    Shown,
    by_group,
    gap_of_groups,
    ndcg,
    share_by_group,
)
from evenhand.worlds.short_video.population import Audience, Catalogue
from evenhand.worlds.short_video.tables import Batch

if TYPE_CHECKING:
    from evenhand.worlds.short_video.world import ShortVideo


@dataclass(frozen=True)
class Truth:
    """True figures of a feed. Items are grouped by ``creator_tier`` of the day and ``region``.

    Attributes:
        reach: P(a viewer reaches the slot), exactly.
        shown: By grouping, what the logging policy puts in each slot; its ``exposure_share`` takes
            browsing weights, of which ``reach`` are those of this feed's viewers.
        unboosted: The same without boost and feedback: what the policy's belief alone would show.
        merit: By grouping, each group's share of the candidates' expected relevance.
        catalogue: By grouping, each group's share of the items, averaged over requests.
        watch_time: By grouping, each group's share of the sum of watch shares.
        ndcg: By column of the viewers' groups, expected nDCG@k of a group's requests, among those
            with a relevant candidate; the ideal is over all candidates.
        ndcg_gap: By column, the largest less the smallest of these: too large, by about its
            error, where the groups are alike.
        without_ideal: Share of the requests that have no relevant candidate.
        k: Cut-off of nDCG.

    """

    reach: tuple[float, ...]
    shown: Mapping[str, Shown]
    unboosted: Mapping[str, Shown]
    merit: Mapping[str, Mapping[str, MonteCarlo]]
    catalogue: Mapping[str, Mapping[str, MonteCarlo]]
    watch_time: Mapping[str, Mapping[str, MonteCarlo]]
    ndcg: Mapping[str, Mapping[str, MonteCarlo]]
    ndcg_gap: Mapping[str, MonteCarlo]
    without_ideal: MonteCarlo
    k: int


class Run:
    """Sums over the requests of one run."""

    def __init__(self, world: ShortVideo, catalogue: Catalogue, audience: Audience, k: int) -> None:
        self._catalogue, self._audience, self._k = catalogue, audience, k
        self.requests = self.without_ideal = 0
        tiers, regions = len(world.creators.tiers), len(world.creators.regions)
        items = {"creator_tier": tiers, "region": regions}
        self.slots = {name: np.zeros((count, world.slots)) for name, count in items.items()}
        self.merit = {name: np.zeros(count) for name, count in items.items()}
        self.items = {name: np.zeros(count) for name, count in items.items()}
        self.watch_time = {name: np.zeros(count) for name, count in items.items()}
        viewers = {name: len(groups) for name, groups in world.viewers.groups.items()}
        self.ndcg = {name: np.zeros(count) for name, count in viewers.items()}
        self.ideals = {name: np.zeros(count) for name, count in viewers.items()}

    def add(self, batch: Batch) -> None:
        """Add the sums of a batch."""
        requests, slots = batch.reached.shape
        self.requests += requests
        shown = batch.item[:, :slots]
        groupings = {
            "creator_tier": self._catalogue.tier[batch.day],
            "region": self._catalogue.region,
        }
        for name, of_creator in groupings.items():
            group = of_creator[self._catalogue.creator]
            count = len(self.merit[name])
            cell = group[shown] * slots + np.arange(slots)
            self.slots[name] += np.bincount(cell.ravel(), minlength=count * slots).reshape(
                count, slots
            )
            self.merit[name] += _sums(group[batch.item], batch.preference, count)
            self.items[name] += requests * np.bincount(group, minlength=count) / len(group)
            self.watch_time[name] += _sums(group[shown], batch.watch_share, count)
        value = ndcg(batch.relevance.astype(float), self._k)
        ideal = ~np.isnan(value)
        self.without_ideal += int((~ideal).sum())
        for name, codes in self._audience.groups.items():
            group = codes[batch.viewer][ideal]
            count = len(self.ndcg[name])
            self.ndcg[name] += _sums(group, value[ideal], count)
            self.ideals[name] += np.bincount(group, minlength=count)


def truth_of_runs(
    runs: Sequence[Run],
    neutral: Sequence[Run],
    of_items: Mapping[str, tuple[str, ...]],
    of_viewers: Mapping[str, tuple[str, ...]],
    *,
    reach: np.ndarray,
    k: int,
) -> Truth:
    """Return the truth of a feed from its runs, and from those without boost and feedback."""

    def shown(from_runs: Sequence[Run]) -> dict[str, Shown]:
        return {
            name: Shown(groups, np.stack([run.slots[name] / run.requests for run in from_runs]))
            for name, groups in of_items.items()
        }

    ndcgs = {
        name: (
            groups,
            np.stack([run.ndcg[name] for run in runs]),
            np.stack([run.ideals[name] for run in runs]),
        )
        for name, groups in of_viewers.items()
    }
    return Truth(
        reach=tuple(reach.tolist()),
        shown=shown(runs),
        unboosted=shown(neutral),
        merit={
            name: share_by_group(groups, np.stack([run.merit[name] for run in runs]))
            for name, groups in of_items.items()
        },
        catalogue={
            name: share_by_group(groups, np.stack([run.items[name] for run in runs]))
            for name, groups in of_items.items()
        },
        watch_time={
            name: share_by_group(groups, np.stack([run.watch_time[name] for run in runs]))
            for name, groups in of_items.items()
        },
        ndcg={name: by_group(*parts) for name, parts in ndcgs.items()},
        ndcg_gap={name: gap_of_groups(*parts) for name, parts in ndcgs.items()},
        without_ideal=MonteCarlo.ratio(
            np.array([run.without_ideal for run in runs], dtype=float),
            np.array([run.requests for run in runs], dtype=float),
        ),
        k=k,
    )


def _sums(group: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    return np.bincount(group.ravel(), weights=values.ravel(), minlength=count)
