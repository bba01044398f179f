"""What makes a disparity: the parts of the difference of two groups' mean scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.probes.explain.shap import Shap

WHOLE = "mean_explained_score"
"""The measure of the gap itself."""


@dataclass(frozen=True)
class Gap(Shap):
    """Shapley values, to be compared by group: differences of parts add up to that of scores.

    Begley et al. 2020, Lundberg 2020: the difference over groups of a feature's mean part. The
    background's mean score is in both groups and goes out. Parts say what the model's scores are
    made of, not why groups differ, nor whether they should.
    """

    name = "gap"
    summary: ClassVar[tuple[str, ...]] = ("mean_attribution",)
    compared = True

    def first(self) -> tuple[str, ...]:
        """Return the gap itself, then its parts; both by group."""
        return (WHOLE, *self.summary)

    @property
    def _levels(self) -> list[str]:
        said = "the gap has nothing of the background, and its parts have a little, which intervals"
        said += " do not tell: draw others (seed) before a part near 0 is called shown; about how"
        return [f"{said} far others move it, background_shift tells from the halves of this one"]
