"""Small bundles, and bundles sealed by somebody who edits them well."""

from __future__ import annotations

import datetime as dt
import functools
import json
from dataclasses import replace

import numpy as np
import polars as pl
import rfc8785

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.canonical import digest_of
from evenhand.audits.evidence.content import members_of
from evenhand.audits.evidence.manifest import comment_with
from evenhand.audits.evidence.zipped import MANIFEST, pack
from evenhand.audits.plan import parse_plan
from evenhand.audits.plan.fit import fit
from evenhand.audits.run import run
from evenhand.worlds.decisions import DecisionWorld

PLAN = """
evenhand: 1
subject: {product: loans, model: score, version: v1}
log: {source: loans.parquet}
roles: {label: label, prediction: prediction}
groups: {group: group}
unit: unit
min_units: 5
measures:
- selection_rate
- difference(selection_rate, by=group)
- pairs(false_positive_rate, by=group)
- ratio(selection_rate, by=group)
- {measure: "worst(accuracy, by=group)", slices: ["label == 1"]}
gate:
- {id: gap, rule: "difference(selection_rate, by=group) <= 0.2", why: policy}
- {id: right, rule: "worst(accuracy, by=group) >= 0.5"}
"""

WORLD = DecisionWorld(
    {"a": 0.6, "b": 0.7, "c": 0.65},
    {"a": 0.2, "b": 0.3, "c": 0.25},
    {"a": 0.4, "b": 0.5, "c": 0.45},
    rows_per_unit=5,
    intra_unit=0.2,
)


def rows_of(seed: int = 1) -> pl.DataFrame:
    """Return a log of 300 people."""
    return WORLD.rows({"a": 100, "b": 120, "c": 80}, np.random.default_rng(seed))


def audited(rows: pl.DataFrame, text: str = PLAN) -> Bundle:
    """Return the evidence of a plan on a table, as if made at one time in every process."""
    plan, located = parse_plan(text)
    made = run(fit(plan, located, table=rows), version="0.1")
    created = dt.datetime(2026, 11, 1, 12, tzinfo=dt.UTC)
    return replace(made, created=created, environment={**made.environment, "seconds": 0.5})


@functools.cache
def bundle() -> Bundle:
    """Return the evidence of the plan above, made once."""
    return audited(rows_of())


def members() -> dict[str, bytes]:
    """Return the members of that bundle."""
    return dict(members_of(bundle()))


def resealed(changed: dict[str, bytes], **fields: object) -> bytes:
    """Return a bundle with members replaced and digests that agree with them."""
    new = {**members(), **changed}
    manifest = json.loads(new.pop(MANIFEST))
    manifest["members"] = {
        name: {"sha256": digest_of(data), "bytes": len(data)} for name, data in new.items()
    }
    manifest |= fields
    new[MANIFEST] = changed.get(MANIFEST) or rfc8785.dumps(manifest)
    version = manifest["format"] if isinstance(manifest["format"], int) else 1
    return pack(new, comment_with(digest_of(new[MANIFEST]), version))
