"""The files that a log is in: which they are, what columns each has, and which are broken."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import polars as pl

from evenhand.errors import EvenhandError, Problem, SourceError, did_you_mean, listed
from evenhand.logs.reader import (
    FORMATS,
    NO_ROWS,
    SEPARATORS,
    format_of,
    has_rows,
    header_of,
    separator_of,
    unreadable,
)

Columns: TypeAlias = Mapping[str, pl.DataType]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out of a log.

    Attributes:
        file: Its name.
        reason: What is wrong with it.
        bytes: Its size.
        rows: How many rows it says that it has; None where it does not tell.

    """

    file: str
    reason: str
    bytes: int
    rows: int | None


@dataclass(frozen=True)
class Files:
    """Files of one format, none of which was read but for its columns.

    Attributes:
        name: How they were named together: a path, a folder or a glob.
        form: Their format.
        columns: The columns of every sound file, in the order of the paths; empty for CSV files,
            whose types are guessed.
        faults: What is wrong with the others.

    """

    name: str
    form: str
    columns: Mapping[str, Columns | None]
    faults: Mapping[str, Problem] = field(default_factory=dict)

    @property
    def sound(self) -> list[str]:
        """The paths of the files that are not known to be broken."""
        return [*self.columns]

    @property
    def even(self) -> bool:
        """Whether all sound files have the same columns."""
        return len({id(columns) for columns in self.columns.values()}) <= 1

    def fitting(self, used: Iterable[str]) -> Files:
        """Return the files with a fault for each that lacks a column, or has it of another type.

        Args:
            used: The columns that will be read.

        """
        if self.even:
            return self
        usual = self.types()
        types = {name: usual[name] for name in used if name in usual}
        faults = dict(self.faults)
        for path, columns in self.columns.items():
            what = _difference(columns or {}, types)
            if what:
                faults[path] = Problem(path, what, _EVEN)
        left = {path: one for path, one in self.columns.items() if path not in faults}
        return Files(self.name, self.form, left, faults)

    def types(self) -> Columns:
        """Return the type that each column has in most files; one odd file may come first."""
        found: dict[str, collections.Counter[pl.DataType]] = {}
        for columns in self.columns.values():
            for name, dtype in (columns or {}).items():
                found.setdefault(name, collections.Counter())[dtype] += 1
        return {name: counts.most_common(1)[0][0] for name, counts in found.items()}

    def common(self) -> list[str]:
        """Return the columns that all sound files have, of one type."""
        first, *others = self._known()
        return [
            name
            for name, dtype in first.items()
            if all(name in one and one[name] == dtype for one in others)
        ]

    def _known(self) -> list[Columns]:
        return [*{id(one): one for one in self.columns.values() if one is not None}.values()]


_EVEN = "Give all files the columns that are read, or leave such files out: --on-bad-file skip."


def _difference(columns: Columns, types: Columns) -> str:
    missing = [f"'{name}'" for name in types if name not in columns]
    if missing:
        noun = "column" if len(missing) == 1 else "columns"
        return f"it has another schema: the {noun} {listed(missing)} of other files is missing."
    for name, dtype in types.items():
        if columns[name] != dtype:
            there = f"'{name}' is {columns[name]}, in other files {dtype}"
            return f"it has another schema: {there}."
    return ""


def find_files(path: str) -> Files:
    """Return the files that a path, a folder or a glob names.

    Raises:
        SourceError: There are none, or they are of no known or of several formats.

    """
    paths = paths_of(path)
    if not paths and Path(path).is_dir():
        hint = f"Name files of another kind by a glob, such as '{Path(path) / '*.csv'}'."
        raise SourceError(Problem(path, "the folder holds no Parquet files.", hint))
    if not paths or not Path(paths[0]).exists():
        raise SourceError(Problem(path, "no such file.", _nearby(path)))
    formats = {format_of(name) for name in paths}
    if len(formats) > 1 or None in formats:
        raise SourceError(
            Problem(
                path,
                f"no known format: {listed(Path(name).name for name in paths[:3])}.",
                f"Known endings, one kind at a time: {listed(FORMATS)}.",
            )
        )
    form = str(formats.pop())
    looked = _csv(paths) if form == "csv" else _typed(paths, form)
    faults = {name: found for name, found in looked.items() if isinstance(found, Problem)}
    columns = {name: found for name, found in looked.items() if not isinstance(found, Problem)}
    return Files(path, form, columns, faults)


