"""What made the rows of a log, read from its files: the metadata that a probe writes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from evenhand.audits.evidence.content import named
from evenhand.audits.evidence.probed import ProbeRecord, record_of
from evenhand.errors import SourceError
from evenhand.logs.log import Log
from evenhand.logs.reader import format_of
from evenhand.probes.log import read_made


@dataclass(frozen=True)
class Makers:
    """What made the rows of a log.

    Attributes:
        records: What the files say, each once, in their order.
        unknown: How many files do not tell.

    """

    records: tuple[ProbeRecord, ...] = ()
    unknown: int = 0


UNTOLD = Makers()
"""Of rows of which nothing is known."""


def makers_of(log: Log) -> Makers:
    """Return what made the rows of a log, whatever its engine; nothing of a kind without variants.

    Only the metadata of its Parquet files are read.
    """
    return makers_in(log.source.files) if log.kind.variant else UNTOLD


def makers_in(files: Sequence[str]) -> Makers:
    """Return what made the rows of files, by their metadata."""
    found = [_record(file) for file in files]
    told: list[ProbeRecord] = []
    for one in found:
        if one is not None and one not in told:
            told.append(one)
    return Makers(tuple(told), found.count(None))


def _record(file: str) -> ProbeRecord | None:
    if format_of(file) != "parquet":
        return None
    try:
        made = read_made(file)
    except SourceError:
        return None
    fields = {field.name: getattr(made, field.name) for field in dataclasses.fields(made)}
    for part in ("model", "inputs"):
        if isinstance(fields[part], dict) and isinstance(fields[part].get("name"), str):
            # A folder tells who made it and where.
            fields[part] = {**fields[part], "name": named(fields[part]["name"])}
    return record_of(fields)
