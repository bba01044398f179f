"""Roots: what jobs may read with the worker's rights, and nothing else.

Whoever may ask for a job chooses paths that the worker opens with its own rights and credentials.
A worker therefore reads only what lies under a root that it was started with:

- a folder, with everything in it; a link in it that leads out of it is not followed;
- an address such as ``s3://bucket/prefix``, with everything below it and, of ``https://``, wherever
  its server sends the reader on to;
- ``delta:PLACE`` or ``iceberg:PLACE``, the tables of this format below a place. They need a root of
  their own since such a table's log says where its files are: whoever may write there can name any;
- ``table:catalogue.schema``, the tables of Spark's catalogue with these first names.

Without a root a worker reads nothing. Variables of the environment are replaced in a plan's paths
only where the worker was told their names: their values would show in messages.

What is checked is what is there now. Who may change links below a root while an audit runs can lead
it elsewhere, so that a root is best writable by those alone whose files it holds.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

from evenhand.audits.plan.lines import Located, Place
from evenhand.audits.plan.plan import AuditPlan
from evenhand.audits.plan.source import expanded, variables_in
from evenhand.errors import (
    EvenhandError,
    PlanError,
    Problem,
    SourceError,
    listed,
    reason,
)
from evenhand.logs.file import is_glob, paths_of
from evenhand.logs.remote import format_and_place, is_table_name, within

_TABLE = "table"
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<rest>.*)", re.DOTALL)
_FORMAT = re.compile("(delta|iceberg):")
_SAME = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "abfs": "abfss"}
"""Schemes under which engines reach the same files."""

_UPWARDS = re.compile(r"(^|[/{,\\])\.\.($|[/},\\])")
"""A step upwards, also as one of a glob's alternatives."""


@dataclass(frozen=True, slots=True)
class Root:
    """What jobs may read.

    Attributes:
        text: As it was given.
        form: ``delta``, ``iceberg`` or ``table``; None for files.
        place: The folder, without links; the address; or the first names of tables.

    """

    text: str
    form: str | None
    place: str

    @property
    def folder(self) -> Path | None:
        """The folder of this machine that it is; None where it is none."""
        local = self.form != _TABLE and not _SCHEME.match(self.place)
        return Path(self.place) if local else None


def roots_of(texts: Sequence[str]) -> tuple[Root, ...]:
    """Return roots as they were given.

    Raises:
        EvenhandError: One is no folder, no address and no name.

    """
    found, problems = [], []
    for text in texts:
        form, colon, rest = text.partition(":")
        if not colon or form not in {"delta", "iceberg", _TABLE}:
            form, rest = "", text
        place = rest.removeprefix("file://")
        address = _address(place)
        if form == _TABLE:
            good = is_table_name(place)
        elif _SCHEME.match(place):
            good = address is not None
        else:
            good = bool(place) and Path(place).is_dir()
            place = os.path.realpath(place)
        if not good:
            what = "this is no folder, and no address such as s3://bucket/prefix."
            problems.append(Problem(f"--root {text}", what, "Name a folder that is there."))
        found.append(Root(text, form or None, place))
    if problems:
        raise EvenhandError(problems)
    return tuple(found)


def outside(
    plan: AuditPlan,
    located: Located,
    roots: Sequence[Root],
    *,
    folder: Path,
    engine: str,
    variables: Collection[str] = (),
) -> list[Problem]:
    """Return what a plan would read that lies outside the roots, each at its line.

    Args:
        plan: The plan.
        located: Where everything stands in its file.
        roots: What may be read.
        folder: The folder that relative paths start from.
        engine: The engine, since only Spark has a catalogue.
        variables: The variables of the environment that a plan may use.

    """
    problems = []
    if plan.model is not None:
        # It may run whatever it holds, which no root bounds.
        what = "jobs ask no model."
        hint = "Audit it where the model is, and push the evidence: evenhand audit PLAN --to URL."
        problems.append(Problem(located.where(("model",)), what, hint))
    for place, text in sources_in(plan):
        where = located.where(place)
        hidden = [name for name in variables_in(text) if name not in variables]
        if hidden:
            what = f"'{text}' uses {listed(hidden)}, which this worker does not tell."
            hint = "Write the path itself, or start the worker with --variable NAME."
            problems.append(Problem(where, what, hint))
            continue
        try:
            source = within(folder, expanded(text), catalogue=engine == "spark")
            problem = refusal(source, roots, engine=engine)
        except EvenhandError as error:
            problems += [Problem(where, one.what, one.hint) for one in error.problems]
            continue
        except OSError as error:
            problems.append(Problem(where, f"'{text}' cannot be looked at: {reason(error)}."))
            continue
        if problem is not None:
            problems.append(Problem(where, f"'{text}' {problem[0]}", problem[1]))
    return problems


def sources_in(plan: AuditPlan) -> Iterator[tuple[Place, str]]:
    """Yield everything that a plan reads, as it is written, with its place."""
    if plan.model is None:
        yield ("log", "source"), plan.log.source
    for index, table in enumerate(plan.tables):
        yield ("tables", index, "source"), table.source
    if plan.catalogue is not None:
        yield ("catalogue",), plan.catalogue


def refusal(source: str, roots: Sequence[Root], *, engine: str) -> tuple[str, str] | None:
    """Return why a source may not be read, and the way out; None where it may.

    Args:
        source: A path, a glob, an address or a table, with the folder that it starts from.
        roots: What may be read.
        engine: The engine.

    """
    if "\0" in source:
        return "is no path.", "Write it without what cannot be printed."
    named = _FORMAT.match(source) is not None
    table = not named and engine == "spark" and is_table_name(source)
    if not (named or table or _SCHEME.match(source) or _leads_into(source, _folders(roots))):
        # What is there is not looked at, so that nothing of it can be told.
        return _OUTSIDE, _way_out(roots, None)
    form, place = (_TABLE, source) if table else format_and_place(source)
    if place.casefold().startswith("file://"):
        return "is an address of a file.", "Write the path itself, without file://."
    allowed = [root for root in roots if root.form == form]
    if form == _TABLE:
        inside = any(f"{place}.".startswith(f"{root.place}.") for root in allowed)
    elif _SCHEME.match(place):
        inside = any(_below(place, root.place) for root in allowed)
    elif form is not None:
        inside = _leads_into(place, _folders(allowed))
    else:
        inside = _all_lead_into(place, _folders(allowed))
    return None if inside else (_OUTSIDE, _way_out(roots, form))


_OUTSIDE = "lies outside of what this worker may read."


def check_files(files: Sequence[str], roots: Sequence[Root]) -> None:
    """Check files that were found when a log was opened: a link may have changed since.

    Raises:
        SourceError: One leads out of the roots.

    """
    wrong = [file for file in files if not _leads_into(file, _folders(roots))]
    if wrong:
        what = "it leads out of what this worker may read."
        raise SourceError([Problem(PurePath(file).name, what) for file in wrong])


def plan_file(path: str, roots: Sequence[Root]) -> Path:
    """Return the file of a plan that may be read; a relative path starts from the first folder.

    Raises:
        PlanError: It may not be read, or is no plan.

    """
    found = _start(path, roots)
    if found is None or found.suffix.casefold() not in {".yaml", ".yml"}:
        what = "this is no path of a plan (x.yaml) that the worker could read."
        raise PlanError(Problem(path, what, "Name one below a root, or send the plan's text."))
    return _inside(path, found, roots)


def start_folder(path: str | None, roots: Sequence[Root]) -> Path:
    """Return the folder that the paths of a plan start from; by default the first one of the roots.

    Raises:
        PlanError: It may not be read.

    """
    found = _start(path or "", roots)
    if found is None:
        # There is no such folder: only addresses and whole paths can be inside.
        return Path(os.sep)
    return _inside(path or "", found, roots)


def _start(path: str, roots: Sequence[Root]) -> Path | None:
    """Return a path from the first folder of the roots; None where it is none."""
    folder = next(iter(_folders(_of_files(roots))), None)
    if "\0" in path or _SCHEME.match(path) or folder is None:
        return None
    return folder / path


def _inside(path: str, found: Path, roots: Sequence[Root]) -> Path:
    if not _leads_into(str(found), _folders(_of_files(roots))):
        what = "this lies outside of what this worker may read."
        raise PlanError(Problem(path, what, _way_out(roots, None)))
    return found


def _way_out(roots: Sequence[Root], form: str | None) -> str:
    if not roots:
        return "It was started without a --root, so that it reads nothing."
    may = f"It may read: {listed(root.text for root in roots)}."
    own = {_TABLE: "table:SCHEMA", "delta": "delta:PLACE", "iceberg": "iceberg:PLACE"}
    return f"{may} Such tables need a root of their own: {own[form]}." if form else may


def _of_files(roots: Sequence[Root]) -> list[Root]:
    return [root for root in roots if root.form is None]


def _folders(roots: Sequence[Root]) -> list[Path]:
    return [root.folder for root in roots if root.folder is not None]


def _all_lead_into(path: str, folders: Sequence[Path]) -> bool:
    """Return whether a path, and all that it stands for as a folder or glob, is in the folders."""
    if is_glob(path):
        parts = PurePath(path).parts
        first = next(place for place, part in enumerate(parts) if re.search(r"[*?\[]", part))
        # Whether there is anything outside that matches must not be told either.
        if ".." in parts[first:] or not _leads_into(str(PurePath(*parts[:first])), folders):
            return False
    elif not _leads_into(path, folders):
        return False
    return all(_leads_into(file, folders) for file in paths_of(path))


def _leads_into(path: str, folders: Sequence[Path]) -> bool:
    """Return whether a path, with all links followed, is in one of the folders."""
    real = Path(os.path.realpath(path))
    return any(real.is_relative_to(folder) for folder in folders)


def _below(address: str, root: str) -> bool:
    """Return whether an address is that of a root or below it."""
    mine, theirs = _address(address), _address(root)
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return False
    # Some engines read %2F as a slash, some do not: both must be below.
    start = f"{theirs[1].rstrip('/')}/"
    return all(f"{path}/".startswith(start) for path in (mine[1], unquote(mine[1])))


def _address(text: str) -> tuple[tuple[str, str], str] | None:
    """Return scheme and host or bucket, and path of an address; None where it cannot be told."""
    found = _SCHEME.match(text)
    if found is None or not text.isprintable():
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    if not parts.netloc or _UPWARDS.search(unquote(unquote(parts.path))):
        return None
    scheme = found["scheme"].casefold()
    return (_SAME.get(scheme, scheme), parts.netloc), parts.path
