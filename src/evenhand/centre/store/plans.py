"""Plans that are registered before their data, so that nobody can choose them by the result."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.audits.plan.parsed import parse_plan
from evenhand.centre.dossier import PlanRecord, plan_identity
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append
from evenhand.centre.store.registry import check_name, ensure_product
from evenhand.centre.store.tables import Plan
from evenhand.errors import PlanError, Problem


def register_plan(centre: Centre, product: str, name: str, text: str, *, by: str) -> Plan:
    """Register a plan under a name; the same plan again keeps its first day.

    Args:
        centre: The centre.
        product: The product.
        name: What policies call it.
        text: The plan, YAML.
        by: Who registers it.

    Raises:
        PlanError: It is no plan, or leaves it to the log what is measured.
        ConflictError: The name cannot be given.

    """
    check_name("plan", name)
    plan, located = parse_plan(text, name)
    if not plan.measures:
        what = "a registered plan names its measures; without them each log says what is asked."
        hint = "Draft them from a log: evenhand init LOG."
        raise PlanError(Problem(located.where(("measures",)), what, hint))
    digest = plan_identity(plan)
    at = centre.clock()
    with centre.database.writing() as session:
        owner = ensure_product(session, centre, product, by)
        query = select(Plan).where(Plan.product_id == owner.id, Plan.name == name)
        known = session.scalar(query.where(Plan.digest == digest))
        if known is not None:
            return known
        made = Plan(product_id=owner.id, name=name, digest=digest, text=text, registered=at, by=by)
        session.add(made)
        body = {"name": name, "plan": digest, "by": by}
        append(session, owner, "plan registered", body, at)
    return made


def plan_records(session: Session, product_id: int) -> list[PlanRecord]:
    """Return the registered plans of a product as a gate reads them, the newest first."""
    query = select(Plan).where(Plan.product_id == product_id)
    return [
        PlanRecord(name=one.name, digest=one.digest, registered=one.registered)
        for one in session.scalars(query.order_by(Plan.registered.desc(), Plan.id.desc()))
    ]
