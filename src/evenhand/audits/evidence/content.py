"""What the members of a bundle say, and the bundle that they say."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Mapping
from typing import Any

import polars as pl

from evenhand.audits.evidence.bundle import REPLICATES as COLUMNS
from evenhand.audits.evidence.bundle import Bundle, Input
from evenhand.audits.evidence.canonical import AGAIN, canonical, parse
from evenhand.audits.evidence.document import read_findings, read_rules
from evenhand.audits.evidence.manifest import manifest_of, read_manifest
from evenhand.audits.evidence.probed import probes_in, unknown_in
from evenhand.audits.evidence.zipped import (
    CHART,
    ENVIRONMENT,
    FINDINGS,
    MANIFEST,
    PLAN,
    REPLICATES,
    REQUIRED,
    RULES,
)
from evenhand.audits.plan.parsed import parse_plan
from evenhand.audits.plan.plan import AuditPlan
from evenhand.errors import BundleError, EvenhandError, OutputError, Problem

_MOST_REPLICATES = 10_000_000
"""More rows than this are no evidence; they would fill the memory before they are found wrong."""


def members_of(bundle: Bundle) -> dict[str, bytes]:
    """Return the members of a bundle, the manifest among them.

    Raises:
        OutputError: Something in it cannot be kept.

    """
    # Absolute paths would tell who made it and where.
    plan = bundle.plan.portable(named)
    documents = {
        FINDINGS: [finding.to_dict() for finding in bundle.findings],
        RULES: [rule.to_dict() for rule in bundle.rules],
        ENVIRONMENT: bundle.environment,
        **bundle.charts,
    }
    wrong = [name for name in bundle.charts if not CHART.fullmatch(name)]
    if wrong:
        raise OutputError(Problem(wrong[0][:80], "this is no name of a chart in a bundle."))
    members = {PLAN: _written(plan), REPLICATES: _table(bundle.replicates)}
    members |= {name: canonical(content, name) for name, content in documents.items()}
    members[MANIFEST] = manifest_of(bundle, plan, members, documents)
    return members


def bundle_of(
    members: Mapping[str, bytes],
    *,
    replicates: bool = True,
    findings: bool = True,
    again: bool = False,
) -> Bundle:
    """Return the bundle that members say.

    Args:
        members: The members.
        replicates: Whether replicates are read.
        findings: Whether findings are read.
        again: Whether these bytes were read before: what was checked then is not checked again,
            and charts, which are drawn from findings, are left out.

    Raises:
        BundleError: A member is missing or is not as the format says.

    """
    missing = [name for name in REQUIRED if name not in members]
    if missing:
        raise BundleError([Problem(name, "this member is missing.", AGAIN) for name in missing])
    manifest = read_manifest(members[MANIFEST], again=again)
    plan = _plan(members[PLAN], again=again)
    environment = _mapping(members, ENVIRONMENT)
    if not again:
        probes_in(environment)
        unknown_in(environment)
    drawn = [] if again else sorted(name for name in members if CHART.fullmatch(name))
    return Bundle(
        plan=plan,
        findings=read_findings(parse(members[FINDINGS], FINDINGS, again=again), plan.level)
        if findings
        else (),
        rules=read_rules(parse(members[RULES], RULES, again=again)),
        replicates=_replicates(members[REPLICATES]) if replicates else pl.DataFrame(schema=COLUMNS),
        environment=environment,
        inputs=tuple(
            Input(one.name, one.bytes, one.sha256, table=one.table) for one in manifest.inputs
        ),
        units=manifest.units.model_dump(),
        created=_instant(manifest.created),
        version=manifest.evenhand,
        charts={name: _mapping(members, name) for name in drawn},
    )


def named(source: str) -> str:
    """Return a source without the folder where it is an absolute path; others as they are.

    >>> named("/home/somebody/log.parquet"), named("logs/log.parquet")
    ('log.parquet', 'logs/log.parquet')
    """
    if not re.match(r"[/\\~]|[A-Za-z]:[/\\]|file:", source):
        return source
    return re.split(r"[/\\]", source)[-1] or "log"


def _written(plan: AuditPlan) -> bytes:
    """Return a plan as YAML that reads as the same plan.

    Raises:
        OutputError: It does not.

    """
    try:
        text = plan.to_yaml()
        again, _ = parse_plan(text, PLAN)
        same = again == plan and bool(plan.digest)
    except (EvenhandError, ValueError, OverflowError) as error:
        raise OutputError(Problem(PLAN, f"the plan cannot be kept: {error}.")) from error
    if not same:
        raise OutputError(Problem(PLAN, "the plan would not be read as it is written."))
    return text.encode()


def _plan(data: bytes, *, again: bool) -> AuditPlan:
    try:
        return parse_plan(data.decode("utf-8"), PLAN, again=again)[0]
    except UnicodeDecodeError as error:
        what = f"byte {error.start:,} is no UTF-8."
        raise BundleError(Problem(PLAN, what, AGAIN)) from error
    except EvenhandError as error:
        raise BundleError(error.problems) from error


def _table(replicates: pl.DataFrame) -> bytes:
    if len(replicates) > _MOST_REPLICATES:
        what = f"it has {len(replicates):,} rows; at most {_MOST_REPLICATES:,} are read."
        raise OutputError(Problem(REPLICATES, what, "Measure less in one plan."))
    stream = io.BytesIO()
    replicates.write_parquet(stream, compression="zstd")
    return stream.getvalue()


def _replicates(data: bytes) -> pl.DataFrame:
    """Return the replicates.

    Raises:
        BundleError: They are no Parquet, or not of these columns.

    """
    try:
        schema = dict(pl.read_parquet_schema(io.BytesIO(data)))
        found = None
        if schema == COLUMNS:
            found = pl.read_parquet(io.BytesIO(data), n_rows=_MOST_REPLICATES + 1)
    except (Exception, pl.exceptions.PanicException) as error:
        # Polars panics on some Parquet that is cut or edited, and that is no Exception.
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise _wrong(f"it is no Parquet: {said}") from error
    if found is None:
        listed = ", ".join(f"{name}: {kind}" for name, kind in schema.items())
        raise _wrong(f"its columns are {listed[:300]}")
    if len(found) > _MOST_REPLICATES:
        raise _wrong(f"it has more than {_MOST_REPLICATES:,} rows")
    sound = found.select(
        pl.all_horizontal(pl.all().is_not_null().all()),
        finite=pl.col("deviation").is_finite().all(),
        bucket=(pl.col("bucket") >= 0).all(),
    )
    if not all(sound.row(0)):
        raise _wrong("it holds nulls, numbers that are not finite, or buckets below 0")
    return found


def _wrong(what: str) -> BundleError:
    return BundleError(Problem(REPLICATES, f"{what}.", AGAIN))


def _mapping(members: Mapping[str, bytes], name: str) -> Mapping[str, Any]:
    content = parse(members[name], name)
    if not isinstance(content, dict):
        raise BundleError(Problem(name, "it is not a JSON object.", AGAIN))
    return content


def _instant(text: str) -> dt.datetime:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError as error:
        what = f"created: '{text[:40]}' is no date."
        raise BundleError(Problem(MANIFEST, what, AGAIN)) from error
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)
