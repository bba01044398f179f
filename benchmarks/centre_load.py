"""Readers and pushers of a centre, for Locust, which runs in an environment of its own.

`benchmarks/centre.py` starts it, and says in EVENHAND_LOAD which file names what there is to read.
Readers wait one second after each page; pushers after each file. What they read is drawn as a
company reads: products by a Zipf law, most of all the page of the company and of products.
"""

from __future__ import annotations

import bisect
import itertools
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from locust import constant, events, task
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment

API = "/api/v1"

TOLD: dict[str, Any] = json.loads(Path(os.environ["EVENHAND_LOAD"]).read_text(encoding="utf-8"))
"""What there is: ``models`` with their audits, files to ``push``, where to ``write`` times."""

RANDOM = random.Random(7)  # noqa: S311 - a benchmark

WORDS = ("nDCG", "false_positive_rate", "lending", "model-2", "Hindi", "no such thing", "v3")

_WEIGHTS = [*itertools.accumulate(1 / (1 + rank) for rank in range(len(TOLD["models"])))]
TIMES: dict[str, list[tuple[float, bool]]] = {}
"""Milliseconds of every answer, and whether it was the right one, by what was asked."""


def some_model() -> dict[str, Any]:
    """Return a model, of a product that is read often more often."""
    drawn = RANDOM.random() * _WEIGHTS[-1]
    found: dict[str, Any] = TOLD["models"][bisect.bisect(_WEIGHTS, drawn)]
    return found


class Reader(FastHttpUser):
    """Somebody who reads pages, and now and then the API."""

    fixed_count = TOLD["readers"]
    wait_time = constant(1)

    def read(self, name: str, path: str, **query: object) -> None:
        """Ask for a page."""
        asked = f"{path}?{urlencode(query)}" if query else path
        self.client.get(asked, name=name)

    @task(15)
    def company(self) -> None:
        """The heat map, sometimes another part of it."""
        self.read("company", "/", **RANDOM.choice(({}, {}, {}, {"state": "fail"}, {"start": 100})))

    @task(18)
    def product(self) -> None:
        """A product."""
        self.read("product", f"/products/{some_model()['product']}")

    @task(5)
    def model(self) -> None:
        """A model."""
        one = some_model()
        self.read("model", f"/products/{one['product']}/models/{one['model']}")

    @task(12)
    def version(self) -> None:
        """A version."""
        one = some_model()
        version = quote(RANDOM.choice(one["audits"])["version"])
        path = f"/products/{one['product']}/models/{one['model']}/versions/{version}"
        self.read("version", path)

    @task(12)
    def audit(self) -> None:
        """An audit."""
        self.read("audit", f"/audits/{RANDOM.choice(some_model()['audits'])['bundle']}")

    @task(14)
    def finding(self) -> None:
        """A finding of an audit."""
        one = RANDOM.choice(some_model()["audits"])
        position = RANDOM.randrange(one["findings"])
        self.read("finding", f"/audits/{one['bundle']}/findings/{position}")

    @task(5)
    def compare(self) -> None:
        """Two audits of a model compared."""
        before, after = RANDOM.sample(some_model()["audits"], 2)
        self.read("compare", "/compare", before=before["bundle"], after=after["bundle"])

    @task(6)
    def over_time(self) -> None:
        """Figures of a product over time."""
        self.read("over time", f"/products/{some_model()['product']}/time")

    @task(5)
    def search(self) -> None:
        """A search."""
        self.read("search", "/search", q=RANDOM.choice(WORDS))

    @task(3)
    def products_of_api(self) -> None:
        """A list of products from the API."""
        self.read("API: products", f"{API}/products", limit=50)

    @task(3)
    def findings_of_api(self) -> None:
        """The findings of an audit from the API."""
        one = RANDOM.choice(some_model()["audits"])
        self.read("API: findings", f"{API}/audits/{one['bundle']}/findings", limit=100)

    @task(2)
    def audits_of_api(self) -> None:
        """A list of audits from the API."""
        self.read("API: audits", f"{API}/audits", limit=50)


class _Pusher(FastHttpUser):
    """A pipeline that pushes evidence, a file a second."""

    abstract = True
    wait_time = constant(1)
    name: str
    files: Iterator[str]

    @task
    def push(self) -> None:
        """Push a file that nobody pushed before."""
        data = Path(next(self.files)).read_bytes()
        headers = {"Content-Type": "application/octet-stream"}
        path = f"{API}/bundles"
        with self.client.post(
            path, data=data, headers=headers, name=self.name, catch_response=True
        ) as answer:
            if answer.status_code == 201:  # noqa: PLR2004 - created
                answer.success()
            else:
                answer.failure(f"{answer.status_code}: {answer.text}")


class SmallPusher(_Pusher):
    """Pushes evidence of a hundred figures."""

    fixed_count = TOLD["pushers"] - 1
    name = "push of 0.2 MB"
    files = iter(TOLD["push"]["small"])


class LargePusher(_Pusher):
    """Pushes evidence of seven hundred figures."""

    fixed_count = 1
    name = "push of 1 MB"
    files = iter(TOLD["push"]["large"])


@events.request.add_listener
def note(name: str, response_time: float, exception: BaseException | None, **_: object) -> None:
    """Note how long an answer took; Locust itself keeps two digits."""
    TIMES.setdefault(name, []).append((response_time, exception is None))
    if exception is not None and len(TOLD.setdefault("wrong", [])) < 20:  # noqa: PLR2004 - to show
        TOLD["wrong"].append(f"{name}: {exception}")


@events.quitting.add_listener
def write(environment: Environment, **_: object) -> None:
    """Write all times to the file that is named."""
    del environment
    told = {"times": TIMES, "wrong": TOLD.get("wrong", [])}
    Path(TOLD["write"]).write_text(json.dumps(told), encoding="utf-8")
