"""Policies that a figure can be of: the one that wrote the log, or another, by propensities.

Written in notation as ``policy=ips(new)`` or ``policy=snips(new)``, where the column ``new`` holds
the chance with which the other policy would have shown the item of the row in its slot. The role
``propensity`` holds the chance with which the logging policy did. Where both are chances given the
items placed above, as when slots are filled in turn, ``ips(new, given=above)`` multiplies them.
"""

from __future__ import annotations

from dataclasses import dataclass

import narwhals as nw
import numpy as np

from evenhand.measures.lists import Floats, Lists
from evenhand.notation import Term, Value

LOGGED, IPS, SNIPS = "logged", "ips", "snips"
CONTEXT, ABOVE = "context", "above"

_SAYS = {
    LOGGED: "the one that wrote the log",
    IPS: "shown items weighted by '{}' over the propensity (inverse propensity)",
    SNIPS: (
        "shown items weighted by '{}' over the propensity, divided by the sum of weights "
        "(self-normalised)"
    ),
}


@dataclass(frozen=True)
class Policy:
    """The policy whose lists a figure is of.

    Attributes:
        name: ``logged``; ``ips`` for inverse propensities; ``snips`` for those self-normalised.
        column: The chance of the row's item in its slot under the other policy, in [0, 1]; of a
            row that was not shown, its chance of being shown in the list at all. Empty for the
            policy that wrote the log.
        given: What the chances are given: ``context``, what the policy knew of the request; or
            ``above``, also the items in the slots above, so that an item's weight is the product of
            those from the first slot to its own.

    Source: Horvitz and Thompson 1952 (ips); Swaminathan and Joachims 2015 (snips); slot by slot as
    Li et al. 2018, or given those above as McInerney et al. 2020.

    """

    name: str
    column: str = ""
    given: str = CONTEXT

    @property
    def logged(self) -> bool:
        """Whether it is the policy that wrote the log."""
        return self.name == LOGGED

    @property
    def says(self) -> str:
        """The policy and its estimate in words, for readers of a finding."""
        says = _SAYS[self.name].format(self.column)
        return f"{says}, multiplied from the first slot on" if self.given == ABOVE else says

    @property
    def weighing(self) -> str:
        """A name of its weights, the same for ``ips`` and ``snips``."""
        return self.column if self.given == CONTEXT else f"{self.column} given {self.given}"

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the log that are read."""
        return () if self.logged else (self.column,)

    @property
    def needs(self) -> tuple[str, ...]:
        """Roles that are read."""
        return () if self.logged else ("propensity",)

    def chances(self, lists: Lists) -> Floats:
        """Return the chance of each row under the other policy, shape (rows,); nan where missing.

        It is one: what is none stops the run before (`is_no_chance`).
        """
        return lists.columns[self.column]

    def weights(self, lists: Lists) -> Floats:
        """Return the weight of each row, shape (rows,): 0 where it was not shown.

        Where a chance is missing it is nan.
        """
        if self.logged:
            return lists.shown.astype(float)

        def find() -> Floats:
            if lists.propensity is None:
                raise TypeError("a measure reads propensities and does not need them")
            found = np.zeros(lists.rows)
            np.divide(self.chances(lists), lists.propensity, out=found, where=lists.shown)
            return _multiplied(found, lists) if self.given == ABOVE else found

        return lists.known(("weights of", self.weighing), find)

    def __str__(self) -> str:
        given = "" if self.given == CONTEXT else f", given={self.given}"
        return f"{self.name}({self.column}{given})" if self.column else self.name


CHANCE = (
    "It is the chance of the item in its slot under the other policy, in [0, 1]; leave it empty "
    "where it is not known."
)
"""What a column of chances holds."""


def is_no_chance(value: nw.Expr) -> nw.Expr:
    """Return whether a number is below 0 or above 1."""
    return (value < 0) | (value > 1)


def _multiplied(weight: Floats, lists: Lists) -> Floats:
    """Return the product of weights from the first shown item of the request to each."""
    found, shown = weight.copy(), lists.total(lists.shown)
    for step in range(1, int(shown.max(initial=0))):
        rows = lists.starts[:-1][shown > step] + step
        found[rows] = np.minimum(found[rows] * found[rows - 1], _MOST)
    return found


_MOST = 1e30
"""Beyond it an item has all the weight as it is, and powers of the weight could not be summed."""


def policy_from(value: Value) -> Policy | str:
    """Return the policy that a parameter writes, or what is wrong with it."""
    term = Term(value) if isinstance(value, str) else value
    hint = f"Policies: {LOGGED}, {IPS}(COLUMN), {SNIPS}(COLUMN)."
    if not isinstance(term, Term) or term.cutoff is not None or term.name not in _SAYS:
        return f"'{value}' is no policy. {hint}"
    if term.name == LOGGED:
        bare = not term.args and not term.params
        return Policy(LOGGED) if bare else f"{LOGGED} takes no parameters."
    columns = [one.name if one == Term(one.name) else "" for one in map(_termed, term.args)]
    given = dict(term.params)
    if len(columns) != 1 or not columns[0] or not given.keys() <= {"given"}:
        return f"{term.name} takes one column, the chance under the other policy: {term.name}(new)."
    what = given.get("given", CONTEXT)
    if what not in {CONTEXT, ABOVE}:
        return f"given= is {CONTEXT} or {ABOVE}: what the chances are given."
    return Policy(term.name, columns[0], str(what))


def _termed(value: Value) -> Term:
    if isinstance(value, Term):
        return value
    return Term(value if isinstance(value, str) else "")
