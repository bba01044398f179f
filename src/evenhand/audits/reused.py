"""Logs that a plan's probes finished before: found by what their files say made them, put in place.

A plan's folder of logs holds one file for each probe, ``1-attack.auto.parquet``, and what earlier
states of the plan left as ``old/1-attack.auto.parquet.old``: a probe that comes back is not made
again, and whoever reads the folder as a log reads those of the plan alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from evenhand.audits.evidence.file import write_all
from evenhand.errors import OutputError, Problem, SourceError, reason
from evenhand.logs.file import PICTURES
from evenhand.models.inputs import Inputs
from evenhand.models.model import Model
from evenhand.probes.log import (
    Made,
    digest_of_groups,
    read_made,
    to_parquet,
    told_of,
    with_groups,
)
from evenhand.probes.picture import path_beside
from evenhand.probes.probe import Probe

OLD = "old"
"""The folder of logs that the plan does not name now, and the end of their names."""

_OURS = re.compile(r"\d+-[a-z]+\.\w+\.parquet")


_NO_PROBE = "no probe wrote it"


@dataclass(frozen=True)
class Wanted:
    """What a log must have been made by to be taken as it is.

    Attributes:
        probe: What was done.
        model: The model.
        fingerprint: Of the model.
        inputs: What it was asked about.
        judged: Whether flags are wanted.
        by: The column within whose groups flags are judged; None for none.
        version: The version of Evenhand: another may attack otherwise under the same name.

    """

    probe: Probe
    model: Model
    fingerprint: str
    inputs: Inputs
    judged: bool
    by: str | None
    version: str

    def why_not(self, path: Path) -> str:
        """Return why a log was not made so, in words; empty where it was."""
        try:
            made = read_made(path)
        except SourceError:
            return _NO_PROBE
        if not all(isinstance(one, dict) for one in (made.probe, made.model, made.inputs)):
            return _NO_PROBE
        method, told = self.probe.method, told_of(self.model, self.fingerprint)
        differs = {
            "another probe": made.probe.get("known", made.probe.get("name")) != method.known
            or made.probe.get("variants") != [one.name for one in method.variants],
            "another model": made.model.get("fingerprint") != self.fingerprint
            or json.dumps(made.model.get("spec")) != json.dumps(told["spec"]),
            "other inputs": made.inputs.get("digest") != self.inputs.digest,
            "another seed": made.seed != self.probe.seed,
            "another version of Evenhand": made.version != self.version,
        }
        of = [what for what, yes in differs.items() if yes]
        if of:
            return f"it is of {' and '.join(of)}"
        if self.judged and method.doubted:
            if made.flags is None:
                return "nobody looked for flags in it"
            within = (self.by, digest_of_groups(self.inputs, self.by))
            if any(_judged_within(one) != within for one in made.flags):
                return "its flags are judged within other groups"
        return "" if self._whole(path) else "rows are missing in it"

    def _whole(self, path: Path) -> bool:
        """Return whether a log has the rows of each example and variant."""
        try:
            rows = pl.read_parquet(path, columns=["source", "variant"])
        except (OSError, pl.exceptions.PolarsError):
            return False
        method = self.probe.method
        sizes = [(one.name, method.each(one)) for one in method.variants]
        ids = pl.Series("source", self.inputs.ids.tolist())
        known = pl.DataFrame(sizes, schema={"variant": pl.String, "len": pl.UInt32}, orient="row")
        every = known.join(ids.to_frame(), how="cross")
        if rows.schema["source"] != ids.dtype or len(rows) != every["len"].sum():
            return False
        found = rows.group_by("source", "variant").len()
        return len(found.join(every, on=["source", "variant", "len"], how="semi")) == len(every)


def _judged_within(flags: Mapping[str, Any]) -> tuple[object, object]:
    """Return the column within whose groups flags were judged, and the digest of these."""
    return flags.get("by"), flags.get("by_digest")


def found(folder: Path, wanted: Sequence[Wanted]) -> list[tuple[Path | None, str]]:
    """Return for each probe the log that was made so; or None, and what is wrong with its own."""
    told: list[tuple[Path | None, str]] = []
    taken: set[Path] = set()
    for one, own in zip(wanted, targets(folder, wanted), strict=True):
        said = {path: one.why_not(path) for path in _logs(folder) if path not in taken}
        match = own if said.get(own) == "" else None
        match = match or next((path for path, why in said.items() if not why), None)
        if match is not None:
            taken.add(match)
        told.append((match, said.get(own, "")))
    return told


def targets(folder: Path, wanted: Sequence[Wanted]) -> list[Path]:
    """Return where the log of each probe goes: ``1-attack.auto.parquet``."""
    names = [re.split(r"[(@, ]", one.probe.method.name)[0] for one in wanted]
    return [folder / f"{place}-{name}.parquet" for place, name in enumerate(names, 1)]


def _logs(folder: Path) -> Iterator[Path]:
    yield from sorted(one for one in folder.glob("*.parquet") if not one.name.endswith(PICTURES))
    yield from sorted((folder / OLD).glob(f"*.parquet.{OLD}"))


def strange(folder: Path) -> list[Problem]:
    """Return the files in a folder of logs that are none of a plan's."""
    hint = "Move it, or name another folder: --probes DIR."
    return [
        Problem(str(path), "it lies among the logs of a plan's probes, and is none.", hint)
        for path in _logs(folder)
        if path.parent == folder and not _OURS.fullmatch(path.name)
    ]


