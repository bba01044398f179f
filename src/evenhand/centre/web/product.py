"""Pages of a product, of its models and of their versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import RedirectResponse, Response

from evenhand.audits.gate.verdict import WORST_FIRST
from evenhand.centre.api.access import Pusher, Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.sight import product_seen
from evenhand.centre.decision import Decision
from evenhand.centre.dossier import PILLARS
from evenhand.centre.policy import parse_policy
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store import history
from evenhand.centre.store.cell import never, standing_of_models, standing_within
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.plans import plan_records
from evenhand.centre.store.policies import policy_record
from evenhand.centre.store.registry import model_named, version_named
from evenhand.centre.store.tables import Audit, Model, Product, Run, Version, Waiver
from evenhand.centre.store.tables import Decision as DecisionRow
from evenhand.centre.web import advice
from evenhand.centre.web.chart import strip_of
from evenhand.centre.web.company import Start
from evenhand.centre.web.page import (
    Pager,
    page,
    part,
    plural,
    product_crumbs,
    version_crumbs,
)
from evenhand.centre.web.terms import terms_of
from evenhand.render.reading import capital
from evenhand.render.wording import brief, first

router = APIRouter()

_AUDITS, _RUNS, _GATES, _WAIVERS, _PLANS, _VERSIONS = 15, 15, 8, 6, 8, 50
_IN_STRIP = 200
_RULES = 200
_CHOICES = 100


@router.get("/products/{product}")
def show_product(
    request: Request, principal: Reader, centre: Here, product: InPath, *, start: Start = 0
) -> Response:
    """Show a product."""
    now = centre.clock()
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        policy = policy_record(session, found)
        parsed = parse_policy(policy.text)
        models = history.models_of(session, found)
        standing, by_model = standing_within(session, now, found)
        mine = Audit.product_id == found.id
        strip = history.audits_of(session, mine, most=_IN_STRIP)
        audits = (
            strip[:_AUDITS]
            if start == 0
            else history.audits_of(session, mine, start=start, most=_AUDITS)
        )
        shown: dict[str, Any] = {
            "standing": standing,
            "missing": history.missing_of(session, found, parsed, models),
            "runs": history.runs_of(session, Run.product_id == found.id, most=_RUNS),
            "decisions": history.decisions_of(
                session, DecisionRow.product_id == found.id, most=_GATES
            ),
            "waivers": _waivers(session, found),
            "plans": plan_records(session, found.id)[:_PLANS],
        }
        many = _many(session, found)
    here = f"/products/{part(product)}"
    return page(
        request,
        "product.html",
        title=found.name,
        twin=PREFIX + here,
        crumbs=product_crumbs(found.name)[:1],
        product=found,
        models=models,
        by_model={one.id: by_model.get(one.id) or never() for one in models},
        audits=audits,
        pager=Pager(start, _AUDITS, many, here, {}),
        history=strip_of(strip, now),
        policy=policy,
        terms=terms_of(parsed),
        pillars=PILLARS,
        push=advice.push(request, found.name),
        gate=advice.gate(request, found.name),
        **shown,
    )


def _many(session: Session, product: Product) -> int:
    query = select(func.count()).select_from(Audit).where(Audit.product_id == product.id)
    return session.scalar(query) or 0


def _waivers(session: Session, product: Product) -> list[Waiver]:
    query = select(Waiver).where(Waiver.product_id == product.id)
    return [*session.scalars(query.order_by(Waiver.id.desc()).limit(_WAIVERS))]


@router.get("/products/{product}/models/{model}")
def show_model(
    request: Request,
    principal: Reader,
    centre: Here,
    product: InPath,
    model: InPath,
    *,
    start: Start = 0,
) -> Response:
    """Show a model."""
    now = centre.clock()
    with centre.database.reading() as session:
        owner = product_seen(session, principal, product)
        found = model_named(session, owner, model)
        versions = history.versions_of(session, found)
        standing = standing_of_models(session, now, owner).get(found.id) or never()
        audits = history.audits_of(session, Audit.model_id == found.id, most=_AUDITS)
        decided = history.decisions_of(session, DecisionRow.model_id == found.id, most=500)
        ids = {version.name: version.id for version, _ in versions}
    here = f"/products/{part(product)}/models/{part(model)}"
    gated = {ids[one.version]: one.verdict for one in reversed(decided)}
    return page(
        request,
        "model.html",
        title=found.name,
        twin=PREFIX + here,
        crumbs=product_crumbs(owner.name),
        product=owner,
        model=found,
        standing=standing,
        versions=versions[start : start + _VERSIONS],
        pager=Pager(start, _VERSIONS, len(versions), here, {}),
        gated=gated,
        audits=audits,
        push=advice.push(request, owner.name, found.name),
    )


@router.get("/products/{product}/models/{model}/versions/{version}")
def show_version(
    request: Request,
    principal: Reader,
    centre: Here,
    product: InPath,
    model: InPath,
    *,
    version: InPath,
    start: Start = 0,
) -> Response:
    """Show a version: whether it may ship, and what says so."""
    with centre.database.reading() as session:
        owner = product_seen(session, principal, product)
        of_model = model_named(session, owner, model)
        found = version_named(session, of_model, version)
        row = history.last_decision(session, found)
        mine = Audit.version_id == found.id
        audits = history.audits_of(session, mine, start=start, most=_AUDITS)
        many = session.scalar(select(func.count()).select_from(Audit).where(mine)) or 0
        choices = history.audits_of(session, Audit.model_id == of_model.id, most=_CHOICES)
        others = _other_versions(session, of_model, found)
    here = f"/products/{part(product)}/models/{part(model)}/versions/{part(version)}"
    decided = None if row is None else _decision(row)
    newest = audits[0].audit.bundle if audits else ""
    return page(
        request,
        "version.html",
        title=f"{of_model.name} {found.name}",
        twin=PREFIX + here,
        crumbs=version_crumbs(owner.name, of_model.name, found.name)[:3],
        product=owner,
        model=of_model,
        version=found,
        decision=decided,
        sentence="" if decided is None else _sentence(decided),
        may_decide=principal.csrf is not None and principal.may("push", owner.name),
        others=others,
        audits=audits,
        pager=Pager(start, _AUDITS, many, here, {}),
        choices=[one for one in choices if one.audit.bundle != newest],
        since=_since(choices, decided),
        gate=advice.gate(request, owner.name, of_model.name, found.name),
        push=advice.push(request, owner.name, of_model.name, found.name),
    )


def _since(audits: Sequence[history.AuditLine], decided: Mapping[str, Any] | None) -> str:
    """Return the newest audit of the version that a decision held this one against."""
    against = decided["against"] if decided else None
    found = (one.audit.bundle for one in audits if one.version == against)
    return next(found, "")


def _other_versions(session: Session, model: Model, version: Version) -> list[str]:
    query = select(Version.name).where(Version.model_id == model.id, Version.id != version.id)
    return [*session.scalars(query.order_by(Version.id.desc()).limit(_CHOICES))]


@router.post("/products/{product}/models/{model}/versions/{version}/gate")
def decide(
    principal: Pusher,
    centre: Here,
    product: InPath,
    model: InPath,
    version: InPath,
    *,
    against: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Decide about a version now, and keep the verdict."""
    with centre.database.reading() as session:
        owner = product_seen(session, principal, product)
        version_named(session, model_named(session, owner, model), version)
    principal.check("push", product)
    subject = Subject(product, model, version)
    decide_now(centre, subject, against=against or None, by=principal.person)
    here = f"/products/{part(product)}/models/{part(model)}/versions/{part(version)}"
    return RedirectResponse(here, HTTPStatus.SEE_OTHER)


