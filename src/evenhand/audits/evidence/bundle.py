"""The bundle: one portable file of evidence, readable and verifiable with no server."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from evenhand.audits.evidence.probed import ProbeRecord, probes_in, unknown_in
from evenhand.audits.finding import Finding
from evenhand.audits.gate.verdict import RuleVerdict, Verdict, of_all
from evenhand.audits.plan.plan import AuditPlan
from evenhand.notebook import as_html

FORMAT = 1
"""The version of the bundle format that is written."""

REPLICATES = {
    "measure": pl.String,
    "by": pl.String,
    "slice": pl.String,
    "group": pl.String,
    "buckets": pl.Int32,
    "bucket": pl.Int32,
    "deviation": pl.Float64,
}
"""Columns of the replicates: how far a bucket of units, or one of few sums of all buckets, moves a
measure in a group."""


@dataclass(frozen=True)
class Input:
    """A file that was read.

    Attributes:
        name: Its name, without the folder.
        bytes: Its size; None for what is no file.
        sha256: Digest of its content; None for what is no file.
        rows: Number of its rows, where the file tells; evidence does not keep it.
        table: Whether it is a side table, which has no rows of the log.

    """

    name: str
    bytes: int | None
    sha256: str | None
    rows: int | None = None
    table: bool = False


@dataclass(frozen=True)
class Bundle:
    """An audit that was done: what was asked, what was found, what it was made with.

    Attributes:
        plan: What was asked.
        findings: What was found, in the order of the plan, slice after slice.
        rules: The verdicts of the gate; empty for a plan without rules.
        replicates: Deviations by measure, group and bucket of units; columns as `REPLICATES`.
        environment: What it was made with: versions, engine, times. No path, no name of a machine.
        inputs: The files that were read.
        units: What is independent, and the digest of the set of units; None for rows.
        created: When the audit was done, in UTC.
        version: The version of Evenhand that did it.

    """

    plan: AuditPlan
    findings: tuple[Finding, ...]
    rules: tuple[RuleVerdict, ...]
    replicates: pl.DataFrame
    environment: Mapping[str, Any]
    inputs: tuple[Input, ...]
    units: Mapping[str, Any]
    created: dt.datetime
    version: str
    charts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @functools.cached_property
    def verdict(self) -> Verdict | None:
        """The verdict of the gate; None for a plan without rules."""
        return of_all(rule.verdict for rule in self.rules) if self.rules else None

    @property
    def skipped(self) -> Sequence[Mapping[str, Any]]:
        """The files that were left out: ``file``, ``reason``, ``bytes`` and, if known, ``rows``."""
        found: Sequence[Mapping[str, Any]] = self.environment.get("skipped", ())
        return found

    @functools.cached_property
    def probes(self) -> tuple[ProbeRecord, ...]:
        """What made the rows, as the files of a probe's log say; empty for every other log."""
        return probes_in(self.environment)

    @property
    def files_without_probe(self) -> int:
        """How many files of a probe's log do not tell what made them, beside some that do."""
        return unknown_in(self.environment)

    @property
    def plan_file(self) -> str:
        """The plan's path as it was named for the audit; ``audit.yaml`` where it was no file."""
        return str(self.environment.get("plan") or "audit.yaml")

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evenhand audit --json`` prints, without the path of the bundle."""
        return {
            "verdict": self.verdict,
            "rules": [rule.to_dict() for rule in self.rules],
            "findings": [finding.to_dict() for finding in self.findings],
        }

    def _repr_html_(self) -> str | None:
        return as_html(self)
