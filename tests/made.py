"""Bundles made by hand, of any size and with any names."""

from __future__ import annotations

import datetime as dt

import polars as pl

from evenhand.audits.evidence.bundle import REPLICATES, Bundle
from evenhand.audits.finding import Finding, GroupFinding
from evenhand.audits.plan import parse_plan
from evenhand.stats.estimate import Estimate, Undefined

SECRET = 424_242
"""Rows and units of groups that are suppressed: a number that stands nowhere else."""

PLAN = "{evenhand: 1, log: {source: x.parquet}, groups: {g: g}, measures: [accuracy]}"


def estimate(value: float, half: float = 0.05) -> Estimate:
    return Estimate(value, value - half, value + half, 0.95, "Wilson")


def group(name: str, value: float | None = 0.5, **more) -> GroupFinding:
    """Return a group; one without a value is suppressed."""
    if value is None:
        reason = Undefined("fewer than 30 units")
        return GroupFinding({"g": name}, reason, SECRET, SECRET, suppressed=True)
    return GroupFinding({"g": name}, estimate(value), 120, 110, **more)


def contrast(*groups: GroupFinding, outcome=None, **more) -> Finding:
    """Return a difference of groups."""
    usual = {
        "key": "difference(false_positive_rate, by=g)",
        "measure": "false_positive_rate",
        "outcome": outcome or estimate(0.2),
        "estimand": "row",
        "units": 300,
        "units_exact": True,
        "rows": 320,
        "excluded": (),
        "conventions": {"better": "lower"},
        "contrast": "difference",
        "groups": groups,
        "by": ("g",),
        "is_rate": True,
    }
    return Finding(**{**usual, **more})


def pair(first: str, second: str, outcome=None, **more) -> Finding:
    """Return a member of a family of pairs."""
    usual = {"key": "pairs(false_positive_rate, by=g)", "contrast": "pairs"}
    names = ({"g": first}, {"g": second})
    return contrast(pair=names, outcome=outcome, **{**usual, **more})


def bundle_of(*findings: Finding, rules=(), plan: str = PLAN) -> Bundle:
    parsed, _ = parse_plan(plan)
    return Bundle(
        plan=parsed,
        findings=findings,
        rules=tuple(rules),
        replicates=pl.DataFrame(schema=REPLICATES),
        environment={"rows": 1000, "engine": "polars"},
        inputs=(),
        units={"unit": "row", "sha256": None},
        created=dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
        version="0.1.0",
    )
