"""Whether the centre lives, and whether what it stands on answers: for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from evenhand.centre.api.problem import RETRY_SECONDS
from evenhand.centre.store.centre import Centre
from evenhand.errors import CentreError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """That the process lives."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What the centre stands on, and whether it answers; why not stands in the log."""

    status: Literal["ready", "not ready"]
    database: Literal["ok", "away"]
    storage: Literal["ok", "away"]


@router.get("/healthz")
async def healthz() -> Health:
    """Say that the process lives."""
    return Health()


@router.get("/readyz", response_model=Readiness, responses={503: {"model": Readiness}})
def readyz(request: Request) -> Response:
    """Say whether database and storage answer."""
    centre: Centre = request.app.state.centre
    database, storage = _answers(centre.database.check), _answers(centre.storage.check)
    ready = database == storage == "ok"
    found = Readiness(
        status="ready" if ready else "not ready", database=database, storage=storage
    ).model_dump()
    if ready:
        return JSONResponse(found)
    status, headers = HTTPStatus.SERVICE_UNAVAILABLE, {"Retry-After": str(RETRY_SECONDS)}
    return JSONResponse(found, status_code=status, headers=headers)


def _answers(check: Callable[[], None]) -> Literal["ok", "away"]:
    try:
        check()
    except CentreError:
        return "away"
    return "ok"
