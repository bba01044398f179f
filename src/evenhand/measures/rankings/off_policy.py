"""How well a log tells of another policy: mean weight, effective sample, unsupported mass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evenhand.errors import Problem, ValueInLogError
from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Condition, Ranking
from evenhand.measures.rankings.overlap import NOTHING, overlap_names
from evenhand.measures.rankings.policy_value import ALIKE, OF_ANOTHER, OfPolicy
from evenhand.notation import Value

_ROUNDING = 1e-6
"""By how much chances may add up to more than 1 for rounding."""


class _Overlap(OfPolicy):
    """A figure of the weights alone."""

    policy: Value
    k: int | None

    def problem(self) -> str:
        return super().problem() or (OF_ANOTHER if self.shown_by.logged else "")


@measure(needs=("rank",), better=None, tags=("fairness",), cites="Horvitz and Thompson 1952")
class MeanWeight(_Overlap):
    """Mean weight of a shown item, chance under another policy over propensity; in [0, inf).

    Its expectation is the other policy's mass on what the log can show: 1 where that is everything,
    so that 1 less it estimates the unsupported mass. Above 1 by more than chance it says that the
    two columns are not chances of the same thing.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 2, 3], "slot": 1, "by": [.5, .25, .25], "new": [.1, .4, .5]})
    >>> roles = {"request": "q", "rank": "slot", "propensity": "by"}
    >>> log = eh.log(rows, kind="recommendation", **roles)
    >>> round(eh.estimate("mean_weight(policy=ips(new))", log).value, 4)    # (.2 + 1.6 + 2) / 3
    1.2667
    """

    policy: Value
    k: int | None = None

    def finalise(self, s: TermSums) -> Figure:
        found = s.function(
            lambda t: t[self.weight] / t[self.items] * (t[self.weight] / t[self.weight]),
            among="requests",
            empty=self.empty,
            within=(0.0, np.inf),
            otherwise=NOTHING,
        )
        return self.told(found, s)


@measure(needs=("rank",), better="higher", tags=("fairness",), cites="Kish 1965")
class EffectiveSampleShare(_Overlap):
    """Effective over actual number of shown items, (sum W)^2 / (n sum W^2); in [0, 1].

    W is the weight of a shown item, its chance under another policy over its propensity. It is 1
    when all weigh alike and 1/n when one item has all the weight; the effective number itself
    stands beside every figure of another policy.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 2, 3], "slot": 1, "by": [.5, .25, .25], "new": [.1, .4, .5]})
    >>> roles = {"request": "q", "rank": "slot", "propensity": "by"}
    >>> log = eh.log(rows, kind="recommendation", **roles)
    >>> found = eh.estimate("effective_sample_share(policy=ips(new))", log)
    >>> round(found.value, 4)                                               # 3.8^2 / (3 * 6.6)
    0.7293
    """

    policy: Value
    k: int | None = None

    def finalise(self, s: TermSums) -> Figure:
        items, weight, square, _ = overlap_names(self.shown_by, self.k)
        found = s.function(
            lambda t: t[weight] * t[weight] / (t[items] * t[square]),
            among="requests",
            empty=self.empty,
            within=(0.0, 1.0),
            otherwise=NOTHING,
        )
        return self.told(found, s)


_ONLY_SHOWN = (
    "the log holds no items that were not shown, so it does not tell what it could not show; "
    "1 less mean_weight estimates it"
)


@measure(
    needs=("rank",),
    better="lower",
    tags=("fairness",),
    cites="Sachdeva, Su and Joachims 2020",
)
class UnsupportedMass(Ranking):
    """Share of another policy's mass on items that the log could not have shown; in [0, 1].

    The sum of the other policy's chances of candidates whose propensity is 0 or missing, over the
    number of shown items, each of which is a place of mass 1. A row that was not shown holds its
    chances of being shown in the list at all. Only such rows tell it: there is no figure where the
    log has none, and ``mean_weight`` then bounds it by chance.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1], "slot": [1, None, None], "by": [.5, .5, .0]})
    >>> rows = rows.with_columns(new=pl.Series([.5, .2, .3]))
    >>> roles = {"request": "q", "rank": "slot", "propensity": "by"}
    >>> log = eh.log(rows, kind="recommendation", **roles)
    >>> eh.estimate("unsupported_mass(policy=ips(new))", log).value
    0.3
    """

    policy: Value

    def problem(self) -> str:
        return super().problem() or (OF_ANOTHER if self.shown_by.logged else "")

    @property
    def conditions(self) -> tuple[Condition, ...]:
        policy = self.shown_by

        def holds(lists: Lists) -> Flags:
            lacks = _never(lists) & np.isnan(policy.chances(lists))
            found: Flags = lists.total(lacks) == 0
            return found

        lacks = f"'{policy.column}' of an item that could not be shown"
        return (Condition(f"unsupported by {policy.column}", lacks, holds, unobserved=True),)

    @property
    def counted(self) -> tuple[str, ...]:
        return (f"mass without support by {self.shown_by.column}", "places", "not shown")

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        unsupported, places, unshown = self.counted
        chances = np.nan_to_num(self.shown_by.chances(lists), nan=0.0)
        mass, slots = lists.total(np.where(_never(lists), chances, 0.0)), lists.total(lists.shown)
        many = lists.sound & (mass > slots + _ROUNDING)
        if many.any():
            most = f"{float((mass - slots)[many].max()):g}"
            what = f"chances of what could not be shown exceed a request's slots by up to {most}."
            hint = "They are chances of being shown in the list, and a slot shows one item."
            raise ValueInLogError([Problem(f"column '{self.shown_by.column}'", what, hint)])
        return {unsupported: mass, places: slots, unshown: lists.total(~lists.shown)}

    def finalise(self, s: TermSums) -> Figure:
        unsupported, places, unshown = self.counted
        found = s.function(
            lambda t: t[unsupported] / t[places],
            among="requests",
            empty=self.empty,
            within=(0.0, 1.0),
            otherwise=NOTHING,
        )
        found = replace(found, about={"weighs": ALIKE})
        if s.amounts[unshown].sum() > 0 or not s.rows["requests"].sum():
            return found
        nothing = replace(found, function=lambda t: np.full_like(t[places], np.nan))
        return replace(nothing, otherwise=_ONLY_SHOWN)


def _never(lists: Lists) -> Flags:
    """Return which rows hold a candidate that the log could not, or is not known to, show."""
    if lists.propensity is None:
        raise TypeError("a measure reads propensities and does not need them")
    return np.asarray(~lists.shown & ~(lists.propensity > 0))
