"""A side table as it is written, in a plan, in Python or as a flag."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

from evenhand.errors import Problem, RoleError, did_you_mean

EXAMPLE = "Write {source: creators.parquet, key: creator_id}."

_KEYS = ("source", "key", "columns", "as_of")


@dataclass(frozen=True)
class TableSpec:
    """A side table as it is written.

    Attributes:
        where: The place that messages name, such as ``tables[0]``.
        source: A path, or a table in memory.
        key: The column of the log.
        their_key: The column of the table that it is compared with.
        columns: The columns that are wanted; None for all others of the table.
        as_of: The column of both with the time; None where a key has one row.

    """

    where: str
    source: object
    key: str
    their_key: str
    columns: tuple[str, ...] | None
    as_of: str | None

    @property
    def name(self) -> str:
        """The table in messages, without its folder."""
        if isinstance(self.source, str | Path):
            return PurePath(self.source).name
        return f"{type(self.source).__module__.partition('.')[0]} table"


def table_from(written: object, where: str) -> TableSpec:
    """Return a side table from what is written.

    Raises:
        RoleError: It is no mapping of these keys.

    """
    if isinstance(written, str):
        written = spec_of(written)
    if not isinstance(written, Mapping):
        what = f"{type(written).__module__}.{type(written).__name__} is not a side table."
        raise RoleError(Problem(where, what, EXAMPLE))
    problems = [
        Problem(where, f"there is no key '{name}' here.", did_you_mean(str(name), _KEYS))
        for name in written
        if name not in _KEYS
    ]
    if written.get("source") is None:
        problems.append(Problem(where, "the key 'source' is missing.", EXAMPLE))
    keys, columns, as_of = (written.get(name) for name in _KEYS[1:])
    pairs = [(keys, keys)] if isinstance(keys, str) else []
    if isinstance(keys, Mapping):
        pairs = [*keys.items()]
    if len(pairs) != 1 or not all(isinstance(name, str) for name in pairs[0]):
        said = "the key 'key' is missing." if keys is None else f"{keys!r} is not one column."
        hint = "Write key: creator_id, or key: {item: item_id} for {the log's: the table's}."
        problems.append(Problem(f"{where}.key", said, hint))
    listed = isinstance(columns, list | tuple) and bool(columns)
    if columns is not None and not (listed and all(isinstance(name, str) for name in columns)):
        hint = "Write columns: [creator_tier, region], or leave it out for all."
        problems.append(Problem(f"{where}.columns", f"{columns!r} is no list of columns.", hint))
    if not isinstance(as_of, str | None):
        hint = "Write as_of: event_time."
        problems.append(Problem(f"{where}.as_of", f"{as_of!r} is not a column.", hint))
    if problems:
        raise RoleError(problems)
    ((ours, theirs),) = pairs
    wanted = None if columns is None else tuple(dict.fromkeys(columns))
    return TableSpec(where, written["source"], ours, theirs, wanted, as_of)


def spec_of(text: str) -> dict[str, str]:
    """Return a table as a plan writes it from ``SOURCE:KEY`` or ``SOURCE:KEY@TIME``.

    >>> spec_of("history.parquet:creator_id@event_time")
    {'source': 'history.parquet', 'key': 'creator_id', 'as_of': 'event_time'}

    Raises:
        RoleError: The text is neither.

    """
    found = re.fullmatch(r"(?P<source>.+):(?P<key>[^:@]+)(@(?P<as_of>[^:@]+))?", text)
    if found is None:
        what = f"'{text}' is not a side table."
        hint = "Write creators.parquet:creator_id, or history.parquet:creator_id@event_time."
        raise RoleError(Problem("tables", what, hint))
    return {name: value for name, value in found.groupdict().items() if value is not None}
