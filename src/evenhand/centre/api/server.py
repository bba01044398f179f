"""Serving a centre: where it listens, by which names it is reached, and in how many processes."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import gc
import http.client
import json
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from evenhand.centre.api.access import Access, is_loopback
from evenhand.centre.operations import log, metrics
from evenhand.centre.operations.log import Form
from evenhand.centre.store.centre import Centre, open_centre
from evenhand.errors import CentreError, EvenhandError, Problem, StoppedError, reason

if TYPE_CHECKING:
    import uvicorn
    from fastapi import FastAPI

_NAMES = ("127.0.0.1", "localhost", "[::1]")
"""What this machine calls itself; no name server is asked for them."""

_VARIABLE = "EVENHAND_SERVED"
"""How processes of one centre are told what they serve."""

_PORTS = {"http": 80, "https": 443}

GRACE_SECONDS = 10
"""How long answers that are under way may take once the centre is stopped."""


@dataclass(frozen=True)
class Served:
    """How a centre is served: all that each of its processes must know.

    Attributes:
        database: Address of its database; None for that of this machine.
        storage: Folder or address of its files; None for that of this machine.
        roots: What jobs may read.
        auth: Who is let in.
        hosts: What requests may name as their host; none for anything.
        https: Whether browsers reach it by HTTPS.
        cookie: The name of the cookie of its sessions.
        log: How it logs; ``json`` tells of every request.

    """

    database: str | None = None
    storage: str | None = None
    roots: tuple[str, ...] = ()
    auth: Literal["none", "token"] = "none"
    hosts: tuple[str, ...] = ()
    https: bool = False
    cookie: str = "evenhand"
    log: Form = "text"

    def centre(self) -> Centre:
        """Open the centre.

        Raises:
            CentreError: Something that it stands on does not answer.

        """
        return open_centre(database=self.database, storage=self.storage, roots=self.roots)

    def access(self) -> Access:
        """Return how it lets people in."""
        return Access(self.auth, frozenset(self.hosts), self.https, self.cookie)


def application() -> FastAPI:
    """Return the application of a process that another one started."""
    told = json.loads(os.environ[_VARIABLE])
    served = Served(**{**told, "roots": tuple(told["roots"]), "hosts": tuple(told["hosts"])})
    log.configure(served.log)
    return _ready(served, served.centre())


def _ready(served: Served, centre: Centre) -> FastAPI:
    """Return the application, and prepare this process to answer many requests at once."""
    from evenhand.centre.api.app import create_app
    from evenhand.centre.store.reading import read_elsewhere
    from evenhand.centre.web.picture import draw_elsewhere

    draw_elsewhere()
    app = create_app(centre, served.access())
    app.state.read_evidence = read_elsewhere
    # What is imported stays. Evidence that is kept a while is a million objects, which Python
    # would otherwise go through again and again: half of the time of reading it, all others
    # waiting for up to a fifth of a second.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    beginning = threading.Timer(_SETTLED, _begin_processes)
    beginning.daemon = True
    beginning.start()
    return app


_SETTLED = 2.0
"""Seconds after which the first page was answered, which other starts would delay."""


def _begin_processes() -> None:
    """Start the processes that read, draw and compare, for whose start one would wait a second."""
    from evenhand.centre.store import comparison, reading
    from evenhand.centre.web import picture

    reading.begin()
    picture.begin()
    comparison.begin()


def names_of(host: str, port: int, url: str | None) -> tuple[str, ...]:
    """Return what requests to this machine may name as their host.

    Args:
        host: Where it listens.
        port: The port.
        url: The address that others are told, where that is another one.

    """
    shown = f"[{host}]" if ":" in host else host.lower()
    named = {f"{name}:{port}" for name in (*_NAMES, shown)}
    if port == _PORTS["http"]:
        named |= {*_NAMES, shown}
    if url is not None:
        named.add(urlsplit(url).netloc.lower())
    return tuple(sorted(named))


def check_url(url: str, auth: str) -> None:
    """Check the address that others are told.

    Raises:
        EvenhandError: It is no address of a centre, or needs that people log in.

    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.path.strip("/") or parts.query:
        what = f"'{url}' is no address of a centre."
        hint = "Write https://centre.example.org, without a path."
        raise EvenhandError(Problem("--url", what, hint))
    if auth == "none" and not is_loopback(parts.hostname):
        raise EvenhandError(Problem("--url", _OPEN, TOKENS))


