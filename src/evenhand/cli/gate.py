"""``evenhand gate``: may it be released? The verdict of evidence, as an exit status."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evenhand.cli import flags
from evenhand.cli.output import exit_with, leave, show

if TYPE_CHECKING:
    from evenhand.audits.gate.verdict import Verdict
    from evenhand.centre.client.client import Client
    from evenhand.centre.client.release import Release
    from evenhand.render.judged import Suite


def gate(
    bundles: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="BUNDLE...",
            help="Evidence; with a centre, what is at hand of it.",
            show_default=False,
        ),
    ] = None,
    *,
    product: flags.Product = None,
    model: flags.Model = None,
    version: flags.Version = None,
    against: Annotated[
        str | None, typer.Option(help="Another version: what it passed must be passed again.")
    ] = None,
    from_: flags.From = None,
    artefact: Annotated[
        str | None, typer.Option(help="What ships: a file, or its digest, sha256:...")
    ] = None,
    on_unreachable: Annotated[
        Literal["fail", "cached"] | None,
        typer.Option(
            help="While the centre is away: fail, or decide by what is cached; else as the policy "
            "says.",
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(help="The centre's public key (PEM); else that of the first time."),
    ] = None,
    token_file: flags.TokenFile = None,
    insecure: flags.Insecure = False,
    junit: Annotated[Path | None, typer.Option(help="Write JUnit XML here.")] = None,
    sarif: Annotated[Path | None, typer.Option(help="Write SARIF here.")] = None,
    plan: Annotated[
        Path | None, typer.Option(help="The plan's path in the repository, for JUnit and SARIF.")
    ] = None,
    undecided_fails: Annotated[
        bool, typer.Option("--undecided-fails", help="Undecided rules are failures in JUnit.")
    ] = False,
    honour_waivers: flags.HonourWaivers = False,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Say whether a release may pass: by evidence alone, or with --product by the centre.

    Exit status: 0 pass, 1 fail, 2 usage (also: no rules), 3 undecided, 4 engine error, also where
    the centre is away and nothing may decide in its place. On GitHub the verdicts are also written
    to the summary of the step.

    [bold]Example[/bold]

      evenhand gate v7.evidence.zip --junit gate.xml --sarif gate.sarif

      evenhand gate --product lending --model credit --version v8 --against v7 --from https://centre
    """
    file = None if plan is None else plan.as_posix()
    reports = _Reports(junit, sarif, file, undecided_fails=undecided_fails, force=force)
    beside: dict[str, object] = {
        "--model": model,
        "--version": version,
        "--against": against,
        "--artefact": artefact,
    }
    beside |= {"--on-unreachable": on_unreachable, "--key": key, "--token-file": token_file}
    if product is not None or from_ is not None:
        verdict = _of_centre(
            _Asked(
                bundles or [],
                (product or "", model or "", version or ""),
                against,
                artefact,
                on_unreachable,
                key,
            ),
            lambda: flags.client_of(from_, token_file, insecure=insecure),
            reports,
            honour_waivers=honour_waivers,
            as_json=as_json,
        )
        leave(verdict)
        return
    _check_alone(bundles, [name for name, value in beside.items() if value is not None])
    _of_bundles(bundles or [], reports, honour_waivers=honour_waivers, as_json=as_json)


@dataclass(frozen=True)
class _Reports:
    """The files that are asked for."""

    junit: Path | None
    sarif: Path | None
    plan: str | None
    undecided_fails: bool
    force: bool

    @property
    def wanted(self) -> list[Path]:
        """The files, checked before any work is done."""
        return [path for path in (self.junit, self.sarif) if path is not None]

    def write(self, suite_of: Callable[[], Suite], summary: Iterable[str]) -> None:
        """Write what was judged, and add to the summary of a step of GitHub."""
        from evenhand.render import junit, sarif
        from evenhand.render.file import add_text, write_text

        if self.junit is not None:
            text = junit.written(suite_of(), undecided_fails=self.undecided_fails)
            write_text(self.junit, text, force=self.force)
        if self.sarif is not None:
            write_text(self.sarif, sarif.written(suite_of()), force=self.force)
        step = os.environ.get("GITHUB_STEP_SUMMARY")
        if step:
            add_text(step, "".join(summary))