def paths_of(path: str) -> list[str]:
    """Return the paths that a path, a folder or a glob names, in order; none is opened.

    Pictures that a probe left beside its log are no rows: only their own path names them.

    Raises:
        SourceError: It is no glob.

    """
    if Path(path).is_dir():
        found = sorted(str(file) for file in Path(path).rglob("*.parquet"))
    elif is_glob(path):
        found = _matches(path)
    else:
        return [path]
    return [one for one in found if not one.endswith(PICTURES)]


PICTURES = ".pictures.parquet"
"""How the names of such files end."""


def skipped(path: str, fault: Problem, name: str) -> Skipped:
    """Return a file that is left out for a fault, under the name that evidence has for it."""
    rows = None
    if format_of(path) == "parquet":
        try:
            rows = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        except Exception:  # noqa: BLE001 - it is broken: no matter how
            rows = None
    reason = fault.what.replace(str(Path(path).resolve()), name).replace(path, name).rstrip(".")
    return Skipped(name, reason[:_LONGEST], Path(path).stat().st_size, rows)


_LONGEST = 300


def _typed(paths: Sequence[str], form: str) -> dict[str, Columns | Problem | None]:
    """Return the columns of Parquet or Arrow files; equal ones are the same object."""
    scan = pl.scan_parquet if form == "parquet" else pl.scan_ipc
    known: dict[tuple[tuple[str, pl.DataType], ...], Columns] = {}

    def look(path: str) -> Columns | Problem:
        with Path(path).open("rb") as file:
            if not file.read(1):
                return _empty(path)
        try:
            return scan([path], glob=False).collect_schema()
        except Exception as error:  # noqa: BLE001 - Polars raises many kinds
            return unreadable(path, error).problems[0]

    with ThreadPoolExecutor(_LOOKS) as pool:
        looked = [*pool.map(look, paths)]
    return {
        path: found
        if isinstance(found, Problem)
        # In no order: files are read by the names of their columns.
        else known.setdefault(tuple(sorted(found.items(), key=lambda one: one[0])), found)
        for path, found in zip(paths, looked, strict=True)
    }


_LOOKS = 8
"""Files whose columns are looked at side by side."""


def _csv(paths: Sequence[str]) -> dict[str, Columns | Problem | None]:
    """Return what is wrong with CSV files, None where nothing is."""
    found: dict[str, Columns | Problem | None] = {}
    headers: dict[str, str] = {}
    for path in paths:
        try:
            if Path(path).stat().st_size == 0:
                found[path] = _empty(path)
                continue
            headers[path] = header_of(path).rstrip()
            found[path] = None if has_rows(path) else Problem(path, NO_ROWS)
        except OSError:
            raise
        except EvenhandError as error:
            found[path] = error.problems[0]
    separated = {path: SEPARATORS[separator_of(path)] for path in headers}
    first = next(iter(headers), "")
    for path, header in headers.items():
        if separated[path] != separated[first]:
            what = f"its fields are separated by {separated[path]}, those of {first} by "
            hint = "Give all files the same separator."
            found[path] = Problem(path, f"{what}{separated[first]}.", hint)
        elif header != headers[first]:
            what = f"its header differs from that of {first}; columns would be mixed up."
            found[path] = Problem(path, what, "Give all files the same columns in order.")
    return found


def _empty(path: str) -> Problem:
    return Problem(path, "the file is empty (0 bytes).")


def _matches(pattern: str) -> list[str]:
    anchor = Path(pattern).anchor
    try:
        return sorted(map(str, Path(anchor or ".").glob(pattern.removeprefix(anchor))))
    except ValueError as error:
        raise SourceError(Problem(pattern, f"not a glob: {error}.", "Write a/**/*.csv.")) from error


def is_glob(path: str) -> bool:
    """Return whether a path stands for those that match it; one that is there is meant itself."""
    return any(mark in path for mark in "*?[") and not Path(path).exists()


def _nearby(path: str) -> str:
    folder = Path(path).parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist either."
    names = sorted(file.name for file in folder.iterdir() if format_of(file.name))
    return did_you_mean(Path(path).name, names) if names else f"{folder} holds no log files."
