"""Groups that are known only as probabilities: what counts by a proxy say of them.

For every value z of the proxy, P(Y = 1, A = u | z) lies between max(0, P(Y = 1 | z) + P_u(z) - 1)
and min(P(Y = 1 | z), P_u(z)). Averaged over z and divided by P(A = u) these are the ends of the set
of rates that group u may have; the set is a point where every P_u is 0 or 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from evenhand.audits.finding import Exclusion
from evenhand.audits.grouped import Grouped
from evenhand.logs.group import UNKNOWN
from evenhand.logs.proxy import Proxy
from evenhand.measures.figure import Figure, Share
from evenhand.stats.bucket import Dependence
from evenhand.stats.delta import Influences
from evenhand.stats.figure import Figures
from evenhand.stats.interval import Floats
from evenhand.stats.partial import Identified


@dataclass(frozen=True)
class Proxied(Figure):
    """A share by group, where the table of a proxy says who may be in which.

    Attributes:
        inner: The share by value of the proxy.
        chance: P(group | value of the proxy), shape (groups, values).

    Source: Kallus, Mao and Zhou 2022, section 3.

    """

    among: str
    empty: str
    inner: Share
    chance: Floats

    @property
    def rows(self) -> Floats:
        return self.inner.rows @ self.chance.T

    def notes(self) -> Mapping[str, str]:
        return {
            "proxy": "groups are known as probabilities only: numbers of rows and units are "
            "expected ones, and rates lie in a set (Kallus, Mao and Zhou)"
        }

    def undefined(self) -> list[str | None]:
        weight = self.inner.sums.trials.sum(axis=0) @ self.chance.T
        return [None if some > 0 else self.empty for some in weight]

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:
        chance = members.T @ self.chance
        low, high = (self._end(chance, dependent, up=up).figures() for up in (False, True))
        return Identified(low, high)

    def _end(self, chance: Floats, dependent: Dependence | None, *, up: bool) -> Influences:
        """Return one end of the sets of groups with these chances, shape (sets, values)."""
        s = self.inner.sums
        hits, trials = s.successes.sum(axis=0), s.trials.sum(axis=0)
        mass = chance @ trials
        if up:
            bound = hits < trials * chance
            part = np.where(bound, hits, trials * chance)
            by_hits, by_trials = bound.astype(np.float64), np.where(bound, 0.0, chance)
        else:
            bound = hits > trials * (1 - chance)
            part = np.where(bound, hits - trials * (1 - chance), 0.0)
            by_hits, by_trials = bound.astype(np.float64), np.where(bound, chance - 1, 0.0)
        value = part.sum(axis=1) / mass
        by_hits = by_hits / mass[:, None]
        by_trials = (by_trials - value[:, None] * chance) / mass[:, None]
        square_hits, square_trials = (
            squares.sum(axis=0) for squares in (s.square_successes, s.square_trials)
        )
        both = 2 * by_hits * by_trials
        variance = (np.square(by_hits) + both) @ square_hits + np.square(by_trials) @ square_trials
        rows = self.inner.rows @ chance.T
        total = rows.sum(axis=0)
        buckets = None
        if dependent is not None:
            buckets = s.successes @ by_hits.T + s.trials @ by_trials.T
        return Influences(
            value=value,
            rows=total,
            variance=np.maximum(variance, 0.0),
            df=np.maximum(total - 1, 0.0),
            correlation=np.eye(len(chance)),
            buckets=buckets,
            occupied=None if dependent is None else rows,
            within=(0.0, 1.0),
            dependent=dependent,
        )


def proxied(by_value: Grouped, proxy: Proxy, attribute: str, *, bounded: bool) -> Grouped:
    """Return the groups of a proxy from counts by its values.

    Args:
        by_value: The measure by value of the proxy.
        proxy: The probabilities.
        attribute: The name of the group attribute.
        bounded: Whether bounds were asked for; without them the groups have no figures.

    """
    values = [group[attribute] for group in by_value.groups]
    table = dict(proxy.probabilities)
    known = np.array([value in table and value != UNKNOWN for value in values])
    chance = np.array([table.get(value, (0.0,) * len(proxy.groups)) for value in values]).T
    groups = tuple({attribute: name} for name in proxy.groups)
    figure = by_value.figure
    reason = None
    if not bounded:
        reason = f"{attribute} is known only as a probability: write bounds(...) around it"
    elif not isinstance(figure, Share) or figure.curve is not None or figure.among != "rows":
        reason = f"with a proxy, bounds are known for shares of all rows, not for {figure.among}"
    else:
        reason = _unseen(by_value, values)
    if reason is not None or not isinstance(figure, Share):
        return replace(
            by_value,
            groups=groups,
            figure=Nothing(figure.among, figure.empty, figure.rows @ chance.T),
            units=by_value.units.expected(chance),
            reasons=(reason,) * len(groups),
            apart=np.zeros(len(groups), dtype=bool),
        )
    found = Proxied(figure.among, figure.empty, figure, chance)
    left = int(by_value.rows[~known].sum())
    excluded = by_value.excluded
    if left:
        excluded = (*excluded, Exclusion(f"{attribute}: the proxy's table lacks the value", left))
    return replace(
        by_value,
        groups=groups,
        figure=found,
        units=by_value.units.expected(chance),
        reasons=tuple(found.undefined()),
        excluded=excluded,
        apart=np.zeros(len(groups), dtype=bool),
        notes={**by_value.notes, **found.notes()},
    )


def _unseen(by_value: Grouped, values: list[str]) -> str | None:
    """Return for which values of the proxy something was not observed, None if for none.

    That a value has no rows, or one unit with many of them, is no matter for groups.
    """
    known = zip(
        by_value.figure.undefined(),
        by_value.units.reasons(by_value.figure.rows.sum(axis=0)),
        strict=True,
    )
    unseen = [
        f"{value}: {reason}"
        for value, reason, others in zip(values, by_value.reasons, known, strict=True)
        if reason and reason not in others and not reason.startswith("no rows with")
    ]
    return "; ".join(unseen) or None


@dataclass(frozen=True)
class Nothing(Figure):
    """A figure that no group has."""

    among: str
    empty: str
    trials: Floats

    @property
    def rows(self) -> Floats:
        return self.trials

    def undefined(self) -> list[str | None]:
        return [self.empty] * self.trials.shape[1]

    def figures(self, members: Floats, *, dependent: Dependence | None) -> Figures:  # noqa: ARG002
        raise TypeError("no group has this figure")
