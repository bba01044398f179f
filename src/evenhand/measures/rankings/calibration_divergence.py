"""Calibration of lists: how far the mix of a list is from the mix that its user likes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from evenhand.measures.figure import Figure
from evenhand.measures.lists import Flags, Floats, Lists
from evenhand.measures.measure import TermSums, is_number, measure
from evenhand.measures.ranking import Condition, PerRequest, all_judged
from evenhand.measures.rankings.awrf import jensen_shannon
from evenhand.measures.rankings.ideal import NOT_SHOWN, of_ideal, with_ideal
from evenhand.measures.rankings.mix import mix
from evenhand.measures.target import Target, target_from
from evenhand.notation import Value

_NAMES = {
    "kl": "Kullback-Leibler of the profile from the smoothed list, in nats",
    "js": "Jensen-Shannon, in bits",
    "hellinger": "Hellinger distance",
}


def kullback_leibler(profile: Floats, listed: Floats, alpha: float) -> Floats:
    """Return KL(p, (1 - alpha) q + alpha p) in nats by request, shape (n,)."""
    smooth = (1 - alpha) * listed + alpha * profile
    ratio = np.divide(profile, smooth, out=np.ones_like(profile), where=profile > 0)
    found: Floats = (profile * np.log(ratio)).sum(axis=1)
    return np.maximum(found, 0.0)


@measure(
    needs=("rank",),
    better="lower",
    tags=("fairness",),
    cites="Steck 2018",
)
class CalibrationDivergence(PerRequest):
    """How far a list's mix by an attribute of items is from its user's profile; in [0, inf).

    Per request, then the mean. KL = sum over groups g of p(g) ln(p(g) / ((1 - a) q(g) + a p(g)))
    with ``alpha`` a = .01: p is the profile, by default the request's relevance by group, of items
    shown or not, q the list's shares of attention by group under a browsing model. 0 when the list
    mixes as the profile does; at most ln(1 / a) = 4.605, where the list has nothing of it. With
    ``divergence=js`` (bits) or ``hellinger`` nothing is smoothed and 1 is the most. ``profile``
    may be any target that AWRF takes. An item of several groups belongs to each in part; items of
    unknown group take no part; requests without a profile or a known item are left out and counted.

    >>> import evenhand as eh, polars as pl
    >>> rows = pl.DataFrame({"q": [1, 1], "slot": [1, None], "liked": [0, 1], "topic": ["a", "b"]})
    >>> log = eh.log(rows, kind="search", request="q", rank="slot", relevance="liked",
    ...              item_groups=["topic"])
    >>> round(eh.estimate("calibration_divergence(of=topic)", log).value, 4)    # ln 100
    4.6052
    """

    of: str
    profile: Value = "relevant"
    divergence: str = "kl"
    alpha: float = 0.01
    browsing: Value = "log2"
    k: int | None = None
    within: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def problem(self) -> str:
        if self.divergence not in _NAMES:
            return f"divergence is {', '.join(_NAMES)}."
        if not (is_number(self.alpha) and 0 < self.alpha < 1):
            return "alpha, the part of the profile in the smoothed list, is between 0 and 1."
        found = target_from(self.profile)
        return found if isinstance(found, str) else super().problem()

    @property
    def aim(self) -> Target | None:
        found = target_from(self.profile)
        return found if isinstance(found, Target) else None

    @property
    def _profile(self) -> Target:
        if self.aim is None:
            raise TypeError(self.problem())
        return self.aim

    @property
    def conditions(self) -> tuple[Condition, ...]:
        of, model = self.of, self.model
        listed = f"no item of known {of} was shown"
        conditions = (
            Condition(f"mix of {of} by {model} to {self.k}", listed, self._some_listed),
            Condition(f"profile {self._profile} of {of}", self._without, self._some_profile),
        )
        known = (all_judged(shown=True),) if self._profile.reads_relevance else ()
        return (*conditions, *known)

    @property
    def _without(self) -> str:
        if self.profile == "relevant":
            return f"no relevant item of known {self.of}"
        return f"the profile of {self.of} is 0 for every group"

    @property
    def counted(self) -> tuple[str, ...]:
        return (str(self), NOT_SHOWN)

    def conventions(self) -> Mapping[str, str]:
        said = {topic: says for topic, says in super().conventions().items() if topic != "target"}
        says = _NAMES[self.divergence]
        if self.divergence == "kl":
            says += f"; alpha {self.alpha:g}"
        return {
            **said,
            "divergence": says,
            "profile": str(self._profile),
            "unknown": f"items of unknown {self.of} take no part in the shares",
        }

    def numbers(self, lists: Lists) -> Mapping[str, Floats]:
        return with_ideal(super().numbers(lists), lists)

    def finalise(self, s: TermSums) -> Figure:
        most = np.log(1 / self.alpha) if self.divergence == "kl" else 1.0
        figure = s.mean(str(self), among="requests", empty=self.empty, within=(0.0, float(most)))
        return of_ideal(figure, s, "profile from") if self._profile.reads_relevance else figure

    def per_request(self, lists: Lists) -> Floats:
        listed, profile = self._shares(lists)
        sound = np.isfinite(listed).all(axis=1) & np.isfinite(profile).all(axis=1)
        found = np.zeros(lists.requests)
        found[sound] = self._divergence(profile[sound], listed[sound])
        return found

    def _divergence(self, profile: Floats, listed: Floats) -> Floats:
        if self.divergence == "kl":
            return kullback_leibler(profile, listed, self.alpha)
        if self.divergence == "js":
            found = jensen_shannon(profile, listed) / np.log(2.0)
        else:
            apart = np.square(np.sqrt(profile) - np.sqrt(listed)).sum(axis=1)
            found = np.sqrt(apart / 2)
        most: Floats = np.minimum(found, 1.0)
        return most

    def _shares(self, lists: Lists) -> tuple[Floats, Floats]:
        """Return the list's shares, and the profile's, of the known groups."""
        mixed, profile = mix(lists, self.of, self.model, self.k, self._profile)
        return mixed, np.broadcast_to(profile, mixed.shape)

    def _some_listed(self, lists: Lists) -> Flags:
        return np.asarray(np.isfinite(self._shares(lists)[0]).all(axis=1))

    def _some_profile(self, lists: Lists) -> Flags:
        """Return which requests have a profile, or would if all items shown were judged."""
        some = np.isfinite(self._shares(lists)[1]).all(axis=1)
        if self._profile.reads_relevance and lists.relevance is not None:
            some = some | (lists.total(lists.shown & np.isnan(lists.relevance)) > 0)
        return np.asarray(some)
