"""The share of exposure that goes to one group of items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.policy import LOGGED
from evenhand.measures.ranking import Condition, Ranking
from evenhand.measures.rankings.item_group import (
    is_name,
    known_part,
    known_rows,
    named,
    shown_rows,
)
from evenhand.measures.rankings.overlap import (
    TOO_FEW,
    overlap_names,
    overlap_of_rows,
    told_by_enough,
    weighed_row,
    with_overlap,
)
from evenhand.notation import Value


@measure(needs=("rank",), better=None, tags=("fairness",), cites="Singh and Joachims 2018")
class ExposureShare(Ranking):
    """Share of the exposure of all items of known group that goes to one group; in [0, 1].

    The sum of the weights of the slots that the group's items have, over that of all items of known
    group, over all requests together: long lists and weighty slots count for more. An item of
    several groups gives each its part. Under another policy each shown item counts by its weight,
    ``policy=ips(new)``; the mean weight cancels in a share, so ``snips`` gives the same.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2, 2], "slot": [1, 2, 1, 2], "by": ["a", "b", "a", "b"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", item_groups=["by"])
    >>> round(eh.estimate("exposure_share(of=by, group=b)", log).value, 4)  # .6309 / 1.6309
    0.3869
    """

    of: str
    group: Value
    browsing: Value = "log2"
    k: int | None = None
    policy: Value = LOGGED
    view = "rows"

    def problem(self) -> str:
        if not is_name(self.group):
            return "group= names one group of the items, which is known."
        return super().problem()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        found = (shown_rows(self.k), known_rows(self.of))
        return found if self.shown_by.logged else (*found, weighed_row(self.shown_by))

    @property
    def counted(self) -> tuple[str, ...]:
        overlap = () if self.shown_by.logged else overlap_names(self.shown_by, self.k)
        return (self._own, self._all, *overlap)

    @property
    def _how(self) -> str:
        how = f"by {self.model}" + ("" if self.k is None else f" to {self.k}")
        return how if self.shown_by.logged else f"{how} under {self.shown_by.weighing}"

    @property
    def _own(self) -> str:
        return f"exposure of {self.of} {named(self.group)} {self._how}"

    @property
    def _all(self) -> str:
        return f"exposure of known {self.of} {self._how}"

    def conventions(self) -> Mapping[str, str]:
        return {
            **super().conventions(),
            "pooled": "the sum over all requests over the sum over all requests",
            "unknown": f"items of unknown {self.of} have no part in the exposure",
        }

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        weights = self.model.weights(lists, self.k)
        own = lists.items[self.of].of(named(self.group), lists.rows)
        overlap: Mapping[str, Floats] = {}
        if not self.shown_by.logged:
            weights = weights * self.shown_by.weights(lists)
            overlap = overlap_of_rows(lists, self.shown_by, self.k)
        exposure = {self._own: weights * own, self._all: weights * known_part(lists, self.of)}
        return {**exposure, **overlap}

    def finalise(self, s: TermSums) -> Figure:
        found = s.function(
            lambda t: t[self._own] / t[self._all],
            among="rows",
            empty=self.empty,
            within=(0.0, 1.0),
            otherwise=f"no item of known {self.of} has any exposure",
        )
        if not self.shown_by.logged:
            carried = told_by_enough(found.function, self.shown_by, self.k)
            none = TOO_FEW if s.amounts[self._all].sum() > 0 else found.otherwise
            found = replace(found, function=carried, otherwise=none)
            found = with_overlap(found, s, self.shown_by, self.k)
        if s.amounts[self._all].sum() > 0 and not s.amounts[self._own].sum() > 0:
            # A name that is misspelt looks like a group that is never shown.
            says = f"no item of {self.of} '{named(self.group)}' has any exposure; check the name"
            return replace(found, about={**found.about, "group": says})
        return found
