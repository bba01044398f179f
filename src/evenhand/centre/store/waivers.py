"""Waivers: somebody answers for a failing rule, and somebody else has approved that."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import select
from sqlalchemy.orm import Session

from evenhand.centre.decision import days
from evenhand.centre.dossier import WaiverRecord
from evenhand.centre.policy import parse_policy
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append, lock
from evenhand.centre.store.policies import policy_record
from evenhand.centre.store.registry import model_named, product_named
from evenhand.centre.store.tables import Waiver
from evenhand.errors import ConflictError, DeniedError, Problem, UnknownError


def request_waiver(
    centre: Centre,
    product: str,
    *,
    model: str,
    rule: str,
    owner: str,
    reason: str,
    expires: dt.date,
    requester: str,
) -> Waiver:
    """Ask for a waiver; it changes nothing before somebody else approves it.

    Args:
        centre: The centre.
        product: The product.
        model: The model.
        rule: The rule's id.
        owner: Who will answer for its failure.
        reason: Why it is accepted until then.
        expires: Last day on which it holds.
        requester: Who asks.

    Raises:
        UnknownError: There is no such product or model.
        ConflictError: It would hold for longer than the policy allows, or has expired.

    """
    at = centre.clock()
    with centre.database.writing() as session:
        found = lock(session, product_named(session, product).id)
        model_named(session, found, model)
        longest = parse_policy(policy_record(session, found).text).longest_waiver
        last = (at + longest).date()
        if not at.date() <= expires <= last:
            what = f"it would hold until {expires}; the policy allows {days(longest)}."
            hint = f"Name a day from {at.date()} to {last}."
            raise ConflictError(Problem("expires", what, hint))
        waiver = Waiver(
            product_id=found.id,
            model=model,
            rule=rule,
            owner=owner,
            reason=reason,
            expires=expires,
            state="requested",
            requester=requester,
            requested=at,
        )
        session.add(waiver)
        session.flush()
        body = {
            "waiver": waiver.id,
            "model": model,
            "rule": rule,
            "owner": owner,
            "reason": reason,
            "expires": expires.isoformat(),
            "by": requester,
        }
        append(session, found, "waiver requested", body, at)
    return waiver


def answer_waiver(centre: Centre, id: int, *, approver: str, approved: bool) -> Waiver:  # noqa: A002
    """Approve or refuse a waiver.

    Args:
        centre: The centre.
        id: Its number.
        approver: Who answers.
        approved: What the answer is.

    Raises:
        UnknownError: There is no such waiver.
        DeniedError: Who answers asked for it, or owns it.
        ConflictError: It was answered already.

    """
    at = centre.clock()
    with centre.database.writing() as session:
        waiver = waiver_of(session, id)
        product = lock(session, waiver.product_id)
        session.refresh(waiver)
        if waiver.state != "requested":
            what = f"it was {waiver.state} already."
            raise ConflictError(Problem(f"waiver {id}", what))
        if approver.casefold() in {waiver.requester.casefold(), waiver.owner.casefold()}:
            what = f"{approver} asked for it or owns it, and cannot answer it."
            hint = "Let somebody else with the right to approve answer."
            raise DeniedError(Problem(f"waiver {id}", what, hint))
        waiver.state = "approved" if approved else "refused"
        waiver.approver, waiver.answered = approver, at
        body = {"waiver": id, "rule": waiver.rule, "by": approver}
        append(session, product, f"waiver {waiver.state}", body, at)
    return waiver


def waiver_of(session: Session, id: int) -> Waiver:  # noqa: A002
    """Return a waiver.

    Raises:
        UnknownError: There is none.

    """
    found = session.get(Waiver, id)
    if found is None:
        raise UnknownError(Problem(f"waiver {id}", "there is no such waiver."))
    return found


def waiver_records(
    session: Session, product_id: int, model: str, today: dt.date
) -> list[WaiverRecord]:
    """Return the approved waivers of a model that hold today, the last to expire first."""
    query = select(Waiver).where(
        Waiver.product_id == product_id,
        Waiver.model == model,
        Waiver.state == "approved",
        Waiver.expires >= today,
    )
    return [
        WaiverRecord(
            rule=one.rule,
            owner=one.owner,
            approver=one.approver or "",
            reason=one.reason,
            expires=one.expires,
        )
        for one in session.scalars(query.order_by(Waiver.expires.desc()))
    ]
