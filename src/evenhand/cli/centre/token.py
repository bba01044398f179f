"""``evenhand centre token``: who is let in, to what, and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import flags
from evenhand.cli.centre.opened import opened
from evenhand.cli.output import show

if TYPE_CHECKING:
    import datetime as dt

    from evenhand.centre.store.tables import Token

app = typer.Typer(help="Issue, list and revoke tokens.", no_args_is_help=True)


@app.command("issue")
def issue(
    *,
    person: Annotated[str, typer.Option(help="Who will use it; the chain names them.")],
    rights: Annotated[
        str, typer.Option(help="What they may do: read, push, approve, admin, by commas.")
    ],
    product: Annotated[
        str | None, typer.Option(help="The only product that it is for; else all.")
    ] = None,
    days: Annotated[int, typer.Option(help="How long it lasts; at most 366.")] = 90,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """Issue a token and print it, this once: the centre keeps only its hash.

    Whoever may approve waivers needs a token of their own; so does each pipeline.

    [bold]Example[/bold]

      evenhand centre token issue --person kim --rights read,push --product lending > kim.token
    """
    from evenhand.centre.store import tokens

    with opened(database, storage) as centre:
        text = tokens.issue(
            centre,
            person=person,
            product=product,
            rights=[one.strip() for one in rights.split(",") if one.strip()],  # type: ignore[misc]
            days=days,
        )
        with centre.database.reading() as session:
            found = tokens.token_of(session, text, centre.clock())
            products = tokens.products_of(session)
            at = centre.clock()
        told = {"token": text, **_document(found, products, at)} if found else {"token": text}
    show(text, told, as_json=as_json)


@app.command("list")
def list_(
    *,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """List all tokens that were issued: whose, for what, until when, and when they were last used.

    [bold]Example[/bold]

      evenhand centre token list --json
    """
    from rich.table import Table
    from rich.text import Text

    from evenhand.centre.store import tokens

    with opened(database, storage) as centre, centre.database.reading() as session:
        products = tokens.products_of(session)
        at = centre.clock()
        found = [_document(one, products, at) for one in tokens.issued(session)]
    table = Table(box=None, pad_edge=False, header_style="dim")
    columns = ("id", "person", "product", "rights", "expires", "used", "state")
    for name in columns:
        table.add_column(name, overflow="fold")
    for one in found:
        shown = {
            **one,
            "product": one["product"] or "all",
            "rights": ",".join(one["rights"]),
            "expires": one["expires"][:10],
            "used": (one["used"] or "never")[:10],
        }
        table.add_row(*(Text(str(shown[name])) for name in columns))
    show(table if found else "no token was issued yet", {"tokens": found}, as_json=as_json)


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(metavar="ID", help="Its number, from token list.")],
    *,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    as_json: flags.AsJson = False,
) -> None:
    """End a token at once, with the sessions of browsers that it let in.

    [bold]Example[/bold]

      evenhand centre token revoke 7
    """
    from evenhand.centre.store import tokens

    with opened(database, storage) as centre:
        found = tokens.revoke(centre, number)
        with centre.database.reading() as session:
            document = _document(found, tokens.products_of(session), centre.clock())
    show(f"token {number} of {found.person} is revoked", document, as_json=as_json)


def _document(token: Token, products: dict[int, str], at: dt.datetime) -> dict[str, Any]:
    """Return what may be told of a token: all but the token itself."""
    state = "revoked" if token.revoked else "expired" if token.expires <= at else "valid"
    return {
        "id": token.id,
        "person": token.person,
        "product": products[token.product_id] if token.product_id is not None else None,
        "rights": token.rights,
        "created": token.created.isoformat(),
        "expires": token.expires.isoformat(),
        "used": token.used.isoformat() if token.used else None,
        "state": state,
    }
