"""How far an engine is that counts without telling: somebody asks it twice a second."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from evenhand.logs.backend import share_done
from evenhand.logs.source import Source

_EVERY = 0.5
"""Seconds between two questions."""


@contextmanager
def pulse(source: Source, rows: int | None, watch: Callable[[int], None]) -> Iterator[None]:
    """Tell how many rows an SQL engine has read, as far as it knows, while it reads.

    Args:
        source: What is read. On Polars nothing is asked: it tells by itself.
        rows: How many rows there are; None where that is not known, and then nothing is told.
        watch: Told the rows read so far.

    """
    if source.engine == "polars" or not rows:
        yield
        return
    over = threading.Event()

    def ask() -> None:
        furthest = 0.0
        while not over.wait(_EVERY):
            furthest = max(furthest, share_done(source.engine, source.at) or 0.0)
            watch(int(furthest * rows))

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    try:
        yield
    finally:
        over.set()
        asking.join()
