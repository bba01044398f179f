"""Choosing among re-rankers: on one half of the units, told of the other.

Whoever picks the best of many on some rows finds it better on these rows than it is. So the choice
is made on one half of the units, targets are learnt there too, and what is said of it is measured
on the other half, which no choice has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from evenhand.audits.half import Half, halves, together
from evenhand.audits.tradeoff import AS_THEY_WERE, BY_SCORE, Choice, Contender, On, Tradeoff
from evenhand.audits.yardstick import (
    SCORES,
    Audited,
    Yardstick,
    audited,
    figures,
    order_of,
    yardstick_of,
)
from evenhand.errors import EvenhandError, Problem, RoleError, listed
from evenhand.logs.log import Log
from evenhand.mitigations.aim import POPULATION, targets_of
from evenhand.mitigations.candidates import Label
from evenhand.mitigations.certificate import Certificate
from evenhand.mitigations.registry import Reranker, read, reranked
from evenhand.mitigations.target import REQUEST, Targets
from evenhand.mitigations.tried import tried
from evenhand.stats.estimate import Estimate

Progress = Callable[[str, float], None]


def _silent(_: str, __: float) -> None:
    """Show nothing."""


def choose(
    log: Log,
    of: str,
    k: int,
    *,
    methods: Sequence[str] = (),
    target: str | None = None,
    at_least: float | None = None,
    exposure: str | None = None,
    utility: str | None = None,
    seed: int = 0,
    share: float = 0.5,
    level: float = 0.95,
    progress: Progress = _silent,
) -> Tradeoff:
    """Return re-rankers compared on two halves of a log's units, and the choice among them.

    Args:
        log: A log of ranked lists with scores, whose rows fit into memory.
        of: The attribute of items that groups are made of.
        k: Slots to fill, which are also those that count.
        methods: Re-rankers as `evenhand.mitigations.registry.read` reads them; by default those
            that apply.
        target: The share each group is to have: ``population`` (of the candidates of the half to
            choose on; by default), ``request`` (of each request's own candidates), ``equal``, or
            ``a=0.5,b=0.5``.
        at_least: The least figure of exposure, by which the choice is made; None for no choice.
        exposure: The notation of a figure of exposure of which more is better; by default the ratio
            of groups' mean exposure, or with ``equal`` and other shares the least share of exposure
            over its target.
        utility: The notation of a figure of utility; by default nDCG where the log has relevance,
            else the sum of scores by slot.
        seed: Of the split.
        share: Of the units that are chosen on, between 0 and 1.
        level: Coverage of the intervals.
        progress: Told what is being done.

    Raises:
        EvenhandError: The log cannot be split or measured, a target or a notation does not fit, or
            every re-ranker failed.

    """
    progress("reading", 0.0)
    _check(at_least)
    target = target or POPULATION
    of_candidates = target in {POPULATION, REQUEST}
    chosen_on, held_out = halves(log, of, seed=seed, share=share)
    _check_groups(chosen_on, of)
    targets = targets_of(target, chosen_on.listed.candidates) or REQUEST
    # What a request's own shares come to, for what asks for one target.
    due = targets_of(POPULATION, chosen_on.listed.candidates) if targets == REQUEST else targets
    due = due if isinstance(due, Mapping) else {}
    misnamed = {str(name) for name in due} - {*map(str, together(chosen_on, held_out))}
    if misnamed:
        what = f"there are no candidates of {sorted(misnamed)}."
        hint = f"There are {', '.join(map(str, together(chosen_on, held_out)))}."
        raise RoleError(Problem("--target", what, hint))
    yardstick = yardstick_of(
        chosen_on.written(chosen_on.listed.candidates.best(k)),
        of,
        k,
        fixed=not of_candidates,
        exposure=exposure,
        utility=utility,
        level=level,
    )
    lacking = tuple(_lacking(chosen_on, held_out))
    # The half to choose on must not know which other groups there are.
    chosen_on = chosen_on.of(together(chosen_on, also=due))
    held_out = held_out.of(together(held_out, chosen_on))
    left_out: Mapping[str, str] = {}
    if not methods:
        found = tried(chosen_on.listed.candidates, k, due)
        methods, left_out = found.methods, found.left_out
    asked = _Asked(yardstick, k, targets, due, tuple(dict.fromkeys(methods)), seed)
    contenders = _contenders(asked, chosen_on, held_out, progress)
    named = [one for one in contenders if one.reranks]
    if all(one.failed for one in named):
        raise RoleError([Problem(f"'{one.name}'", one.failed) for one in named])
    contenders = _with_front(contenders)
    progress("done", 1.0)
    return Tradeoff(
        yardstick,
        contenders,
        None if at_least is None else _choice(contenders, at_least),
        targets,
        left_out,
        chosen_on.unit,
        (chosen_on.units, held_out.units),
        seed,
        share,
        (*_doubts(chosen_on, yardstick), *lacking),
    )


def _lacking(chosen_on: Half, held_out: Half) -> Iterator[str]:
    """Yield which groups one half lacks, by whose absence figures of both differ."""
    one, other = ({*map(str, half.listed.candidates.names)} for half in (chosen_on, held_out))
    for which, lacked in (("to choose on", other - one), ("held out", one - other)):
        gone = sorted(lacked)
        if gone:
            yield (
                f"The half {which} has no candidate of {listed(gone)}: its figures of exposure "
                "are of fewer groups than those of the other half, and do not compare with them. "
                "Split otherwise (another --seed), or leave out groups of so few candidates."
            )


def _doubts(half: Half, yardstick: Yardstick) -> Iterator[str]:
    """Yield what speaks against believing figures of utility."""
    log = half.log
    if yardstick.utility == SCORES or not {"rank", "relevance"} <= {*log.roles}:
        return
    rows = log.source.frame.select(
        log.roles["rank"].lower(log.schema).is_null().alias("unshown"),
        (log.roles["relevance"].lower(log.schema) > 0).alias("relevant"),
    )
    table = rows.lazy().collect(backend="polars").to_native()
    unshown = table.filter("unshown")["relevant"]
    shown = table.filter(~table["unshown"])["relevant"]
    if len(unshown) and unshown.all() and not shown.all():
        yield (
            f"All {len(unshown):,} candidates that were not shown are relevant: it seems that they "
            "are in the log because they are. A re-ranker that moves them up then looks better "
            f"than it is by {yardstick.utility}. Leave them out, or log all candidates."
        )


def _check(at_least: float | None) -> None:
    if at_least is not None and not at_least > 0:
        what = f"{at_least:g} is not above 0, so that every order reaches it."
        raise RoleError(Problem("--at-least", what, "Write 0.8 for four fifths."))


def _check_groups(chosen_on: Half, of: str) -> None:
    names = chosen_on.listed.candidates.names
    if len(names) < 2:  # noqa: PLR2004 - exposure is shared between two at least
        told = f"'{names[0]}'" if names else "none that is known"
        what = f"of the half to choose on all candidates have one group, {told}."
        hint = "Name another: --item-group COLUMN; or split otherwise: --seed 1."
        raise RoleError(Problem(f"item group '{of}'", what, hint))


@dataclass(frozen=True)
class _Asked:
    """What is asked of both halves."""

    yardstick: Yardstick
    k: int
    targets: Targets
    due: Mapping[Label, float]
    methods: tuple[str, ...]
    seed: int


def _contenders(
    asked: _Asked, chosen_on: Half, held_out: Half, progress: Progress
) -> tuple[Contender, ...]:
    steps = 2 * (2 + len(asked.methods))
    told = 0

    def step(name: str) -> None:
        nonlocal told
        progress(name, told / steps)
        told += 1

    on = [_on(asked, half, step) for half in (chosen_on, held_out)]
    found = []
    for name in on[0]:
        first, second = (each[name] for each in on)
        why = [
            f"{half}{one}"
            for half, one in (("", first), ("on the half held out: ", second))
            if isinstance(one, str)
        ][:1]
        found.append(
            Contender(
                name,
                None if isinstance(first, str) else first[0],
                None if isinstance(second, str) else second[0],
                "".join(why),
                like="" if isinstance(second, str) else second[1],
            )
        )
    return tuple(found)


_Result = tuple[On, str] | str
"""A contender on a half and the one with the same lists, or why there is none."""


def _on(asked: _Asked, half: Half, step: Callable[[str], None]) -> dict[str, _Result]:
    """Return every contender on a half."""
    # A group that the half to choose on did not have was due nothing there.
    due = {name: asked.due.get(name, 0.0) for name in half.listed.candidates.names}
    targets: Targets = REQUEST if asked.targets == REQUEST else due
    step(BY_SCORE)
    best = half.listed.candidates.best(asked.k)
    by_score = audited(half.written(best), best, asked.yardstick, asked.seed)
    seen: dict[bytes, str] = {}
    found: dict[str, _Result] = {}

    def add(name: str, lists: Audited, certificate: Certificate | None) -> None:
        measured = figures(half, lists, by_score, asked.yardstick, due)
        like = seen.setdefault(lists.order.tobytes(), name)
        found[name] = (On(measured, certificate), "" if like == name else like)

    add(BY_SCORE, by_score, None)
    step(AS_THEY_WERE)
    if "rank" in half.log.roles:
        try:
            order = order_of(half, half.log, asked.k)
            add(AS_THEY_WERE, audited(half.log, order, asked.yardstick, asked.seed), None)
        except EvenhandError as error:
            found[AS_THEY_WERE] = _why(error)
    for method in asked.methods:
        step(method)
        try:
            reranker: Reranker = read(method, targets)
            done = reranked(reranker, half.listed.candidates, asked.k, half.listed.requests)
            lists = half.written(done.order)
            add(method, audited(lists, done.order, asked.yardstick, asked.seed), done.certificate)
        except EvenhandError as error:
            found[method] = _why(error)
    return found


def _why(error: EvenhandError) -> str:
    return "; ".join(f"{one.where}: {one.what}" for one in error.problems)


def _with_front(contenders: Sequence[Contender]) -> tuple[Contender, ...]:
    """Mark the contenders than which none has more of one figure and no less of the other."""
    known = {one.name: at for one in contenders if (at := _at(one)) is not None}
    front = {
        name
        for name, at in known.items()
        if not any((other >= at).all() and (other > at).any() for other in known.values())
    }
    return tuple(replace(one, front=one.name in front) for one in contenders)


def _at(one: Contender) -> Any:  # noqa: ANN401 - an array
    """Return exposure and utility on the half to choose on; None where one is not known."""
    if one.choosing is None:
        return None
    exposure, worth = one.choosing.figures.exposure, one.choosing.figures.worth
    if worth is None or not isinstance(exposure, Estimate):
        return None
    # The same lists, added up in another order, must not beat each other.
    return np.array([float(f"{value:.10g}") for value in (exposure.value, worth)])


def _choice(contenders: Sequence[Contender], at_least: float) -> Choice:
    """Return the contender of most utility whose exposure is enough; of like ones the first."""
    known = [(one, at) for one in contenders if (at := _at(one)) is not None]
    enough = [each for each in known if each[1][0] >= at_least]
    if not enough:
        closest = max(known, key=lambda each: (each[1][0], each[1][1]), default=None)
        return Choice(at_least, "", "" if closest is None else closest[0].name, "")
    best, _ = max(enough, key=lambda each: (each[1][1], each[1][0]))
    return Choice(at_least, best.name, "", _held(best, at_least))


def _held(one: Contender, at_least: float) -> str:
    found = None if one.held_out is None else one.held_out.figures.exposure
    if not isinstance(found, Estimate):
        return "open"
    if found.low >= at_least:
        return "yes"
    return "no" if found.high < at_least else "open"
