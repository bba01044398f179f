"""Who makes the videos and who watches them.

What a viewer likes is a matter of the viewer, the video's topic and its quality. Tier, region, age
and gender play no part in it unless that is planted: so gaps that a log shows are the policy's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from evenhand.worlds.ranked import draw_groups

_DURATION = 30.0
"""Median duration of a video in seconds."""


@dataclass(frozen=True)
class Catalogue:
    """The creators and videos that were drawn; codes are positions in the names of ``Creators``.

    Attributes:
        tier: Tier of each creator on each day, days x creators.
        region: Region of each creator.
        creator: Creator of each item.
        topic: Topic of each item.
        quality: What all viewers add to the log-odds of liking the item.
        duration: Seconds.

    """

    tier: np.ndarray
    region: np.ndarray
    creator: np.ndarray
    topic: np.ndarray
    quality: np.ndarray
    duration: np.ndarray


@dataclass(frozen=True)
class Creators:
    """Creators in tiers, and their videos.

    Attributes:
        tiers: Number of creators by tier, highest tier first.
        items: Videos of every creator by the tier of the first day, >= 1; the same tiers.
        regions: Shares of the creators by region; nothing else depends on it.
        topics: What videos are about, each as often as the others.
        quality_spread: Standard deviation of quality, in log-odds.
        creator_share: Share of quality's variance that videos of a creator have in common, in
            [0, 1].
        quality_shift: What is added to the quality by tier of the first day; 0 for those that are
            not named.
        moves: P(a creator is in a neighbouring tier from the next day on), in [0, 1].

    """

    tiers: Mapping[str, int] = field(
        default_factory=lambda: {"star": 20, "established": 180, "rising": 300, "new": 500}
    )
    items: Mapping[str, int] = field(
        default_factory=lambda: {"star": 20, "established": 10, "rising": 5, "new": 2}
    )
    regions: Mapping[str, float] = field(
        default_factory=lambda: {"Africa": 0.15, "Americas": 0.3, "Asia": 0.35, "Europe": 0.2}
    )
    topics: tuple[str, ...] = ("comedy", "food", "games", "music", "news", "sport")
    quality_spread: float = 0.8
    creator_share: float = 0.3
    quality_shift: Mapping[str, float] = field(default_factory=dict)
    moves: float = 0.005

    @property
    def videos(self) -> int:
        """Number of items of all creators."""
        return sum(count * self.items[tier] for tier, count in self.tiers.items())

    def draw(self, days: int, rng: np.random.Generator) -> Catalogue:
        """Draw creators, their tiers over the days, and their items in random order."""
        names = list(self.tiers)
        count = sum(self.tiers.values())
        first = rng.permutation(np.repeat(np.arange(len(names)), list(self.tiers.values())))
        owned = np.array([self.items[name] for name in names])[first]
        creator = rng.permutation(np.repeat(np.arange(count), owned))
        shift = np.array([self.quality_shift.get(name, 0.0) for name in names])[first][creator]
        alike = rng.standard_normal(count)[creator]
        own = rng.standard_normal(len(creator))
        mixed = np.sqrt(self.creator_share) * alike + np.sqrt(1 - self.creator_share) * own
        return Catalogue(
            tier=_moved(first, len(names), self.moves, days, rng),
            region=draw_groups(self.regions, count, rng),
            creator=creator,
            topic=rng.integers(0, len(self.topics), len(creator)),
            quality=shift + self.quality_spread * mixed,
            duration=_DURATION * np.exp(0.7 * rng.standard_normal(len(creator))),
        )


@dataclass(frozen=True)
class Audience:
    """The viewers that were drawn.

    Attributes:
        groups: Codes of each viewer's group, by the name of the column.
        taste: What a topic adds to the log-odds of liking an item, viewers x topics.
        activity: P(a request is this viewer's); 1 in sum.

    """

    groups: Mapping[str, np.ndarray]
    taste: np.ndarray
    activity: np.ndarray


@dataclass(frozen=True)
class Viewers:
    """Viewers in groups that like the same things in the same proportions.

    Attributes:
        count: Number of viewers.
        age_bands: Shares of the viewers by age band.
        genders: Shares of the viewers by gender, whatever the age.
        taste_spread: Standard deviation, in log-odds, of what a topic means to viewers.
        activity_spread: Standard deviation of the logarithm of a viewer's rate of requests.

    """

    count: int = 4_000
    age_bands: Mapping[str, float] = field(
        default_factory=lambda: {"18-24": 0.35, "25-44": 0.45, "45+": 0.2}
    )
    genders: Mapping[str, float] = field(
        default_factory=lambda: {"female": 0.49, "male": 0.49, "other": 0.02}
    )
    taste_spread: float = 1.0
    activity_spread: float = 0.5

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Names of the groups by the column that has them."""
        return {"age_band": tuple(self.age_bands), "gender": tuple(self.genders)}

    def draw(self, topics: int, rng: np.random.Generator) -> Audience:
        """Draw viewers who have a taste for each of so many topics."""
        rate = np.exp(self.activity_spread * rng.standard_normal(self.count))
        return Audience(
            groups={
                "age_band": draw_groups(self.age_bands, self.count, rng),
                "gender": draw_groups(self.genders, self.count, rng),
            },
            taste=self.taste_spread * rng.standard_normal((self.count, topics)),
            activity=rate / rate.sum(),
        )


def _moved(
    first: np.ndarray, tiers: int, moves: float, days: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the tier of every creator on every day: up or down by one, inwards at the ends."""
    of_day = [first]
    for _ in range(1, days):
        tier = of_day[-1]
        step = np.where(rng.random(len(tier)) < 0.5, 1, -1)  # noqa: PLR2004 - up or down alike
        step = np.where((tier + step < 0) | (tier + step >= tiers), -step, step)
        after = np.clip(tier + step, 0, tiers - 1)
        of_day.append(np.where(rng.random(len(tier)) < moves, after, tier))
    return np.stack(of_day)
