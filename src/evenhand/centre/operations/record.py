"""What a chain tells, beside what the tables hold: a table alone is easily edited.

A thing is told of by one or more lines of its product's chain, and has a row. Both are brought to
the same facts, by the same name, and compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.audits.evidence.canonical import canonical, digest_of
from evenhand.centre.policy import policy_digest
from evenhand.centre.store.chain import body_of
from evenhand.centre.store.tables import (
    Audit,
    Decision,
    Entry,
    Model,
    Plan,
    Policy,
    Product,
    Run,
    Version,
    Waiver,
)
from evenhand.errors import Problem

Facts = Mapping[str, object]
Name = tuple[str, str]
"""What a thing is, and which."""


def disagreements(session: Session, product: Product) -> Iterator[Problem]:
    """Yield what the chain of a product and the tables do not tell alike.

    Args:
        session: A session that sees one moment.
        product: The product.

    """
    told, held = _told(session, product), _held(session, product)
    for name in sorted({*told, *held}):
        where = f"{product.name}: {name[0]} {name[1]}"
        if name not in held:
            yield Problem(where, "the chain tells of it, and the tables do not have it.", _HINT)
        elif name not in told:
            yield Problem(where, "the tables have it, and the chain does not tell of it.", _HINT)
        else:
            for fact in sorted(told[name].keys() & held[name].keys()):
                before, here = told[name][fact], held[name][fact]
                if before != here:
                    what = f"{fact} is {here or 'none'}; the chain tells of {before or 'none'}."
                    yield Problem(where, what, _HINT)


_HINT = "Somebody edited the database. Compare with a backup: evenhand centre restore."


def _told(session: Session, product: Product) -> dict[Name, dict[str, object]]:
    """Return what the lines of a chain tell of each thing; later lines add to earlier ones."""
    found: dict[Name, dict[str, object]] = {}
    query = select(Entry).where(Entry.product_id == product.id).order_by(Entry.sequence)
    for entry in session.scalars(query.execution_options(yield_per=1000)):
        for name, facts in _of_line(entry.kind, body_of(entry)):
            found.setdefault(name, {}).update(facts)
    return found


def _of_line(kind: str, body: Mapping[str, Any]) -> Iterator[tuple[Name, Facts]]:
    word, _, state = kind.partition(" ")
    if kind == "model":
        yield ("model", body["model"]), {}
    elif kind in {"version", "artefact"}:
        yield ("version", f"{body['model']} {body['version']}"), {"artefact": body["artefact"]}
    elif kind == "evidence":
        yield ("evidence", body["bundle"]), _some(body, _OF_EVIDENCE)
        if body["run"]:
            yield ("run", body["run"]), {"state": "finished", "bundle": body["bundle"]}
    elif word == "plan":
        yield ("plan", f"{body['name']} {body['plan']}"), {"digest": body["plan"]}
    elif word == "policy":
        yield ("policy", str(body["version"])), {"digest": body["policy"]}
    elif word == "waiver":
        facts = {"state": state, **_some(body, _OF_WAIVER)}
        if state != "requested":
            facts["approver"] = body["by"]
        yield ("waiver", str(body["waiver"])), facts
    elif word == "run":
        yield ("run", body["run"]), {"state": state, **_some(body, {"plan", "bundle", "reason"})}
    elif word == "decision":
        yield ("decision", body["decision"]), _some(body, {"verdict", "mode", "compared", "body"})


_OF_EVIDENCE = {"manifest", "model", "version", "artefact", "plan", "verdict", "audited"}
_OF_WAIVER = {"model", "rule", "owner", "reason", "expires"}


def _some(body: Mapping[str, Any], names: set[str]) -> dict[str, object]:
    return {name: body[name] for name in names if name in body}


def _held(session: Session, product: Product) -> dict[Name, Facts]:
    """Return what the tables hold of each thing of a product."""
    of_product = {"product_id": product.id}
    models = {
        one.id: one.name for one in session.scalars(select(Model).filter_by(**of_product)).all()
    }
    versions = {
        one.id: one for one in session.scalars(select(Version).where(Version.model_id.in_(models)))
    }
    found: dict[Name, Facts] = {("model", name): {} for name in models.values()}
    for version in versions.values():
        name = f"{models[version.model_id]} {version.name}"
        found["version", name] = {"artefact": version.artefact}
    for audit in session.scalars(select(Audit).filter_by(**of_product)):
        found["evidence", audit.bundle] = {
            **_some(vars(audit), {"manifest", "artefact", "plan", "verdict"}),
            "model": models.get(audit.model_id),
            "version": _name(versions.get(audit.version_id)),
            "audited": audit.audited.isoformat(),
        }
    for plan in session.scalars(select(Plan).filter_by(**of_product)):
        found["plan", f"{plan.name} {plan.digest}"] = {"digest": plan.digest}
    for policy in session.scalars(select(Policy).filter_by(**of_product)):
        found["policy", str(policy.version)] = {"digest": policy_digest(policy.text)}
    for waiver in session.scalars(select(Waiver).filter_by(**of_product)):
        found["waiver", str(waiver.id)] = {
            **_some(vars(waiver), {"state", "approver", *_OF_WAIVER}),
            "expires": waiver.expires.isoformat(),
        }
    for run in session.scalars(select(Run).filter_by(**of_product)):
        found["run", run.id] = _some(vars(run), {"state", "plan", "bundle", "reason"})
    for decision in session.scalars(select(Decision).filter_by(**of_product)):
        found["decision", decision.id] = {
            **_some(vars(decision), {"verdict", "mode", "compared"}),
            "body": digest_of(canonical(decision.body, "decision")),
        }
    return found


def _name(version: Version | None) -> str | None:
    return version.name if version else None
