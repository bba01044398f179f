"""Days of a simulated feed in which a controller ranks, viewers answer, and it learns."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.mitigations.candidates import Candidates
from evenhand.worlds.short_video import Creators, ShortVideo, Viewers, feedback

WORLD = ShortVideo(
    viewers=Viewers(count=500),
    creators=Creators(
        tiers={"star": 20, "established": 60, "new": 120},
        items={"star": 15, "established": 5, "new": 2},
        quality_shift={"star": 0.6, "new": -0.3},
        moves=0.0,
    ),
    requests=4_000,
    days=5,
    candidates=20,
    slots=20,
    boost={"star": 0.8},
    noise_of={},
    feedback=0.2,
)


@dataclass
class Days:
    """One server's loop.

    Attributes:
        controller: The controller that ranks next.
        learn: Returns the controller after requests, from it, their candidates and what was seen.

    """

    controller: Any
    learn: Callable[..., Any]

    def walk(self, seed, *, batch=8, world=WORLD):
        """Yield what was seen, with its candidates and certificate, after each batch."""

        def rank(asked):
            self._candidates = Candidates(asked.score, asked.group, asked.names)
            self._reranked = self.controller.rerank(self._candidates, asked.slots)
            return self._reranked.order

        for seen in feedback(world, rank, seed=seed, batch=batch):
            self.controller = self.learn(self.controller, self._candidates, seen)
            yield seen, self._candidates, self._reranked.certificate


def run_section(title):
    """Run what a section of the page shows, and return the names that it made."""
    page = (Path(__file__).parents[2] / "docs" / "mitigations.md").read_text()
    section = page.partition(f"## {title}\n")[2].partition("\n## ")[0]
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        exec(compile(block, "mitigations.md", "exec"), names)  # noqa: S102 - our own page
    return names
