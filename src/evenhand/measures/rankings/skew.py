"""Skew: the share of a group among the first k items beside its target, as a logarithm."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import measure
from evenhand.measures.ranking import Condition
from evenhand.measures.rankings.item_group import is_name, named
from evenhand.measures.rankings.landmark import BY_CHANCE, CHANCE
from evenhand.measures.rankings.prefix import MaybeInfinite
from evenhand.notation import Value


class Skewed(MaybeInfinite):
    """The skew of one group or of several."""

    landmarks = MappingProxyType({CHANCE: BY_CHANCE})

    @property
    def infinite(self) -> str:
        return (
            f"in a list the skew is infinite: a {self.of} has a target and no item, or items and "
            "no target; smoothing=1 adds an item, shared as the target says"
        )

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "skew": "natural logarithm of share over target"}

    def values(self, lists: Lists) -> Floats:
        prefixes = self.prefixes(lists)
        counts = prefixes.counts
        target = np.broadcast_to(np.nan_to_num(prefixes.target), counts.shape)
        size = counts.sum(axis=1, keepdims=True) + self.smoothing
        with np.errstate(divide="ignore", invalid="ignore"):
            # A group with neither items nor a target has no skew.
            skew = np.log((counts + self.smoothing * target) / size / target)
        return self.of_groups(skew, prefixes.names)

    @abstractmethod
    def of_groups(self, skew: Floats, names: tuple[str, ...]) -> Floats:
        """Return the figure of each request.

        Args:
            skew: The skews, nan where there is none, shape (requests, names).
            names: The groups.

        """


@measure(needs=("rank",), better=None, tags=("fairness",), cites="Geyik et al. 2019", name="Skew")
class Skew(Skewed):
    """Logarithm of a group's share of the first k items over its target; in (-inf, inf).

    ln(share / target) per request, then the mean; 0 is the target, above 0 the group has more.
    Requests in which the group's target is 0 are left out and counted. The skew of a list without
    any of the group is minus infinity, and then there is no mean: ``smoothing=s`` adds s items,
    shared as the target says, to the k.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "by": ["a", "b", "a"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    >>> found = eh.estimate("Skew(of=by, group=a, target=shares(a, 0.5, b, 0.5))", log)
    >>> round(found.value, 4)                                                 # (0 + ln 2) / 2
    0.3466
    """

    of: str
    group: Value
    target: Value = "catalogue"
    smoothing: float = 0.0
    k: int | None = None

    def problem(self) -> str:
        if not is_name(self.group):
            return "group= names one group of the items, which is known."
        return super().problem()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        name = named(self.group)
        aims = f"target {self.target} of {self.of} {name}"
        nothing = f"the target of {self.of} {name} is 0"
        return (*super().conditions, Condition(aims, nothing, self._some_target))

    def _some_target(self, lists: Lists) -> Flags:
        prefixes = self.prefixes(lists)
        due = np.zeros(len(prefixes.target))
        if named(self.group) in prefixes.names:
            due = prefixes.target[:, prefixes.names.index(named(self.group))]
        return np.broadcast_to(np.nan_to_num(due) > 0, (lists.requests,))

    def of_groups(self, skew: Floats, names: tuple[str, ...]) -> Floats:
        if named(self.group) not in names:
            return np.zeros(len(skew))
        found: Floats = skew[:, names.index(named(self.group))]
        return found


@measure(
    needs=("rank",), better="higher", tags=("fairness",), cites="Geyik et al. 2019", name="MinSkew"
)
class MinSkew(Skewed):
    """Skew of the group that is furthest below its target; in (-inf, 0].

    min over groups of ln(share of the first k / target) per request, then the mean; 0 when every
    group has what its target says. Groups without target and items do not count. See `Skew`.

    >>> import evenhand as eh, polars as pl
    >>> rows = {"q": [1, 1, 2, 2, 2], "slot": [1, 2, 1, 2, 3], "by": list("ababa")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot",
    ...              item_groups=["by"])
    >>> found = eh.estimate("MinSkew(of=by, target=shares(a, 0.5, b, 0.5))", log)
    >>> round(found.value, 4)                                           # (0 + ln(2/3)) / 2
    -0.2027
    """

    of: str
    target: Value = "catalogue"
    smoothing: float = 0.0
    k: int | None = None
    within = (-np.inf, 0.0)

    def of_groups(self, skew: Floats, names: tuple[str, ...]) -> Floats:  # noqa: ARG002 - of all
        # Shares and targets add up to 1: where no group is below its own, none is above.
        lowest: Floats = np.where(np.isnan(skew), 0.0, skew).min(axis=1)
        return np.minimum(lowest, 0.0)


@measure(
    needs=("rank",), better="lower", tags=("fairness",), cites="Geyik et al. 2019", name="MaxSkew"
)
class MaxSkew(Skewed):
    """Skew of the group that is furthest above its target; in [0, inf).

    max over groups of ln(share of the first k / target) per request, then the mean; 0 when every
    group has what its target says. Infinite, and so undefined, where a group has items and no
    target. See `Skew`.

    >>> import evenhand as eh, polars as pl
    >>> rows = {"q": [1, 1, 2, 2, 2], "slot": [1, 2, 1, 2, 3], "by": list("ababa")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot",
    ...              item_groups=["by"])
    >>> found = eh.estimate("MaxSkew(of=by, target=shares(a, 0.5, b, 0.5))", log)
    >>> round(found.value, 4)                                           # (0 + ln(4/3)) / 2
    0.1438
    """

    of: str
    target: Value = "catalogue"
    smoothing: float = 0.0
    k: int | None = None
    within = (0.0, np.inf)

    def of_groups(self, skew: Floats, names: tuple[str, ...]) -> Floats:  # noqa: ARG002 - of all
        highest: Floats = np.where(np.isnan(skew), 0.0, skew).max(axis=1)
        return np.maximum(highest, 0.0)
