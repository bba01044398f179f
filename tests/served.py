"""A centre of the tests that listens on loopback, in a thread of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


@contextlib.contextmanager
def serving(centre, *, port: int = 0, auth: str = "none") -> Iterator[str]:
    """Serve a centre, and give its address."""
    import uvicorn

    from evenhand.centre.api.access import Access
    from evenhand.centre.api.app import create_app

    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    opened.bind(("127.0.0.1", port))
    app = create_app(centre, Access(auth))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
    thread.start()
    try:
        until = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "it did not start"
            assert time.monotonic() < until, "it did not start in time"
            time.sleep(0.01)
        yield f"http://127.0.0.1:{opened.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        opened.close()


class Served:
    """A centre that goes away and comes back at the same address."""

    def __init__(self, folder) -> None:
        from evenhand.centre.store.centre import open_centre

        self.centre = open_centre(
            database=f"sqlite:///{folder / 'centre.db'}",
            storage=str(folder / "evidence"),
            key=folder / "centre.pem",
        )
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self._running = contextlib.ExitStack()

    def start(self, auth: str = "none") -> None:
        self._running.enter_context(serving(self.centre, port=self.port, auth=auth))

    def stop(self) -> None:
        self._running.close()

    def close(self) -> None:
        self.stop()
        self.centre.database.close()


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
