"""The sums of an audit's rows, scope by scope: enough for every figure of its plan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from evenhand.audits.estimate import requests
from evenhand.audits.evidence.bundle import Input
from evenhand.audits.made import UNTOLD, Makers
from evenhand.audits.plan.file import open_plan
from evenhand.audits.plan.fit import Fit, fit
from evenhand.audits.plan.plan import AuditPlan
from evenhand.engine import State, count_units, plan_scan
from evenhand.engine.identity import differences, identity_of, lacking
from evenhand.errors import Problem, StateMergeError
from evenhand.logs.file import Skipped
from evenhand.logs.kinds import kind_named


@dataclass(frozen=True)
class States:
    """An audit's rows, counted; no figure is computed yet.

    Attributes:
        plan: What was asked when they were counted; it names its measures.
        schema: The columns of the log.
        scopes: The state of all rows in scope (None), and of each slice.
        inputs: The files that were read, as far as they are files.
        skipped: The files that were left out.
        versions: The versions of Evenhand that counted.
        name: The file that they are in, for messages; empty for none.
        began: When the counting began; None for states that were read.
        makers: What made the rows, where a probe did; several states of such rows do not merge.

    """

    plan: AuditPlan
    schema: pl.Schema
    scopes: Mapping[str | None, State]
    inputs: tuple[Input, ...]
    skipped: tuple[Skipped, ...]
    versions: tuple[str, ...]
    name: str = ""
    began: dt.datetime | None = None
    makers: Makers = UNTOLD

    @property
    def whole(self) -> State:
        """The state of all rows in scope."""
        return self.scopes[None]

    @property
    def units(self) -> tuple[int, bool]:
        """The number of units, and whether it is exact; of two kinds, that of the first."""
        state = self.whole.of_units
        if not state.units:
            return self.whole.rows, True
        marks = state.units_by(()).frame
        first = marks.columns[0]
        largest = marks.select(first, mark=pl.max_horizontal(pl.exclude(first)))
        return round(count_units(largest["mark"])), False

    def merge(self, other: States, *, unknown_inputs: bool = False) -> States:
        """Return the states of both sets of rows.

        Args:
            other: Other states of the same plan, of other rows.
            unknown_inputs: Whether rows may be merged that are in no file, of which nobody can
                tell whether both have them.

        Raises:
            StateMergeError: They are of different plans, subjects or versions, or have rows in
                common; with every reason.

        """
        problems = [
            *self._of_another_kind(other),
            *_overlap(self, other),
            *([] if unknown_inputs else _unknown(self, other)),
        ]
        if problems:
            raise StateMergeError(problems)
        return States(
            _both(self.plan, other.plan),
            self.schema,
            {scope: state.merge(other.scopes[scope]) for scope, state in self.scopes.items()},
            (
                *self.inputs,
                *(one for one in other.inputs if not (one.table and one in self.inputs)),
            ),
            (*self.skipped, *other.skipped),
            tuple(sorted({*self.versions, *other.versions})),
        )

    def _of_another_kind(self, other: States) -> list[Problem]:
        where = other.name or "merge"
        mine, theirs = ({*map(_series, one.versions)} for one in (self, other))
        if mine != theirs:
            what = f"it was counted by Evenhand {_said(theirs)}, {self.name or 'the others'} by "
            hint = "Count the rows again with one release: sums may mean something else."
            return [Problem(where, f"{what}{_said(mine)}.", hint)]
        found = []
        for part in ("product", "model", "version", "artefact"):
            one, two = (getattr(states.plan.subject, part) for states in (self, other))
            if one != two:
                what = f"its subject's {part} is {two!r}, that of {self.name or 'others'} {one!r}."
                hint = "Merge states of one subject; compare two with evenhand diff."
                found.append(Problem(where, what, hint))
        if self.scopes.keys() != other.scopes.keys():
            different = sorted(map(str, self.scopes.keys() ^ other.scopes.keys()))
            what = f"the slices differ: {', '.join(different)}."
            found.append(Problem(where, what, "Merge states of one plan only."))
        else:
            said = differences(self.whole.identity, other.whole.identity)
            found += [
                Problem(where, f"another plan: {one}.", "Merge states of one plan only.")
                for one in said
            ]
        return found


def fit_states(states: States, plan: str | Path | AuditPlan | None = None) -> Fit:
    """Return a plan that these states can answer.

    Args:
        states: The states.
        plan: The plan, or its file; None for the one that they were counted for. It may ask for
            less, and have other rules.

    Raises:
        PlanError: The plan does not fit the columns.
        StateMergeError: It asks for what the states do not hold.

    """
    rows = pl.LazyFrame(schema=states.schema)
    if isinstance(plan, str | Path):
        fitted = open_plan(plan, table=rows, read=False, joined=True)
    else:
        fitted = fit(plan or states.plan, table=rows, read=False, joined=True)
    where, problems = states.name or "states", []
    if fitted.log.kind.variant and states.plan.sliced and None in fitted.scopes:
        what = "they were counted for slices, and the rows of all of them may be of any variant."
        problems.append(Problem(where, what, _AGAIN))
    for scope, questions in fitted.questions.items():
        if scope not in states.scopes:
            problems.append(Problem(where, f"they have no slice '{scope}'.", _AGAIN))
            continue
        log = fitted.log_of(scope)
        want = plan_scan(requests(questions), log)
        have = states.scopes[scope].identity
        found = lacking(have, identity_of(want, log))
        problems += [Problem(where, f"{said}.", _AGAIN) for said in dict.fromkeys(found)]
    if problems:
        raise StateMergeError(list(dict.fromkeys(problems)))
    return fitted


_AGAIN = "Count the rows again for this plan: evenhand audit PLAN --states x.states."


def merged(all_states: Sequence[States], *, unknown_inputs: bool = False) -> States:
    """Return the states of all rows; see `States.merge`."""
    first, *others = all_states
    kind = kind_named(first.plan.log.kind)
    if others and kind.variant:
        what = f"states of kind '{kind.name}' do not tell which {kind.variant} they are of."
        hint = "Audit the files together: evenhand audit 'attacked-*.parquet'."
        raise StateMergeError(Problem(first.name or "merge", what, hint))
    for other in others:
        name = first.name
        first = replace(first.merge(other, unknown_inputs=unknown_inputs), name=name)
    return replace(first, name="")


def _both(one: AuditPlan, other: AuditPlan) -> AuditPlan:
    """Return the plan of both, whose window is from the first day to the last."""
    days = [day for plan in (one, other) for day in plan.subject.window or ()]
    if not days:
        return one
    window: list[dt.date] | None = [min(days), max(days)]
    if one.subject.window is None or other.subject.window is None:
        window = None
    subject = one.subject.model_copy(update={"window": window})
    return one.model_copy(update={"subject": subject})


def _overlap(one: States, other: States) -> list[Problem]:
    """Return the files that both states were counted from."""
    # Files without rows are often the same file.
    known = {
        file.sha256: file
        for file in one.inputs
        if file.sha256 and file.rows != 0 and not file.table
    }
    found = []
    for file in other.inputs:
        twin = None if file.table else known.get(file.sha256 or "")
        if twin is not None:
            same = "" if twin.name == file.name else f" (as {twin.name})"
            what = f"'{file.name}' is counted in {one.name or 'the others'} already{same}."
            found.append(Problem(other.name or "merge", what, "Leave one of the two out."))
    return found


def _unknown(one: States, other: States) -> list[Problem]:
    return [
        Problem(
            states.name or "merge",
            f"'{file.name}' is no local file: whether its rows are in the others cannot be told.",
            "If you know that they are not: --allow-unknown-inputs (unknown_inputs=True).",
        )
        for states in (one, other)
        for file in states.inputs
        if file.sha256 is None
    ]


def _series(version: str) -> str:
    """Return the part of a version within which sums mean the same."""
    return ".".join(version.split(".")[:2])


def _said(series: Any) -> str:  # noqa: ANN401 - any iterable of text
    return " and ".join(f"{one}.x" for one in sorted(series))
