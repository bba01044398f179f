"""What happened to a product, for pages: models, audits, runs, decisions, and what is missing."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session, aliased

from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.policy import Policy
from evenhand.centre.store.tables import (
    Audit,
    Decision,
    JobLine,
    Model,
    Plan,
    Product,
    Run,
    Version,
)

RunState = Literal["started", "finished", "failed", "unpushed"]


@dataclass(frozen=True, slots=True)
class ModelLine:
    """A model, its newest version, and how much there is of it."""

    id: int
    name: str
    owner: str | None
    newest: str
    versions: int
    audits: int


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An audit with the names of what it is about."""

    audit: Audit
    model: str
    version: str


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run, and how often its plan ran for its version in all.

    ``state`` is ``unpushed`` where it says that it wrote evidence, and the centre lacks it.
    """

    run: Run
    state: RunState
    model: str
    version: str
    times: int


@dataclass(frozen=True, slots=True)
class Runs:
    """The newest runs, and how many there are in each state."""

    lines: tuple[RunLine, ...]
    counts: Mapping[RunState, int]
    repeated: int

    @property
    def total(self) -> int:
        """How many runs there are."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class DecisionLine:
    """A decision with the names of what it is about."""

    id: str
    verdict: Verdict
    model: str
    version: str
    against: str | None
    mode: str
    compared: str | None
    at: dt.datetime
    by: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A plan that the policy requires and that a model's newest version has no evidence of."""

    plan: str
    model: str
    version: str
    registered: bool


def models_of(session: Session, product: Product) -> list[ModelLine]:
    """Return the models of a product by name."""
    audits = (
        select(Audit.model_id, func.count().label("many"))
        .where(Audit.product_id == product.id)
        .group_by(Audit.model_id)
        .subquery()
    )
    versions = (
        select(Version.model_id, func.count().label("many"), func.max(Version.id).label("newest"))
        .join(Model, Model.id == Version.model_id)
        .where(Model.product_id == product.id)
        .group_by(Version.model_id)
        .subquery()
    )
    query = (
        select(Model.id, Model.name, Model.owner, Version.name, versions.c.many, audits.c.many)
        .outerjoin(versions, versions.c.model_id == Model.id)
        .outerjoin(Version, Version.id == versions.c.newest)
        .outerjoin(audits, audits.c.model_id == Model.id)
        .where(Model.product_id == product.id)
        .order_by(Model.name)
    )
    return [
        ModelLine(id_, name, owner, newest or "", many or 0, audited or 0)
        for id_, name, owner, newest, many, audited in session.execute(query)
    ]


def versions_of(session: Session, model: Model) -> list[tuple[Version, int]]:
    """Return the versions of a model, the newest first, and how many audits each has."""
    query = (
        select(Version, func.count(Audit.id))
        .outerjoin(Audit, Audit.version_id == Version.id)
        .where(Version.model_id == model.id)
        .group_by(Version.id)
        .order_by(Version.id.desc())
    )
    return [(version, many) for version, many in session.execute(query)]


def audits_of(
    session: Session, where: ColumnElement[bool], *, start: int = 0, most: int = 20
) -> list[AuditLine]:
    """Return audits, the newest first.

    Args:
        session: A session.
        where: Which, such as ``Audit.product_id == 3``.
        start: How many to leave out.
        most: How many to return.

    """
    query = (
        select(Audit, Model.name, Version.name)
        .join(Model, Model.id == Audit.model_id)
        .join(Version, Version.id == Audit.version_id)
        .where(where)
        .order_by(Audit.audited.desc(), Audit.id.desc())
        .offset(start)
        .limit(most)
    )
    return [AuditLine(audit, model, version) for audit, model, version in session.execute(query)]


