"""A long log is read part by part: what is finished is kept, and a file that is broken is named.

A part is a run of whole files, large enough that its start costs nothing. Its state goes into a
folder as soon as it is counted, so that the same work, started again, goes on from there. A log
that is small, or whose work nobody keeps, is one part.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from evenhand.engine.frequent import Kept, frequent
from evenhand.engine.identity import identity_of
from evenhand.engine.lower import lower
from evenhand.engine.plan import ScanPlan
from evenhand.engine.pulse import pulse
from evenhand.engine.refusal import check_groups, check_requests, no_rows
from evenhand.engine.scan import COUNTED_EXACTLY, exact_units, groups_of, scan
from evenhand.engine.state import State
from evenhand.errors import OutputError, Problem, SourceError, reason
from evenhand.logs.backend import Engine
from evenhand.logs.log import Log
from evenhand.logs.source import row_count

PART_BYTES: Mapping[Engine, int] = {"polars": 2**28, "duckdb": 2**28, "spark": 2**34}
"""Bytes of a part: it takes seconds, or on Spark minutes, beside which its start is nothing."""

Watch = Callable[[int, int], None]
"""Told how many rows, and how many bytes of files, are read so far."""


def ignore(_rows: int, _bytes: int) -> None:
    """Watch nothing."""


@dataclass(frozen=True)
class Counted:
    """A log that was counted.

    Attributes:
        state: Its state.
        log: The log without the files that turned out to be broken.
        resumed: How many of its parts were counted before.

    """

    state: State
    log: Log
    resumed: int = 0


def count(
    plan: ScanPlan,
    log: Log,
    watch: Watch = ignore,
    *,
    folder: Path | None = None,
    empty: bool = False,
) -> Counted:
    """Return the state of a log, read part by part where a folder keeps what is finished.

    Args:
        plan: What is summed.
        log: The log.
        watch: Told how far the reading is.
        folder: Where states of finished parts are kept, and found; made when there are some.
        empty: Whether there may be no rows in scope.

    Raises:
        SourceError: Rows cannot be read; the files that are broken are named, each by itself.
        EvenhandError: As `evenhand.engine.scan.scan`.

    """
    # Two files may each hold a part of a request.
    parts = [] if folder is None or plan.views else _parts(plan, log)
    if folder is None or len(parts) <= 1:
        reading = _Reading(plan, log, watch, None)
        return Counted(reading.whole(empty=empty), reading.sound())
    reading = _Reading(plan, log, watch, _kept(plan, log))
    for files in parts:
        reading.add(files, folder)
    return Counted(reading.merged(empty=empty), reading.sound(), reading.resumed)


_ENDING, _HALF = ".state", ".part"


def kept_in(folder: Path) -> list[Path]:
    """Return the finished parts that a folder keeps."""
    return sorted(folder.glob(f"*{_ENDING}"))


def forget(folder: Path) -> None:
    """Remove what `count` kept, and the folder unless it holds something else."""
    for path in (*kept_in(folder), *folder.glob(f"*{_HALF}")):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _parts(plan: ScanPlan, log: Log) -> list[tuple[str, ...]]:
    """Return the files of a log in runs of about equal size."""
    if any(group.tail for group in groups_of(plan, log).values()):
        # Who is rare is known only from all rows, and there may be many of them.
        return [log.source.files]
    runs: list[list[str]] = [[]]
    size = 0
    for file in log.source.files:
        more = Path(file).stat().st_size
        if runs[-1] and size + more > PART_BYTES[log.source.engine]:
            runs.append([])
            size = 0
        runs[-1].append(file)
        size += more
    return [tuple(run) for run in runs]


class _Reading:
    """The reading of a log, part after part."""

    def __init__(self, plan: ScanPlan, log: Log, watch: Watch, kept: Kept | None) -> None:
        self._plan, self._log, self._watch, self._kept = plan, log, watch, kept
        self._faults: list[Problem] = []
        self._states: list[State] = []
        self._rows = self._bytes = self.resumed = 0

    def whole(self, *, empty: bool) -> State:
        """Return the state of a log of one part."""
        state = self._scanned(self._log, exact=True)
        if state is None:
            raise SourceError(self._faults)
        self._check_rows(state, empty=empty)
        check_requests(state, self._log)
        return state

    def add(self, files: Sequence[str], folder: Path) -> None:
        """Count one part, or find in the folder that it was counted before."""
        part = replace(self._log, source=self._log.source.only(files))
        finished = folder / f"{self._key(files)}{_ENDING}"
        state = _read(finished)
        if state is not None:
            self.resumed += 1
        else:
            found = len(self._faults)
            state = self._scanned(part, exact=False)
            if state is not None and found == len(self._faults):
                _write(state, finished)
        if state is not None:
            self._states.append(state)
            self._rows += state.rows
        self._bytes += sum(Path(file).stat().st_size for file in files)
        self._watch(self._rows, self._bytes)

    def merged(self, *, empty: bool) -> State:
        """Return the state of all parts."""
        if not self._states:
            raise SourceError(self._faults)
        first, *others = self._states
        for state in others:
            first = first.merge(state)
        check_groups(first)
        self._check_rows(first, empty=empty)
        log = self.sound()
        if first.rows <= COUNTED_EXACTLY:
            return replace(first, distinct=exact_units(self._plan, log, first.kept))
        return first

    def _check_rows(self, state: State, *, empty: bool) -> None:
        if state.rows == 0 and not empty:
            raise no_rows(self.sound())

    def sound(self) -> Log:
        """Return the log without its broken files."""
        if not self._faults:
            return self._log
        return replace(self._log, source=self._log.source.without(self._faults))

    def _scanned(self, log: Log, *, exact: bool) -> State | None:
        """Return the state of some files without the broken ones; None where all are broken."""
        try:
            return self._scan(log, exact=exact)
        except SourceError as error:
            bad = self._broken(log, error)
            if log.source.on_bad_file == "fail":
                raise SourceError(bad) from error
            self._faults += bad
            if len(bad) == len(log.source.files):
                return None
            left = replace(log, source=log.source.without(bad))
            return self._scan(left, exact=exact)

    def _scan(self, log: Log, *, exact: bool) -> State:
        size = sum(Path(file).stat().st_size for file in log.source.files)
        rows = row_count(log.source) if self._watch is not ignore else None

        def watch(counted: int) -> None:
            here = size * counted // rows if rows else 0
            self._watch(self._rows + counted, self._bytes + min(here, size))

        with pulse(log.source, rows, watch):
            # No rows are no file's fault: that is looked at when all are read.
            return scan(self._plan, log, watch, empty=True, kept=self._kept, exact=exact)

    def _broken(self, log: Log, error: SourceError) -> list[Problem]:
        """Return which of a log's files cannot be read, each by itself.

        Raises:
            SourceError: The error itself, where no file alone is to blame.

        """
        files = log.source.files
        if not files:
            raise error
        if len(files) == 1:
            return [replace(error.problems[0], where=files[0])]
        found = [problem for file in files for problem in self._fault(log, file)]
        if not found:
            raise error
        return found

    def _fault(self, log: Log, file: str) -> Iterator[Problem]:
        alone = replace(log, source=log.source.only([file]))
        try:
            scan(self._plan, alone, empty=True, kept=self._kept, exact=False)
        except SourceError as error:
            yield replace(error.problems[0], where=file)

    def _key(self, files: Sequence[str]) -> str:
        """Return what a part is known by: another plan, engine or file has another name."""
        stats = [(file, Path(file).stat()) for file in files]
        known = {
            "identity": identity_of(self._plan, self._log),
            "engine": self._log.source.engine,
            "kept": self._kept or {},
            "files": [[str(Path(f).resolve()), s.st_size, s.st_mtime_ns] for f, s in stats],
        }
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def _kept(plan: ScanPlan, log: Log) -> Kept:
    """Return the most frequent values in the whole log, of which a part cannot know."""
    groups = groups_of(plan, log)
    return frequent(lower(log, plan.roles, groups, plan.amounts, plan.limits), groups)


def _read(path: Path) -> State | None:
    """Return a state that was kept; None where there is none that is whole."""
    try:
        return State.read(path) if path.exists() else None
    except Exception:  # noqa: BLE001 - it is counted again
        return None


def _write(state: State, path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        half = path.with_suffix(_HALF)
        state.write(half)
        half.replace(path)
    except OSError as error:
        what = f"what is finished cannot be kept: {reason(error)}."
        raise OutputError(Problem(str(path.parent), what)) from error
