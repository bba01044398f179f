"""A small audit with one of everything that a bundle can hold."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import replace

import polars as pl
import pytest

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.plan import parse_plan
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run

CREATED = dt.datetime(2026, 11, 20, 10, 0, tzinfo=dt.UTC)

PLAN = """\
evenhand: 1
subject:
  product: lending
  model: credit
  version: v7
  owner: risk-ml
  window: [2026-10-01, 2026-10-31]
log: {source: decisions.parquet}
roles: {label: repaid, prediction: approved}
groups: {sex: sex, race: race}
measures:
  - {measure: "difference(selection_rate, by=sex)", slices: ["channel == 'web'"]}
  - difference(selection_rate, by=race)
  - worst(accuracy, by=sex)
  - pairs(selection_rate, by=race)
  - selection_rate
  - {measure: true_positive_rate, slices: ["channel == 'phone'"]}
gate:
  - {id: sex-gap, rule: "difference(selection_rate, by=sex) <= 0.05", why: agreed with policy}
  - {id: race-gap, rule: "difference(selection_rate, by=race) <= 0.08"}
  - {id: floor, rule: "worst(accuracy, by=sex) >= 0.5"}
waivers:
  - {rule: sex-gap, owner: someone@example.org, expires: 2027-01-31, reason: new model in January}
"""


def table_of(cells: list[tuple[str, str, str, int, int]]) -> pl.DataFrame:
    """Return rows of (sex, race, channel, rows, approved); half repaid, none of them by phone."""
    parts = [
        pl.DataFrame(
            {
                "sex": sex,
                "race": race,
                "channel": channel,
                "approved": [int(place < approved) for place in range(rows)],
                "repaid": [int(channel != "phone" and place < rows // 2) for place in range(rows)],
            }
        )
        for sex, race, channel, rows, approved in cells
    ]
    return pl.concat(parts)


CELLS = [
    ("men", "White", "web", 300, 180),
    ("men", "Black", "web", 120, 66),
    ("women", "White", "web", 300, 120),
    ("women", "Black", "web", 120, 45),
    ("women", "White", "phone", 40, 16),
    ("men", "White", "phone", 40, 24),
    ("men", "Other", "web", 7, 4),
]
"""Men are approved more often, White and Black nearly alike, Other are too few."""


def audited(plan: str, table: pl.DataFrame) -> Bundle:
    """Return the evidence of a plan on a table, with nothing in it that changes from run to run."""
    parsed, located = parse_plan(plan)
    found = run(fit(parsed, located, table=table, today=CREATED.date()), version="0.1.0")
    environment = {**found.environment, "seconds": 1.25}
    return replace(found, created=CREATED, environment=environment)


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """One rule that fails and is waived, one undecided, one that passes.

    And a slice, a group that is suppressed, pairs, and a figure that is undefined.
    """
    return audited(PLAN, table_of(CELLS))


@pytest.fixture(scope="session")
def audit() -> Callable[[str, pl.DataFrame], Bundle]:
    """The function that audits a plan on a table."""
    return audited
