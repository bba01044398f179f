"""Figures of a measure: right in every group, undefined with a reason, with an interval, kept."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from itertools import chain

import numpy as np
import polars as pl

from evenhand.audits import Finding
from evenhand.audits.evidence.document import read_findings
from evenhand.conformance.declared import range_of
from evenhand.conformance.row import Rows, log_of, random_rows, roles_of, rows_by_group, scaled
from evenhand.conformance.subject import Subject
from evenhand.errors import EvenhandError, Problem
from evenhand.measures.measure import CLASSIFIED, OneClass
from evenhand.stats.estimate import Estimate, Outcome, Undefined

_SIZE = 400
_ROUNDING = 1e-9
_LEVEL = 0.95
_UNSEEN = "Leave tolerates as it is, and need no role that the measure does not read."


def reference_problems(subject: Subject) -> Iterator[Problem]:
    """Yield in which groups a figure is not that of the naive reference."""
    rows = scaled(random_rows(np.random.default_rng(11), _SIZE), subject.measure)
    for weight in (False, True):
        promise = "with weights" if weight else "without weights"
        log = log_of(rows, subject.kind, weight=weight)
        plain = rows_by_group(rows, subject.kind, weight=weight)
        found = subject.difference(log)
        for group in found.groups:
            name = group.group["group"]
            yield from _against(subject, promise, f"group {name}", plain[name], group.outcome)
            if subject.trials is not None and group.rows != subject.trials(plain[name]):
                trials = subject.trials(plain[name])
                what = f"it counts {group.rows} trials in group {name}, the reference {trials}."
                yield subject.problem(promise, what)
        everyone = Rows(chain.from_iterable(plain.values()))
        # Outside everyone there is nobody: a figure that looks there has no reference.
        if subject.reference(everyone) is not None:
            outcome = subject.overall(log).outcome
            yield from _against(subject, promise, "the whole log", everyone, outcome)


def range_problems(subject: Subject) -> Iterator[Problem]:
    """Yield which figures are outside the range that the docstring tells."""
    low, high = range_of(type(subject.measure)) or (-math.inf, math.inf)
    rows = scaled(random_rows(np.random.default_rng(12), _SIZE), subject.measure)
    for group in subject.difference(log_of(rows, subject.kind)).groups:
        outcome = group.outcome
        if isinstance(outcome, Estimate) and not low <= outcome.value <= high:
            what = (
                f"{outcome.value:.6g} is outside the range of the docstring, {low:g} to {high:g}."
            )
            yield subject.problem("range", what)
            return


def interval_problems(subject: Subject) -> Iterator[Problem]:
    """Yield what is wrong with the interval of a figure, and of a difference over groups."""
    rows = scaled(random_rows(np.random.default_rng(13), _SIZE), subject.measure)
    for unit in ("row", "unit"):
        found = subject.difference(log_of(rows, subject.kind, unit))
        parts = {f"group {one.group['group']}": one.outcome for one in found.groups}
        for place, outcome in {**parts, "the difference": found.outcome}.items():
            wrong = _wrong_interval(outcome)
            if wrong:
                yield subject.problem("interval", f"with unit {unit}, {place} {wrong}.")
                return


def empty_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that a group in which nothing counts has a figure, or none without a reason."""
    size = 40
    rows = random_rows(np.random.default_rng(3), size).with_columns(
        group=pl.Series(["a", "b"] * (size // 2)),
        # Rows of weight 0 count for nothing.
        weight=pl.Series([1.0, 0.0] * (size // 2)),
    )
    found = subject.difference(log_of(scaled(rows, subject.measure), subject.kind, "row"))
    (empty,) = [group for group in found.groups if group.group["group"] == "b"]
    outcome = empty.outcome
    if isinstance(outcome, Estimate):
        what = f"a group whose rows have weight 0 has the figure {outcome.value:g}."
        yield subject.problem("empty group", what, "Divide 0 by 0: it becomes Undefined.")
    elif not outcome.reason.strip():
        yield subject.problem("empty group", "it is undefined without a reason.")
    elif not found.undefined or "b" not in found.undefined:
        yield subject.problem("empty group", "the difference does not say which group is empty.")
    if not isinstance(outcome, Estimate):
        yield from _kept(subject, found)


def missing_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that labels which were not observed are passed over in silence."""
    if "label" not in subject.measure.needs:
        return
    label = roles_of(subject.kind)["label"]
    rows = scaled(random_rows(np.random.default_rng(5), _SIZE), subject.measure).with_columns(
        group=pl.Series(["a", "b"] * (_SIZE // 2))
    )
    unseen = (pl.col("group") == "a") & (pl.int_range(pl.len()) % 6 == 0)
    rows = rows.with_columns(pl.when(~unseen).then(pl.col(label)).alias(label))
    most = rows[label].null_count()
    found = subject.difference(log_of(rows, subject.kind, weight=False))
    (group,) = [one for one in found.groups if one.group["group"] == "a"]
    if isinstance(group.outcome, Estimate):
        if group.outcome.identified is None:
            what = (
                f"{most} labels are missing, and the figure is {group.outcome.value:g} as if not."
            )
            yield subject.problem("missing labels", what, _UNSEEN)
        return
    counts = [
        int(count.replace(",", "")) for count in re.findall(r"\d[\d,]*", group.outcome.reason)
    ]
    if not any(0 < count <= most for count in counts):
        what = f"it does not say how many are missing: '{group.outcome.reason}'."
        yield subject.problem("missing labels", what)


def kept_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that a finding does not come back from evidence as it was."""
    rows = scaled(random_rows(np.random.default_rng(14), _SIZE), subject.measure)
    yield from _kept(subject, subject.difference(log_of(rows, subject.kind)))


def direction_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that a model which is always wrong is better than one which is always right.

    Not where the pillar is privacy: there the prediction is an attacker's.
    """
    measure = subject.measure
    judged = "label" in measure.needs and {"prediction", "score"} & {*measure.needs}
    if not judged or measure.better is None or "privacy" in measure.tags:
        return
    roles = roles_of(subject.kind)
    rows = random_rows(np.random.default_rng(15), _SIZE)
    classes = measure.reads == "classes"
    label = pl.col(roles["label"])
    right = label if classes else label + (pl.col(roles["prediction"]) - label) / 16
    wrong = 1 - label if classes else -3 * label - 1
    figures = []
    for guess in (right, wrong):
        columns = {roles["prediction"]: guess}
        if "score" in roles:
            columns["score"] = (1 + 6 * guess) / 8
        changed = scaled(rows.with_columns(**columns), measure)
        outcome = subject.overall(log_of(changed, subject.kind)).outcome
        if isinstance(outcome, Undefined):
            return
        figures.append(outcome.value)
    best, worst = figures
    if (best < worst) if measure.better == "higher" else (best > worst):
        what = f"better is '{measure.better}', but a model that is always right has {best:.6g} "
        what += f"and one that is always wrong {worst:.6g}."
        yield subject.problem("better", what, "Turn it, or None where neither is good in itself.")


def class_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that the order in which classes are declared changes the figure."""
    measure = subject.measure
    if measure.reads != "classes" or not {*CLASSIFIED} & {*measure.needs}:
        return
    if isinstance(measure, OneClass):
        return
    names = ("low", "mid", "high")
    rng = np.random.default_rng(16)
    rows = scaled(random_rows(rng, _SIZE), measure).with_columns(
        **{role: rng.choice(names, _SIZE) for role in CLASSIFIED}
    )
    try:
        found = [
            subject.overall(log_of(rows, subject.kind, classes=order)).outcome
            for order in (names, (*names[1:], names[0]))
        ]
    except EvenhandError:
        return  # It refuses more than two classes, and says so.
    one, other = (part.value if isinstance(part, Estimate) else None for part in found)
    if one != other and not (one and other and math.isclose(one, other, rel_tol=_ROUNDING)):
        what = f"with three classes it is {one}, and {other} when they are declared in turn."
        hint = "Inherit OneClass to count one class as positive, or treat all of log.names alike."
        yield subject.problem("classes", what, hint)


def _against(
    subject: Subject, promise: str, place: str, rows: Rows, outcome: Outcome
) -> Iterator[Problem]:
    wanted = subject.reference(rows)
    if wanted is not None and not math.isfinite(wanted):
        wanted = None
    if isinstance(outcome, Undefined):
        if wanted is not None:
            what = f"{place} is undefined ({outcome.reason}), the reference has {wanted:.9g}."
            yield subject.problem(promise, what)
    elif wanted is None:
        what = f"{place} has {outcome.value:.9g}, the reference is undefined."
        yield subject.problem(promise, what)
    elif not math.isclose(outcome.value, wanted, rel_tol=_ROUNDING, abs_tol=1e-12):
        what = f"{place} has {outcome.value:.9g}, the reference {wanted:.9g}."
        yield subject.problem(promise, what)


def _wrong_interval(outcome: Outcome) -> str:
    if isinstance(outcome, Undefined):
        return f"is undefined: {outcome.reason}"
    if math.isnan(outcome.low) or math.isnan(outcome.high):
        return "has no interval"
    if not outcome.low <= outcome.value <= outcome.high:
        return f"is {outcome.value:.6g}, outside [{outcome.low:.6g}, {outcome.high:.6g}]"
    if not outcome.low < outcome.high:
        return f"has an interval of width 0 at {outcome.value:.6g}"
    return "" if outcome.method else "does not name the method of its interval"


def _kept(subject: Subject, found: Finding) -> Iterator[Problem]:
    document: Mapping[str, object] = found.to_dict()
    try:
        text = json.dumps([document], allow_nan=False)
        (read,) = read_findings(json.loads(text), _LEVEL)
    except ValueError as error:
        yield subject.problem("evidence", f"its finding cannot be kept: {error}.")
        return
    if read.to_dict() != document:
        yield subject.problem("evidence", "its finding comes back from evidence as another one.")
