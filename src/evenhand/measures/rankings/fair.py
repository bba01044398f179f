"""FAIR: the ranked group fairness test of FA*IR, passed or not by each list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import is_number, measure
from evenhand.measures.ranking import Condition, PerRequest
from evenhand.measures.rankings.item_group import is_name, known_part, named
from evenhand.measures.rankings.landmark import BY_CHANCE, CHANCE, chance
from evenhand.notation import Value
from evenhand.stats.ranked_group_fairness import PrefixTest, prefix_test

_LONGEST = 5000
_FEW = 20
_NEAR = 1e-9
"""Parts of items add up to whole ones with a rounding error."""


@measure(
    needs=("rank",), better="higher", tags=("fairness",), cites="Zehlike et al. 2017", name="FAIR"
)
class FAIR(PerRequest):
    """Share of lists that pass FA*IR's ranked group fairness test for a group; in [0, 1].

    A list passes if every prefix of i items holds at least m(i) of the group, the smallest tau with
    F(tau; i, p) > alpha_c, F the binomial cdf. alpha_c is such that a list of k whose places are
    tossed with probability p fails with probability alpha at most, which is computed exactly. The
    test asks for more than p only by chance: it does not ask for p i at every prefix. Prefixes are
    of the items of known group at slots up to k; of a shorter list there are fewer, so that it
    fails less often. ``adjusted=False`` tests every prefix at alpha.

    >>> import evenhand as eh, polars as pl
    >>> rows = {"q": [1] * 5 + [2] * 5, "slot": [*range(1, 6)] * 2, "sex": list("mmmmfmmmfm")}
    >>> log = eh.log(pl.DataFrame(rows), kind="search", request="q", rank="slot",
    ...              item_groups=["sex"])
    >>> eh.estimate("FAIR(of=sex, group=f, p=0.5)@5", log).value     # m = 0, 0, 0, 1, 1
    0.5
    """

    of: str
    group: Value
    p: float
    alpha: float = 0.1
    adjusted: Value = True
    k: int | None = None
    within = (0.0, 1.0)
    landmarks = MappingProxyType({CHANCE: BY_CHANCE})

    def problem(self) -> str:
        if not is_name(self.group):
            return "group= names one group of the items, which is known."
        if not (is_number(self.p) and 0 < self.p < 1):
            return "p is the least share of the group, between 0 and 1."
        if not (is_number(self.alpha) and 0 < self.alpha < 1):
            return "alpha is a probability between 0 and 1."
        if not isinstance(self.adjusted, bool):
            return "adjusted is True or False."
        if self.k is None or self.k > _LONGEST:
            return f"FAIR is a test of k places, up to {_LONGEST}: FAIR(of=sex, group=f, p=0.5)@10."
        return super().problem()

    @property
    def test(self) -> PrefixTest:
        """The table of the test."""
        return prefix_test(
            float(self.p), float(self.alpha), self.k or 1, adjusted=bool(self.adjusted)
        )

    @property
    def conditions(self) -> tuple[Condition, ...]:
        name, what = f"known {self.of} to {self.k}", f"no item of known {self.of} was shown"
        what += f" at slots 1 to {self.k}"
        return (Condition(name, what, lambda lists: lists.total(self._counted(lists)) > 0),)

    def conventions(self) -> Mapping[str, str]:
        test = self.test
        found = {
            **super().conventions(),
            "p": f"{self.p:g}",
            "alpha": f"{self.alpha:g}",
            "alpha_c": f"{test.level:.6g}" + ("" if self.adjusted else ", not adjusted"),
            "failure probability": f"{test.failure:.6g} for {self.k} places, exact",
            "unknown": f"items of unknown {self.of} are in no count",
        }
        if len(test.minimum) <= _FEW:
            found["m"] = ", ".join(map(str, test.minimum))
        return found

    def _counted(self, lists: Lists) -> Flags:
        return lists.within(self.k) & (known_part(lists, self.of) > 0)

    def per_request(self, lists: Lists) -> Floats:
        counted = self._counted(lists)
        own = lists.items[self.of].of(named(self.group), lists.rows)
        held = lists.running(np.where(counted, own, 0.0))
        size = lists.running(counted).astype(np.intp)
        least = np.append(0, self.test.minimum)[size]
        fails = lists.total(counted & (held < least - _NEAR))
        return np.where(fails > 0, 0.0, 1.0)

    def beside(self, lists: Lists, own: Floats) -> Mapping[str, Floats]:
        return {CHANCE: chance(self, lists, own, self.of)}
