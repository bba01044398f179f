"""States of measures: the same however rows are parted, on every path and every engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from evenhand.conformance.row import UNITS, kind_of, log_of, random_rows, scaled
from evenhand.conformance.subject import Subject
from evenhand.engine import Request, State, plan_scan, scan
from evenhand.engine.table import Table
from evenhand.errors import Problem
from evenhand.logs.log import Log
from evenhand.measures.measure import Measure
from evenhand.measures.registry import measures

WHERE = "year >= 2025"
"""A filter that is missing for some rows."""

_SIZE = 600
_MERGED = (6, 100)
"""Sizes of logs that are cut up: into pieces of a row or two, which lack most values, too."""

_ROUNDING = 1e-9


def state_of(every: Sequence[Measure], log: Log, *, dense: bool = True) -> State:
    """Return the state of measures by no group, by one group and by two."""
    sets: list[tuple[str, ...]] = [(), ("group",), ("group", "other")]
    requests = [Request(measure, by) for measure in every for by in sets]
    return scan(plan_scan(requests, log), log, dense=dense)


def unlike(one: State, other: State) -> str:
    """Return how two states differ; empty when counts are equal and sums of numbers to 1e-9."""
    for (about, found), (wanted_about, wanted) in zip(_parts(one), _parts(other), strict=True):
        if about != wanted_about:
            return f"{about} stands where {wanted_about} should"
        try:
            assert_frame_equal(found, wanted, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
        except AssertionError as error:
            return str(error).splitlines()[0]
    return ""


def merged_of(
    every: Sequence[Measure], rows: pl.DataFrame, piece_of: Sequence[int], kind: str, unit: str
) -> State:
    """Return the state that the states of the pieces of a log merge to."""
    labels = np.asarray(piece_of)
    pieces = [rows.filter(pl.lit(labels == piece)) for piece in np.unique(labels)]
    merged, *others = [state_of(every, log_of(piece, kind, unit)) for piece in pieces]
    for state in others:
        merged = merged.merge(state)
    return merged


def merge_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that the states of parts of a log do not merge to the state of the whole."""
    for place, unit in enumerate(UNITS):
        for size in _MERGED:
            rng = np.random.default_rng((size, place))
            rows = scaled(random_rows(rng, size, missing=True), subject.measure)
            every = [subject.measure]
            merged = merged_of(every, rows, rng.integers(0, 4, size).tolist(), subject.kind, unit)
            how = unlike(merged, state_of(every, log_of(rows, subject.kind, unit)))
            if how:
                what = f"states of parts of a log do not merge to that of the whole: {how}."
                hint = "Terms and amounts depend on one row at a time: no mean, rank or total."
                yield subject.problem("merge", what, hint)
                return


def path_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that the fast path counts otherwise than the general one."""
    yield from _same_on(subject, "the general path", dense=False)


def engine_problems(subject: Subject) -> Iterator[Problem]:
    """Yield which engines count otherwise than Polars."""
    for engine in subject.engines:
        yield from _same_on(subject, engine, engine=engine)


def term_problems(subject: Subject) -> Iterator[Problem]:
    """Yield that a term of the measure has the name of another term of ours."""
    rows = random_rows(np.random.default_rng(4), 10)
    log = log_of(rows, subject.kind)
    cls = type(subject.measure)
    for other in measures().values():
        if other is cls or kind_of(other) != subject.kind:
            continue
        try:
            plan_scan([Request(other()), Request(subject.measure)], log)
        except TypeError as error:
            hint = "Measures of one scan share terms by name: choose one that tells the condition."
            yield subject.problem("terms", f"beside {other.name}: {error}.", hint)
            return


def _same_on(
    subject: Subject, place: str, *, engine: str | None = None, dense: bool = True
) -> Iterator[Problem]:
    rows = random_rows(np.random.default_rng(6), _SIZE, missing=True)
    rows, every = scaled(rows, subject.measure), [subject.measure]
    for unit in UNITS:
        wanted = state_of(every, log_of(rows, subject.kind, unit, where=WHERE))
        log = log_of(rows, subject.kind, unit, where=WHERE, engine=engine)
        how = unlike(state_of(every, log, dense=dense), wanted)
        if how:
            yield subject.problem(place, f"it counts otherwise than the fast path: {how}.")
            return


def _parts(state: State) -> list[tuple[object, pl.DataFrame]]:
    """Return the mergeable part of a state in a canonical order."""
    found: list[tuple[object, Table]] = [*state.sums.items(), *state.units.items()]
    for by, tables in state.scores.items():
        for role, table in tables.items():
            found.append(((by, role, table.width), table.fine))
            if table.coarse is not None:
                found.append(((by, role, table.coarse_width), table.coarse))
    return [(about, table.frame.sort(table.keys)) for about, table in found]
