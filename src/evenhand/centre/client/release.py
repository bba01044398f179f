"""The gate of a release: the centre decides; while it is away, what it signed last.

What a cache decides waits beside it and is given to the centre the next time, which decides again,
as of then and by all that it has, and says whether the verdict holds.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from evenhand.audits.evidence.archive import parse_bundle
from evenhand.audits.evidence.canonical import digest_of
from evenhand.audits.evidence.file import read_whole
from evenhand.audits.gate.verdict import Verdict
from evenhand.centre.client.cache import Cache, Waiting
from evenhand.centre.client.client import Client
from evenhand.centre.decision import CLOCKS, Decision, decide
from evenhand.centre.dossier import EvidenceRecord, evidence_of
from evenhand.centre.key import unseal
from evenhand.centre.policy import parse_policy
from evenhand.centre.subject import Subject, subject_of
from evenhand.errors import (
    ConflictError,
    EvenhandError,
    MissingExtraError,
    OutputError,
    Problem,
    UnknownError,
    UnreachableError,
    first_line,
)

Unreachable = Literal["fail", "cached"]


@dataclass(frozen=True, slots=True)
class Release:
    """What is to be released.

    Attributes:
        subject: The version.
        against: The version that it is held against; None for none.
        artefact: SHA-256 of the file that ships; None for the one that the version names.
        at_hand: Evidence in files of this machine, by the file.

    """

    subject: Subject
    against: str | None = None
    artefact: str | None = None
    at_hand: Mapping[Path, EvidenceRecord] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """A decision of a cache that the centre has now.

    Attributes:
        id: The decision, about ``version``.
        verdict: What the cache decided.
        compared: ``same``, ``differs``, or ``unpushed`` where evidence that it rests on is missing.
        now: What the centre decides in its place; None where it cannot.

    """

    id: str
    version: str
    at: dt.datetime
    verdict: Verdict
    compared: Literal["same", "differs", "unpushed"]
    now: Verdict | None

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {**asdict(self), "at": self.at.isoformat()}


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gate of a release answers.

    Attributes:
        decision: The decision.
        centre: The centre's address.
        reconciled: What the cache decided before, compared by the centre.
        unpushed: Files at hand that the centre lacks: it did not decide by them.
        notes: What else somebody should know.

    """

    decision: Decision
    centre: str = ""
    reconciled: tuple[Reconciled, ...] = ()
    unpushed: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evenhand gate --product --json`` prints."""
        return {
            **self.decision.to_dict(),
            "reconciled": [one.to_dict() for one in self.reconciled],
            "unpushed": [str(path) for path in self.unpushed],
            "notes": [*self.notes],
        }


def evidence_at(path: Path, given: Subject | None) -> tuple[Subject, EvidenceRecord]:
    """Return what the evidence of a file is about, and what a gate reads of it.

    Args:
        path: The file.
        given: What it is taken for, with empty names for what is not given; None for nothing.

    Raises:
        BundleError: It is no evidence, or was changed.
        ConflictError: It is about something else, or nobody says about what.

    """
    data = read_whole(path)
    bundle = parse_bundle(data, str(path), replicates=False)
    try:
        subject = subject_of(bundle.plan.subject, given)
    except ConflictError as error:
        problems = [Problem(f"{path}: {one.where}", one.what, one.hint) for one in error.problems]
        raise ConflictError(problems) from error
    return subject, evidence_of(bundle, digest_of(data))


def gate(
    client: Client,
    cache: Cache,
    release: Release,
    *,
    at: dt.datetime,
    on_unreachable: Unreachable | None = None,
) -> Answer:
    """Return the verdict of a release.

    Args:
        client: The centre.
        cache: What is kept of it.
        release: What is to be released.
        at: The time of this machine.
        on_unreachable: What happens while the centre is away; None for what the policy that is
            cached says, else ``fail``.

    Raises:
        UnreachableError: The centre is away, and nothing may decide in its place.
        EvenhandError: What the centre refuses, or a cache that is not what it was.

    """
    try:
        return _asked(client, cache, release, at)
    except UnreachableError as error:
        return _cached(cache, release, error, at=at, on_unreachable=on_unreachable)


def _asked(client: Client, cache: Cache, release: Release, at: dt.datetime) -> Answer:
    """Return what the centre decides.

    Raises:
        UnreachableError: It is away.

    """
    about, notes = client.about(), []
    skew = abs(at - about.time)
    if skew > CLOCKS:
        minutes = skew // dt.timedelta(minutes=1)
        notes.append(f"the clocks of this machine and of the centre are {minutes} minutes apart")
    subject = release.subject
    key = (subject.product, subject.model, subject.version)
    try:
        cache.trust(about.key)
        reconciled = tuple(_reconcile(client, cache, subject.product, notes))
        envelope = client.dossier(*key, release.against)
        _check(envelope, about.key)
        cache.keep(envelope, *key, release.against)
    except OutputError as error:
        # A pipeline that may write nowhere can still ask.
        notes.append(f"nothing is cached: {first_line(error)}")
        reconciled = ()
    decision = client.gate(*key, artefact=release.artefact, against=release.against)
    missing = tuple(
        path for path, one in release.at_hand.items() if not _there(client, one, subject)
    )
    return Answer(decision, client.address.url, reconciled, missing, tuple(notes))


def _check(envelope: bytes, pem: str) -> None:
    """Check what will be kept, where this machine can; it is checked again when it is used.

    Raises:
        BundleError: The centre did not sign it.

    """
    try:
        unseal(envelope, pem)
    except MissingExtraError:
        return


def _there(client: Client, one: EvidenceRecord, subject: Subject) -> bool:
    """Return whether the centre has evidence of this version, as far as it can be asked."""
    try:
        audit = client.audit(one.bundle)
    except UnknownError:
        return False
    except UnreachableError:
        # It has decided; that it is away since then takes nothing back.
        return True
    return Subject(audit.product, audit.model, audit.version) == subject


def _reconcile(client: Client, cache: Cache, product: str, notes: list[str]) -> list[Reconciled]:
    """Give the centre what the cache decided; what it lacks evidence for goes on waiting.

    Raises:
        UnreachableError: The centre is away again.

    """
    waiting, broken = cache.waiting(product)
    notes += [f"no decision can be read from {path}; look at it, and delete it" for path in broken]
    found = []
    for one in waiting:
        try:
            answer = client.send_decision(one.decision)
            if answer.compared == "unpushed" and one.evidence:
                _push(client, one)
                answer = client.send_decision(one.decision)
        except UnreachableError:
            raise
        except EvenhandError as error:
            notes.append(f"the centre does not take {one.path}: {first_line(error)}")
            continue
        if answer.compared != "unpushed":
            one.done()
        found.append(
            Reconciled(
                id=one.decision.id,
                version=one.decision.version,
                at=one.decision.at,
                verdict=one.decision.verdict,
                compared=answer.compared,
                now=answer.verdict,
            )
        )
    return found


def _push(client: Client, waiting: Waiting) -> None:
    """Push the evidence that a cache decided by, without which nobody can decide again.

    Raises:
        EvenhandError: The centre does not take it.

    """
    decision = waiting.decision
    for path in waiting.evidence:
        client.push(path, product=decision.product, model=decision.model, version=decision.version)


def _cached(
    cache: Cache,
    release: Release,
    error: UnreachableError,
    *,
    at: dt.datetime,
    on_unreachable: Unreachable | None,
) -> Answer:
    """Return what the cache decides in the centre's place.

    Raises:
        UnreachableError: It may not, or cannot.

    """
    if on_unreachable == "fail":
        raise UnreachableError([*error.problems, _undecided("--on-unreachable fail")])
    subject = release.subject
    try:
        dossier = cache.dossier(
            subject.product, subject.model, subject.version, against=release.against, at=at
        )
        policy = parse_policy(dossier.policy.text, "the policy that is cached")
    except EvenhandError as other:
        raise UnreachableError([*error.problems, *other.problems]) from other
    if on_unreachable is None and policy.on_unreachable == "fail":
        raise UnreachableError([*error.problems, _undecided("on_unreachable: fail in the policy")])
    decision = decide(
        dossier,
        at=at,
        artefact=release.artefact,
        at_hand=release.at_hand.values(),
        mode="cached",
    )
    cache.wait(decision, [read_whole(path) for path in release.at_hand])
    signed = f"decided by what the centre signed on {dossier.issued:%Y-%m-%d %H:%M} UTC"
    notes = (first_line(error), f"{signed}; it is told of this verdict the next time")
    return Answer(decision, notes=notes)


def _undecided(why: str) -> Problem:
    what = f"nothing is decided in its place: {why}."
    return Problem("on_unreachable", what, "Wait for it, or let the cache decide: cached.")
