"""The centre of ``evenhand demo``: products with a past, one red gate, one that cannot be decided.

Everything in it is simulated, the days on which it was audited too.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from evenhand.audits.evidence.bundle import Bundle
    from evenhand.audits.plan.plan import Subject
    from evenhand.centre.store.centre import Centre

BY = "demo@example.org"

_VISION = {"noisy_digits": 10, "digits": 9}
"""Audits of the reader of digits, absent without scikit-learn; days since the repaired one's."""

_LENDING: Mapping[str, Any] = {
    "evenhand": 1,
    "log": {"source": "simulated loans", "kind": "decisions"},
    "roles": {"label": "label", "prediction": "prediction"},
    "groups": {"region": "group"},
    "measures": [
        "difference(selection_rate, by=region)",
        "difference(positive_predictive_value, by=region)",
        "difference(true_positive_rate, by=region)",
        "difference(bounds(true_positive_rate, missing=odds(2)), by=region)",
    ],
    "gate": [
        {
            "id": "accepted-alike",
            "rule": "difference(selection_rate, by=region) <= 0.1",
            "why": "applicants of every region are accepted alike",
        },
        {"id": "repaid-alike", "rule": "difference(positive_predictive_value, by=region) <= 0.1"},
    ],
}

_COMMENTS: Mapping[str, Any] = {
    "evenhand": 1,
    "log": {"source": "simulated comments", "kind": "decisions"},
    "roles": {"label": "label", "prediction": "prediction"},
    "unit": "unit",
    "groups": {"dialect": "group"},
    "measures": ["difference(false_positive_rate, by=dialect)", "accuracy"],
    "gate": [
        {
            "id": "hidden-alike",
            "rule": "difference(false_positive_rate, by=dialect) <= 0.05",
            "why": "harmless comments are hidden alike in every dialect",
        },
    ],
}

_COMPANY_POLICY = """\
policy: 1
max_age: 90d               # evidence older than this decides nothing
on_unreachable: cached     # pipelines go on while this centre is away
"""

_MODERATION_POLICY = """\
policy: 1
max_age: 90d
artefact: required         # evidence names the file that ships
require:
- {plan: fair-moderation, registered: any}
on_unreachable: cached
"""


@dataclass(frozen=True)
class Shown:
    """An audit of the demonstration.

    Attributes:
        bundle: Its evidence.
        subject: What it is about.
        days: How many days ago it was done.

    """

    bundle: Bundle
    subject: Subject
    days: int

    def dated(self, today: dt.datetime) -> Bundle:
        """Return its evidence as of that day, about a version with an artefact of its own."""
        name = f"{self.subject.product}/{self.subject.model}/{self.subject.version}"
        day = today - dt.timedelta(days=self.days)
        subject = self.subject.model_copy(
            update={
                "artefact": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}",
                "window": [(day - dt.timedelta(days=back)).date() for back in (28, 1)],
            }
        )
        plan = self.bundle.plan.model_copy(update={"subject": subject})
        return replace(self.bundle, plan=plan, created=day.replace(microsecond=0))


def fill(centre: Centre, planted: Mapping[str, Bundle], seed: int) -> None:
    """Fill an empty centre with products, evidence, policies and decisions.

    Args:
        centre: The centre.
        planted: What the demonstration audited already, by the name of the product.
        seed: Seed of what is audited beside it.

    """
    import uuid

    from evenhand.audits.evidence.archive import packed
    from evenhand.audits.plan.plan import Subject
    from evenhand.centre.dossier import plan_identity
    from evenhand.centre.store.decisions import decide_now
    from evenhand.centre.store.evidence import Subject as Place
    from evenhand.centre.store.evidence import accept
    from evenhand.centre.store.plans import register_plan
    from evenhand.centre.store.policies import write_policy
    from evenhand.centre.store.runs import end_run, start_run
    from evenhand.centre.store.waivers import request_waiver

    today = centre.clock()
    write_policy(centre, None, _COMPANY_POLICY, by=BY)
    for one in _audits(planted, seed):
        bundle = one.dated(today)
        subject = bundle.plan.subject
        place = Place(str(subject.product), str(subject.model), str(subject.version))
        identity = plan_identity(bundle.plan)
        if one.subject.version == "v8":
            text = bundle.plan.model_copy(update={"subject": Subject()}).to_yaml()
            register_plan(centre, place.product, "fair-moderation", text, by=BY)
            failed = uuid.uuid4().hex
            start_run(centre, place, id=failed, plan=identity, by=BY)
            reason = "videos/2026-11-*.parquet: no such file."
            end_run(centre, failed, state="failed", reason=reason, by=BY)
        run = uuid.uuid4().hex
        start_run(centre, place, id=run, plan=identity, artefact=subject.artefact, by=BY)
        accept(centre, packed(bundle, "demo.evidence.zip")[0], place, by=BY, run=run)
    write_policy(centre, "short videos", _MODERATION_POLICY, by=BY)
    seen = planted.keys() & _VISION.keys()
    vision = (("paper forms", "digit reader", "v2", "v1"),) if seen else ()
    for product, model, version, against in (
        *vision,
        ("feed", "ranker", "v2", "v1"),
        ("library search", "ranker", "v2", "v1"),
        ("short videos", "moderation", "v7", None),
        ("short videos", "moderation", "v8", "v7"),
        ("lending", "credit score", "v3", None),
    ):
        decide_now(centre, Place(product, model, version), against=against, by=BY)
    request_waiver(
        centre,
        "short videos",
        model="moderation",
        rule="wrongly-removed",
        owner="hindi-team@example.org",
        reason="a model with more Hindi reviews is being trained",
        expires=(today + dt.timedelta(days=30)).date(),
        requester=BY,
    )