def check_host(host: str, auth: str) -> None:
    """Check that nobody else reaches a centre where nobody logs in.

    Raises:
        EvenhandError: Others would.

    """
    if auth == "none" and not is_loopback(host):
        raise EvenhandError(Problem(f"--host {host}", _OPEN, TOKENS))


_OPEN = "other machines would reach it, and nobody logs in."

TOKENS = "evenhand serve --auth token, and evenhand centre token issue --person NAME --rights read"


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        CentreError: The port is in use, or the address is not this machine's.

    """
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        opened = socket.socket(family)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            # Whoever connects from now on waits until the first answer.
            opened.listen(2048)
        except OSError:
            opened.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            what = f"port {port} is in use already."
            hint = f"Is a centre running there? Or take another port: --port {port + 1}"
            raise CentreError(Problem(where, what, hint)) from error
        what = f"it cannot listen there: {reason(error)}."
        raise CentreError(
            Problem(where, what, "Name an address of this machine: --host")
        ) from error
    opened.set_inheritable(True)
    return opened


def run(
    served: Served, centre: Centre, opened: socket.socket, *, processes: int, workers: int
) -> None:
    """Serve a centre until somebody stops it; what is under way is answered first.

    Args:
        served: How it is served.
        centre: The centre, opened.
        opened: The socket that listens.
        processes: In how many processes.
        workers: How many workers run jobs beside them.

    """
    # uvicorn sends the signal that stopped it once more, when all is done.
    signal.signal(signal.SIGTERM, _stopped)
    with contextlib.suppress(StoppedError, KeyboardInterrupt), _working(served, opened, workers):
        _answer(served, centre, opened, processes)


@contextlib.contextmanager
def _working(served: Served, opened: socket.socket, workers: int) -> Iterator[None]:
    """Run workers once the first answer is given, which they would only delay."""
    if not workers:
        yield
        return
    from evenhand.centre.jobs.embedded import Launch, start_workers
    from evenhand.centre.jobs.settings import Settings

    launch = Launch(Settings(roots=served.roots), served.database, served.storage)
    with contextlib.ExitStack() as running:

        def start() -> None:
            _wait_for_answer(opened)
            running.enter_context(start_workers(launch, workers))

        starting = threading.Thread(target=start, daemon=True)
        starting.start()
        try:
            yield
        finally:
            starting.join()


def _wait_for_answer(opened: socket.socket) -> None:
    host, port = opened.getsockname()[:2]
    with contextlib.suppress(OSError, http.client.HTTPException):
        connection = http.client.HTTPConnection(host, port, timeout=_SLOWEST_START)
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        connection.close()


_SLOWEST_START = 30.0


def _answer(served: Served, centre: Centre, opened: socket.socket, processes: int) -> None:
    log.configure(served.log)
    if processes == 1:
        import uvicorn

        uvicorn.Server(_config(_ready(served, centre))).run(sockets=[opened])
        return
    from uvicorn.supervisors import Multiprocess

    os.environ[_VARIABLE] = json.dumps(dataclasses.asdict(served))
    config = _config(f"{__name__}:application", factory=True, workers=processes)
    # Connections are opened by each process itself.
    centre.database.close()
    with tempfile.TemporaryDirectory(prefix="evenhand-metrics-") as folder:
        os.environ.setdefault(metrics.SHARED, folder)
        Multiprocess(config, sockets=[opened]).run()


def _config(app: FastAPI | str, **more: Any) -> uvicorn.Config:  # noqa: ANN401 - of uvicorn
    from uvicorn import Config

    return Config(
        app,
        log_level="warning",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=1000,
        **more,
    )


def _stopped(*_: object) -> None:
    raise StoppedError
