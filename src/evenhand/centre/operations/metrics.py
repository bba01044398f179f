"""What a watcher scrapes at ``/metrics``: the requests of this server, and what the centre holds.

Requests are counted by the template of their route, never by their address: no name of a product,
a person or a file is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from http import HTTPStatus

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector
from starlette.responses import Response
from starlette.types import Scope

from evenhand.centre.api.access import Reader
from evenhand.centre.api.guard import METRICS
from evenhand.centre.operations.holding import Holding
from evenhand.centre.operations.log import tell
from evenhand.centre.operations.observer import Observer, Seen
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.centre import Centre

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Names the folder by which the processes of one server count together."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_PUSH = ("POST", f"{PREFIX}/bundles")

NOWHERE = "none"
"""The route of a request that no route answered, or that was refused before."""


def instrument(app: FastAPI, centre: Centre) -> None:
    """Observe every request of an application, and answer at ``/metrics``.

    Args:
        app: The application, with all its other middleware: what is refused counts too.
        centre: The centre.

    """
    metrics = Metrics(centre)

    @app.get(METRICS, include_in_schema=False)
    def scrape(principal: Reader) -> Response:
        """Return the metrics to whoever may read of the whole company."""
        principal.check("read", None)
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    templates = _Templates(app)

    def note(seen: Seen) -> None:
        route = templates.of(seen.scope)
        metrics.note(seen, route)
        tell(seen, route)

    app.add_middleware(Observer, told=note)


class Metrics:
    """What one process counts, beside what the centre holds."""

    def __init__(self, centre: Centre) -> None:
        self._counted, self._held = CollectorRegistry(), CollectorRegistry()
        self._held.register(Holding(centre))
        self._requests = Counter(
            "evenhand_requests",
            "Requests that were answered.",
            ("method", "route", "status"),
            registry=self._counted,
        )
        self._seconds = Histogram(
            "evenhand_request_seconds",
            "Seconds until a request was answered.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self._counted,
        )
        self._pushes = Counter(
            "evenhand_pushes",
            "Evidence that was pushed, by what became of it.",
            ("outcome",),
            registry=self._counted,
        )

    def note(self, seen: Seen, route: str) -> None:
        """Count a request that was answered."""
        method = seen.method if seen.method in _METHODS else "other"
        self._requests.labels(method, route, str(seen.status)).inc()
        self._seconds.labels(method, route).observe(seen.seconds)
        if (method, route) == _PUSH:
            self._pushes.labels(_outcome(seen.status)).inc()

    def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus."""
        counted = self._counted
        if os.environ.get(SHARED):
            counted = CollectorRegistry()
            MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted) + generate_latest(self._held)


def _outcome(status: int) -> str:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    if status >= HTTPStatus.BAD_REQUEST:
        return "refused"
    return "new" if status == HTTPStatus.CREATED else "known"


class _Templates:
    """The templates of an application's routes, by what answers."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self._known: dict[Callable[..., object], str] = {}

    def of(self, scope: Scope) -> str:
        """Return the template of the route that answered a request."""
        endpoint = scope.get("endpoint")
        if endpoint is None:
            return NOWHERE
        if endpoint not in self._known:
            # Routes may have been added since.
            found = iter_route_contexts(self._app.routes)
            self._known = {one.endpoint: str(one.path) for one in found if one.endpoint is not None}
        return self._known.setdefault(endpoint, NOWHERE)
