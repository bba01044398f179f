"""The value of a policy: what the items that it shows are worth, from the lists of another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evenhand.measures.figure import Figure, SmoothFunction
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.policy import SNIPS
from evenhand.measures.ranking import Condition, Ranking, judged
from evenhand.measures.rankings.item_group import is_name, named
from evenhand.measures.rankings.overlap import (
    TOO_FEW,
    overlap_names,
    overlap_of_requests,
    told_by_enough,
    weighed,
    with_overlap,
    with_own_overlap,
)
from evenhand.notation import Value
from evenhand.stats.delta import Function


class OfPolicy(Ranking):
    """A figure of what a policy shows up to slot k, over all requests together."""

    policy: Value
    k: int | None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return () if self.shown_by.logged else (weighed(self.shown_by, self.k),)

    @property
    def counted(self) -> tuple[str, ...]:
        return overlap_names(self.shown_by, self.k)

    @property
    def items(self) -> str:
        """The number of shown items."""
        return overlap_names(self.shown_by, self.k)[0]

    @property
    def weight(self) -> str:
        """The sum of their weights."""
        return overlap_names(self.shown_by, self.k)[1]

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return overlap_of_requests(lists, self.shown_by, self.k)

    def told(self, figure: SmoothFunction, s: TermSums) -> SmoothFunction:
        """Return a figure that says what it is a mean over, and how the policies overlap."""
        figure = replace(figure, about={"weighs": ALIKE, **figure.about})
        return figure if self.shown_by.logged else with_overlap(figure, s, self.shown_by, self.k)


OF_ANOTHER = "It is a figure of another policy: policy=ips(COLUMN)."
"""What is wrong where the policy is that which wrote the log."""

ALIKE = "every shown item alike, before its weight: long lists count for more"
"""What figures of policies are means over."""


class _Worth(OfPolicy):
    """A figure of what the shown items are worth, or those of one group of them."""

    of: str | None
    group: Value | None

    def problem(self) -> str:
        if (self.of is None) != (self.group is None):
            return "of= and group= go together: the attribute of items, and one group of it."
        if self.group is not None and not is_name(self.group):
            return "group= names one group of the items, which is known."
        return super().problem()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (judged(self.k), *super().conditions)

    @property
    def counted(self) -> tuple[str, ...]:
        own = () if self.of is None else overlap_names(self.shown_by, self.k, self._whose)
        return (*super().counted, self.worth, *own)

    @property
    def worth(self) -> str:
        """The sum of the relevance of the shown items, each times its weight."""
        return f"relevance under {self.shown_by.weighing or 'the log'} of {self.items}{self._whose}"

    @property
    def _whose(self) -> str:
        return "" if self.group is None else f" of {self.of} {named(self.group)}"

    def conventions(self) -> Mapping[str, str]:
        if self.of is None:
            return super().conventions()
        says = f"items of unknown {self.of} are among those shown, and what they are worth is not"
        return {**super().conventions(), "unknown": says}

    def part(self, lists: Lists) -> Floats:
        """Return the part of each row's item that counts: all of it, or that of the group."""
        if self.of is None or self.group is None:
            return np.ones(lists.rows)
        return lists.items[self.of].of(named(self.group), lists.rows)

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        part, policy = self.part(lists), self.shown_by
        weights = np.where(lists.within(self.k), policy.weights(lists), 0.0) * part
        found = {**super().numbers(lists), self.worth: lists.total(weights * lists.judged())}
        if self.of is None:
            return found
        return {**found, **overlap_of_requests(lists, policy, self.k, part, self._whose)}

    def told(self, figure: SmoothFunction, s: TermSums) -> SmoothFunction:
        """Return a figure that says, too, how much was shown of the group."""
        found = super().told(figure, s)
        if self.group is None or not s.amounts[self.weight].sum() > 0:
            return found
        shown = s.amounts[overlap_names(self.shown_by, self.k, self._whose)[1]].sum() > 0
        if not shown:
            says = f"no item of {self.of} '{named(self.group)}' is shown; check the name"
            return replace(found, about={**found.about, "group": says})
        if self.shown_by.logged:
            return found
        return with_own_overlap(found, s, self.shown_by, self.k, self._whose)

    def per_item(self) -> Function:
        """Return the value of the policy as a function of sums."""
        over = self.weight if self.shown_by.name == SNIPS else self.items
        # 0 over 0, and so undefined, where the policies do not overlap; else times exactly 1.
        found = told_by_enough(
            lambda t: t[self.worth] / t[over] * (t[self.weight] / t[self.weight]),
            self.shown_by,
            self.k,
        )
        if self.of is None:
            return found
        return told_by_enough(found, self.shown_by, self.k, self._whose)


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness",),
    cites="Horvitz and Thompson 1952; Swaminathan and Joachims 2015",
)
class PolicyValue(_Worth):
    """Relevance, such as clicks, of a shown item up to slot k under a policy; in [0, inf).

    With ``policy=logged`` the sum of the relevance of what was shown over the number of shown
    items. With ``policy=ips(new)`` each item counts by its weight, the chance of it in its slot
    under the other policy, column ``new``, over the propensity: unbiased where the other policy
    fills as many slots and shows nothing that the log could not. ``policy=snips(new)`` divides by
    the sum of weights instead of the number of items: a little biased, mostly less noisy, and
    about the policy given that it shows what the log can. Both take what an item is worth in its
    slot to depend on nothing else in the list; with ``ips(new, given=above)``, of chances given the
    items above, it may depend on those. There is no figure where a shown item lacks relevance,
    propensity or its other chance, nor where too few items carry it: below 100 in effect, and a
    tenth of those shown.

    With ``of=tier, group=small`` it is the part of the value that goes to one group of items: their
    relevance, still over all items, so that groups add up to the value, but for items of unknown
    group. An item of several groups gives each its part. The group's own items must carry it, too.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"slot": [1, 1, 1], "by": [.5, .25, .25], "new": [.1, .4, .5]})
    >>> rows = rows.with_columns(click=pl.Series([0, 1, 1]), q=pl.Series([1, 2, 3]))
    >>> roles = {"request": "q", "rank": "slot", "relevance": "click", "propensity": "by"}
    >>> log = eh.log(rows, kind="recommendation", **roles)
    >>> eh.estimate("policy_value(policy=ips(new))", log).value        # (.4 + .5) / .25 / 3
    1.2
    >>> round(eh.estimate("policy_value(policy=snips(new))", log).value, 4)    # 3.6 / 3.8
    0.9474
    """

    policy: Value
    of: str | None = None
    group: Value | None = None
    k: int | None = None

    def finalise(self, s: TermSums) -> Figure:
        found = s.function(
            self.per_item(),
            among="requests",
            empty=self.empty,
            within=(0.0, np.inf),
            otherwise=TOO_FEW,
        )
        return self.told(found, s)


@measure(
    needs=("rank", "relevance"),
    better="higher",
    tags=("fairness",),
    cites="Horvitz and Thompson 1952; Swaminathan and Joachims 2015",
)
class PolicyGain(_Worth):
    """Value of another policy less that of the policy that wrote the log; in (-inf, inf).

    The ``policy_value`` under ``policy=ips(new)`` or ``policy=snips(new)`` less that under
    ``policy=logged``, of the same shown items, which vary together. At 0 neither is better. With
    ``of=tier, group=small`` it is what one group of items gains.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"slot": [1, 1, 1], "by": [.5, .25, .25], "new": [.1, .4, .5]})
    >>> rows = rows.with_columns(click=pl.Series([0, 1, 1]), q=pl.Series([1, 2, 3]))
    >>> roles = {"request": "q", "rank": "slot", "relevance": "click", "propensity": "by"}
    >>> log = eh.log(rows, kind="recommendation", **roles)
    >>> round(eh.estimate("policy_gain(policy=ips(new))", log).value, 4)    # 1.2 - 2 / 3
    0.5333
    """

    policy: Value
    of: str | None = None
    group: Value | None = None
    k: int | None = None

    def problem(self) -> str:
        return super().problem() or (OF_ANOTHER if self.shown_by.logged else "")

    @property
    def counted(self) -> tuple[str, ...]:
        return (*super().counted, self.logged)

    @property
    def logged(self) -> str:
        """The sum of the relevance of the shown items."""
        return f"relevance of {self.items}{self._whose}"

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        worth = lists.judged() * self.part(lists)
        logged = lists.total(np.where(lists.within(self.k), worth, 0.0))
        return {**super().numbers(lists), self.logged: logged}

    def finalise(self, s: TermSums) -> Figure:
        value = self.per_item()
        found = s.function(
            lambda t: value(t) - t[self.logged] / t[self.items],
            among="requests",
            empty=self.empty,
            otherwise=TOO_FEW,
        )
        return self.told(found, s)
