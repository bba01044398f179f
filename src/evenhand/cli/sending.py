"""An audit whose evidence goes to the centre: announced before it reads rows, pushed at its end."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from evenhand.cli import flags
from evenhand.cli.push import document_of, line_of

if TYPE_CHECKING:
    from evenhand.audits.evidence.bundle import Bundle
    from evenhand.audits.plan.fit import Fit
    from evenhand.centre.client.client import Client
    from evenhand.centre.protocol import PushedDocument
    from evenhand.centre.subject import Subject
    from evenhand.errors import UnreachableError


@dataclass(frozen=True)
class Sending:
    """An audit that the centre is told of.

    Attributes:
        client: The centre.
        subject: What is audited.
        run: The run that was announced; None where the centre was away.

    """

    client: Client
    subject: Subject
    run: str | None


@dataclass(frozen=True)
class Sent:
    """What became of the evidence: what the centre says of it, or why it has not got it."""

    client: Client
    pushed: PushedDocument | None
    error: UnreachableError | None = None

    def to_dict(self) -> dict[str, Any] | None:
        """Return what was pushed as JSON has it; None where nothing was."""
        return None if self.pushed is None else document_of(self.client, None, self.pushed)

    @property
    def line(self) -> str:
        """What became of it in a line, or as the error says it."""
        return str(self.error) if self.pushed is None else line_of(self.client, self.pushed)


@contextlib.contextmanager
def announced(
    to: str | None, fit: Fit, out: Path | None, token_file: Path | None, *, insecure: bool
) -> Iterator[Sending | None]:
    """Announce an audit and give what its end is told by; an error in between is told too.

    While the centre is away the audit goes on where its evidence is kept.

    Args:
        to: The centre; None for none, and then nothing is given.
        fit: The plan.
        out: Where the evidence is kept.
        token_file: A file with the token.
        insecure: Whether the token may be sent unencrypted to another machine.

    Raises:
        PlanError: The plan does not say what is audited, or leaves it to the rows what is measured.
        UnreachableError: The centre is away, and nothing would be left of the audit.
        EvenhandError: The centre refuses.

    """
    if to is None:
        yield None
        return
    _check(fit)
    with flags.client_of(to, token_file, insecure=insecure) as client:
        sending = _begin(client, fit, out)
        try:
            yield sending
        except BaseException as error:
            _tell(sending, error)
            raise


def _begin(client: Client, fit: Fit, out: Path | None) -> Sending:
    from pydantic import ValidationError

    from evenhand.centre.client.client import new_run
    from evenhand.centre.dossier import plan_identity
    from evenhand.centre.protocol import RunRequest
    from evenhand.centre.subject import Subject
    from evenhand.errors import PlanError, Problem, UnreachableError

    said = fit.plan.subject
    subject = Subject(said.product or "", said.model or "", said.version or "")
    try:
        asked = RunRequest(
            id=new_run(),
            product=subject.product,
            model=subject.model,
            version=subject.version,
            plan=plan_identity(fit.plan),
            artefact=said.artefact,
            window=None if said.window is None else (said.window[0], said.window[-1]),
        )
    except ValidationError as error:
        problems = [
            Problem(f"subject.{one['loc'][0]}", f"{one['msg']}.")
            for one in error.errors(include_url=False)
        ]
        raise PlanError(problems) from error
    try:
        client.start_run(asked)
    except UnreachableError as error:
        if out is None:
            hint = "Keep it, and push it later: --out x.evidence.zip"
            without = Problem("--out", "without it nothing would be left of the audit.", hint)
            raise UnreachableError([*error.problems, without]) from error
        typer.echo(f"{error}\nthe audit goes on, and is not announced", err=True)
        return Sending(client, subject, None)
    return Sending(client, subject, asked.id)


def _check(fit: Fit) -> None:
    """Check that a plan says what is audited and what is measured, before any row is read.

    Raises:
        PlanError: It does not.

    """
    from evenhand.errors import PlanError, Problem

    said, where = fit.plan.subject, fit.name or "the plan"
    hint = "Write it in the plan: subject: {product: lending, model: credit, version: v7}."
    problems = [
        Problem(f"{where} subject.{name}", "the centre must know what is audited.", hint)
        for name in ("product", "model", "version")
        if not getattr(said, name)
    ]
    content = fit.located.content if fit.located is not None else {"measures": [True]}
    if not content.get("measures"):
        what = "what is announced before rows are read names its measures."
        hint = "Write them in the plan; evenhand init drafts them."
        problems.append(Problem(f"{where} measures", what, hint))
    if problems:
        raise PlanError(problems)


def _tell(sending: Sending, error: BaseException) -> None:
    """Tell the centre of an error, as far as it can be told."""
    from evenhand.errors import EvenhandError, StoppedError, first_line

    if sending.run is None:
        return
    stopped = isinstance(error, StoppedError | KeyboardInterrupt)
    why = "stopped" if stopped else first_line(error)[:2000]
    with contextlib.suppress(EvenhandError):
        sending.client.end_run(sending.run, "failed", reason=why)


def finish(sending: Sending, bundle: Bundle, out: Path | None) -> Sent:
    """Push the evidence of an audit, which ends its run; keep it where the centre is away.

    Raises:
        EvenhandError: The centre does not accept it.

    """
    from evenhand.audits.evidence.archive import packed
    from evenhand.audits.evidence.file import read_whole
    from evenhand.errors import Problem, UnreachableError

    data = packed(bundle, "evidence")[0] if out is None else read_whole(out)
    subject, client = sending.subject, sending.client
    names = {"product": subject.product, "model": subject.model, "version": subject.version}
    try:
        return Sent(client, client.push(data, **names, run=sending.run))
    except UnreachableError as error:
        kept = out or _kept(client, data)
        words = ["evenhand", "push", str(kept), "--to", client.address.url]
        words += ["--run", sending.run] if sending.run else []
        what = f"the evidence is kept in {kept}, and is not pushed."
        later = Problem("--to", what, f"Push it later: {shlex.join(words)}")
        return Sent(client, None, UnreachableError([*error.problems, later]))


def _kept(client: Client, data: bytes) -> Path:
    """Return the file in which evidence is kept that had none and could not be pushed."""
    from evenhand.audits.evidence.canonical import digest_of
    from evenhand.centre.client.cache import cache_of

    name = f"{digest_of(data).removeprefix('sha256:')[:16]}.evidence.zip"
    return cache_of(client.address).set_aside(data, name)
