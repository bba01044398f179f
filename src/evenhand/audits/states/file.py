"""States in a file, ``x.states``: a zip of a manifest and one Parquet table for each scope."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from evenhand.audits.evidence.bundle import Input
from evenhand.audits.evidence.canonical import canonical, digest_of, parse
from evenhand.audits.evidence.document import checked
from evenhand.audits.evidence.file import Location, write_whole
from evenhand.audits.evidence.probed import ProbeRecord, kept
from evenhand.audits.made import Makers
from evenhand.audits.plan.lines import Located
from evenhand.audits.plan.parsed import plan_from
from evenhand.audits.states.states import States
from evenhand.engine import State
from evenhand.engine.state import NOTE
from evenhand.errors import EvenhandError, Problem, StateMergeError, first_line
from evenhand.logs.file import Skipped

FORMAT = 1
"""The version of the format that is written. It changes when any sum means something else."""

_MANIFEST, _SCHEMA = "manifest.json", "columns.parquet"
Size = Annotated[int, Field(ge=0)]


class _Part(BaseModel):
    """A part of a manifest; what later versions add is passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Scope(_Part):
    member: str
    slice: str | None
    plan_digest: str
    engine: str
    rows: Size


class _Input(_Part):
    name: str
    bytes: Size | None
    sha256: str | None
    rows: Size | None
    table: bool = False


class _Left(_Part):
    file: str
    reason: str
    bytes: Size
    rows: Size | None


class _Manifest(_Part):
    states: int
    evenhand: list[str]
    plan: dict[str, Any]
    scopes: list[_Scope]
    inputs: list[_Input]
    skipped: list[_Left]
    probes: list[ProbeRecord] = []
    files_without_probe: Size = 0
    members: dict[str, str]


_READ = TypeAdapter(_Manifest)


def write_states(states: States, path: Location, *, force: bool = False) -> None:
    """Write states to a file, whole or not at all.

    Raises:
        OutputError: It cannot be written, or is there already.

    """
    members = {_SCHEMA: _parquet(pl.DataFrame(schema=states.schema))}
    scopes = []
    for place, (scope, state) in enumerate(states.scopes.items()):
        stream = io.BytesIO()
        state.write(stream)
        name = f"scope-{place}.parquet"
        members[name] = stream.getvalue()
        scopes.append(
            {
                "member": name,
                "slice": scope,
                "plan_digest": f"sha256:{state.plan}",
                "engine": state.engine,
                "rows": state.rows,
            }
        )
    units, exact = states.units
    document = {
        "states": FORMAT,
        "note": NOTE,
        "evenhand": [*states.versions],
        "plan": states.plan.to_dict(),
        "rows": states.whole.rows,
        "units": {"number": units, "exact": exact, "unit": states.whole.identity["unit"]},
        "scopes": scopes,
        "inputs": [dataclasses.asdict(one) for one in states.inputs],
        "skipped": [dataclasses.asdict(one) for one in states.skipped],
        **kept(states.makers.records, states.makers.unknown),
        "members": {name: digest_of(data) for name, data in members.items()},
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name, data in {_MANIFEST: canonical(document, str(path)), **members}.items():
            # One date, so that equal states are equal files.
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
    write_whole(stream.getvalue(), path, force=force)


def read_states(path: Location) -> States:
    """Return the states of a file.

    Raises:
        StateMergeError: It is no file of states, was cut or edited, or has another format.

    """
    name = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = {one: archive.read(one) for one in archive.namelist()}
        manifest = _manifest(members.pop(_MANIFEST), name)
        _check_members(members, manifest, name)
        schema = pl.read_parquet(io.BytesIO(members[_SCHEMA])).schema
        scopes = {one.slice: State.read(io.BytesIO(members[one.member])) for one in manifest.scopes}
        plan = plan_from(Located("", manifest.plan, {}))
    except StateMergeError:
        raise
    except EvenhandError as error:
        raise StateMergeError(
            [Problem(name, one.what, one.hint) for one in error.problems]
        ) from error
    except FileNotFoundError as error:
        hint = "Write it first: evenhand audit PLAN --states x.states."
        raise StateMergeError(Problem(name, "no such file.", hint)) from error
    except (Exception, pl.exceptions.PanicException) as error:
        what = f"it is no file of states, or not whole: {first_line(error)}."
        hint = "Name a file that evenhand audit --states wrote."
        raise StateMergeError(Problem(name, what, hint)) from error
    return States(
        plan=plan,
        schema=schema,
        scopes=scopes,
        inputs=tuple(Input(**one.model_dump()) for one in manifest.inputs),
        skipped=tuple(Skipped(**one.model_dump()) for one in manifest.skipped),
        versions=tuple(manifest.evenhand),
        name=Path(name).name,
        makers=Makers(tuple(manifest.probes), manifest.files_without_probe),
    )


def _manifest(data: bytes, name: str) -> _Manifest:
    content = parse(data, _MANIFEST)
    version = content.get("states") if isinstance(content, Mapping) else None
    if version != FORMAT:
        what = f"these states have format {version}; this release reads {FORMAT}."
        hint = "Count the rows again, or use the release that wrote them."
        raise StateMergeError(Problem(name, what, hint))
    return checked(_READ, content, _MANIFEST)


def _check_members(members: Mapping[str, bytes], manifest: _Manifest, name: str) -> None:
    wanted = {*manifest.members, _SCHEMA, *(one.member for one in manifest.scopes)}
    changed = [
        one
        for one in sorted({*wanted, *members})
        if _digest(members.get(one)) != manifest.members.get(one)
    ]
    if changed:
        what = f"{', '.join(changed)} is not as it was written."
        raise StateMergeError(Problem(name, what, "Get the file again, or count the rows again."))


def _digest(data: bytes | None) -> str | None:
    return None if data is None else digest_of(data)


def _parquet(frame: pl.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.write_parquet(stream)
    return stream.getvalue()