def _decision(row: DecisionRow) -> dict[str, Any]:
    """Return a decision as its page shows it."""
    kept = Decision.model_validate(row.body)
    order = [*WORST_FIRST]
    rules = sorted(kept.rules, key=lambda rule: order.index(rule["verdict"]))
    policy = kept.policy
    name = "the policy that is built in"
    if policy.version:
        whose = "the company's policy" if policy.product is None else "the product's own policy"
        name = f"{whose}, version {policy.version}"
    return {
        "id": kept.id,
        "verdict": kept.verdict,
        "unwaived": kept.unwaived,
        "at": kept.at,
        "against": kept.against,
        "mode": kept.mode,
        "compared": row.compared,
        "policy_name": name,
        "conditions": sorted(kept.conditions, key=lambda one: one.verdict != "fail"),
        "rules": [{**rule, "reason": _reason(rule)} for rule in rules[:_RULES]],
        "rules_left": max(0, len(rules) - _RULES),
        "all_rules": kept.rules,
        "regressions": kept.regressions,
        "evidence": [
            {
                "verdict": one.verdict,
                "bundle": one.bundle,
                "name": one.name,
                "told": _which(one.runs, one.others),
            }
            for one in kept.evidence
        ],
    }


def _reason(rule: Mapping[str, Any]) -> str:
    """Return why a rule has its verdict, which stands beside it."""
    return capital(brief(str(rule["reason"]).removeprefix(f"{rule['verdict']}: ")))


def _which(runs: int, others: list[str]) -> str:
    """Return which of how many audits decided.

    >>> _which(1, []), _which(3, ["fail", "unpushed"])
    ('the only audit by its plan', 'the newest of 3 audits by its plan; the others: fail, unpushed')
    """
    if runs <= 1:
        return "the only audit by its plan"
    return f"the newest of {runs} audits by its plan; the others: {', '.join(first(others, 10))}"


def _sentence(decided: Mapping[str, Any]) -> str:
    """Return a decision in a sentence."""
    facts = [one.verdict for one in decided["conditions"]]
    verdicts = [rule["verdict"] for rule in decided["all_rules"]]
    told: list[str] = []
    for word, verb, several in (
        ("fail", "fails", "fail"),
        ("undecided", "is undecided", "are undecided"),
    ):
        count = verdicts.count(word)
        if count:
            what = plural(count, "rule") if not told else f"{count:,}"
            told.append(f"{what} {verb if count == 1 else several}")
    if facts.count("fail"):
        count = facts.count("fail")
        what = plural(count, "condition of the policy", "conditions of the policy")
        told.append(f"{what} {'fails' if count == 1 else 'fail'}")
    if not told:
        conditions = plural(len(facts), "condition")
        return f"{plural(len(verdicts), 'rule')} and {conditions} of the policy pass."
    text = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    waived = sum(bool(rule["waiver"]) for rule in decided["all_rules"])
    note = f" Waived: {waived:,}." if waived else ""
    return f"{text[0].upper()}{text[1:]}.{note}"
