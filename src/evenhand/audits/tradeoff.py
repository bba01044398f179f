"""Re-rankers beside each other: what each is measured at on two halves, and what was chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenhand.audits.asked import name_of
from evenhand.audits.finding import GroupFinding
from evenhand.audits.yardstick import Figures, Yardstick
from evenhand.mitigations.certificate import Certificate
from evenhand.mitigations.target import Targets
from evenhand.stats.estimate import Outcome, Undefined

BY_SCORE, AS_THEY_WERE = "by score", "as they were"
"""Contenders that are no re-rankers."""


@dataclass(frozen=True)
class On:
    """A contender on one half.

    Attributes:
        figures: What its lists are measured at.
        certificate: What is guaranteed of them; None of lists that no re-ranker made.

    """

    figures: Figures
    certificate: Certificate | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        found = self.figures
        return {
            "requests": found.requests,
            "units": found.units,
            "exposure": _limits(found.exposure),
            "exposure_change": _limits(found.exposure_change),
            "utility": {**_limits(found.utility), "value": found.worth},
            "utility_change": _limits(found.utility_change),
            "groups": [
                {**_share(one), "change": _limits(found.group_changes[name_of(one.group)])}
                for one in found.groups
            ],
            "certificate": None if self.certificate is None else self.certificate.to_dict(),
        }


@dataclass(frozen=True)
class Contender:
    """A re-ranker, or an order that needs none.

    Attributes:
        name: As it is written; `BY_SCORE` or `AS_THEY_WERE` for no re-ranker.
        choosing: On the half to choose on; None where it failed.
        held_out: On the half held out; None where it failed.
        failed: Why there are no figures of a half; empty where there are.
        front: Whether, on the half to choose on, no other has more of one and no less of the other.
        like: The first contender whose lists of the half held out are the very same; empty for
            none.

    """

    name: str
    choosing: On | None
    held_out: On | None
    failed: str = ""
    front: bool = False
    like: str = ""

    @property
    def reranks(self) -> bool:
        """Whether it is a re-ranker."""
        return self.name not in {BY_SCORE, AS_THEY_WERE}

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "method": self.name,
            "reranks": self.reranks,
            "front": self.front,
            "same_lists_as": self.like or None,
            "failed": self.failed or None,
            "choosing": None if self.choosing is None else self.choosing.to_dict(),
            "held_out": None if self.held_out is None else self.held_out.to_dict(),
        }


@dataclass(frozen=True)
class Choice:
    """What was chosen.

    Attributes:
        at_least: The least figure of exposure, on the half to choose on.
        name: The contender of most utility that reaches it; empty where none does.
        closest: Where none does, the contender that comes closest.
        held: Whether it is reached on the half held out as well: ``yes`` or ``no`` where the
            interval says so, else ``open``; empty where nothing was chosen.

    """

    at_least: float
    name: str
    closest: str
    held: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "at_least": self.at_least,
            "chosen": self.name or None,
            "closest": self.closest or None,
            "held": self.held or None,
        }


@dataclass(frozen=True)
class Tradeoff:
    """Re-rankers of one log, utility against exposure.

    Attributes:
        yardstick: What they are measured by.
        contenders: The order by score, the lists as they were where the log has a rank, then the
            re-rankers in the order in which they were named.
        choice: What was chosen; None where nothing was asked for.
        targets: The share that each group is to have, learnt on the half to choose on; ``request``
            for those of each request's own candidates.
        left_out: Why re-rankers were not tried, by name.
        unit: The column of what is independent.
        units: Number of units to choose on, and held out.
        seed: Of the split.
        share: Of the units that are chosen on.
        doubts: What speaks against believing the figures.

    """

    yardstick: Yardstick
    contenders: tuple[Contender, ...]
    choice: Choice | None
    targets: Targets
    left_out: Mapping[str, str]
    unit: str
    units: tuple[int, int]
    seed: int
    share: float
    doubts: tuple[str, ...] = ()

    def of(self, name: str) -> Contender:
        """Return a contender by name."""
        return next(one for one in self.contenders if one.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evenhand mitigate --compare --json`` prints."""
        return {
            "item_group": self.yardstick.of,
            "top": self.yardstick.k,
            "exposure": self.yardstick.exposure,
            "utility": self.yardstick.utility,
            "level": self.yardstick.level,
            "targets": (
                {str(name): share for name, share in self.targets.items()}
                if isinstance(self.targets, Mapping)
                else self.targets
            ),
            "unit": self.unit,
            "units": {"choosing": self.units[0], "held_out": self.units[1]},
            "seed": self.seed,
            "choose_on": self.share,
            "choice": None if self.choice is None else self.choice.to_dict(),
            "contenders": [one.to_dict() for one in self.contenders],
            "left_out": dict(self.left_out),
            "doubts": [*self.doubts],
        }


def _limits(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, Undefined):
        return {"value": None, "low": None, "high": None, "undefined": outcome.reason}
    return {
        "value": outcome.value,
        "low": outcome.low,
        "high": outcome.high,
        "undefined": None,
    }


def _share(one: GroupFinding) -> dict[str, Any]:
    return {
        "group": name_of(one.group),
        "share": _limits(one.outcome),
        "candidates": one.target,
        "compared": one.compared,
    }
