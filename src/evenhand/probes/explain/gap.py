"""What makes a disparity: the parts of the difference of two groups' mean scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.probes.explain.shap import Shap


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
