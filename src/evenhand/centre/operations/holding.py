"""What a centre holds, as numbers that are asked for when somebody scrapes.

They are the same from every process, and after every start.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

import evenhand
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.tables import Audit, Decision, Entry, Job, Product, Token
from evenhand.errors import CentreError

_STATES = ("queued", "running", "done", "failed", "cancelled")


class Holding(Collector):
    """Numbers of what a centre holds, and whether what it stands on answers."""

    def __init__(self, centre: Centre) -> None:
        self._centre = centre

    def describe(self) -> list[Metric]:
        """Return nothing: what is told depends on what answers."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield every number; those of the database only where it answers."""
        yield _labelled("release", "The release that runs.", "version", {evenhand.__version__: 1})
        counted: list[Metric] = []

        def count() -> None:
            with self._centre.database.snapshot() as session:
                counted.extend(self._counted(session))

        up = {"database": _answers(count), "storage": _answers(self._centre.storage.check)}
        yield _labelled("up", "Whether what the centre stands on answers.", "part", up)
        yield from counted

    def _counted(self, session: Session) -> Iterator[Metric]:
        yield from _evidence(session)
        yield from _chains(session)
        yield from _decisions(session)
        yield from _jobs(session, self._centre.clock())
        yield from _tokens(session, self._centre.clock())


def _evidence(session: Session) -> Iterator[Metric]:
    files, size = session.execute(
        select(func.count(Audit.id), func.coalesce(func.sum(Audit.size), 0))
    ).one()
    yield _gauge("evidence_files", "Bundles that were accepted.", files)
    yield _gauge("evidence_bytes", "How large they are together.", size)


def _chains(session: Session) -> Iterator[Metric]:
    products, lines = session.execute(
        select(func.count(Product.id), func.coalesce(func.sum(Product.sequence), 0))
    ).one()
    yield _gauge("products", "Products.", products)
    yield _gauge("chain_lines", "Lines of all chains, which never become fewer.", lines)
    last = and_(Entry.product_id == Product.id, Entry.sequence == Product.sequence)
    newest = session.scalar(select(func.max(Entry.at)).join(Product, last))
    if newest is not None:
        at = dt.datetime.fromisoformat(newest)
        yield _time("chain_newest_line", "When the last line of any chain was written.", at)


def _decisions(session: Session) -> Iterator[Metric]:
    found = CounterMetricFamily(
        "evenhand_decisions", "Gates that were decided.", labels=["verdict", "mode"]
    )
    by = (Decision.verdict, Decision.mode)
    for verdict, mode, count in session.execute(select(*by, func.count()).group_by(*by)):
        found.add_metric([verdict, mode], count)
    yield found


def _jobs(session: Session, now: dt.datetime) -> Iterator[Metric]:
    query = select(Job.state, func.count()).group_by(Job.state)
    states = {**dict.fromkeys(_STATES, 0), **{row[0]: row[1] for row in session.execute(query)}}
    yield _labelled("jobs", "Jobs by state.", "state", states)
    since = session.scalar(select(func.min(Job.created)).where(Job.state == "queued"))
    waited = (now - since).total_seconds() if since else 0.0
    yield _gauge("jobs_longest_wait_seconds", "How long the oldest job has waited.", waited)


def _tokens(session: Session, now: dt.datetime) -> Iterator[Metric]:
    valid = and_(Token.revoked.is_(None), Token.expires > now)
    first = session.scalar(select(func.min(Token.expires)).where(valid))
    if first is not None:
        yield _time("token_expires", "When the first of the valid tokens expires.", first)


def _gauge(name: str, said: str, value: float) -> Metric:
    return GaugeMetricFamily(f"evenhand_{name}", said, value=float(value))


def _time(name: str, said: str, at: dt.datetime) -> Metric:
    return _gauge(f"{name}_timestamp_seconds", said, at.timestamp())


def _labelled(name: str, said: str, label: str, values: dict[str, int]) -> Metric:
    found = GaugeMetricFamily(f"evenhand_{name}", said, labels=[label])
    for one, value in values.items():
        found.add_metric([one], value)
    return found


def _answers(ask: Callable[[], None]) -> int:
    try:
        ask()
    except CentreError:
        return 0
    return 1
