"""The page on which two audits are compared: what is surely worse first, mere chance last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request
from sqlalchemy import select
from sqlalchemy.orm import Session, load_only
from starlette.responses import Response

from evenhand.audits.contrasts import form_of
from evenhand.centre.api.access import Principal, Reader
from evenhand.centre.api.ask import Here
from evenhand.centre.api.sight import audit_seen, seen
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store.comparison import About, compared
from evenhand.centre.store.tables import Audit, Model, Product, Version
from evenhand.centre.web.company import Text
from evenhand.centre.web.page import Crumb, page, part, version_crumbs
from evenhand.errors import BundleError, Problem
from evenhand.render.wording import DASH, MINUS, brief, name_of, number, own_reason

router = APIRouter()

_CHOICES = 100
_ROWS = 100

Kind = Literal["worse", "better", "changed", "unclear", "unknown"]

_WORDS: Mapping[Kind, str] = {
    "worse": "surely worse",
    "better": "surely better",
    "changed": "surely changed",
    "unclear": "within chance",
    "unknown": "no interval",
}

_PARTS: Mapping[Kind, tuple[str, str]] = {
    "worse": ("Surely worse", "The whole interval of the change lies on the worse side."),
    "better": ("Surely better", "The whole interval of the change lies on the better side."),
    "changed": (
        "Surely changed",
        "The interval of the change leaves out 0; neither direction is better in itself.",
    ),
    "unclear": (
        "Within chance",
        "The interval of the change contains 0: these rows do not tell whether it moved.",
    ),
    "unknown": ("Not comparable", "There is no interval of the change, for the reason given."),
}


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two audits."""

    audit: Audit
    product: str
    model: str
    version: str


@router.get("/compare")
def compare(
    request: Request, principal: Reader, centre: Here, *, before: Text = "", after: Text = ""
) -> Response:
    """Show what changed from one audit to another."""
    problems: list[Problem] = []
    shown: dict[str, Any] = {"sides": (), "parts_": (), "same": 0, "added": (), "removed": ()}
    heading, lead, pairing, twin = "What changed", "", "", None
    with centre.database.reading() as session:
        sides = [_side(session, principal, one) for one in (before, after) if one]
        choices = _choices(session, principal)
    if len(sides) == 2:  # noqa: PLR2004 - before and after
        twin = f"{PREFIX}/audits/{part(before)}/diff/{part(after)}"
        heading = _heading(sides)
        try:
            told = compared(centre, before, after)
        except BundleError as error:
            problems = [*error.problems]
        else:
            found = told.document
            rows = _rows(found["changes"], told.about)
            shown = {
                "sides": sides,
                "parts_": _parts(rows),
                "same": sum(one["same"] for one in found["changes"]),
                "added": found["added"],
                "removed": found["removed"],
            }
            lead, pairing = _lead(rows), _pairing(found)
    return page(
        request,
        "compare.html",
        title=heading,
        twin=twin,
        crumbs=_crumbs(sides),
        heading=heading,
        lead=lead,
        pairing=pairing,
        problems=problems,
        choices=choices,
        chosen={"before": before, "after": after},
        **shown,
    )


def _side(session: Session, principal: Principal, bundle: str) -> Side:
    audit = audit_seen(session, principal, bundle)
    return Side(
        audit,
        session.get_one(Product, audit.product_id).name,
        session.get_one(Model, audit.model_id).name,
        session.get_one(Version, audit.version_id).name,
    )


def _choices(session: Session, principal: Principal) -> list[Side]:
    query = (
        select(Audit, Product.name, Model.name, Version.name)
        .join(Product, Product.id == Audit.product_id)
        .join(Model, Model.id == Audit.model_id)
        .join(Version, Version.id == Audit.version_id)
        .options(load_only(Audit.bundle, Audit.audited, Audit.verdict))
        .order_by(Audit.id.desc())
        .limit(_CHOICES)
    )
    return [Side(*row) for row in session.execute(seen(query, principal))]


def _heading(sides: Sequence[Side]) -> str:
    one, other = sides
    if (one.product, one.model) == (other.product, other.model):
        return f"{other.model} {one.version} to {other.version}"
    return f"{one.model} {one.version} to {other.model} {other.version}"


def _crumbs(sides: Sequence[Side]) -> tuple[Crumb, ...]:
    if len({(one.product, one.model) for one in sides}) != 1:
        return (Crumb("Products", "/"),)
    return version_crumbs(sides[0].product, sides[0].model, sides[0].version)[:3]


