"""A world of a short-video product: creators whose videos are reviewed, and what was planted.

The model wrongly removes more videos of creators of some languages. How much more is known, so a
demonstration can say what was planted beside what an audit finds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from evenhand.worlds.decisions import DecisionWorld, Truth

CREATORS: Mapping[str, int] = {
    "English": 900,
    "Spanish": 700,
    "Hindi": 600,
    "Swahili": 45,
    "Wolof": 12,
}
_WRONGLY: Mapping[str, float] = {
    "English": 0.08,
    "Spanish": 0.08,
    "Hindi": 0.17,
    "Swahili": 0.13,
    "Wolof": 0.20,
}


@dataclass(frozen=True)
class ModerationWorld:
    """Videos that break the rules or do not, and what a model removes.

    Attributes:
        creators: Number of creators by language.
        wrongly_removed: P(removed | within the rules) by language: what is planted.
        rightly_removed: P(removed | breaks the rules), the same for all.
        breaking: P(breaks the rules), the same for all.
        videos: Videos of every creator.
        alike: Correlation of two videos of one creator.

    """

    creators: Mapping[str, int] = field(default_factory=lambda: CREATORS)
    wrongly_removed: Mapping[str, float] = field(default_factory=lambda: _WRONGLY)
    rightly_removed: float = 0.75
    breaking: float = 0.3
    videos: int = 20
    alike: float = 0.1

    @property
    def _world(self) -> DecisionWorld:
        return DecisionWorld(
            true_positive_rates=dict.fromkeys(self.creators, self.rightly_removed),
            false_positive_rates=self.wrongly_removed,
            base_rates=dict.fromkeys(self.creators, self.breaking),
            rows_per_unit=self.videos,
            intra_unit=self.alike,
        )

    def rows(self, rng: np.random.Generator) -> pl.DataFrame:
        """Return a log: ``creator``, ``language``, ``breaks_rules`` and ``removed``."""
        names = {
            "unit": "creator",
            "group": "language",
            "label": "breaks_rules",
            "prediction": "removed",
        }
        return self._world.rows(self.creators, rng).rename(names)

    def truth(self) -> Truth:
        """Return every figure's true value, by language."""
        return self._world.truth()
