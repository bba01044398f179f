"""Finding re-rankers by walking their package, and reading them: ``det_const_sort``."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
import re
from collections.abc import Sequence
from typing import Any, Protocol

import evenhand.mitigations
from evenhand.errors import NotationError, Problem, did_you_mean, listed
from evenhand.mitigations.against import held_against
from evenhand.mitigations.candidates import Candidates
from evenhand.mitigations.certificate import Reranked
from evenhand.mitigations.target import Targets
from evenhand.notation import parse

_STATE = "state"

TARGETS = "targets"
"""The parameter of the shares that groups are to have, which is said beside the notation."""


class Reranker(Protocol):
    """Parameters of a re-ranker."""

    def rerank(self, candidates: Candidates, k: int) -> Reranked:
        """Return new orders of k slots, with what is guaranteed of them."""


@functools.cache
def rerankers() -> dict[str, type[Any]]:
    """Return every re-ranker by name, sorted; its class in snake case, such as ``det_greedy``."""
    found: dict[str, type[Any]] = {}
    for module in pkgutil.walk_packages(evenhand.mitigations.__path__, "evenhand.mitigations."):
        for member in vars(importlib.import_module(module.name)).values():
            if not inspect.isclass(member) or member.__module__ != module.name:
                continue
            if not dataclasses.is_dataclass(member) or not hasattr(member, "rerank"):
                continue
            # A controller goes on from a state, which no notation writes.
            if all(one.name != _STATE for one in dataclasses.fields(member)):
                found[_snake(member.__name__)] = member
    return dict(sorted(found.items()))


def _snake(name: str) -> str:
    """Return a class's name in snake case.

    >>> _snake("DetConstSort"), _snake("FAStarIR"), _snake("PMMF")
    ('det_const_sort', 'fa_star_ir', 'pmmf')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def reranked(
    reranker: Reranker, candidates: Candidates, k: int, requests: Sequence[object]
) -> Reranked:
    """Return what a re-ranker gives for the requests of a log.

    Draws, if it has any, belong to each request; what is lost is held against the optimum under the
    minima that are guaranteed, if there are any (`held_against`).

    Args:
        reranker: The re-ranker.
        candidates: Of n requests.
        k: Number of slots.
        requests: What tells each request from others, n values.

    """
    if "keys" in inspect.signature(reranker.rerank).parameters:
        drawn: Any = reranker
        found: Reranked = drawn.rerank(candidates, k, keys=requests)
    else:
        found = reranker.rerank(candidates, k)
    return held_against(reranker, candidates, found)


def read(text: str, targets: Targets | None = None) -> Reranker:
    """Return the re-ranker that a text writes.

    Args:
        text: Such as ``fa_star_ir(protected=f, p=0.4)`` or ``det_greedy(targets=request)``.
        targets: The share of each group, or ``request``, where it takes any and the text says none.

    Raises:
        NotationError: There is no such re-ranker, or a parameter is unknown or missing.
        RoleError: A parameter is out of range.

    """
    term, known = parse(text), rerankers()
    where = f"'{text}'"
    if term.name not in known:
        what = f"there is no re-ranker '{term.name}'."
        raise NotationError(Problem(where, what, did_you_mean(term.name, [*known])))
    kind = known[term.name]
    fields = {one.name: one for one in dataclasses.fields(kind) if one.init}
    given: dict[str, Any] = dict(term.params)
    problems = []
    if term.args:
        what = f"parameters are given by name, not as '{listed(map(str, term.args))}'."
        problems.append(Problem(where, what))
    for key in given:
        if key not in fields:
            what = f"{term.name} has no parameter '{key}'."
            problems.append(Problem(where, what, did_you_mean(key, [*fields])))
    if TARGETS in fields and TARGETS not in given and targets is not None:
        given[TARGETS] = targets
    missing = [
        one.name
        for one in fields.values()
        if one.name not in given
        and one.default is dataclasses.MISSING
        and one.default_factory is dataclasses.MISSING
    ]
    if missing:
        what = f"{term.name} needs {listed(missing)}."
        hint = f"Write {term.name}({missing[0]}=...)."
        problems.append(Problem(where, what, "Say --target." if missing == [TARGETS] else hint))
    if problems:
        raise NotationError(problems)
    made: Reranker = kind(**given)
    return made