def _pairing(found: Mapping[str, Any]) -> str:
    level = f"{100 * found['level']:g}% intervals, each by itself"
    said = str(found["pairing"])
    return (
        f"The audits are {said}. {level}." if found["paired"] else f"{said}. {level}.".capitalize()
    )


def _lead(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "Both have the same figures."
    kinds = [row["kind"] for row in rows]
    left = len(kinds) - kinds.count("worse") - kinds.count("better")
    return (
        f"{kinds.count('worse'):,} surely worse, {kinds.count('better'):,} surely better, "
        f"{left:,} other."
    )


def _rows(
    changes: Sequence[Mapping[str, Any]], about: Sequence[About | None]
) -> list[dict[str, Any]]:
    """Return what is not the same, a group's figure once however many contrasts have it."""
    found: dict[object, dict[str, Any]] = {}
    for place, (change, one) in enumerate(zip(changes, about, strict=True)):
        if change["same"]:
            continue
        same: object = place
        if one is not None and change["group"]:
            same = (one.measure, one.by, change["slice"], *sorted(change["group"].items()))
        found.setdefault(same, _row(change, one))
    return sorted(found.values(), key=lambda row: row["order"])


def _parts(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what changed: first what rules are about, then by what can be said of it."""
    ruled = [row for row in rows if _is_ruled(row)]
    by: list[tuple[str, tuple[str, str], list[dict[str, Any]]]] = [("rules", _RULED, ruled)]
    for kind, heading in _PARTS.items():
        some = [row for row in rows if row["kind"] == kind and not _is_ruled(row)]
        by.append((kind, heading, some))
    return [
        {
            "id": name,
            "title": heading[0],
            "about": heading[1],
            "rows": some[:_ROWS],
            "found": len(some),
        }
        for name, heading, some in by
        if some
    ]


def _is_ruled(row: Mapping[str, Any]) -> bool:
    return bool(row["verdicts"] != (None, None))


_RULED = (
    "What rules are about",
    (
        "Which pair is the widest may change too, so that the change of a gap is known less surely "
        "than those of the groups below."
    ),
)


def _kind(change: Mapping[str, Any], one: About | None) -> Kind:
    gap = change["difference"]
    if gap["low"] is None or gap["high"] is None:
        return "unknown"
    if gap["low"] <= 0 <= gap["high"]:
        return "unclear"
    better = "neither" if one is None else _better(one, whole=change["group"] is None)
    if better == "neither":
        return "changed"
    rises = gap["low"] > 0
    return "better" if rises == (better == "higher") else "worse"


def _better(one: About, *, whole: bool) -> str:
    """Return in which direction a figure is better: of a gap downwards, of a measure as it says."""
    if one.is_pair:
        return "neither"
    own = one.better if one.better in {"higher", "lower"} else "neither"
    if not whole:
        return own
    match form_of(one.contrast):
        case None | "worst":
            return own
        case "ratio":
            return "higher"
    return "lower"


def _row(change: Mapping[str, Any], one: About | None) -> dict[str, Any]:
    gap, kind = change["difference"], _kind(change, one)
    about = []
    if change.get("pair"):
        about.append(f" {MINUS} ".join(name_of(group) for group in change["pair"]))
    about += [change["part"]] if change.get("part") else []
    about += [name_of(change["group"])] if change["group"] else []
    about += [f"in {change['slice']}"] if change["slice"] else []
    verdicts = (change["verdict_before"], change["verdict_after"])
    has_interval = gap["low"] is not None and gap["high"] is not None
    return {
        "key": one.measure if one is not None and change["group"] else change["key"],
        "about": ", ".join(about),
        "kind": kind,
        "word": _WORDS[kind],
        "verdicts": verdicts if change["group"] is None else (None, None),
        "before": _number(change["before"]),
        "after": _number(change["after"]),
        "change": DASH if gap["value"] is None else _signed(gap["value"]),
        "interval": f"[{_signed(gap['low'])}, {_signed(gap['high'])}]" if has_interval else DASH,
        "reason": own_reason(brief(gap["reason"])) if gap["reason"] else "",
        "order": (verdicts[0] == verdicts[1], change["group"] is not None, -abs(gap["value"] or 0)),
    }


def _number(value: float | None) -> str:
    return DASH if value is None else number(value)


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else MINUS if value < 0 else ''}{number(abs(value))}"
