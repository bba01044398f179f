"""``evenhand serve``: the centre, where every product's evidence lives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from evenhand.cli import flags

if TYPE_CHECKING:
    from evenhand.centre.api.server import Served
    from evenhand.centre.store.centre import Centre


def serve(
    *,
    database: flags.DatabaseAddress = None,
    storage: flags.StorageAddress = None,
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any.")] = 8642,
    auth: Annotated[
        Literal["none", "token"],
        typer.Option(help="Who is let in: whoever is on this machine, or by a token."),
    ] = "none",
    root: flags.Roots = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Workers that run jobs; more: evenhand worker.")
    ] = 1,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes that answer.")] = 1,
    url: Annotated[
        str | None,
        typer.Option(help="The address that people use, where a proxy stands before it."),
    ] = None,
    log: Annotated[
        Literal["text", "json"],
        typer.Option(help="What is logged: what goes wrong, or every request as JSON."),
    ] = "text",
    browser: Annotated[
        bool, typer.Option("--open/--no-open", help="Open a browser on it.")
    ] = False,
    as_json: flags.AsJson = False,
) -> None:
    """Serve the centre: pages, the API under /api/v1, and workers that run jobs.

    By default it keeps everything in ~/.evenhand (or EVENHAND_HOME), answers this machine alone,
    and lets in whoever is on it; nothing can be approved then. Ctrl-C stops it.

    [bold]Example[/bold]

      evenhand serve --root data/
      evenhand serve --database postgresql+psycopg://evenhand@db/evenhand --storage s3://evidence
        --host 0.0.0.0 --auth token --url https://centre.example.org
    """
    import contextlib
    import json

    from evenhand.errors import MissingExtraError

    try:
        import fastapi  # noqa: F401 - whether it is there
        import sqlalchemy  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("centre", where="evenhand serve") from error
    from evenhand.centre.api import server

    server.check_host(host, auth)
    if url is not None:
        server.check_url(url, auth)
    with contextlib.closing(server.listen(host, port)) as opened:
        # A name may lead elsewhere than it says.
        server.check_host(opened.getsockname()[0], auth)
        port = opened.getsockname()[1]
        served = server.Served(
            database=database,
            storage=storage,
            roots=tuple(root or ()),
            auth=auth,
            hosts=() if auth == "token" and url is None else server.names_of(host, port, url),
            https=url is not None and url.startswith("https://"),
            cookie=f"evenhand-{port}" if url is None else "evenhand",
            log=log,
        )
        centre = served.centre()
        document = _told(centre, served, _address(host, port, url))
        # Addresses are not wrapped to the width of a screen.
        typer.echo(json.dumps(document) if as_json else _text(document))
        if browser:
            _open(str(document["open"]))
        server.run(served, centre, opened, processes=processes, workers=workers)


def _address(host: str, port: int, url: str | None) -> str:
    """Return the address that people use."""
    if url is not None:
        return url.rstrip("/")
    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - not bound
    return f"http://{name}:{port}"


def _told(centre: Centre, served: Served, address: str) -> dict[str, object]:
    """Return what whoever starts a centre must know of it."""
    from sqlalchemy import func, select

    from evenhand.centre.store.sessions import issue_once
    from evenhand.centre.store.tables import Token

    door = f"{address}/login"
    if served.auth == "none":
        door = f"{address}/?once={issue_once(centre)}"
    with centre.database.reading() as session:
        valid = Token.revoked.is_(None) & (Token.expires > centre.clock())
        tokens = session.scalar(select(func.count()).select_from(Token).where(valid)) or 0
    return {
        "url": address,
        "open": door,
        "api": f"{address}/api/v1/openapi.json",
        "health": f"{address}/healthz",
        "database": centre.database.url.render_as_string(hide_password=True),
        "storage": served.storage or "a folder beside the database",
        "roots": list(served.roots),
        "auth": served.auth,
        "tokens": tokens,
    }


def _text(told: dict[str, object]) -> str:
    roots = ", ".join(told["roots"])  # type: ignore[arg-type]
    lines = [
        ("pages", told["open"]),
        ("API", told["api"]),
        ("health", told["health"]),
        ("database", told["database"]),
        ("storage", told["storage"]),
        ("jobs read", roots or "nothing; name folders: --root DIR"),
    ]
    if told["auth"] == "none":
        lines.append(("let in", "whoever is on this machine; the address of the pages works once"))
    elif told["tokens"]:
        lines.append(("let in", f"by token; {told['tokens']} can be used"))
    else:
        issue = "evenhand centre token issue --person NAME --rights read,push,approve,admin"
        lines.append(("let in", f"nobody yet; issue the first token: {issue}"))
    shown = "\n".join(f"  {name:<10}{value}" for name, value in lines)
    return f"Evenhand's centre. Ctrl-C stops it.\n\n{shown}\n"


def _open(address: str) -> None:
    """Open a browser; it waits for the first answer, as the port listens already."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
