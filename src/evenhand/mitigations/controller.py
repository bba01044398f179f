"""What an online controller remembers: how much each group received, and how much it merits.

Servers that rank side by side each count their own requests. A state holds the sums of every server
under its name, so merging is to take each server's newest sums: in any order, and as often as one
likes, with the same bits. A state that travels twice counts once.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from evenhand.errors import BundleError, Problem, RoleError, StateMergeError, did_you_mean, listed
from evenhand.mitigations.candidates import Candidates, Floats, Label
from evenhand.stats.estimate import Undefined

VERSION = 1
"""Of a state's JSON; a reader refuses those it does not know."""


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the requests that one server answered; groups in the order of the state's names.

    Attributes:
        received: What each group received: exposure, or clicks; shape (groups,), float64, >= 0.
        merit: Merit of each group's candidates; shape (groups,), float64, >= 0.
        requests: Number of requests.
        at_once: Most requests that were counted together, such as a batch: they all saw one state.
            None where that is not known, as of snapshots that do not tell.

    """

    received: Floats
    merit: Floats
    requests: int
    at_once: int | None = None

    def plus(self, other: Sums) -> Sums:
        """Return the sums over the requests of both."""
        return Sums(
            self.received + other.received,
            self.merit + other.merit,
            self.requests + other.requests,
            None
            if self.at_once is None or other.at_once is None
            else max(self.at_once, other.at_once),
        )

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        """Whether both have equal sums, bit for bit, however many requests were counted at once."""
        return (
            isinstance(other, Sums)
            and self.requests == other.requests
            and np.array_equal(self.received, other.received)
            and np.array_equal(self.merit, other.merit)
        )


@dataclass(frozen=True)
class State:
    """Sums of every server over all requests so far, t of them.

    A group's treatment is what it received per merit, q_g = received_g / merit_g: the ratio of
    exposure to merit of Morik et al. (2020, section 4), in which both means over the group's items
    have one denominator, so that it cancels. A group without merit has none: it is named, and never
    divided by.

    Attributes:
        names: The groups, each once; items themselves, where each is to be treated by itself.
        by_server: Sums of each server by its name.

    """

    names: tuple[Label, ...]
    by_server: Mapping[str, Sums]

    def __post_init__(self) -> None:
        """Refuse sums that are none."""
        count = len(self.names)
        problems = []
        for server, sums in self.by_server.items():
            where = f"state of server {server!r}"
            if sums.received.shape != (count,) or sums.merit.shape != (count,):
                problems.append(Problem(where, f"its sums are not of {count} groups."))
            elif not all((np.isfinite(s) & (s >= 0)).all() for s in (sums.received, sums.merit)):
                problems.append(Problem(where, "some sums are negative, infinite or none."))
            if sums.requests < 0:
                problems.append(Problem(where, f"it answered {sums.requests} requests."))
            elif sums.at_once is not None and not 0 <= sums.at_once <= sums.requests:
                what = f"it answered {sums.requests} requests, and {sums.at_once} of them at once."
                problems.append(Problem(where, what))
        if problems:
            raise RoleError(problems)

    @classmethod
    def of(cls, names: Iterable[Label]) -> Self:
        """Return the state before the first request."""
        return cls(_once(names), {})

    @cached_property
    def total(self) -> Sums:
        """Sums over all servers, added in the order of their names: the same bits everywhere."""
        found = Sums(np.zeros(len(self.names)), np.zeros(len(self.names)), 0, 0)
        for server in sorted(self.by_server):
            found = found.plus(self.by_server[server])
        return found

    @property
    def requests(self) -> int:
        """Number of requests so far, t."""
        return self.total.requests

    @property
    def at_once(self) -> int | Undefined:
        """Most requests so far that saw one state; undefined where several servers answered.

        Each of those ranked without what the others did since they last merged, and nothing tells
        how much that was.
        """
        answered = [sums for sums in self.by_server.values() if sums.requests]
        if len(answered) > 1:
            return Undefined(f"{len(answered)} servers answered, each without the others' newest")
        most = max((sums.at_once for sums in answered if sums.at_once is not None), default=None)
        if answered and most is None:
            return Undefined("the state does not say how many requests were ranked at once")
        return most or 0

    @cached_property
    def treatment(self) -> Floats:
        """What each group received per merit, q_g; NaN without merit, shape (groups,)."""
        merit = self.total.merit
        found = np.full(len(merit), math.nan)
        np.divide(self.total.received, merit, out=found, where=merit > 0)
        return found

    @property
    def without_merit(self) -> tuple[Label, ...]:
        """Groups that have no treatment, because they have no merit so far."""
        lacking = np.isnan(self.treatment)
        return tuple(self.names[place] for place in np.flatnonzero(lacking))

    def errors(self) -> Floats:
        """Return t * (max_j q_j - q_g), which grows while a group is behind; shape (groups,).

        0 for the best-treated group, for groups without merit and before the first request. It is
        err_t of Morik et al. (2020), with t - 1 requests before the present one. As t
        adds up over servers and the ratio is of their sums, servers that each were unfair by the
        same rate ask for their corrections together.
        """
        known = self.treatment[~np.isnan(self.treatment)]
        if not len(known):
            return np.zeros(len(self.names))
        behind = np.where(np.isnan(self.treatment), 0.0, known.max() - self.treatment)
        found: Floats = self.requests * behind
        return found

    def gap(self) -> float | Undefined:
        """Return the largest less the smallest treatment, max_j q_j - min_j q_j; 0 is fair."""
        return self._refusal() or float(self.treatment.max() - self.treatment.min())

    def disparity(self) -> float | Undefined:
        """Return the mean of abs(q_i - q_j) over pairs of groups; 0 is fair.

        Overall disparity D_t of Morik et al. (2020).
        """
        refusal = self._refusal()
        if refusal:
            return refusal
        count = len(self.names)
        # Of sorted values, the i-th of n (from 0) is i times the larger and n - 1 - i the smaller.
        signs = 2 * np.arange(count) - (count - 1)
        return float(signs @ np.sort(self.treatment) / (count * (count - 1) / 2))

    def _refusal(self) -> Undefined | None:
        lacking = self.without_merit
        if lacking:
            return Undefined(f"no merit so far for {listed(map(repr, lacking[:_SHOWN]))}")
        if len(self.names) < 2:  # noqa: PLR2004 - two to compare
            return Undefined("fewer than two groups")
        return None

    def added(self, server: str, sums: Sums) -> State:
        """Return the state after more requests of a server, in O(groups)."""
        before = self.by_server.get(server)
        after = sums if before is None else before.plus(sums)
        return State(self.names, {**self.by_server, server: after})

    def grown(self, names: Iterable[Label]) -> State:
        """Return the state with new groups, such as new items, that received and merit nothing."""
        known = set(self.names)
        new = _once(name for name in names if name not in known)
        more = np.zeros(len(new))
        return State(
            (*self.names, *new),
            {
                server: Sums(
                    np.concatenate([sums.received, more]),
                    np.concatenate([sums.merit, more]),
                    sums.requests,
                    sums.at_once,
                )
                for server, sums in self.by_server.items()
            },
        )

    def merge(self, other: State) -> State:
        """Return the state that knows what both know: of each server, the newer sums.

        Commutative, associative and idempotent, bit for bit. A server's sums are newer where it had
        answered more requests. So to forget requests, all servers go back to one snapshot; one that
        goes back alone goes on under a new name, lest what others know of it replace what it counts
        from then on, and hears of the forgotten requests again when it merges.

        Raises:
            StateMergeError: Groups differ, or two servers go by one name.

        """
        if self.names != other.names:
            what = f"its groups are {listed(self.names)}, and the other's {listed(other.names)}."
            raise StateMergeError(Problem("states", what, "Grow both to the same names first."))
        merged = dict(self.by_server)
        problems = []
        for server, sums in other.by_server.items():
            mine = merged.get(server)
            if mine is None or mine.requests < sums.requests:
                merged[server] = sums
            elif mine == sums:
                known = [one.at_once for one in (mine, sums) if one.at_once is not None]
                merged[server] = replace(mine, at_once=max(known, default=None))
            elif mine.requests == sums.requests:
                what = f"it answered {sums.requests} requests in both, with different sums."
                hint = "Give every server a name of its own."
                problems.append(Problem(f"states, server {server!r}", what, hint))
        if problems:
            raise StateMergeError(problems)
        return State(self.names, merged)

    def to_json(self) -> str:
        """Return it as JSON, from which `from_json` makes the same state, bit for bit."""
        servers = {
            server: {
                "received": sums.received.tolist(),
                "merit": sums.merit.tolist(),
                "requests": sums.requests,
                "at_once": sums.at_once,
            }
            for server, sums in sorted(self.by_server.items())
        }
        return json.dumps({"version": VERSION, "names": list(self.names), "servers": servers})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return a state that was written as JSON.

        Raises:
            BundleError: It is no such JSON, or of a version that is not known.

        """
        where, hint = "snapshot of a controller", "It must be what `to_json` wrote."
        try:
            found: Any = json.loads(text)
            version = found["version"]
        except (ValueError, KeyError, TypeError) as error:
            raise BundleError(Problem(where, f"it cannot be read: {error}", hint)) from error
        if version != VERSION:
            what = f"it is of version {version!r}, and this reads {VERSION}."
            raise BundleError(Problem(where, what, "Read it with the Evenhand that wrote it."))
        try:
            servers = {
                server: Sums(
                    np.array(sums["received"], np.float64),
                    np.array(sums["merit"], np.float64),
                    operator.index(sums["requests"]),
                    None if sums.get("at_once") is None else operator.index(sums["at_once"]),
                )
                for server, sums in found["servers"].items()
            }
            return cls(_once(found["names"]), servers)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(Problem(where, f"it cannot be read: {error}", hint)) from error

    def check(self, candidates: Candidates) -> None:
        """Refuse candidates of other groups.

        Raises:
            RoleError: Their groups are not those of the state.

        """
        # Of a hundred thousand items the comparison alone would take longer than the ranking.
        if candidates.names is self.names or candidates.names == self.names:
            return
        unknown = [name for name in candidates.names if name not in self.names]
        if unknown:
            problems = [
                Problem(
                    f"candidates, group {name!r}",
                    "the controller does not know it.",
                    f"{did_you_mean(str(name), [str(known) for known in self.names])} "
                    "Grow the state by new groups first.",
                )
                for name in unknown[:_SHOWN]
            ]
            raise RoleError(problems)
        what = f"they are {listed(candidates.names)}, and the state's {listed(self.names)}."
        hint = "Give the state's names to the candidates, in the same order."
        raise RoleError(Problem("candidates, names of groups", what, hint))


def _once(names: Iterable[Label]) -> tuple[Label, ...]:
    """Return the names, refused where one is there twice."""
    found = tuple(names)
    if len(set(found)) < len(found):
        raise RoleError(Problem("names of groups", "a group is named twice."))
    return found


_SHOWN = 10
"""Names that a message lists."""