def _of_bundles(
    bundles: Sequence[Path], reports: _Reports, *, honour_waivers: bool, as_json: bool
) -> None:
    """Judge by evidence alone, and leave."""
    from evenhand.audits.evidence.archive import read_bundle
    from evenhand.audits.gate.verdict import of_all
    from evenhand.errors import BundleError, Problem
    from evenhand.render import step_summary, verdicts
    from evenhand.render.file import check_targets
    from evenhand.render.judged import suite_of

    check_targets(reports.wanted, force=reports.force)
    found = [read_bundle(path, replicates=False) for path in bundles]
    without = [path for path, bundle in zip(bundles, found, strict=True) if not bundle.rules]
    if without:
        hint = "Add a gate to the plan and audit again, or see it with evenhand show."
        raise BundleError([Problem(str(path), "it has no rules.", hint) for path in without])
    if reports.wanted and len(found) > 1:
        what = "reports are written for one bundle at a time."
        raise BundleError(Problem("--junit, --sarif", what, "Call evenhand gate for each."))
    summary = (f"{step_summary.FORMAT.render(one)}\n" for one in found)
    reports.write(lambda: suite_of(found[0], reports.plan), summary)
    rules = [rule for bundle in found for rule in bundle.rules]
    verdict = of_all(rule.verdict for rule in rules)
    document = {"verdict": verdict, "rules": [rule.to_dict() for rule in rules]}
    show(verdicts.verdicts(verdict, rules), document, as_json=as_json)
    exit_with(rules, honour_waivers=honour_waivers)


def _check_alone(bundles: Sequence[Path] | None, beside: Sequence[str]) -> None:
    """Check that evidence alone is asked about, and that there is some.

    Raises:
        EvenhandError: Flags are given that a centre is for, or there is no evidence.

    """
    from evenhand.errors import EvenhandError, Problem, listed

    if beside:
        what = "only the centre decides about a version."
        raise EvenhandError(Problem(listed(beside), what, "Name the product: --product NAME."))
    if not bundles:
        hint = (
            "evenhand gate x.evidence.zip, or --product ... --model ... --version ... --from URL."
        )
        raise EvenhandError(Problem("gate", "evidence or a version is needed.", hint))


@dataclass(frozen=True)
class _Asked:
    """What the centre is asked."""

    bundles: Sequence[Path]
    names: tuple[str, str, str]
    against: str | None
    artefact: str | None
    on_unreachable: Literal["fail", "cached"] | None
    key: Path | None


def _of_centre(
    asked: _Asked,
    client_of: Callable[[], Client],
    reports: _Reports,
    *,
    honour_waivers: bool,
    as_json: bool,
) -> Verdict:
    """Let the centre judge, or what is cached of it, and return the verdict that counts."""
    from evenhand.centre.client import release, told
    from evenhand.centre.client.cache import cache_of
    from evenhand.render.file import check_targets

    check_targets(reports.wanted, force=reports.force)
    with client_of() as client:
        answer = release.gate(
            client,
            cache_of(client.address, asked.key),
            _release(asked),
            at=dt.datetime.now(dt.UTC),
            on_unreachable=asked.on_unreachable,
        )
    summary = (f"{told.summary(one)}\n" for one in [answer])
    reports.write(lambda: told.suite_of(answer.decision, reports.plan), summary)
    for line in told.warnings(answer):
        typer.echo(line, err=True)
    show(told.text(answer), answer.to_dict(), as_json=as_json)
    return answer.decision.unwaived if honour_waivers else answer.decision.verdict


def _release(asked: _Asked) -> Release:
    """Return what is to be released; names that no flag gives are those of the evidence at hand.

    Raises:
        EvenhandError: With everything that is wrong with files, names and artefact.

    """
    from evenhand.centre.client.release import Release, evidence_at
    from evenhand.centre.dossier import EvidenceRecord
    from evenhand.centre.subject import Subject
    from evenhand.errors import EvenhandError, Problem

    given, about = Subject(*asked.names), set[Subject]()
    at_hand, problems = dict[Path, EvidenceRecord](), list[Problem]()
    for path in asked.bundles:
        try:
            subject, at_hand[path] = evidence_at(path, given)
            about.add(subject)
        except EvenhandError as error:
            problems += error.problems
    if len(about) > 1:
        what = "the evidence is about several versions."
        problems.append(Problem("gate", what, "Call evenhand gate for each."))
    missing = [
        name
        for name, value in zip(("product", "model", "version"), asked.names, strict=True)
        if not value
    ]
    if missing and not asked.bundles:
        problems += [
            Problem(f"--{name}", "which one is not said.", f"Add --{name} NAME.")
            for name in missing
        ]
    artefact = None
    try:
        artefact = None if asked.artefact is None else _artefact(asked.artefact)
    except EvenhandError as error:
        problems += error.problems
    if problems:
        raise EvenhandError(problems)
    subject = about.pop() if about else given
    return Release(subject, asked.against, artefact, at_hand)


def _artefact(text: str) -> str:
    """Return the digest that is given, or that of a file.

    Raises:
        EvenhandError: It cannot be read.

    """
    from evenhand.errors import EvenhandError, Problem, reason

    if re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        return text
    try:
        with Path(text).open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        hint = "Name the file that ships, or its digest: sha256: and 64 hexadecimal digits."
        what = f"it cannot be read: {reason(error)}."
        raise EvenhandError(Problem(f"--artefact {text}", what, hint)) from error