def put(folder: Path, logs: Sequence[Path | None], places: Sequence[Path]) -> None:
    """Put logs with their pictures where they go, and every other one in the folder ``old``.

    Args:
        folder: The folder of logs.
        logs: For each probe the log that is taken; None for none.
        places: For each probe where its log goes.

    Raises:
        OutputError: One cannot be moved.

    """
    wanted = {path: place for path, place in zip(logs, places, strict=True) if path is not None}
    try:
        (folder / OLD).mkdir(parents=True, exist_ok=True)
        aside = {}
        for path in [*_logs(folder)]:
            if wanted.get(path) != path and path.parent == folder:
                aside[path] = _moved(path, _free(folder / OLD / f"{path.name}.{OLD}"))
        for path, place in wanted.items():
            if path != place:
                _moved(aside.get(path, path), place)
        if not any((folder / OLD).iterdir()):
            (folder / OLD).rmdir()
    except OSError as error:
        what = f"logs of probes cannot be kept there: {reason(error)}."
        raise OutputError(Problem(str(folder), what)) from error


def _moved(path: Path, to: Path) -> Path:
    beside = path_beside(path)
    if beside.exists():
        beside.replace(path_beside(to))
    return path.replace(to)


def _free(path: Path) -> Path:
    """Return a path that is not there yet, with the next number for what is there."""
    number, _, name = path.name.partition("-")
    place = int(number)
    while path.exists():
        place += 1
        path = path.with_name(f"{place}-{name}")
    return path


def align(path: Path, types: dict[str, pl.DataType], inputs: Inputs, groups: Sequence[str]) -> None:
    """Give a log the columns of all probes of a plan, null where it has none, and its groups anew.

    Args:
        path: The log, which is written anew where anything is another.
        types: The columns of rows, with their types.
        inputs: The inputs, which know the groups.
        groups: Columns of the inputs.

    Raises:
        EvenhandError: It cannot be read, or written.

    """
    made: Made = read_made(path)
    rows = pl.read_parquet(path)
    own: list[Any] = [
        pl.col(name).cast(dtype) if name in rows.columns else pl.lit(None, dtype).alias(name)
        for name, dtype in types.items()
    ]
    whole = with_groups(rows.select(own), inputs, groups)
    if whole.schema != rows.schema or not whole.equals(rows):
        write_all({path: to_parquet(whole, made)}, force=True)