def runs_of(session: Session, where: ColumnElement[bool], *, most: int = 20) -> Runs:
    """Return runs, those that did not end well first, then the newest.

    Args:
        session: A session.
        where: Which, such as ``Run.product_id == 3``.
        most: How many to return.

    """
    pushed = Audit.id.is_not(None)
    counts: Counter[RunState] = Counter()
    tally = select(Run.state, pushed, func.count()).select_from(Run)
    tally = tally.outerjoin(Audit, Audit.bundle == Run.bundle).where(where)
    for state, there, many in session.execute(tally.group_by(Run.state, pushed)):
        counts[_state(state, pushed=there)] += many
    by_plan = select(Run.version_id, Run.plan).where(where)
    twice = by_plan.group_by(Run.version_id, Run.plan).having(func.count() > 1).subquery()
    again = aliased(Run)
    times = (
        select(func.count())
        .where(again.version_id == Run.version_id, again.plan == Run.plan)
        .scalar_subquery()
    )
    well = case(((Run.state == "finished") & pushed, 1), else_=0)
    query = (
        select(Run, Model.name, Version.name, pushed, times)
        .join(Model, Model.id == Run.model_id)
        .join(Version, Version.id == Run.version_id)
        .outerjoin(Audit, Audit.bundle == Run.bundle)
        .where(where)
        .order_by(well, Run.started.desc(), Run.id)
        .limit(most)
    )
    lines = tuple(
        RunLine(run, _state(run.state, pushed=there), model, version, many)
        for run, model, version, there, many in session.execute(query)
    )
    return Runs(lines, counts, session.scalar(select(func.count()).select_from(twice)) or 0)


def _state(state: str, *, pushed: bool) -> RunState:
    match state:
        case "finished":
            return "finished" if pushed else "unpushed"
        case "failed":
            return "failed"
    return "started"


def decisions_of(
    session: Session, where: ColumnElement[bool], *, most: int = 10
) -> list[DecisionLine]:
    """Return decisions, the newest first.

    Args:
        session: A session.
        where: Which, such as ``Decision.product_id == 3``.
        most: How many to return.

    """
    query = (
        select(
            Decision.id,
            Decision.verdict,
            Model.name,
            Version.name,
            Decision.against,
            Decision.mode,
            Decision.compared,
            Decision.at,
            Decision.by,
        )
        .join(Model, Model.id == Decision.model_id)
        .join(Version, Version.id == Decision.version_id)
        .where(where)
        .order_by(Decision.at.desc(), Decision.received.desc())
        .limit(most)
    )
    return [
        DecisionLine(id_, _verdict(verdict), model, version, against, mode, compared, at, by)
        for id_, verdict, model, version, against, mode, compared, at, by in session.execute(query)
    ]


def _verdict(text: str) -> Verdict:
    return text if text in {"pass", "fail"} else "undecided"  # type: ignore[return-value]


def last_decision(session: Session, version: Version) -> Decision | None:
    """Return the newest decision about a version; None where there is none."""
    query = select(Decision).where(Decision.version_id == version.id)
    return session.scalar(query.order_by(Decision.at.desc(), Decision.received.desc()).limit(1))


def missing_of(
    session: Session, product: Product, policy: Policy, models: Sequence[ModelLine]
) -> list[Missing]:
    """Return the plans that a policy requires and that newest versions have no evidence of."""
    if not policy.require:
        return []
    plans: dict[str, set[str]] = {}
    query = select(Plan.name, Plan.digest).where(Plan.product_id == product.id)
    for name, digest in session.execute(query):
        plans.setdefault(name, set()).add(digest)
    there: dict[tuple[int, str], set[str]] = {}
    audited = (
        select(Audit.model_id, Version.name, Audit.plan)
        .join(Version, Version.id == Audit.version_id)
        .where(Audit.product_id == product.id)
        .distinct()
    )
    for model, version, plan in session.execute(audited):
        there.setdefault((model, version), set()).add(plan)
    return [
        Missing(one.plan, model.name, model.newest, registered=one.plan in plans)
        for model in models
        if model.newest
        for one in policy.require
        if not plans.get(one.plan, set()) & there.get((model.id, model.newest), set())
    ]


def last_lines(session: Session, job: str, *, most: int) -> list[JobLine]:
    """Return the last lines of a job's log, in order."""
    query = select(JobLine).where(JobLine.job_id == job).order_by(JobLine.id.desc()).limit(most)
    return [*session.scalars(query)][::-1]
