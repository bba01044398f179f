"""What a centre bears: ``make bench-centre``.

A company of 1,000 products, 20,000 bundles and two million findings, in SQLite and in PostgreSQL
(Debian's package, with its own settings). The server is `evenhand serve`, as users start it; Locust
asks from a process of its own: 50 readers with a second between pages, and 5 clients that push a
file a second. Figures are of every answer, the first ones too.

start     from the command to the first whole page, five times
push      one megabyte of evidence from the first byte sent to the answer, alone and under load
pages     median, 95 % and 99 % of all answers by kind of page
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import random
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from centre_audits import Made, large, made
from centre_company import copy, counted, decide, fill, planned
from processes import watched
from sqlalchemy import select

import postgres
from evenhand.centre.store import chain
from evenhand.centre.store.centre import Centre, open_centre
from evenhand.centre.store.database import Database
from evenhand.centre.store.tables import Audit, Model, Product, Version

READERS, PUSHERS = 50, 5
IDLE_PUSHES = 50


@contextmanager
def served(
    database: str, folder: Path, processes: int
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a server as users do; gives its process and its address."""
    command = [str(Path(sys.executable).with_name("evenhand")), "serve", "--json", "--port", "0"]
    command += ["--database", database, "--storage", str(folder / "evidence")]
    command += ["--processes", str(processes)]
    environment = {**os.environ, "EVENHAND_HOME": str(folder)}
    environment.pop("OMP_NUM_THREADS", None)
    with subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("the server says nothing")
            told = json.loads(process.stdout.readline())
            yield process, str(told["url"])
        finally:
            process.terminate()


def starts(database: str, folder: Path, processes: int, times: int) -> list[float]:
    """Return how many seconds pass from the command to the first whole page, each time anew."""
    found = []
    for _ in range(times):
        begun = time.perf_counter()
        with served(database, folder, processes) as (_, address):
            _get(f"{address}/")
            found.append(time.perf_counter() - begun)
    return found


def pushes(address: str, files: Sequence[Path]) -> list[float]:
    """Return milliseconds of pushing files one after another."""
    found = []
    for path in files:
        data = path.read_bytes()
        request = urllib.request.Request(  # noqa: S310 - our own server
            f"{address}/api/v1/bundles",
            data=data,
            headers={"Content-Type": "application/octet-stream"},
        )
        begun = time.perf_counter()
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            answer.read()
        found.append(1000 * (time.perf_counter() - begun))
    return found


def _get(address: str) -> bytes:
    with urllib.request.urlopen(address) as answer:  # noqa: S310 - our own server
        data: bytes = answer.read()
        return data


def readable(database: Database) -> list[dict[str, Any]]:
    """Return the models that have two audits, products in the same random order each time."""
    query = (
        select(Product.name, Model.name, Version.name, Audit.bundle, Audit.findings)
        .join(Model, Model.product_id == Product.id)
        .join(Audit, Audit.model_id == Model.id)
        .join(Version, Version.id == Audit.version_id)
        .order_by(Audit.id)
    )
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    with database.reading() as session:
        for product, model, version, bundle, findings in session.execute(query):
            one = {"version": version, "bundle": bundle, "findings": findings}
            found.setdefault((product, model), []).append(one)
    models = [
        {"product": product, "model": model, "audits": audits}
        for (product, model), audits in found.items()
        if len(audits) > 1
    ]
    random.Random(3).shuffle(models)  # noqa: S311 - a benchmark
    return models


def fresh(
    models: Sequence[Mapping[str, Any]], template: Made, count: int, name: str, folder: Path
) -> list[Path]:
    """Write files that nobody pushed yet, of new versions of models that are there."""
    folder.mkdir(exist_ok=True)
    found, now = [], dt.datetime.now(dt.UTC)
    for number in range(count):
        one = models[(number * 37) % len(models)]
        data, _ = template.sealed(
            now - dt.timedelta(seconds=count - number),
            product=one["product"],
            model=one["model"],
            version=f"{name}-{number}",
            owner="team",
        )
        path = folder / f"{name}-{number}.evidence.zip"
        path.write_bytes(data)
        found.append(path)
    return found


