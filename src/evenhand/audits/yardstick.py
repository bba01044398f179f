"""What re-rankers are compared by: exposure and utility, each a figure of the ordinary audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from evenhand.audits.asked import name_of
from evenhand.audits.estimate import estimates
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.comparison import diff
from evenhand.audits.finding import GroupFinding
from evenhand.audits.half import Half
from evenhand.audits.plan.fit import Fit
from evenhand.audits.plan.plan import AuditPlan, LogSource
from evenhand.audits.question import Question, ask
from evenhand.audits.run import run
from evenhand.errors import NotationError, Problem
from evenhand.logs.log import Log, open_log
from evenhand.mitigations.candidates import NOBODY, Floats, Label, Places
from evenhand.mitigations.certificate import discounts
from evenhand.stats.contrast import bonferroni
from evenhand.stats.estimate import Estimate, Outcome, Undefined

SCORES = "sum of score / log2(1 + slot)"
"""Utility where nothing tells what an item was worth."""

ATTAINED = "least share of exposure over its target"
"""Exposure where targets are said that no measure knows."""


@dataclass(frozen=True)
class Yardstick:
    """What lists are measured by.

    Attributes:
        of: The attribute of items that groups are made of.
        k: Slots that count.
        exposure: The notation of the figure of exposure, of which more is better; `ATTAINED` for
            the least share over its target.
        utility: The notation of the figure of utility; `SCORES` for the sum of scores.
        level: Coverage of intervals.

    """

    of: str
    k: int
    exposure: str
    utility: str
    level: float

    @property
    def notations(self) -> list[str]:
        """What the audit of lists is asked for, the shares of groups first."""
        asked = [f"shares(exposure@{self.k}, of={self.of!r})"]
        return asked + [text for text in (self.exposure, self.utility) if text not in _OWN]


_OWN = {ATTAINED, SCORES}


def yardstick_of(
    log: Log,
    of: str,
    k: int,
    *,
    fixed: bool,
    exposure: str | None,
    utility: str | None,
    level: float,
) -> Yardstick:
    """Return what lists of a log are measured by.

    Args:
        log: The log.
        of: The attribute of items that groups are made of.
        k: Slots that count.
        fixed: Whether targets are others than the shares of candidates.
        exposure: A notation; by default the ratio of mean exposure, or `ATTAINED`.
        utility: A notation; by default nDCG where the log has relevance, or `SCORES`.
        level: Coverage of intervals.

    Raises:
        EvenhandError: A notation does not fit the log, or less of its figure is better.

    """
    usual = ATTAINED if fixed else f"ratio(exposure@{k}, of={of!r})"
    worth = f"nDCG@{k}" if "relevance" in log.roles else SCORES
    found, problems = [], []
    for flag, text, by_default in (
        ("exposure", exposure, usual),
        ("utility", utility, worth),
    ):
        if text is None and by_default in _OWN:
            found.append(by_default)
            continue
        (question,) = ask([text or by_default], log)
        found.append(question.key)
        if not _more_is_better(question):
            what = f"'{question.key}' is not a figure of which more is better."
            hint = "Name one, such as AWRF(of=GROUP, target=candidates)@10 or nDCG@10."
            problems.append(Problem(f"--{flag}", what, hint))
    if problems:
        raise NotationError(problems)
    return Yardstick(of, k, found[0], found[1], level)


def _more_is_better(question: Question) -> bool:
    form = None if question.contrast is None else question.contrast.form
    higher = question.measure.better == "higher"
    return form == "ratio" or (higher and form in {None, "worst"})


@dataclass(frozen=True)
class Figures:
    """What one order of the lists of a half is measured at.

    Attributes:
        exposure: The figure of exposure.
        exposure_change: The same less that of the order by score, paired by unit.
        utility: The figure of utility.
        worth: The value of utility, which is known where its interval is not; None for no figure.
        utility_change: Utility less that of the order by score, paired by unit.
        groups: The share of exposure of each group, with its share of candidates as target.
        group_changes: By group that share less that of the order by score, paired by unit.
        requests: Number of requests.
        units: Number of units.

    """

    exposure: Outcome
    exposure_change: Outcome
    utility: Outcome
    worth: float | None
    utility_change: Outcome
    groups: tuple[GroupFinding, ...]
    group_changes: Mapping[str, Outcome]
    requests: int
    units: int


@dataclass(frozen=True)
class Audited:
    """Lists of a half that were audited.

    Attributes:
        log: The lists.
        bundle: Their audit.
        order: The candidates in their first k slots, shape (n, k).

    """

    log: Log
    bundle: Bundle
    order: Places


def audited(log: Log, order: Places, yardstick: Yardstick, seed: int) -> Audited:
    """Return the audit of lists, by the ordinary engine.

    Args:
        log: Lists, as they were or as they were written anew.
        order: The candidates in their first k slots, shape (n, k).
        yardstick: What they are measured by.
        seed: Of simultaneous intervals.

    Raises:
        EvenhandError: The lists cannot be measured.

    """
    plan = AuditPlan(
        evenhand=1,
        log=LogSource(source="lists", kind=log.kind.name),
        unit=[*log.unit.columns],
        level=yardstick.level,
        seed=seed,
        # Groups are of items, and every figure rests on all units: none of few is shown.
        min_units=0,
    )
    fit = Fit(plan, log, {None: ask(yardstick.notations, log)}, {})
    return Audited(log, run(fit, version=""), order)


def gained_by(half: Half, order: Places) -> Floats:
    """Return sum_j score_j / log2(1 + j) of lists, shape (n,).

    A slot that is empty although there are candidates counts as the lowest of their scores: scores
    may be negative, and to show less would be better.
    """
    candidates, k = half.listed.candidates, order.shape[1]
    lowest = np.min(np.where(np.isnan(candidates.scores), np.inf, candidates.scores), axis=1)
    fillable = np.arange(k) < candidates.sizes[:, None]
    empty = np.where(fillable, lowest[:, None], 0.0)
    found: Floats = np.where(order == NOBODY, empty, candidates.scores_at(order)) @ discounts(k)
    return found


def order_of(half: Half, log: Log, k: int) -> Places:
    """Return the candidates in the first k slots of lists, shape (n, k); `NOBODY` for none."""
    asked = log.source.frame.select(log.roles["rank"].lower(log.schema).alias("slot"))
    column: pl.DataFrame = asked.lazy().collect(backend="polars").to_native()
    slots, rows = column["slot"].fill_null(0).cast(pl.Int64).to_numpy(), half.listed.rows
    found = np.full((len(rows), k), NOBODY, np.int64)
    at = np.where(rows >= 0, slots[rows], 0)
    request, place = np.nonzero((at >= 1) & (at <= k))
    found[request, at[request, place] - 1] = place
    return found


def figures(
    half: Half,
    found: Audited,
    by_score: Audited,
    yardstick: Yardstick,
    targets: Mapping[Label, float],
) -> Figures:
    """Return what lists are measured at, beside the order by score.

    Args:
        half: The half.
        found: The lists.
        by_score: The lists by score of the same requests.
        yardstick: What they are measured by.
        targets: The share of each group, for the least share over its target.

    """
    shares, *asked = found.bundle.findings
    # Lists of which no slot differs are alike, whatever stands below those that count.
    same = np.array_equal(found.order, by_score.order)
    changes = {} if same else _changes(by_score.bundle, found.bundle, yardstick.level)
    unchanged = Estimate(0.0, 0.0, 0.0, yardstick.level, "the same lists")

    def change(key: str, group: str = "") -> Outcome:
        return unchanged if same else changes.get((key, group), Undefined("it is not in both"))

    exposure_change: Outcome
    worth: float | None
    if yardstick.exposure == ATTAINED:
        exposure = attained(found.log, yardstick, targets)
        none = Undefined("no interval is defined for the change of a least share over its target")
        exposure_change = unchanged if same else none
    else:
        exposure = asked[0].outcome
        exposure_change = change(yardstick.exposure)
    if yardstick.utility == SCORES:
        gained, best = (gained_by(half, one.order) for one in (found, by_score))
        utility = _mean(half, gained, np.zeros_like(gained), yardstick.level)
        worth = float(gained.mean())
        utility_change = unchanged if same else _mean(half, gained, best, yardstick.level)
    else:
        utility = asked[-1].outcome
        worth = utility.value if isinstance(utility, Estimate) else None
        utility_change = change(yardstick.utility)
    names = [name_of(one.group) for one in shares.groups]
    return Figures(
        exposure,
        exposure_change,
        utility,
        worth,
        utility_change,
        shares.groups,
        {name: change(shares.key, name) for name in names},
        half.listed.candidates.requests,
        half.units,
    )


def attained(log: Log, yardstick: Yardstick, targets: Mapping[Label, float]) -> Outcome:
    """Return the least share of exposure over its target, min_g e_g / p_g; 1 is as targeted.

    Its limits are the least of those of all groups, which hold together. Shares add up to 1, and so
    do targets: the least is 1 at most. A group without a candidate has no share, and there then is
    no least.

    Source: Bonferroni's inequality.
    """
    due = {str(name): share for name, share in targets.items() if share > 0}
    level = bonferroni(yardstick.level, max(1, len(due)))
    (found,) = estimates(yardstick.notations[:1], log, level=level)
    each = {name: group.outcome for group in found.groups for name in group.group.values()}
    ratios = []
    for name, share in due.items():
        outcome = each.get(
            name, Undefined(f"there is no candidate of '{name}', which has a target")
        )
        if isinstance(outcome, Undefined):
            return outcome
        ratios.append((outcome.value / share, outcome.low / share, outcome.high / share))
    if not ratios:
        return Undefined("no group has a target above 0")
    value, low, high = np.minimum(np.min(ratios, axis=0), 1.0).tolist()
    method = f"the least of {len(ratios)} shares over their targets, Bonferroni"
    return Estimate(value, low, high, yardstick.level, method)


def _mean(half: Half, gained: Floats, less: Floats, level: float) -> Outcome:
    """Return the mean of what requests gained, less something, by unit."""
    units = half.listed.frame[half.unit].gather(half.listed.rows[:, 0])
    table = pl.DataFrame({_UNIT: units, "gained": gained, "less": less})
    roles = {"label": "less", "prediction": "gained"}
    log = open_log(table, kind="regression", roles=roles, unit=_UNIT)
    (found,) = estimates(["mean_error"], log, level=level)
    return found.outcome


_UNIT = "unit"


def _changes(before: Bundle, after: Bundle, level: float) -> Mapping[tuple[str, str], Outcome]:
    """Return by how much figures changed, paired by unit, as `evenhand diff` says.

    By notation and group; the group of a figure itself is empty.
    """
    found: dict[tuple[str, str], Outcome] = {}
    for one in diff(before, after, level=level).changes:
        moved, group = one.difference, "" if one.group is None else name_of(one.group)
        known: Outcome = Undefined(moved.reason)
        if moved.value is not None and moved.low is not None and moved.high is not None:
            known = Estimate(moved.value, moved.low, moved.high, level, "paired by unit")
        found.setdefault((one.key, group), known)
    return found
