"""A PostgreSQL of the tests' own on loopback: in a folder, on a free port, gone when they end."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def tool(name: str) -> str | None:
    """Return the newest PostgreSQL program of a name; None where there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    return str(found[-1]) if found else shutil.which(name)


def _version(path: Path) -> int:
    text = path.parts[-3]
    return int(text) if text.isdecimal() else 0


def new_database(address: str) -> str:
    """Return the address of a new database on a server."""
    from sqlalchemy import create_engine, text

    name = f"test_{secrets.token_hex(6)}"
    engine = create_engine(f"{address}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return f"{address}/{name}"


@dataclass(frozen=True)
class Server:
    """A server that can be stopped, as by a power failure, and started again."""

    address: str
    starting: list[str]
    stopping: list[str]

    def start(self) -> None:
        subprocess.run(self.starting, check=True, capture_output=True, cwd="/")  # noqa: S603

    def stop(self) -> None:
        subprocess.run(self.stopping, check=False, capture_output=True, cwd="/")  # noqa: S603


@contextmanager
def running(folder: Path, **changed: str):
    """Start a server whose files are in a folder; gives its address without a database."""
    with server_in(folder, **changed) as server:
        yield server.address


@contextmanager
def server_in(folder: Path, **changed: str):
    """Start a server whose files are in a folder.

    Args:
        folder: The folder.
        changed: Settings that are not those of tests.

    """
    data = folder / "data"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir(parents=True, exist_ok=True)
    # PostgreSQL refuses to run as root: Debian's package brings a user for it.
    prefix = []
    if os.getuid() == 0:
        for parent in [folder, *folder.parents]:
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
        shutil.chown(folder, "postgres")
        prefix = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    words = [*prefix, tool("initdb"), "-D", data, "-U", "evenhand", "-A", "trust", "-E", "UTF8"]
    subprocess.run([*map(str, words), "-N"], check=True, capture_output=True, cwd="/")  # noqa: S603
    settings = {
        "port": port,
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "fsync": "off",
        "max_connections": 200,
        **changed,
    }
    options = " ".join(f"-c {name}='{value}'" for name, value in settings.items())
    control = [*prefix, tool("pg_ctl"), "-D", data, "-w", "-l", folder / "log"]
    server = Server(
        f"postgresql+psycopg://evenhand@127.0.0.1:{port}",
        [*map(str, control), "-o", options, "start"],
        [*map(str, control), "-m", "immediate", "stop"],
    )
    server.start()
    try:
        yield server
    finally:
        server.stop()
