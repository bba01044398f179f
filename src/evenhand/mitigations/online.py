"""What online controllers have in common: a state that counts what was shown, and feedback."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from evenhand.errors import Problem, RoleError
from evenhand.mitigations.candidates import NOBODY, UNKNOWN, Candidates, Floats, Places
from evenhand.mitigations.controller import State, Sums


@dataclass(frozen=True)
class Controller:
    """A re-ranker whose orders depend on what was shown before.

    A value: learning returns the controller that saw more, and keeping an older one is all that a
    rollback needs. Candidates without a group are ranked by score alone, and count towards no one.

    Attributes:
        state: What every server's requests received and merited.
        server: The name under which this server's requests are counted.

    """

    state: State
    server: str = field(default="server", kw_only=True)

    def merge(self, *others: State) -> Self:
        """Return the controller that knows what other servers' states know."""
        state = self.state
        for other in others:
            state = state.merge(other)
        return replace(self, state=state)

    def rollback(self, state: State) -> Self:
        """Return the controller with an earlier state, such as of a snapshot."""
        return replace(self, state=state)

    def counting(self, received: Floats, merit: Floats, requests: int) -> Self:
        """Return the controller after more requests of its own server.

        Args:
            received: What each group received in sum, shape (G,).
            merit: Merit of each group in sum, shape (G,).
            requests: Number of requests, all ranked with the present state.

        """
        state = self.state.added(self.server, Sums(received, merit, requests, requests))
        return replace(self, state=state)

    def check(self, candidates: Candidates, order: Places) -> None:
        """Refuse what cannot have been shown of requests.

        Raises:
            RoleError: Candidates have other groups than the state, or the order is not of these
                requests, has places that no candidate holds, or shows one twice.

        """
        self.state.check(candidates)
        if order.ndim != 2 or len(order) != candidates.requests:  # noqa: PLR2004 - requests x slots
            what = f"it is of shape {order.shape}, and there are {candidates.requests} requests."
            raise RoleError(Problem("order", what, "Give what `rerank` returned."))
        if ((order < NOBODY) | (order >= candidates.sizes[:, None])).any():
            what = "it has places that no candidate holds."
            raise RoleError(Problem("order", what, "Give what `rerank` returned."))
        placed = np.sort(order, axis=1)
        if ((placed[:, 1:] == placed[:, :-1]) & (placed[:, 1:] != NOBODY)).any():
            raise RoleError(Problem("order", "it shows a candidate twice."))

    def by_group(self, groups: Places, values: Floats) -> Floats:
        """Return the sum of each group's values, shape (G,); those of `UNKNOWN` count for none."""
        mine = groups != UNKNOWN
        count = len(self.state.names)
        found = np.bincount(groups[mine], weights=values[mine], minlength=count)
        return found.astype(np.float64)
