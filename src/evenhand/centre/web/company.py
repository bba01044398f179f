"""The page of the company, and search through all of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from evenhand.centre.api.access import Reader
from evenhand.centre.api.ask import Here
from evenhand.centre.dossier import PILLARS
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.cell import State
from evenhand.centre.store.overview import Wanted, overview
from evenhand.centre.store.search import MOST, search
from evenhand.centre.web.advice import first_hour
from evenhand.centre.web.page import Pager, page, query

router = APIRouter()

_ROWS = 100

Text = Annotated[str, Query(max_length=200)]
Start = Annotated[int, Query(ge=0, le=10_000_000)]


@router.get("/")
def company(
    request: Request,
    principal: Reader,
    centre: Here,
    *,
    search: Text = "",
    owner: Text = "",
    pillar: Text = "",
    state: Text = "",
    start: Start = 0,
) -> Response:
    """Show where products stand."""
    wanted = Wanted(
        search=search.strip(),
        owner=owner.strip(),
        pillar=next((one for one in PILLARS if one == pillar), None),
        state=next((one for one in _STATES if one == state), None),
    )
    with centre.database.reading() as session:
        view = overview(
            session, centre.clock(), wanted, only=principal.product, start=start, most=_ROWS
        )
    fields = {name: text or "" for name, text in asdict(wanted).items()}
    return page(
        request,
        "company.html",
        title="Products",
        twin=f"{PREFIX}/products{query({**fields, 'owner': ''})}",
        view=view,
        wanted=wanted,
        filtered=any(fields.values()),
        pager=Pager(start, _ROWS, view.found, "/", fields),
        pillars=PILLARS,
        steps=first_hour(request) if not view.products else (),
    )


_STATES: tuple[State, ...] = get_args(State)


@router.get("/search")
def find(request: Request, principal: Reader, centre: Here, *, q: Text = "") -> Response:
    """Show what has a text in its name."""
    text = q.strip()
    found = None
    if text:
        with centre.database.reading() as session:
            found = search(session, text, only=principal.product)
    return page(
        request,
        "search.html",
        title=f"Search: {text}" if text else "Search",
        twin=f"{PREFIX}/findings{query({'search': text})}",
        q=text,
        found=found,
        most=MOST,
    )
