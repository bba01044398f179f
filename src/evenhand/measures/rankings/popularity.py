"""Popularity: whether lists show what is popular already, beyond what their users like."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, measure
from evenhand.measures.ranking import Condition, PerRequest, Ranking, all_judged
from evenhand.measures.rankings.column import known_to, not_negative, some_to
from evenhand.measures.rankings.hits import at_level, level_problem, some_relevant

RELEVANT = "relevant"
_FROM_TRAINING = "of an item, as the column gives it; from training data alone"


def _mean(lists: Lists, values: Floats, among: Flags) -> Floats:
    """Return the mean of rows' values among some in each request; 0 where there are none."""
    rows = lists.total(among)
    total = lists.total(np.where(among, values, 0.0))
    return np.divide(total, rows, out=np.zeros_like(total), where=rows > 0)


@measure(
    needs=("rank",),
    better=None,
    tags=("fairness",),
    cites="Yin et al. 2012",
    name="ARP",
)
class ListPopularity(PerRequest):
    """Average recommendation popularity, the mean over items up to slot k; in [0, inf).

    Per request, then the mean; in [0, inf), in the unit of the column ``popularity=`` names, such
    as an item's number of interactions. That number must come from training data alone, as from a
    side table of items: what the audited lists themselves made popular would hide their effect.
    0 when only items without any interaction are shown. There is no figure where an item shown has
    no number: give a new item 0.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 2], "slot": [1, 2, 1], "bought": [8, 2, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot")
    >>> eh.estimate("ARP(popularity=bought)@10", log).value             # (5 + 1) / 2
    3.0
    """

    popularity: str
    k: int | None = None
    within = (0.0, np.inf)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.popularity,)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        return (some_to(self.k), known_to(self.popularity, self.k))

    def conventions(self) -> Mapping[str, str]:
        return {**super().conventions(), "popularity": _FROM_TRAINING}

    def per_request(self, lists: Lists) -> Floats:
        popularity = not_negative(lists, self.popularity, self.name)
        return _mean(lists, popularity, lists.within(self.k))


@measure(
    needs=("rank",),
    better=None,
    tags=("fairness",),
    cites="Abdollahpouri et al. 2019",
)
class PopularityLift(Ranking):
    """How much more popular lists are than profiles, over the profiles; in (-inf, inf).

    (GAP_rec - GAP_profile) / GAP_profile, where GAP, group average popularity, is the mean over
    requests of the mean popularity of the items shown up to slot k, or of those in the profile. At
    least -1: 0 when lists are as popular as what their users like, 1 when twice as popular.
    Contrasted by groups of users it says whose taste is overridden. The profile is the request's
    items of relevance ``rel`` or more, shown or not; ``profile=COLUMN`` names a column that holds
    the mean popularity of what its user liked in training, as in the paper. ``popularity=`` names
    the column of the items' popularity in training data.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1, 1, 2], "slot": [1, 2, None, 1], "bought": [8, 2, 2, 2],
    ...                      "liked": [0, 1, 1, 1]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="liked")
    >>> eh.estimate("popularity_lift(popularity=bought)", log).value    # (5 + 2) / (2 + 2) - 1
    0.75
    """

    popularity: str
    profile: str = RELEVANT
    rel: float = 1
    k: int | None = None

    def problem(self) -> str:
        return level_problem(self.rel)

    def roles(self) -> tuple[str, ...]:
        """Return the roles that are needed: the relevance too where it makes the profile."""
        return (*self.needs, "relevance") if self.profile == RELEVANT else self.needs

    @property
    def columns(self) -> tuple[str, ...]:
        own = () if self.profile == RELEVANT else (self.profile,)
        return (self.popularity, *own)

    @property
    def conditions(self) -> tuple[Condition, ...]:
        shown = (some_to(self.k), known_to(self.popularity, self.k))
        if self.profile != RELEVANT:
            return (*shown, self._known_profile)
        liked = (some_relevant(self.rel), all_judged(shown=True), self._known_liked)
        return (*shown, *liked)

    @property
    def _known_profile(self) -> Condition:
        def holds(lists: Lists) -> Flags:
            found: Flags = lists.total(~np.isfinite(lists.columns[self.profile])) == 0
            return found

        return Condition(f"profile {self.profile}", f"'{self.profile}'", holds, unobserved=True)

    @property
    def _known_liked(self) -> Condition:
        def holds(lists: Lists) -> Flags:
            lacks = lists.relevant(self.rel) & ~np.isfinite(lists.columns[self.popularity])
            found: Flags = lists.total(lacks) == 0
            return found

        name = f"{self.popularity} of relevant {self.rel:g}"
        return Condition(name, f"'{self.popularity}' of a relevant item", holds, unobserved=True)

    @property
    def counted(self) -> tuple[str, ...]:
        return (self._list, self._liked)

    @property
    def _list(self) -> str:
        return f"mean {self.popularity} to {self.k}"

    @property
    def _liked(self) -> str:
        whose = self.profile
        return f"mean {self.popularity} of profile {whose}" + (
            f" {self.rel:g}" if whose == RELEVANT else ""
        )

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        popularity = not_negative(lists, self.popularity, self.name)
        listed = _mean(lists, popularity, lists.within(self.k))
        if self.profile == RELEVANT:
            liked = _mean(lists, popularity, lists.relevant(self.rel))
        else:
            values = not_negative(lists, self.profile, self.name)
            liked = _mean(lists, values, np.ones(lists.rows, np.bool_))
        return {self._list: listed, self._liked: liked}

    def conventions(self) -> Mapping[str, str]:
        profile = f"'{self.profile}' of the request's user"
        if self.profile == RELEVANT:
            profile = f"items of the request with {at_level(self.rel)}, shown or not"
        return {
            **super().conventions(),
            "popularity": _FROM_TRAINING,
            "profile": profile,
            "means": "over the items of a request, then over requests",
        }

    def finalise(self, s: TermSums) -> Figure:
        return s.function(
            lambda t: t[self._list] / t[self._liked] - 1,
            among="requests",
            empty=self.empty,
            within=(-1.0, np.inf),
            needs={self._liked: "the items of all profiles have popularity 0"},
        )
