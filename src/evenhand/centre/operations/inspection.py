"""Whether a centre holds what it accepted: chains, rows and files, one beside the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from evenhand.audits.evidence.archive import parse_bundle
from evenhand.audits.evidence.canonical import canonical
from evenhand.centre.client.client import Client
from evenhand.centre.dossier import evidence_of
from evenhand.centre.operations.record import disagreements
from evenhand.centre.policy import policy_digest
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.chain import START, Broken, Head, Line, check, follow
from evenhand.centre.store.index import facts_of, finding_rows, rule_rows
from evenhand.centre.store.standing import stand_of
from evenhand.centre.store.tables import Audit, Finding, Policy, Product, Rule, Standing
from evenhand.errors import BundleError, CentreError, Problem

Progress = Callable[[str, float], None]
"""Told what is being done, and which share of it is done."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was looked at, and what was found.

    Attributes:
        products: How many chains were followed.
        lines: How many lines they have.
        audits: How many audits there are; ``files`` of them were read and compared.
        problems: What is not as it was accepted.
        orphans: Files that no audit names: harmless, left by a push that was cut off.

    """

    products: int
    lines: int
    audits: int
    files: int
    problems: tuple[Problem, ...]
    orphans: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether everything is as it was accepted."""
        return not self.problems


def inspect(
    centre: Centre,
    *,
    kept: Sequence[Head] = (),
    files: bool = True,
    progress: Progress = lambda _what, _share: None,
) -> Inspection:
    """Look at everything that a centre holds, as of one moment; it may go on meanwhile.

    Args:
        centre: The centre.
        kept: Heads of chains that somebody kept elsewhere.
        files: Whether every file is read, too.
        progress: Told how far it has come.

    Raises:
        CentreError: Database or storage do not answer.

    """
    centre.storage.check()
    with centre.database.snapshot() as session:
        products = session.scalars(select(Product).order_by(Product.name)).all()
        problems = [*_chains(session, products, kept, progress), *_company(session)]
        problems += _standings(session, {one.id: one.name for one in products})
        named = {*session.scalars(select(Audit.bundle))}
        if files:
            problems += _files(centre, session, len(named), progress)
    # A push writes its file before its row, and may have written its row since.
    orphans = {*centre.storage.digests()} - named
    with centre.database.reading() as session:
        orphans -= {*session.scalars(select(Audit.bundle))}
    return Inspection(
        products=len(products),
        lines=sum(one.sequence for one in products),
        audits=len(named),
        files=len(named) if files else 0,
        problems=tuple(problems),
        orphans=tuple(sorted(orphans)),
    )


def heads(session: Session) -> list[Head]:
    """Return the heads of all chains, to be kept elsewhere."""
    query = select(Product.name, Product.sequence, Product.head).order_by(Product.name)
    return [Head(name, sequence, last or START) for name, sequence, last in session.execute(query)]


def heads_of(client: Client) -> list[Head]:
    """Return the heads of all chains of a centre that is asked."""
    return [Head(one.product, one.sequence, one.digest) for one in client.heads()]


def follow_from(
    client: Client,
    *,
    kept: Sequence[Head] = (),
    progress: Progress = lambda _what, _share: None,
) -> Inspection:
    """Follow the chains of a centre that is asked, without trusting it: digests are computed here.

    Args:
        client: The centre.
        kept: Heads of chains that somebody kept elsewhere.
        progress: Told how far it has come.

    Raises:
        EvenhandError: The centre is away, or does not let one in.

    """
    last, before = heads_of(client), {one.product: one for one in kept}
    problems: list[Problem] = []
    for position, one in enumerate(last):
        progress(f"chain of {one.product}", position / len(last))
        lines = (
            Line(
                **line.model_dump(exclude={"body"}),
                body=canonical(line.body, line.kind).decode(),
            )
            for line in client.chain(one.product)
            # It may have grown since its head was read.
            if line.sequence <= one.sequence
        )
        found = follow(lines, one, before.pop(one.product, None))
        problems += map(_broken, found)
    problems += _gone(before)
    return Inspection(
        products=len(last),
        lines=sum(one.sequence for one in last),
        audits=0,
        files=0,
        problems=tuple(problems),
        orphans=(),
    )


def _chains(
    session: Session, products: Sequence[Product], kept: Sequence[Head], progress: Progress
) -> Iterator[Problem]:
    before = {one.product: one for one in kept}
    for position, product in enumerate(products):
        progress(f"chain of {product.name}", position / len(products))
        yield from map(_broken, check(session, product, before.pop(product.name, None)))
        yield from disagreements(session, product)
    yield from _gone(before)


def _broken(found: Broken) -> Problem:
    what = f"the chain is broken: {found.what}."
    hint = "What comes from here on may have been edited; compare with a backup."
    return Problem(f"{found.product}: line {found.sequence}", what, hint)


def _gone(kept: Mapping[str, Head]) -> Iterator[Problem]:
    for name, one in sorted(kept.items()):
        what = f"it had {one.sequence} lines when its head was kept, and is gone."
        yield Problem(f"product '{name}'", what, "Restore a backup.")


def _company(session: Session) -> Iterator[Problem]:
    """Yield the company's policies whose text is not the one that was written."""
    for policy in session.scalars(select(Policy).where(Policy.product_id.is_(None))):
        if policy_digest(policy.text) != policy.digest:
            what = "its text is not the one that was written."
            yield Problem(f"policy {policy.version} of the company", what, "Write it again.")


def _standings(session: Session, names: Mapping[int, str]) -> Iterator[Problem]:
    """Yield the cells of the company's page that do not follow from the audits."""
    query = select(Audit.model_id, Audit.pillar).distinct()
    audited = {(row.model_id, row.pillar) for row in session.execute(query)}
    for one in session.scalars(select(Standing)).all():
        place = (one.model_id, one.pillar)
        found = asdict(stand_of(session, *place)) if place in audited else None
        audited.discard(place)
        if found is None or any(getattr(one, name) != fact for name, fact in found.items()):
            shown = one.verdict or "no rules"
            what = f"the company's page shows {shown}, and the audits say otherwise."
            yield Problem(f"{names.get(one.product_id)}: {one.pillar}", what, "Restore a backup.")
    if audited:
        what = f"the company's page lacks {len(audited)} of its cells."
        yield Problem("standings", what, "Restore a backup.")


def _files(centre: Centre, session: Session, total: int, progress: Progress) -> Iterator[Problem]:
    query = select(Audit).order_by(Audit.id).execution_options(yield_per=100)
    for position, audit in enumerate(session.scalars(query)):
        progress("files of evidence", position / max(total, 1))
        where = f"evidence {audit.bundle}"
        try:
            data = centre.storage.read(audit.bundle)
            bundle = parse_bundle(data, where, replicates=False)
        except (CentreError, BundleError) as error:
            for one in error.problems:
                yield Problem(where, one.what, one.hint)
            continue
        facts = {**facts_of(bundle, evidence_of(bundle, audit.bundle)), "size": len(data)}
        differing = [name for name, value in facts.items() if getattr(audit, name) != value]
        differing += [
            table.__tablename__
            for table, rows in ((Finding, finding_rows(bundle)), (Rule, rule_rows(bundle)))
            if _rows(session, table, audit, [*rows[0]] if rows else []) != rows
        ]
        if differing:
            what = f"its rows say something else than its file: {', '.join(differing)}."
            yield Problem(where, what, "The file is what was accepted: restore the database.")


def _rows(
    session: Session, table: type[Finding | Rule], audit: Audit, names: Sequence[str]
) -> list[dict[str, Any]]:
    of_audit = table.audit_id == audit.id
    if not names:
        count = session.scalar(select(func.count()).select_from(table).where(of_audit))
        return [{}] * (count or 0)
    query = select(*(getattr(table, name) for name in names)).where(of_audit)
    return [dict(row._mapping) for row in session.execute(query.order_by(table.position))]  # noqa: SLF001
