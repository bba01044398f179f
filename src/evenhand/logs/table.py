"""Side tables as they are asked for: read once, here, and checked before any row of the log is.

Every engine joins the same rows: it is given those that were checked. What is joined is a
`evenhand.logs.side_table.SideTable`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from evenhand.errors import (
    EngineError,
    EvenhandError,
    Problem,
    RoleError,
    SourceError,
    did_you_mean,
    listed,
)
from evenhand.logs.backend import Engine, Spark
from evenhand.logs.grammar import DType, Schema
from evenhand.logs.lookup import (
    FROM,
    KEY,
    as_key,
    as_time,
    key_form,
    not_iso,
    plain,
    spells,
    time_form,
)
from evenhand.logs.remote import is_remote, is_table_name
from evenhand.logs.side_table import SideTable
from evenhand.logs.source import EngineLike, Source, failure, open_source
from evenhand.logs.table_spec import TableSpec, table_from


@dataclass(frozen=True)
class SideTables:
    """What was found of the side tables of a log.

    Attributes:
        tables: Those without fault.
        schema: The columns of the log with those of all tables that could be opened.
        problems: What is wrong with the others.

    """

    tables: tuple[SideTable, ...]
    schema: Schema
    problems: tuple[Problem, ...]


def open_tables(specs: Iterable[object] | Mapping[str, Any], source: Source) -> SideTables:
    """Return the side tables of a log, read once and checked; no row of the log is read.

    Args:
        specs: Mappings as in a plan: ``source``, ``key`` (a column of both, or ``{the log's:
            the table's}``), ``columns`` and ``as_of``; the source may also be a table in memory.
            Or text, as `evenhand.logs.table_spec.spec_of` reads it.
        source: The log.

    Raises:
        SourceError: A table cannot be opened or read; with what is wrong with the others.
        RoleError: Something that is written is no side table.

    """
    schema: dict[str, DType] = dict(source.frame.collect_schema())
    asked = _as_list(specs)
    if asked and source.engine == "spark":
        schema = {name: dtype for name, dtype in schema.items() if "." not in name}
    tables: list[SideTable] = []
    problems: list[Problem] = []
    unknown: type[EvenhandError] | None = None
    for place, written in enumerate(asked):
        where = f"tables[{place}]"
        try:
            spec = table_from(written, where)
            table = _Opened(spec, _open(spec, source), schema, source.engine)
            found = table.problems()
            if not found:
                tables.append(table.side())
            problems += found
            schema = {**table.added, **schema}
        except EngineError:
            raise
        except SourceError as error:
            problems += [Problem(f"{where}.source", *_named(one)) for one in error.problems]
            unknown = SourceError
        except EvenhandError as error:
            problems += error.problems
            unknown = unknown or RoleError
    if unknown is not None:
        # What else is wrong with the log depends on columns that are not known.
        raise unknown(problems)
    return SideTables(tuple(tables), schema, tuple(problems))


def declared(specs: Iterable[object]) -> tuple[SideTable, ...]:
    """Return tables as they are written, none of which is opened: those of rows counted before."""
    named = [table_from(written, f"tables[{place}]") for place, written in enumerate(specs)]
    return tuple(
        SideTable(spec.name, spec.key, spec.their_key, spec.columns, spec.as_of) for spec in named
    )


def _as_list(specs: Iterable[object] | Mapping[str, Any]) -> list[object]:
    return [specs] if isinstance(specs, Mapping | str) else [*specs]


def _named(problem: Problem) -> tuple[str, str]:
    return f"{problem.where}: {problem.what}", problem.hint


def _open(spec: TableSpec, log: Source) -> Source:
    """Return the source of a side table: files by Polars, whatever the engine of the log."""
    engine: EngineLike = None
    if isinstance(spec.source, str | Path):
        text = str(spec.source)
        there = is_remote(text) or (log.engine == "spark" and is_table_name(text))
        engine = log.engine if there else "polars"
        if engine == "spark":
            native: Any = log.frame.to_native()
            engine = Spark(getattr(native, "sparkSession", log.at))
    return open_source(spec.source, engine)


@dataclass(frozen=True)
class _Opened:
    """A side table beside the columns of its log: what is wrong with it, else what is joined."""

    spec: TableSpec
    source: Source
    log: Schema
    engine: Engine

    @cached_property
    def schema(self) -> Schema:
        """The columns of the table."""
        return dict(self.source.frame.collect_schema())

    @property
    def added(self) -> dict[str, DType]:
        """The columns that it adds to the log, as far as it has them."""
        own = (self.spec.their_key, self.spec.as_of)
        wanted = self.spec.columns or [name for name in self.schema if name not in own]
        return {name: self.schema[name] for name in wanted if name in self.schema}

    @cached_property
    def rows(self) -> pl.DataFrame:
        """The rows of the table.

        Raises:
            SourceError: They cannot be read.

        """
        spec = self.spec
        named = [spec.their_key, *([] if spec.as_of is None else [spec.as_of]), *self.added]
        columns = [name for name in dict.fromkeys(named) if name in self.schema]
        source = self.source.fitting(columns)
        try:
            source.verify()
            frame = source.frame.select(*columns)
            native: Any = frame.to_native()
            if isinstance(native, pl.LazyFrame):
                return native.collect(engine="streaming")
            rows: pl.DataFrame = frame.collect("polars").to_native()
        except EvenhandError:
            raise
        except (Exception, pl.exceptions.PanicException) as error:
            raise failure(source.name, error) from error
        return rows

    def problems(self) -> list[Problem]:
        """Return what is wrong with the table; the first look is at its columns alone.

        Raises:
            SourceError: It cannot be read.

        """
        found = [*self._key_problems(), *self._time_problems(), *self._column_problems()]
        spec = self.spec
        if spec.their_key not in self.schema:
            return found
        if spec.as_of is not None and spec.as_of not in self.schema:
            return found
        return [*found, *self._row_problems()]

    def _key_problems(self) -> Iterator[Problem]:
        spec, where = self.spec, f"{self.spec.where}.key"
        if spec.key not in self.log:
            what = f"the log has no column '{spec.key}'."
            yield Problem(where, what, did_you_mean(spec.key, [*self.log]))
        if spec.their_key not in self.schema:
            what = f"{spec.name} has no column '{spec.their_key}'."
            hint = did_you_mean(spec.their_key, [*self.schema])
            if spec.key in self.log:
                hint += f" Another name than the log's: key: {{{spec.key}: NAME}}."
            yield Problem(where, what, hint)
        if spec.key not in self.log or spec.their_key not in self.schema:
            return
        ours, theirs = self.log[spec.key], self.schema[spec.their_key]
        for dtype, name, there in (
            (ours, spec.key, "the log"),
            (theirs, spec.their_key, spec.name),
        ):
            if key_form(dtype) is None:
                what = f"'{name}' is {dtype} in {there}, which is no key."
                yield Problem(where, what, "A key is text, a whole number or a date.")
                return
        if key_form(ours) != key_form(theirs):
            hint = "Write both alike where one of the two is made."
            yield Problem(where, f"{self._both(ours, theirs)}: nothing would match.", hint)

    def _both(self, ours: DType, theirs: DType) -> str:
        spec = self.spec
        if spec.key == spec.their_key:
            return f"'{spec.key}' is {ours} in the log and {theirs} in {spec.name}"
        return f"'{spec.key}' of the log is {ours}, '{spec.their_key}' of {spec.name} is {theirs}"

    def _time_problems(self) -> Iterator[Problem]:
        spec, where = self.spec, f"{self.spec.where}.as_of"
        if spec.as_of is None:
            return
        sides = (("the log", self.log), (spec.name, self.schema))
        missing = [(there, schema) for there, schema in sides if spec.as_of not in schema]
        for there, schema in missing:
            what = f"{there} has no column '{spec.as_of}'."
            yield Problem(where, what, did_you_mean(spec.as_of, [*schema]))
        if missing:
            return
        ours, theirs = self.log[spec.as_of], self.schema[spec.as_of]
        form = time_form(ours)
        if form is None or form != time_form(theirs):
            what = f"'{spec.as_of}' is {ours} in the log and {theirs} in {spec.name}: these times "
            hint = "Write both as dates or times, both with a time zone or both without, both as "
            yield Problem(
                where, f"{what}cannot be compared.", f"{hint}numbers, or both as 2026-01-31."
            )

    def _column_problems(self) -> Iterator[Problem]:
        spec, where = self.spec, f"{self.spec.where}.columns"
        for name in spec.columns or ():
            if name not in self.schema:
                what = f"{spec.name} has no column '{name}'."
                yield Problem(where, what, did_you_mean(name, [*self.schema]))
        if spec.columns is None and spec.their_key not in self.schema:
            # Its key is among its other columns then, under another name.
            return
        if not self.added and not spec.columns:
            yield Problem(where, f"{spec.name} has no column to add.", "Leave the table out.")
        for name in self.added:
            if self.engine == "spark" and "." in name:
                what = (
                    f"'{name}' has a point in its name, which Spark takes for a part of a column."
                )
                yield Problem(where, what, "Give it another name, or leave it out of columns.")
        # SQL engines do not tell Region from region.
        known = {name.casefold(): name for name in self.log}
        both = [name for name in self.added if name.casefold() in known]
        free = [name for name in self.added if name not in both]
        for name in both:
            what = f"'{name}' is a column of the log already"
            same = known[name.casefold()]
            what += "." if same == name else f", as '{same}'."
            hint = "Give it another name in one of the two"
            if spec.columns is None and free:
                hint = f"Say which columns are wanted: columns: [{listed(free)}]"
            yield Problem(where, what, f"{hint}.")

    def _row_problems(self) -> Iterator[Problem]:
        spec = self.spec
        key, where = spec.their_key, f"{spec.where}.key"
        nameless = self.rows[key].null_count()
        if nameless:
            what = f"{_counted(nameless, 'row', 'has', 'have')} no '{key}' in {spec.name}."
            yield Problem(where, what, "Give every row its key, or leave such rows out.")
        named = self.rows.drop_nulls(key)
        if spec.as_of is None:
            again = named.group_by(key).len("rows").filter(pl.col("rows") > 1).sort(key)
            if again.height:
                first, rows = again.row(0)
                what = f"{_counted(again.height, 'key', 'repeats', 'repeat')} in {spec.name}, "
                hint = "Keep one row for each, or say from when each row holds: as_of: event_time."
                yield Problem(where, f"{what}such as {first!r} ({rows} rows).", hint)
            return
        where, time = f"{spec.where}.as_of", pl.col(spec.as_of)
        if named[spec.as_of].dtype.is_float():
            named = named.with_columns(time.fill_nan(None))
        timeless = named[spec.as_of].null_count()
        if timeless:
            what = f"{_counted(timeless, 'row', 'has', 'have')} no '{spec.as_of}' in {spec.name}."
            yield Problem(where, what, "Say from when each row holds, or leave such rows out.")
        named = named.drop_nulls(spec.as_of)
        again = named.group_by(key, spec.as_of).len("rows").filter(pl.col("rows") > 1)
        if again.height:
            first, since, rows = again.sort(key, spec.as_of).row(0)
            pairs = f"pair{'s' * (again.height != 1)} of '{key}' and '{spec.as_of}'"
            what = (
                f"{again.height:,} {pairs} in {spec.name} repeat, such as {first!r} from {since} "
            )
            hint = "Keep one row for each key and time: which of them holds cannot be told."
            yield Problem(where, f"{what}({rows} rows).", hint)
        if time_form(self.schema[spec.as_of]) == "text":
            odd = not_iso(named[spec.as_of].cast(pl.String))
            if odd is not None:
                what = f"'{spec.as_of}' of {spec.name} is text, and {odd!r} no time like the others"
                hint = "Write all times alike: 2026-01-31, or 2026-01-31T12:00:00."
                yield Problem(where, f"{what}.", hint)

    def side(self) -> SideTable:
        """Return what is joined; call `problems` first."""
        spec = self.spec
        own = self.rows if spec.as_of is None else self.rows.sort(spec.as_of)
        made = {KEY: as_key(own[spec.their_key], self.log[spec.key])}
        if spec.as_of is not None:
            made[FROM] = as_time(own[spec.as_of], self.log[spec.as_of])
        rows = pl.DataFrame(made).with_columns(plain(own[name]) for name in self.added)
        # A key that no row of the log can have was made missing.
        rows = rows.drop_nulls(KEY)
        rows = rows.sort(KEY) if spec.as_of is None else spells(rows)
        files = self.source.files
        return SideTable(
            spec.name,
            spec.key,
            spec.their_key,
            tuple(self.added),
            spec.as_of,
            rows,
            _digest_of_files(files) if files else _digest_of_rows(rows),
            files,
        )


def _counted(number: int, noun: str, one: str, many: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)} {one if number == 1 else many}"


def _digest_of_files(files: Iterable[str]) -> str:
    """Return the digest of a file, or of the digests of several."""
    digests = []
    for file in files:
        with Path(file).open("rb") as stream:
            digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _digest_of_rows(rows: pl.DataFrame) -> str:
    stream = io.BytesIO()
    rows.write_parquet(stream, compression="uncompressed", statistics=False)
    return hashlib.sha256(stream.getvalue()).hexdigest()
