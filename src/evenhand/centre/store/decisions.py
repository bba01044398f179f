"""Decisions: gates that the centre decided, and those that a cache decided in its place."""

from __future__ import annotations

from sqlalchemy.orm import Session

from evenhand.audits.evidence.canonical import canonical, digest_of
from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.decision import CLOCKS, Decision, decide
from evenhand.centre.protocol import Compared
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import append, lock
from evenhand.centre.store.dossiers import dossier_of
from evenhand.centre.store.evidence import Subject
from evenhand.centre.store.registry import ensure_version, model_named, product_named
from evenhand.centre.store.tables import Decision as Row
from evenhand.errors import ConflictError, Problem, UnknownError


def decide_now(
    centre: Centre,
    subject: Subject,
    *,
    artefact: str | None = None,
    against: str | None = None,
    by: str,
) -> Decision:
    """Decide about a release by what the centre has, and keep the verdict.

    Args:
        centre: The centre.
        subject: The version.
        artefact: SHA-256 of the file that ships; None for the one that the version names.
        against: The version that it is held against.
        by: Who asks.

    Raises:
        UnknownError: There is no such product, model or other version.

    """
    with centre.database.writing() as session:
        # Locked first, so that nothing comes between what is decided by and the decision.
        lock(session, product_named(session, subject.product).id)
        dossier = dossier_of(centre, session, subject, against=against)
        decision = decide(dossier, at=centre.clock(), artefact=artefact)
        _keep(session, centre, decision, by=by)
    return decision


def reconcile(centre: Centre, decision: Decision, *, by: str) -> Compared:
    """Keep a decision that a cache made while the centre was away, and say whether it holds.

    It is decided again, as of its own time and by the evidence that it names: ``same`` or
    ``differs``; ``unpushed`` where that evidence has not come yet.

    Raises:
        UnknownError: There is no such product or model.
        ConflictError: The id is that of another decision, or no cache made it.

    """
    if decision.mode != "cached":
        what = "only what a cache decided is reconciled; the centre keeps its own decisions."
        raise ConflictError(Problem(f"decision {decision.id}", what))
    with centre.database.writing() as session:
        product = lock(session, product_named(session, decision.product).id)
        model_named(session, product, decision.model)
        subject = Subject(decision.product, decision.model, decision.version)
        dossier = dossier_of(centre, session, subject, against=decision.against)
        here = {one.bundle for one in dossier.evidence}
        then = [one for one in dossier.evidence if one.audited <= decision.at + CLOCKS]
        dossier = dossier.model_copy(update={"evidence": then})
        again = decide(dossier, at=decision.at, artefact=decision.artefact)
        compared = "same" if _alike(decision, again) else "differs"
        if any(one.bundle not in here for one in decision.evidence):
            compared = "unpushed"
        known = session.get(Row, decision.id)
        if known is not None:
            if known.product_id != product.id or known.verdict != decision.verdict:
                what = "this id is that of another decision."
                raise ConflictError(Problem(f"decision {decision.id}", what))
            if known.compared != compared and known.mode == "cached":
                known.compared = compared
                body = {"decision": decision.id, "compared": compared, "by": by}
                append(session, product, "decision compared", body, centre.clock())
        else:
            _keep(session, centre, decision, by=by, compared=compared)
    verdict: Verdict | None = None if compared == "unpushed" else again.verdict
    return Compared.model_validate({"compared": compared, "verdict": verdict})


def decision_of(session: Session, id: str) -> Row:  # noqa: A002
    """Return a decision.

    Raises:
        UnknownError: There is none.

    """
    found = session.get(Row, id)
    if found is None:
        raise UnknownError(Problem(f"decision {id[:40]}", "there is no such decision."))
    return found


def _alike(one: Decision, other: Decision) -> bool:
    return one.verdict == other.verdict and {e.bundle for e in one.evidence} == {
        e.bundle for e in other.evidence
    }


def _keep(
    session: Session, centre: Centre, decision: Decision, *, by: str, compared: str | None = None
) -> None:
    product = lock(session, product_named(session, decision.product).id)
    place = ensure_version(
        session,
        centre,
        product,
        model=decision.model,
        version=decision.version,
        artefact=None,
        by=by,
    )
    at = centre.clock()
    session.add(
        Row(
            id=decision.id,
            product_id=product.id,
            model_id=place.model.id,
            version_id=place.version.id,
            against=decision.against,
            verdict=decision.verdict,
            mode=decision.mode,
            compared=compared,
            at=decision.at,
            received=at,
            by=by,
            body=decision.to_dict(),
        )
    )
    body = {
        "decision": decision.id,
        "model": decision.model,
        "version": decision.version,
        "against": decision.against,
        "artefact": decision.artefact,
        "verdict": decision.verdict,
        "evidence": [one.bundle for one in decision.evidence],
        "policy": decision.policy.digest,
        "mode": decision.mode,
        "compared": compared,
        "body": digest_of(canonical(decision.to_dict(), "decision")),
        "by": by,
    }
    append(session, product, "decision", body, at)
