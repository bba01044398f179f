"""``evenhand push``: evidence goes to the centre, where everybody finds it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import flags
from evenhand.cli.output import errors_of, fail, show, status_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evenhand.centre.client.client import Client
    from evenhand.centre.protocol import PushedDocument
    from evenhand.centre.subject import Subject
    from evenhand.errors import EvenhandError


def push(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="Evidence.", show_default=False)
    ],
    *,
    product: flags.Product = None,
    model: flags.Model = None,
    version: flags.Version = None,
    to: flags.To = None,
    run: Annotated[
        str | None, typer.Option(help="The announced run that this evidence ends.")
    ] = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    as_json: flags.AsJson = False,
) -> None:
    """Push evidence to the centre; pushing it again changes nothing.

    Every file is verified here before any is sent, and again by the centre. Product, model and
    version may be left out where the plan's subject names them. States are never pushed.

    Exit status: 0 all of it is there, 2 usage, also evidence that is refused, 4 the centre is away.

    [bold]Example[/bold]

      evenhand push v7.evidence.zip --product lending --model credit --version v7 --to https://centre
    """
    from evenhand.centre.subject import Subject
    from evenhand.errors import EvenhandError, Problem

    client = flags.client_of(to, token_file, insecure=insecure)
    if run is not None and len(bundles) > 1:
        what = "a run ends with one file of evidence."
        raise EvenhandError(Problem("--run", what, "Call evenhand push for each."))
    files = _verified(bundles, Subject(product or "", model or "", version or ""))
    with client:
        pushed, error = _pushed(client, files, run)
    document: dict[str, Any] = {"pushed": [document_of(client, *one) for one in pushed]}
    if error is not None:
        document["errors"] = errors_of(error)
    if pushed or as_json:
        show(_text(client, pushed), document, as_json=as_json)
    if error is not None:
        # With JSON what went wrong stands beside what did not, in one document.
        raise typer.Exit(status_of(error) if as_json else fail(error, as_json=False))


def _verified(paths: Sequence[Path], given: Subject) -> list[tuple[Path, bytes, Subject]]:
    """Return the files with their bytes and what they are about, each verified.

    Raises:
        EvenhandError: With everything that is wrong with any of them.

    """
    from evenhand.audits.evidence.archive import parse_bundle
    from evenhand.audits.evidence.file import read_whole
    from evenhand.centre.subject import subject_of
    from evenhand.errors import BundleError, EvenhandError, Problem

    found, problems = [], []
    for path in paths:
        if path.suffix.lower() == ".states":
            what = "states are sums of small groups, nearly personal data; they are never pushed."
            hint = (
                f"Push evidence of them: evenhand audit --from-states {path} --out x.evidence.zip"
            )
            problems.append(Problem(str(path), what, hint))
            continue
        try:
            data = read_whole(path)
            bundle = parse_bundle(data, str(path), replicates=False)
            found.append((path, data, subject_of(bundle.plan.subject, given)))
        except EvenhandError as error:
            problems += [
                Problem(_placed(path, one.where), one.what, one.hint) for one in error.problems
            ]
    if problems:
        raise BundleError(problems)
    return found


def _placed(path: Path, where: str) -> str:
    """Return where a problem is, with the file in front where it does not stand there already."""
    return where if where.startswith((str(path), path.name)) else f"{path}: {where}"


def _pushed(
    client: Client, files: Sequence[tuple[Path, bytes, Subject]], run: str | None
) -> tuple[list[tuple[Path, PushedDocument]], EvenhandError | None]:
    """Push one file after the other; return what is there now, and what went wrong."""
    from evenhand.errors import EvenhandError, Problem, UnreachableError

    pushed: list[tuple[Path, PushedDocument]] = []
    failed: EvenhandError | None = None
    for path, data, subject in files:
        names = {"product": subject.product, "model": subject.model, "version": subject.version}
        try:
            pushed.append((path, client.push(data, **names, run=run)))
        except UnreachableError as error:
            return pushed, error
        except EvenhandError as error:
            problems = [
                Problem(f"{path}: {one.where}", one.what, one.hint) for one in error.problems
            ]
            earlier = failed.problems if failed else ()
            failed = type(error)([*earlier, *problems])
    return pushed, failed


def document_of(client: Client, path: Path | None, pushed: PushedDocument) -> dict[str, Any]:
    """Return what was pushed as JSON has it."""
    audit = pushed.audit
    return {
        "file": None if path is None else str(path),
        "bundle": audit.bundle,
        "product": audit.product,
        "model": audit.model,
        "version": audit.version,
        "verdict": audit.verdict,
        "run": audit.run,
        "new": pushed.new,
        "page": client.page(audit),
    }


def line_of(client: Client, pushed: PushedDocument) -> str:
    """Return what was pushed in a line."""
    audit = pushed.audit
    there = "pushed" if pushed.new else "there already"
    about = f"{audit.product} / {audit.model} / {audit.version}"
    return f"{there}  {about}, {audit.verdict or 'no rules'}  {client.page(audit)}"


def _text(client: Client, pushed: Sequence[tuple[Path, PushedDocument]]) -> RenderableType:
    from rich.text import Text

    return Text("\n".join(line_of(client, one) for _, one in pushed))
