"""The application: the API and the pages over one centre."""

from __future__ import annotations

import contextlib
import importlib.util
import pkgutil
from collections.abc import AsyncIterator

import anyio.to_thread
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.staticfiles import StaticFiles

import evenhand
from evenhand.centre.api import health, login, openapi, problem, routes
from evenhand.centre.api.access import Access
from evenhand.centre.api.guard import Guard
from evenhand.centre.api.header import STATIC
from evenhand.centre.operations.metrics import instrument
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.evidence import read_file

_PAGES = "evenhand.centre.web.pages"

_THREADS = 8
"""Requests that a process works on at once. Python runs one of its threads at a time: with forty,
as Starlette has them, each waits for all others, and a seventh of the time goes into changing."""


@contextlib.asynccontextmanager
async def _few_threads(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def create_app(centre: Centre, access: Access) -> FastAPI:
    """Return the application of a centre.

    Args:
        centre: The centre.
        access: Who is let in.

    """
    app = FastAPI(
        title="Evenhand centre",
        version=evenhand.__version__,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_few_threads,
    )
    app.state.centre, app.state.access = centre, access
    app.state.read_evidence = read_file
    app.add_middleware(Guard, centre=centre, access=access)
    problem.install(app)
    app.include_router(health.router)
    app.include_router(login.router)
    for module in pkgutil.iter_modules(routes.__path__):
        found = importlib.import_module(f"{routes.__name__}.{module.name}")
        app.include_router(found.router, prefix=PREFIX)
    _add_pages(app)
    instrument(app, centre)
    openapi.describe(app)
    _build_routes(app)
    return app


def _build_routes(app: FastAPI) -> None:
    """Build what routes are made of, which FastAPI leaves to the first request.

    The first request would wait for it. It also changes the warnings' filters of the process for
    a moment, so that of two applications in one process a request can be met by a warning.
    """
    for _ in iter_route_contexts(app.routes):
        pass


def _add_pages(app: FastAPI) -> None:
    """Add the pages: their router, the folder of their files, and their page for problems."""
    if importlib.util.find_spec(_PAGES) is None:
        return
    pages = importlib.import_module(_PAGES)
    app.include_router(pages.router)
    app.mount(STATIC.rstrip("/"), StaticFiles(directory=pages.STATIC), name="static")
    app.state.problem_page = pages.problem_page
