"""Worlds whose rows belong to two units: users and items, or the two subjects of a pair.

Every decision has a latent score of variance 1: parts for its units, and the rest for the row. It
is positive where the score is below the normal quantile of its rate, so each group's rate is
exactly the planted one, however much of the variance the units carry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal

import numpy as np
import polars as pl

from evenhand.worlds.decisions import Truth, confusion_truth


@dataclass(frozen=True)
class CrossedWorld:
    """Decisions about users and items that both differ, with a known rate in every group.

    Label and prediction have effects of their own, so they depend on each other only through the
    rates. A rate is that of all users and items that could have been drawn, not of those in a log.

    Attributes:
        true_positive_rates: P(prediction = 1 | label = 1) by group.
        false_positive_rates: P(prediction = 1 | label = 0) by group; the same groups.
        base_rates: P(label = 1) by group; the same groups.
        grouped: Whether the group is a property of the user or of the item.
        user_share: Share of the latent variance that users carry.
        item_share: Share of the latent variance that items carry; at most ``1 - user_share``.
        popularity: Exponent of Zipf's law by which items are drawn; 0 draws all alike.

    """

    true_positive_rates: Mapping[str, float]
    false_positive_rates: Mapping[str, float]
    base_rates: Mapping[str, float]
    grouped: Literal["user", "item"] = "item"
    user_share: float = 0.0
    item_share: float = 0.0
    popularity: float = 0.0

    def rows(
        self, units: Mapping[str, int], others: int, count: int, rng: np.random.Generator
    ) -> pl.DataFrame:
        """Return a log of ``count`` pairs of a user and an item, drawn with replacement.

        Columns: ``user`` and ``item`` (Int64), ``group`` (String), ``label`` and ``prediction``
        (Int64).

        Args:
            units: Numbers of users, or of items, of each group: whichever has the groups.
            others: Number of units of the other kind.
            count: Number of rows.
            rng: Source of the draws.

        """
        names = list(units)
        group_of_unit = rng.permutation(np.repeat(np.arange(len(names)), list(units.values())))
        by_item = self.grouped == "item"
        users, items = (others, len(group_of_unit)) if by_item else (len(group_of_unit), others)
        user = rng.integers(0, users, count)
        weight = np.arange(1, items + 1) ** -float(self.popularity)
        item = rng.choice(items, count, p=weight / weight.sum())
        group = group_of_unit[item if by_item else user]

        def latent() -> np.ndarray:
            rest = 1 - self.user_share - self.item_share
            return _mix(
                (self.user_share, rng.standard_normal(users)[user]),
                (self.item_share, rng.standard_normal(items)[item]),
                (rest, rng.standard_normal(count)),
            )

        label = latent() < _thresholds(self.base_rates, names)[group]
        hit = _thresholds(self.true_positive_rates, names)[group]
        alarm = _thresholds(self.false_positive_rates, names)[group]
        prediction = latent() < np.where(label, hit, alarm)
        return pl.DataFrame(
            {
                "user": user,
                "item": item,
                "group": pl.Series(names, dtype=pl.String).gather(group),
                "label": label.astype(np.int64),
                "prediction": prediction.astype(np.int64),
            }
        )

    def truth(self) -> Truth:
        """Return every figure's true value, by group."""
        return confusion_truth(self.true_positive_rates, self.false_positive_rates, self.base_rates)


@dataclass(frozen=True)
class DyadicWorld:
    """Decisions that two images show one person, as face verification makes them.

    The label is 1 for two images of one subject, 0 for two subjects of one group. Some subjects
    are easily taken for others, and some are hard to recognise.

    Attributes:
        true_positive_rates: P(prediction = 1 | one subject) by group: true matches.
        false_positive_rates: P(prediction = 1 | two subjects) by group: false matches.
        genuine: Share of the pairs that show one subject.
        subject_share: Share of the latent variance that a pair's subjects carry, half by each.

    """

    true_positive_rates: Mapping[str, float]
    false_positive_rates: Mapping[str, float]
    genuine: float = 0.5
    subject_share: float = 0.0

    def rows(
        self, subjects: Mapping[str, int], count: int, rng: np.random.Generator
    ) -> pl.DataFrame:
        """Return a log of ``count`` pairs, drawn with replacement.

        Columns: ``subject_a`` and ``subject_b`` (Int64), ``group`` (String), ``label`` and
        ``prediction`` (Int64).

        Args:
            subjects: Numbers of subjects of each group, at least 2.
            count: Number of rows.
            rng: Source of the draws.

        """
        names, sizes = list(subjects), np.array(list(subjects.values()))
        total = int(sizes.sum())
        group_of_subject = np.repeat(np.arange(len(names)), sizes)
        first = rng.integers(0, total, count)
        group = group_of_subject[first]
        label = rng.random(count) < self.genuine
        # A step of 1 to size - 1 around the group's circle of subjects leads to another one.
        start, size = (np.cumsum(sizes) - sizes)[group], sizes[group]
        step = np.where(label, 0, 1 + (rng.random(count) * (size - 1)).astype(np.int64))
        second = start + (first - start + step) % size
        # Being hard to recognise and being taken for others are separate traits.
        hard, common = rng.standard_normal(total), rng.standard_normal(total)
        of_subjects = np.where(label, hard[first], (common[first] + common[second]) / np.sqrt(2))
        latent = _mix(
            (self.subject_share, of_subjects),
            (1 - self.subject_share, rng.standard_normal(count)),
        )
        hit = _thresholds(self.true_positive_rates, names)[group]
        alarm = _thresholds(self.false_positive_rates, names)[group]
        return pl.DataFrame(
            {
                "subject_a": first,
                "subject_b": second,
                "group": pl.Series(names, dtype=pl.String).gather(group),
                "label": label.astype(np.int64),
                "prediction": (latent < np.where(label, hit, alarm)).astype(np.int64),
            }
        )

    def truth(self) -> Truth:
        """Return every figure's true value, by group."""
        base_rates = dict.fromkeys(self.true_positive_rates, self.genuine)
        return confusion_truth(self.true_positive_rates, self.false_positive_rates, base_rates)


def _mix(*parts: tuple[float, np.ndarray]) -> np.ndarray:
    """Return the sum of parts of variance 1, each weighed to carry its share of the variance."""
    total: np.ndarray = sum((np.sqrt(share) * part for share, part in parts), np.zeros(1))
    return total


def _thresholds(rates: Mapping[str, float], names: list[str]) -> np.ndarray:
    """Return the normal quantile of each group's rate; infinite for the rates 0 and 1."""
    exact = {0.0: -np.inf, 1.0: np.inf}
    return np.array(
        [exact[r] if r in exact else NormalDist().inv_cdf(r) for r in (rates[n] for n in names)]
    )
