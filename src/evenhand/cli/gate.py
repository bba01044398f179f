"""``evenhand gate``: may it be released? The verdict of evidence, as an exit status."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from evenhand.cli import flags
from evenhand.cli.output import exit_with, show


def gate(
    bundles: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="Evidence.", show_default=False)
    ],
    *,
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
    """Say whether evidence lets a release pass.

    Exit status: 0 pass, 1 fail, 2 usage (also: no rules), 3 undecided, 4 engine error. On GitHub
    the verdicts are also written to the summary of the step.

    [bold]Example[/bold]

      evenhand gate v7.evidence.zip --junit gate.xml --sarif gate.sarif
    """
    from evenhand.audits.evidence.archive import read_bundle
    from evenhand.audits.gate.verdict import of_all
    from evenhand.errors import BundleError, Problem
    from evenhand.render import junit as as_junit
    from evenhand.render import sarif as as_sarif
    from evenhand.render import step_summary, verdicts
    from evenhand.render.file import add_text, check_targets, write_text

    wanted = [path for path in (junit, sarif) if path is not None]
    check_targets(wanted, force=force)
    found = [read_bundle(path, replicates=False) for path in bundles]
    without = [path for path, bundle in zip(bundles, found, strict=True) if not bundle.rules]
    if without:
        hint = "Add a gate to the plan and audit again, or see it with evenhand show."
        raise BundleError([Problem(str(path), "it has no rules.", hint) for path in without])
    if wanted and len(found) > 1:
        what = "reports are written for one bundle at a time."
        raise BundleError(Problem("--junit, --sarif", what, "Call evenhand gate for each."))
    file = None if plan is None else plan.as_posix()
    if junit is not None:
        text = as_junit.render(found[0], plan_file=file, undecided_fails=undecided_fails)
        write_text(junit, text, force=force)
    if sarif is not None:
        write_text(sarif, as_sarif.render(found[0], plan_file=file), force=force)
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        add_text(summary, "".join(f"{step_summary.FORMAT.render(one)}\n" for one in found))
    rules = [rule for bundle in found for rule in bundle.rules]
    verdict = of_all(rule.verdict for rule in rules)
    document = {"verdict": verdict, "rules": [rule.to_dict() for rule in rules]}
    show(verdicts.verdicts(verdict, rules), document, as_json=as_json)
    exit_with(rules, honour_waivers=honour_waivers)
