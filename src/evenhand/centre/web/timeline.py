"""The page on which a figure is followed from one audit to the next."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import Response

from evenhand.audits.gate.rule import Limit
from evenhand.centre.api.access import Reader
from evenhand.centre.api.ask import Here, InPath
from evenhand.centre.api.sight import product_seen
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.findings import Figure, Point, figures_of, over_time
from evenhand.centre.store.tables import Rule
from evenhand.centre.web.chart import line_of
from evenhand.centre.web.page import page, part, product_crumbs, query
from evenhand.errors import NotationError

router = APIRouter()

Part = Annotated[str, Query(max_length=4000)]


@router.get("/products/{product}/time")
def show_time(
    request: Request,
    principal: Reader,
    centre: Here,
    product: InPath,
    *,
    figure: Annotated[int | None, Query(ge=0, lt=10_000)] = None,
    model: Part = "",
    key: Part = "",
    about: Part = "",
    slice_: Annotated[str, Query(alias="slice", max_length=4000)] = "",
) -> Response:
    """Show a figure over time: by its place in the list, or by what it is."""
    with centre.database.reading() as session:
        found = product_seen(session, principal, product)
        figures = figures_of(session, found)
        chosen = Figure(model, key, about, slice_ or None) if key else None
        if chosen is None and figures:
            chosen = figures[min(figure or 0, len(figures) - 1)]
        elif chosen is not None and chosen not in figures:
            figures = [chosen, *figures]
        points = over_time(session, found, chosen) if chosen else []
        limit = _limit(session, points)
    search = {"product": found.name, "search": chosen.key if chosen else ""}
    return page(
        request,
        "time.html",
        title=f"{found.name} over time",
        twin=f"{PREFIX}/findings{query(search)}",
        crumbs=product_crumbs(found.name),
        product=found,
        figures=figures,
        figure=chosen,
        points=points,
        line=line_of(points, limit),
        limit=limit,
        here=f"/products/{part(product)}/time",
    )


def _limit(session: Session, points: list[Point]) -> float | None:
    """Return the limit of the rule about a figure, in the newest audit that has one."""
    for point in reversed(points):
        one = point.finding
        if one.verdict is None:
            continue
        rules = session.scalars(select(Rule).where(Rule.audit_id == one.audit_id))
        for rule in rules:
            if rule.body["key"] == one.key:
                try:
                    return Limit.parse(rule.body["rule"]).value
                except NotationError:
                    continue
    return None
