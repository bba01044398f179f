"""A company in a centre's database: 1,000 products, 20,000 audits, two million figures.

Rows are written by the functions that a push calls (`store.evidence.keep`), many files to a
transaction; only verifying each file is left out, since they were made here. Audits of all products
come in turn, as they would over two years, so that no product's rows lie together by chance.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

from centre_audits import KINDS, Made, made
from sqlalchemy import JSON, Table, func, select, text

from evenhand.centre.storage.storage import place_of
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.database import Database
from evenhand.centre.store.decisions import decide_now
from evenhand.centre.store.evidence import Subject, keep
from evenhand.centre.store.runs import end_run, start_run
from evenhand.centre.store.tables import Audit, Base, Finding, Model, Product, Version

SEEDS = 6
"""Different audits of each kind of product."""

AUDITS_OF_A_MODEL = (2, 4, 6, 8, 8, 8, 12, 16)
"""In turn; 8 on average. Every version is audited twice."""

SPAN = dt.timedelta(days=700)
"""From the first audit to the last, which was yesterday."""


@dataclass(frozen=True)
class Planned:
    """An audit that a company has done.

    Attributes:
        kind: The kind of its product.
        seed: Which audit of that kind it is.
        subject: What it is about.
        owner: Who owns the product.
        created: When it was done.

    """

    kind: str
    seed: int
    subject: Subject
    owner: str
    created: dt.datetime


def planned(products: int, until: dt.datetime) -> list[Planned]:
    """Return the audits of a company, the oldest first; 20 for every product on average."""
    kinds, found, models = [*KINDS], [], 0
    for product in range(products):
        kind = kinds[product % len(kinds)]
        for model in range(1 + product % 4):
            count = AUDITS_OF_A_MODEL[models % len(AUDITS_OF_A_MODEL)]
            models += 1
            for number in range(count):
                # Spread over the whole span, no two models at one moment.
                share = (number + models / (2.5 * products)) / count
                found.append(
                    Planned(
                        kind=kind,
                        seed=1 + (models + number) % SEEDS,
                        subject=Subject(
                            f"{kind}-{product:04d}", f"model-{model + 1}", f"v{1 + number // 2}"
                        ),
                        owner=f"team-{product % 60:02d}",
                        created=until - SPAN * (1 - min(share, 1.0)),
                    )
                )
    return sorted(found, key=lambda one: one.created)


def audits(workers: int) -> dict[tuple[str, int], Made]:
    """Return the different audits that all others are copies of."""
    wanted = [(kind, seed) for kind in KINDS for seed in range(1, SEEDS + 1)]
    # Polars' threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return dict(zip(wanted, pool.map(made, *zip(*wanted, strict=True)), strict=True))


def fill(centre: Centre, plans: Sequence[Planned], folder: Path, workers: int = 2) -> None:
    """Write the audits of a company, and their files, into an empty centre.

    Args:
        centre: The centre.
        plans: What was audited, in the order in which it was pushed.
        folder: The folder of its files.
        workers: How many processes run the audits.

    """
    templates = audits(workers)
    for number in range(256):
        (folder / f"{number:02x}").mkdir(exist_ok=True)
    for batch in _batched(plans, 200):
        with centre.database.writing() as session:
            for one in batch:
                where = one.subject
                data, file = templates[one.kind, one.seed].sealed(
                    one.created,
                    product=where.product,
                    model=where.model,
                    version=where.version,
                    owner=one.owner,
                )
                # As the storage would, without waiting for the disk each time.
                (folder / place_of(file.digest)).write_bytes(data)
                then = one.created + dt.timedelta(minutes=10)
                keep(session, replace(centre, clock=_standing(then)), file, where, by="ci")


def decide(centre: Centre, until: dt.datetime) -> None:
    """Announce a run of the newest audit of every product, every fifth of which failed, and decide.

    Args:
        centre: The centre.
        until: When.

    """
    then = replace(centre, clock=_standing(until))
    newest = select(func.max(Audit.id)).group_by(Audit.product_id).scalar_subquery()
    query = (
        select(Product.name, Model.name, Version.name, Audit.plan, Audit.bundle)
        .join(Model, Model.product_id == Product.id)
        .join(Audit, Audit.model_id == Model.id)
        .join(Version, Version.id == Audit.version_id)
        .where(Audit.id.in_(newest))
    )
    with centre.database.reading() as session:
        found = session.execute(query).all()
    for number, (product, model, version, plan, bundle) in enumerate(found):
        subject, run = Subject(product, model, version), f"{number:032x}"
        start_run(then, subject, id=run, plan=plan, by="ci")
        if number % 5:
            end_run(then, run, state="finished", bundle=bundle, by="ci")
        else:
            end_run(then, run, state="failed", reason="the rows could not be read", by="ci")
        decide_now(then, subject, by="ci")


def copy(source: Database, target: Database) -> None:
    """Copy every row of a database of SQLite into an empty one of PostgreSQL."""
    for table in Base.metadata.sorted_tables:
        rows = _rows(source, table)
        names = ", ".join(f'"{column.name}"' for column in table.columns)
        raw = target.engine.raw_connection()
        try:
            with raw.cursor() as cursor:
                with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as stream:
                    for row in rows:
                        stream.write_row(row)
                if table.autoincrement_column is not None:
                    cursor.execute(
                        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "  # noqa: S608
                        f'coalesce(max(id), 0) + 1, false) FROM "{table.name}"'
                    )
            raw.commit()
        finally:
            raw.close()
    # What autovacuum would do within a minute.
    with target.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def counted(database: Database) -> dict[str, int]:
    """Return how many products, bundles and findings there are."""
    with database.reading() as session:
        return {
            name: session.scalar(select(func.count()).select_from(table)) or 0
            for name, table in (("products", Product), ("bundles", Audit), ("findings", Finding))
        }


def _batched(plans: Sequence[Planned], size: int) -> Iterator[Sequence[Planned]]:
    for start in range(0, len(plans), size):
        yield plans[start : start + size]


def _standing(at: dt.datetime) -> Callable[[], dt.datetime]:
    return lambda: at


def _rows(source: Database, table: Table) -> Iterator[tuple[object, ...]]:
    from psycopg.types.json import Json

    as_json = [isinstance(column.type, JSON) for column in table.columns]
    with source.engine.connect() as connection:
        for row in connection.execution_options(yield_per=2_000).execute(select(table)):
            yield tuple(
                Json(value) if is_json else value
                for value, is_json in zip(row, as_json, strict=True)
            )
