"""How exposure is spread over items, or over the groups or providers they belong to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ive

from evenhand.measures.items import NOTHING, Effect, PerItem
from evenhand.measures.lists import Floats, Lists
from evenhand.measures.measure import is_number, measure
from evenhand.measures.ranking import SHOWN, WORTH, Condition, all_judged, of_rows
from evenhand.measures.rankings.item_group import known_part
from evenhand.notation import Value

_SQUARES = ", squared"


class _Spread(PerItem):
    """A measure of the sums of a browsing model's weights by item."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (of_rows(SHOWN),)

    @property
    def _name(self) -> str:
        cut: int | None = getattr(self, "k", None)
        return f"exposure by {self.model}" + ("" if cut is None else f" to {cut}")

    @property
    def counted(self) -> tuple[str, ...]:
        return (self._name, f"{self._name}{_SQUARES}")

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        weights = self.model.weights(lists, getattr(self, "k", None))
        return {self._name: weights, f"{self._name}{_SQUARES}": np.square(weights)}


class _TimesShown(PerItem):
    """A measure of how often each item was shown."""

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (of_rows(SHOWN),)

    @property
    def _times(self) -> str:
        return "times shown" if self._cut is None else f"times shown to {self._cut}"

    @property
    def _cut(self) -> int | None:
        cut: int | None = getattr(self, "k", None)
        return cut

    @property
    def counted(self) -> tuple[str, ...]:
        return (self._times,)

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return {self._times: lists.within(self._cut).astype(float)}


def gini(x: Floats, size: int) -> tuple[float, Floats]:
    """Return the Gini index of amounts, and its derivative by each; nan where they add up to 0.

    Args:
        x: Amounts, >= 0, shape (n,).
        size: How many hold an amount; those beyond n hold 0.

    """
    total = x.sum()
    if not total > 0:
        return float("nan"), np.zeros_like(x)
    order = np.argsort(x, kind="stable")
    place = np.empty(len(x))
    place[order] = np.arange(size - len(x) + 1, size + 1)
    # Equal amounts share their mean place.
    _, same = np.unique(x, return_inverse=True)
    place = (np.bincount(same, place) / np.bincount(same))[same]
    slope = (2 * place - size - 1) / (size * total)
    value = float(slope @ x)
    return value, slope - value / total


def _gini_of(table: Floats, size: int) -> Effect:
    value, slope = gini(table.sum(axis=0), size)
    return Effect(value, table @ slope)


@measure(needs=("rank",), better="lower", tags=("fairness",), cites="Gini 1912")
class ExposureGini(_Spread):
    """Gini index of exposure over the items of the catalogue; in [0, 1].

    sum of (2 i - n - 1) x_(i) / (n sum of x), x the exposure of each item in the whole log, sorted
    upwards, and n the number of items, also of those that were never shown. 0 when every item has
    as much, 1 - 1/n when one has all. Chance alone makes the index of a small log larger: figures,
    and their intervals, are of logs of this size. With ``of=provider`` it is over providers, or
    groups. Where the log names no catalogue, its items are those of the log.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"u": [1, 1, 2, 2], "doc": [1, 2, 1, 2], "slot": [1, None, 1, None]})
    >>> log = eh.log(rows, kind="search", request="u", item="doc", rank="slot")
    >>> eh.estimate("exposure_gini", log).value
    0.5
    """

    of: str | None = None
    browsing: Value = "log2"
    k: int | None = None

    def effect(self, sums: Mapping[str, Floats], size: int) -> Effect:
        return _gini_of(sums[self._name], size)

    def beside(self, sums: Mapping[str, Floats], size: int) -> Mapping[str, str]:
        if self.over is not None:
            # Groups hold unlike numbers of items, of which these sums tell nothing.
            return {}
        return chance(sums[self._name].sum(), sums[f"{self._name}{_SQUARES}"].sum(), size)


def chance(total: float, square: float, size: int) -> Mapping[str, str]:
    """Return Gini's index where places fall on items at random, and the least there can be.

    Places of unlike weight count as as many alike as have their spread. Numbers of places by item
    are then nearly Poisson, whose Gini index is exp(-2 m) (I0(2 m) + I1(2 m)) for the mean m.
    """
    if not total > 0 or not size:
        return {}
    places = total**2 / square
    mean = places / size
    at_random = float(ive(0, 2 * mean) + ive(1, 2 * mean))
    least = max(0.0, 1 - places / size)
    return {
        "chance": f"{at_random:.4f} where places fall on items at random, each by itself",
        "best attainable": f"{least:.4f} or more, whatever a list may hold",
    }


@measure(needs=("rank",), better="lower", tags=("fairness",), cites="Gini 1912")
class ItemGini(_TimesShown):
    """Gini index of how often items are shown, over the catalogue; in [0, 1].

    As `exposure_gini` with the same weight for every slot. 0 when every item is shown as often.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"u": [1, 1, 2, 2], "doc": [1, 2, 1, 2], "slot": [1, 2, 1, None]})
    >>> log = eh.log(rows, kind="search", request="u", item="doc", rank="slot")
    >>> round(eh.estimate("item_gini", log).value, 4)           # (2 - 1) / (2 x 3)
    0.1667
    """

    of: str | None = None
    k: int | None = None

    def effect(self, sums: Mapping[str, Floats], size: int) -> Effect:
        return _gini_of(sums[self._times], size)

    def beside(self, sums: Mapping[str, Floats], size: int) -> Mapping[str, str]:
        total = sums[self._times].sum()
        return {} if self.over is not None else chance(total, total, size)


@measure(needs=("rank",), better="lower", tags=("fairness",), cites="Lorenz 1905")
class TopShare(_Spread):
    """Share of all exposure that goes to the most exposed items of the catalogue; in [0, 1].

    One minus Lorenz's curve at 1 - ``share``. Equal to ``share`` when every item has as much. A
    part of an item counts in part.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"u": [1, 1, 2, 2], "doc": [1, 2, 1, 2], "slot": [1, None, 1, None]})
    >>> log = eh.log(rows, kind="search", request="u", item="doc", rank="slot")
    >>> eh.estimate("top_share(share=0.25)", log).value
    0.5
    """

    share: float = 0.1
    of: str | None = None
    browsing: Value = "log2"
    k: int | None = None

    def problem(self) -> str:
        if not (is_number(self.share) and 0 < self.share < 1):
            return "share is between 0 and 1, a part of the catalogue."
        return super().problem()

    def effect(self, sums: Mapping[str, Floats], size: int) -> Effect:
        table = sums[self._name]
        x = table.sum(axis=0)
        total = x.sum()
        if not total > 0:
            return NOTHING
        order = np.argsort(-x, kind="stable")
        inside = np.zeros(len(x))
        inside[order] = np.clip(self.share * size - np.arange(len(x)), 0.0, 1.0)
        value = float(inside @ x / total)
        return Effect(value, table @ (inside - value) / total)


@measure(needs=("rank",), better="higher", tags=("fairness",), cites="Ge et al. 2010")
class Coverage(_TimesShown):
    """Share of the catalogue's items that were shown at all; in [0, 1].

    It grows with the log: compare logs of one size only.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"u": [1, 1, 2, 2], "doc": [1, 2, 1, 2], "slot": [1, None, 1, None]})
    >>> log = eh.log(rows, kind="search", request="u", item="doc", rank="slot")
    >>> eh.estimate("coverage", log).value
    0.5
    """

    of: str | None = None
    k: int | None = None
    of_catalogue = True

    def effect(self, sums: Mapping[str, Floats], size: int) -> Effect:
        seen = sums[self._times] > 0
        if not seen.any():
            return NOTHING
        # Without a bucket, what it alone was shown would be missed.
        alone = (seen & (seen.sum(axis=0) == 1)).sum(axis=1) / size
        occupied = seen.any(axis=1)
        apart = np.where(occupied, alone - alone.sum() / occupied.sum(), 0.0)
        return Effect(float(seen.any(axis=0).sum() / size), apart)


@measure(
    needs=("rank", "relevance"),
    better="lower",
    tags=("fairness",),
    cites="Biega et al. 2018",
)
class AmortisedUnfairness(PerItem):
    """Distance of the attention that items get from their relevance, over the log; in [0, 2].

    sum over items of |sum over requests of (attention - relevance)| over the number of requests,
    where attention and relevance each add up to 1 in a request. 0 when over time every item has
    the share of attention that it has of relevance, though no single list does. With ``of=`` it is
    over groups of items, and over requests with an item of known group. Where little is known of an
    item, chance alone makes it larger.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"u": [1, 1, 2, 2], "doc": [1, 2, 1, 2], "slot": [1, 2, 2, 1]})
    >>> log = eh.log(
    ...     rows.with_columns(worth=1), kind="search", request="u", item="doc", rank="slot",
    ...     relevance="worth",
    ... )
    >>> eh.estimate("amortised_unfairness", log).value
    0.0
    """

    of: str | None = None
    browsing: Value = "log2"
    k: int | None = None
    within = (0.0, 2.0)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        known = all_judged(shown=True), all_judged(shown=False)
        return (of_rows(SHOWN), of_rows(WORTH), *map(of_rows, known))

    @property
    def _name(self) -> str:
        cut = "" if self.k is None else f" to {self.k}"
        return f"attention by {self.model}{cut} less relevance"

    @property
    def counted(self) -> tuple[str, ...]:
        return (self._name, self._each)

    @property
    def _each(self) -> str:
        """The number that adds up to 1 over the items of a request whose sums are kept."""
        return "parts of requests" + ("" if self.over is None else f" by known {self.over}")

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        attention = _normal(lists, self.model.weights(lists, self.k))
        relevance = _normal(lists, lists.judged())
        kept = np.ones(lists.rows) if self.over is None else known_part(lists, self.over)
        total = lists.total(kept)[lists.request]
        each = np.divide(1.0, total, out=np.zeros(lists.rows), where=total > 0)
        return {self._name: attention - relevance, self._each: each}

    def effect(self, sums: Mapping[str, Floats], size: int) -> Effect:  # noqa: ARG002 - all that have any
        apart, requests = sums[self._name], sums[self._each].sum(axis=1)
        if not requests.sum() > 0:
            return NOTHING
        total = apart.sum(axis=0)
        value = float(np.abs(total).sum() / requests.sum())
        return Effect(value, (apart @ np.sign(total) - value * requests) / requests.sum())


def _normal(lists: Lists, weights: Floats) -> Floats:
    total = lists.total(weights)[lists.request]
    return np.divide(weights, total, out=np.zeros(lists.rows), where=total > 0)