def loaded(
    locust: str, address: str, told: Mapping[str, Any], folder: Path, seconds: int
) -> tuple[subprocess.Popen[bytes], Path]:
    """Start Locust; gives its process and the file that it will write."""
    asked, written = folder / "load.json", folder / "times.json"
    asked.write_text(json.dumps({**told, "write": str(written)}), encoding="utf-8")
    users = told["readers"] + told["pushers"]
    script = Path(__file__).with_name("centre_load.py")
    command = [locust, "-f", str(script), "--headless", "--only-summary", "--host", address]
    command += ["-u", str(users), "-r", "25", "-t", f"{seconds}s", "--stop-timeout", "10"]
    environment = {**os.environ, "EVENHAND_LOAD": str(asked)}
    environment.pop("PYTHONPATH", None)
    process = subprocess.Popen(  # noqa: S603
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    return process, written


def table(times: Mapping[str, Sequence[tuple[float, bool]]]) -> Iterator[str]:
    """Yield a table of answers, by what was asked."""
    yield "| asked | answers | median | 95 % | 99 % | longest | wrong |"
    yield "|---|---|---|---|---|---|---|"
    pages = [one for name, some in times.items() if not name.startswith("push") for one in some]
    for name, some in [*sorted(times.items()), ("all that is read", pages)]:
        took = [ms for ms, _ in some]
        parts = "".join(f" {np.percentile(took, q):,.0f} ms |" for q in (50, 95, 99, 100))
        yield f"| {name} | {len(some):,} |{parts} {sum(not right for _, right in some)} |"


def spread(took: Sequence[float], unit: str = "ms", digits: int = 0) -> str:
    """Return the median and the rest of some times."""
    low, middle, high = (np.percentile(took, q) for q in (0, 50, 99))
    return f"median {middle:,.{digits}f} {unit} ({low:,.{digits}f} to {high:,.{digits}f}, 99 %)"


@dataclass(frozen=True)
class Asked:
    """What is measured, from the command line."""

    folder: Path
    locust: str
    seconds: int
    processes: int
    starts: int


def measure(name: str, database: str, more: Mapping[str, int], asked: Asked) -> None:
    """Print what a centre on a database bears.

    Args:
        name: What the database is called.
        database: Its address.
        more: Processes beside the server that are watched, by what they are called.
        asked: What is measured.

    """
    folder = asked.folder
    opened = Database(database)
    print(f"\n## {name}\n\n{_said(counted(opened))}", flush=True)
    took = starts(database, folder, asked.processes, asked.starts)
    print(f"start to first page: {spread(took, 's', 2)}, {len(took)} times", flush=True)
    models = readable(opened)
    small, megabyte = made("moderation", 99), large(10**6)
    tag = name.split(maxsplit=1)[0].lower()
    pushed = folder / "push"
    idle = fresh(models, megabyte, IDLE_PUSHES, f"{tag}-idle", pushed)
    told = {
        "readers": READERS,
        "pushers": PUSHERS,
        "models": models,
        "push": {
            "small": [
                str(path)
                for path in fresh(
                    models, small, asked.seconds * (PUSHERS - 1), f"{tag}-small", pushed
                )
            ],
            "large": [
                str(path) for path in fresh(models, megabyte, asked.seconds, f"{tag}-large", pushed)
            ],
        },
    }
    size = idle[0].stat().st_size
    with served(database, folder, asked.processes) as (server, address):
        _get(f"{address}/")
        print(f"push of {size:,} bytes, alone: {spread(pushes(address, idle))}", flush=True)
        before, load = counted(opened)["bundles"], os.getloadavg()[0]
        locust, written = loaded(asked.locust, address, told, folder, asked.seconds)
        with watched({"server": server.pid, "locust": locust.pid, **more}) as used:
            _, errors = locust.communicate()
        if not written.exists():
            raise RuntimeError(errors.decode()[-2_000:])
        found = json.loads(written.read_text(encoding="utf-8"))
        written.unlink()
    times = found["times"]
    rate = sum(map(len, times.values())) / asked.seconds
    print(
        f"{READERS} readers, {PUSHERS} that push, {asked.seconds} s, {rate:.0f} requests a second; "
        f"load of the machine just before: {load:.2f}\n"
    )
    print("\n".join(table(times)))
    print("\n| processes | number | threads | CPU | memory |\n|---|---|---|---|---|")
    for who, use in used.items():
        share = f"{use.seconds / asked.seconds:.0%} of one core"
        print(f"| {who} | {use.processes} | {use.threads} | {share} | {use.memory:,.0f} MB |")
    right = sum(ok for some in times.items() if some[0].startswith("push") for _, ok in some[1])
    kept = counted(opened)["bundles"] - before
    print(f"\naccepted under load: {right}; kept: {kept}; chains broken: {_broken(opened)}")
    print("\n".join(found["wrong"]), flush=True)
    opened.close()


def _broken(database: Database) -> int:
    """Return how many lines of the chains of fifty products are not as they were written."""
    with database.reading() as session:
        some = session.scalars(select(Product).order_by(Product.sequence.desc()).limit(50)).all()
        return sum(len([*chain.check(session, one)]) for one in some)


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())


def _timed(what: str, act: Callable[[], object]) -> None:
    begun = time.perf_counter()
    act()
    print(f"{what}: {time.perf_counter() - begun:.0f} s", flush=True)


def _filled(asked: Asked, products: int) -> tuple[Centre, str]:
    """Return a company in SQLite."""
    address = f"sqlite:///{asked.folder / 'centre.db'}"
    centre = open_centre(
        database=address, storage=str(asked.folder / "evidence"), key=asked.folder / "centre.pem"
    )
    until = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    plans, place = planned(products, until), asked.folder / "evidence"
    _timed(f"{len(plans):,} bundles made and kept", lambda: fill(centre, plans, place))
    _timed("a run announced and a gate asked for each product", lambda: decide(centre, until))
    return centre, address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--locust", default=shutil.which("locust"))
    parser.add_argument("--products", type=int, default=1_000)
    parser.add_argument("--seconds", type=int, default=90)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evenhand-centre-") as folder:
        asked = Asked(
            Path(folder), options.locust, options.seconds, options.processes, options.starts
        )
        print(
            f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}"
        )
        centre, address = _filled(asked, options.products)
        with postgres.running(asked.folder / "postgres", fsync="on") as server:
            if options.only != "sqlite":
                name = postgres.new_database(server)
                target = open_centre(
                    database=name,
                    storage=str(asked.folder / "evidence"),
                    key=asked.folder / "centre.pem",
                )
                _timed("copied to PostgreSQL", lambda: copy(centre.database, target.database))
                target.database.close()
            centre.database.close()
            if options.only != "postgresql":
                measure("SQLite", address, {}, asked)
            if options.only != "sqlite":
                measure("PostgreSQL", name, {"PostgreSQL": _postmaster(asked.folder)}, asked)


def _postmaster(folder: Path) -> int:
    """Return the number of the first process of the PostgreSQL in a folder."""
    path = folder / "postgres" / "data" / "postmaster.pid"
    return int(path.read_text(encoding="utf-8").splitlines()[0])


if __name__ == "__main__":
    main()