def _audits(planted: Mapping[str, Bundle], seed: int) -> Iterator[Shown]:
    """Yield the audits of the demonstration, the oldest first."""
    import numpy as np

    from evenhand.cli.planted import (
        FEED,
        MODERATION,
        RESULTS,
        repaired_feed,
        repaired_results,
    )
    from evenhand.worlds.decisions import DecisionWorld
    from evenhand.worlds.lending import LendingWorld
    from evenhand.worlds.moderation import ModerationWorld

    alike = dict.fromkeys(("standard", "regional", "youth"), 0.0)
    comments = DecisionWorld(
        dict.fromkeys(alike, 0.8),
        dict.fromkeys(alike, 0.06),
        dict.fromkeys(alike, 0.2),
        rows_per_unit=10,
        intra_unit=0.05,
    ).rows(dict.fromkeys(alike, 1500), np.random.default_rng(seed))
    yield _audited(_COMMENTS, comments, ("comments", "filter", "v1"), days=130)

    for name in filter(planted.__contains__, _VISION):
        yield Shown(
            planted[name], _subject("paper forms", "digit reader", "v1"), _VISION[name] + 36
        )
    yield Shown(planted["feed"], _subject("feed", "ranker", "v1"), 35)
    yield Shown(planted["search"], _subject("library search", "ranker", "v1"), 33)
    fair = ModerationWorld(wrongly_removed=dict.fromkeys(ModerationWorld().creators, 0.08))
    rows = fair.rows(np.random.default_rng(seed))
    yield _audited(MODERATION, rows, ("short videos", "moderation", "v7"), days=21)

    lending = LendingWorld(
        selection_rates={"north": 0.55, "south": 0.5, "islands": 0.48},
        repayment_rates={"north": 0.85, "south": 0.82, "islands": 0.8},
        odds_ratios={"north": 2.0, "south": 2.0, "islands": 2.0},
    )
    rows = lending.rows({"north": 700, "south": 400, "islands": 90}, np.random.default_rng(seed))
    yield _audited(_LENDING, rows, ("lending", "credit score", "v3"), days=12)

    for days, bundle in _repaired_reader(seed) if planted.keys() & _VISION.keys() else ():
        yield Shown(bundle, _subject("paper forms", "digit reader", "v2"), days)
    yield _audited(FEED, repaired_feed(seed), ("feed", "ranker", "v2"), days=6)
    yield _audited(RESULTS, repaired_results(seed), ("library search", "ranker", "v2"), days=4)
    yield Shown(planted["moderation"], _subject("short videos", "moderation", "v8"), 1)


def _repaired_reader(seed: int) -> Iterator[tuple[int, Bundle]]:
    """Yield the evidence of a reader of digits in which nothing is planted, by its age in days."""
    import evenhand
    from evenhand.audits.plan.plan import AuditPlan
    from evenhand.cli.vision import reader

    found = reader(seed, repaired=True)
    # Evidence keeps what the log says of its attack; the log itself is not shown.
    with tempfile.TemporaryDirectory() as folder:
        for days, probed in zip(_VISION.values(), (found.noisy, found.attacked), strict=True):
            _, plan = probed(Path(folder))
            yield days, evenhand.audit(AuditPlan.model_validate(plan))


def _subject(product: str, model: str, version: str) -> Subject:
    from evenhand.audits.plan.plan import Subject

    return Subject(product=product, model=model, version=version, owner=f"{product} team")


def _audited(
    plan: Mapping[str, Any], rows: pl.DataFrame, name: tuple[str, str, str], *, days: int
) -> Shown:
    import evenhand
    from evenhand.audits.plan.plan import AuditPlan

    asked = AuditPlan.model_validate({**plan, "subject": {}})
    return Shown(evenhand.audit(asked, table=rows), _subject(*name), days)


def cleared(folder: Path) -> Path:
    """Return the folder of the demonstration's centre, without one of an earlier demonstration."""
    for name in ("centre.db", "centre.db-wal", "centre.db-shm", "centre.pem"):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("centre.db.queue*"):
        path.unlink()
    shutil.rmtree(folder / "evidence", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder
