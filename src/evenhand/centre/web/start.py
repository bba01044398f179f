"""The first run: a file below the roots is chosen, a plan drafted and edited, an audit begun.

Nothing is uploaded. Files are listed as the server sees them; a worker on another machine reads
what lies at the same place there, if that is below a root of its own.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from evenhand.audits.plan.parsed import parse_plan
from evenhand.centre.api.access import Principal, Pusher, Reader
from evenhand.centre.api.ask import Here
from evenhand.centre.jobs.roots import Root, outside, refusal, roots_of
from evenhand.centre.jobs.settings import VARIABLES
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.jobs import enqueue
from evenhand.centre.web.draft import PARTS, Draft, draft_of
from evenhand.centre.web.page import Crumb, page
from evenhand.errors import (
    ConflictError,
    EvenhandError,
    PlanError,
    Problem,
    UnknownError,
)
from evenhand.logs.reader import FORMATS, format_of

router = APIRouter()

_SHOWN = 200
_LOOKED = 20_000
"""How many names below the roots are looked at."""

_DEEP = 5

_ENGINE = "polars"

Place = Annotated[str, Query(max_length=4000)]
Said = Annotated[str, Query(max_length=200)]


@dataclass(frozen=True, slots=True)
class File:
    """A data file below a root: where it is, how it is shown, how large, and when it changed."""

    path: str
    name: str
    size: int
    changed: dt.datetime


@router.get("/start")
def show_files(request: Request, principal: Reader, centre: Here) -> Response:
    """List the data files that can be audited."""
    return _files_page(request, principal, centre)


def _files_page(
    request: Request,
    principal: Principal,
    centre: Centre,
    problems: Sequence[Problem] = (),
) -> Response:
    may = _may(principal)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problems else HTTPStatus.OK
    found: list[File] = []
    roots: list[str] = []
    try:
        folders = _folders(centre)
    except EvenhandError as error:
        folders, problems = [], [*problems, *error.problems]
    if may:
        # Names of files tell something too: only those see them who may audit them.
        roots = [root.text for root in folders]
        found = sorted(_files(folders), key=lambda one: one.changed, reverse=True)
    return page(
        request,
        "start.html",
        title="Audit your own file",
        status=status,
        roots=roots if may else folders,
        may=may,
        files=found[:_SHOWN],
        left=len(found) > _SHOWN,
        endings=", ".join(FORMATS),
        problems=problems,
    )


def _may(principal: Principal) -> bool:
    return principal.csrf is not None and "push" in principal.rights


def _folders(centre: Centre) -> list[Root]:
    return [root for root in roots_of(centre.roots) if root.folder is not None and not root.form]


def _files(folders: Sequence[Root]) -> Iterator[File]:
    """Yield data files below folders; links are not followed."""
    looked = 0
    for root in folders:
        top = root.folder or Path()
        for folder, below, names in os.walk(top):
            deep = len(Path(folder).relative_to(top).parts)
            below[:] = (
                sorted(one for one in below if not one.startswith(".")) if deep < _DEEP else []
            )
            for name in sorted(names):
                looked += 1
                if looked > _LOOKED:
                    return
                if name.startswith(".") or format_of(name) is None:
                    continue
                found = _file(Path(folder) / name, top)
                if found is not None:
                    yield found


def _file(path: Path, top: Path) -> File | None:
    try:
        told = path.stat(follow_symlinks=False)
    except OSError:
        return None
    if path.is_symlink() or not path.is_file():
        return None
    changed = dt.datetime.fromtimestamp(told.st_mtime, dt.UTC)
    return File(str(path), str(path.relative_to(top)), told.st_size, changed)


@router.get("/start/plan")
def show_plan(
    request: Request,
    principal: Pusher,
    centre: Here,
    *,
    file: Place = "",
    prediction: Said = "",
    label: Said = "",
    group: Said = "",
    unit: Said = "",
) -> Response:
    """Guess what the columns of a file mean, and show a plan to be edited."""
    said = dict(zip(PARTS, (prediction, label, group, unit), strict=True))
    try:
        path = _inside(centre, file)
        drafted = draft_of(path, {name: text.strip() for name, text in said.items()})
    except (PlanError, UnknownError) as error:
        return _files_page(request, principal, centre, error.problems)
    subject = {"product": principal.product or path.stem[:90], "model": "model", "version": "v1"}
    status = HTTPStatus.UNPROCESSABLE_ENTITY if drafted.problems else HTTPStatus.OK
    return _plan_page(
        request,
        path,
        drafted,
        said=said,
        text=drafted.text,
        subject=subject,
        problems=drafted.problems,
        status=status,
    )


def _plan_page(
    request: Request,
    path: Path,
    drafted: Draft | None,
    *,
    said: dict[str, str],
    text: str,
    subject: dict[str, str],
    problems: Sequence[Problem],
    status: int,
) -> Response:
    shown: dict[str, Any] = {
        "guessed": drafted.guessed if drafted else (),
        "told": drafted.notes if drafted else (),
        "columns": drafted.columns if drafted else (),
        "looked": drafted.looked if drafted else "",
    }
    return page(
        request,
        "plan.html",
        title=f"A plan for {path.name}",
        crumbs=(Crumb("Audit your own file", "/start"),),
        status=status,
        file=str(path),
        name=path.name,
        given=said,
        text=text,
        subject=subject,
        problems=problems,
        **shown,
    )


def _inside(centre: Centre, file: str) -> Path:
    """Return a data file that may be read.

    Raises:
        UnknownError: It may not, is none, or is not there; nobody can tell which.

    """
    path = Path(os.path.normpath(file)) if file and "\0" not in file else Path()
    folders = _folders(centre)
    inside = path.is_absolute() and refusal(str(path), folders, engine=_ENGINE) is None
    if not inside or format_of(path.name) is None or not path.is_file():
        what = "there is no such data file below the roots."
        raise UnknownError(Problem(file[:200] or "file", what, "Choose one from the list."))
    return path


@router.post("/start/audit")
def begin(
    request: Request,
    principal: Pusher,
    centre: Here,
    *,
    file: Annotated[str, Form(max_length=4000)] = "",
    text: Annotated[str, Form(max_length=1_000_000)] = "",
    product: Annotated[str, Form(max_length=100)] = "",
    model: Annotated[str, Form(max_length=100)] = "",
    version: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Begin the audit of a plan that was drafted here."""
    # Huey brings the driver of PostgreSQL along, which the first page does not wait for.
    from evenhand.centre.jobs.queue import queue_of

    # Browsers end the lines of a form with two signs.
    plain = text.replace("\r\n", "\n")
    subject = {"product": product.strip(), "model": model.strip(), "version": version.strip()}
    path = _inside(centre, file)
    if subject["product"]:
        principal.check("push", subject["product"])
    problems = [
        Problem(name, "it is empty.", "Say what is audited.")
        for name, said in subject.items()
        if not said
    ]
    problems += _outside(centre, plain, path.parent)
    if not problems:
        body = {"text": plain, "folder": str(path.parent), "engine": _ENGINE}
        try:
            job = enqueue(centre, Subject(**subject), body, by=principal.person)
        except (ConflictError, PlanError) as error:
            problems = [*error.problems]
        else:
            queue_of(centre.database).wake(job.id)
            return RedirectResponse(f"/jobs/{job.id}", HTTPStatus.SEE_OTHER)
    return _plan_page(
        request,
        path,
        None,
        said=dict.fromkeys(PARTS, ""),
        text=plain,
        subject=subject,
        problems=problems,
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
    )


def _outside(centre: Centre, text: str, folder: Path) -> list[Problem]:
    """Return why a plan cannot be a job, each at its line; a worker checks it again."""
    try:
        plan, located = parse_plan(text, "plan")
        return outside(
            plan,
            located,
            roots_of(centre.roots),
            folder=folder,
            engine=_ENGINE,
            variables=VARIABLES,
        )
    except EvenhandError as error:
        return [*error.problems]
