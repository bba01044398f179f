"""A page: a template with the frame that all share, an address that stays, and a JSON twin.

Every text is escaped, and nothing on a page is inline: its styles and its program are files.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

import evenhand
from evenhand.audits.evidence.legible import cut, sized
from evenhand.centre.api.access import CSRF_FIELD, Principal, access_of
from evenhand.centre.api.ask import centre_of
from evenhand.centre.decision import days
from evenhand.centre.protocol import PREFIX
from evenhand.render.html import asset
from evenhand.render.wording import DASH, brief, number, own_reason

STATIC = Path(__file__).parent / "static"
"""Files that are sent as they are."""


@dataclass(frozen=True, slots=True)
class Crumb:
    """A step on the way to a page."""

    name: str
    address: str


def page(
    request: Request,
    template: str,
    *,
    title: str,
    twin: str | None = None,
    crumbs: Sequence[Crumb] = (),
    status: int = 200,
    **shown: Any,  # noqa: ANN401 - what templates show
) -> Response:
    """Return a page.

    Args:
        request: What it answers.
        template: Its template.
        title: Its heading, and the title of its window.
        twin: Address of the same as JSON; None where there is none.
        crumbs: The way to it.
        status: The status of the answer.
        shown: What its template shows.

    """
    principal: Principal | None = getattr(request.state, "principal", None)
    frame = {
        "title": title,
        "twin": twin,
        "crumbs": crumbs,
        "here": request.url.path,
        "principal": principal,
        "csrf": principal.csrf if principal else None,
        "auth": access_of(request).auth,
        "now": centre_of(request).clock(),
    }
    return HTMLResponse(environment().get_template(template).render({**frame, **shown}), status)


@functools.cache
def environment() -> Environment:
    """Return the templates, with those of reports, in which every text is escaped."""
    made = Environment(
        loader=ChoiceLoader(
            [PackageLoader("evenhand.centre.web"), PackageLoader("evenhand.render")]
        ),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "part": part,
        "day": day,
        "moment": moment,
        "since": since,
        "short": short,
        "cut": cut,
        "figure": figure,
        "interval": interval,
        "reason": reason,
        "sized": sized,
        "plural": plural,
    }
    made.globals |= {
        "DASH": DASH,
        "API": PREFIX,
        "CSRF": CSRF_FIELD,
        "release": evenhand.__version__,
        "style": address_of("evenhand.css"),
        "program": address_of("evenhand.js"),
        "query": query,
        "audit_address": audit_address,
    }
    return made


@functools.cache
def sent(name: str) -> bytes:
    """Return a file of a page: its styles, with those of reports before, or its program."""
    own = (files("evenhand.centre.web") / "static" / name).read_text(encoding="utf-8")
    before = asset("report.css") if name.endswith(".css") else ""
    return f"{before}\n{own}".encode()


@functools.cache
def address_of(name: str) -> str:
    """Return where a page finds a file; another content has another address."""
    return f"/static/{name}?v={hashlib.sha256(sent(name)).hexdigest()[:12]}"


def part(text: str) -> str:
    """Return a name as a part of an address.

    >>> part("a b/c")
    'a%20b%2Fc'
    """
    return quote(text, safe=":")


def query(fields: Mapping[str, object], **other: object) -> str:
    """Return the end of an address; what is empty is left out.

    >>> query({"q": "a b", "state": ""}, start=100)
    '?q=a+b&start=100'
    """
    found = {name: text for name, text in {**fields, **other}.items() if text not in {"", None, 0}}
    return f"?{urlencode(found)}" if found else ""


def audit_address(bundle: str, position: int | None = None) -> str:
    """Return where an audit is shown, or one of its findings."""
    return f"/audits/{part(bundle)}" + ("" if position is None else f"/findings/{position}")


def day(at: dt.datetime | dt.date) -> str:
    """Return a day."""
    return at.strftime("%Y-%m-%d")


def moment(at: dt.datetime) -> str:
    """Return a time, in UTC."""
    return f"{at:%Y-%m-%d %H:%M} UTC"


def since(at: dt.datetime, now: dt.datetime) -> str:
    """Return how long ago a time was.

    >>> now = dt.datetime(2026, 11, 2, 12, tzinfo=dt.UTC)
    >>> since(now - dt.timedelta(days=3), now), since(now, now)
    ('3 days ago', 'just now')
    """
    span = now - at
    if span < dt.timedelta(minutes=1):
        return "just now"
    told = days(span)
    return f"{told.removesuffix('s') if told.startswith('1 ') else told} ago"


def short(digest: str) -> str:
    """Return the beginning of a digest, by which people tell files apart."""
    return digest.removeprefix("sha256:")[:12]


def figure(value: float | None) -> str:
    """Return a value of the index of findings."""
    return DASH if value is None else number(value)


def interval(low: float | None, high: float | None) -> str:
    """Return an interval of the index of findings."""
    return DASH if low is None or high is None else f"[{number(low)}, {number(high)}]"


def reason(text: str) -> str:
    """Return why a figure is undefined, without what its own page says of each group."""
    return own_reason(brief(text))


def plural(count: int, word: str, several: str = "") -> str:
    """Return a count with its noun.

    >>> plural(1, "rule"), plural(1200, "rule"), plural(2, "has", "have")
    ('1 rule', '1,200 rules', '2 have')
    """
    return f"{count:,} {word if count == 1 else several or f'{word}s'}"


@dataclass(frozen=True, slots=True)
class Pager:
    """Where a page stands in a long list."""

    start: int
    most: int
    found: int
    address: str
    fields: Mapping[str, object]

    @property
    def first(self) -> int:
        """Number of the first line that is shown."""
        return min(self.start + 1, self.found)

    @property
    def last(self) -> int:
        """Number of the last line that is shown."""
        return min(self.start + self.most, self.found)

    @property
    def before(self) -> str | None:
        """Where the lines before these are; None at the beginning."""
        if self.start == 0:
            return None
        return self._at(max(0, self.start - self.most))

    @property
    def after(self) -> str | None:
        """Where the lines after these are; None at the end."""
        return self._at(self.start + self.most) if self.last < self.found else None

    def _at(self, start: int) -> str:
        return self.address + query(self.fields, start=start)


def product_crumbs(product: str, *more: Crumb) -> tuple[Crumb, ...]:
    """Return the way to a page of a product."""
    return (
        Crumb("Products", "/"),
        Crumb(product, f"/products/{part(product)}"),
        *more,
    )


def version_crumbs(product: str, model: str, version: str) -> tuple[Crumb, ...]:
    """Return the way to a page of a version."""
    of_model = f"/products/{part(product)}/models/{part(model)}"
    return product_crumbs(
        product,
        Crumb(model, of_model),
        Crumb(version, f"{of_model}/versions/{part(version)}"),
    )
