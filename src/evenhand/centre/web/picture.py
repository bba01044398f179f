"""Pictures of charts, drawn in a process of their own.

The renderer lets no other thread of its process run while it draws, and takes a second to start.
"""

from __future__ import annotations

import contextlib

from evenhand.centre.store.child import BusyError, Child, LateError
from evenhand.errors import CentreError, Problem
from evenhand.render import svg

_SECONDS = 20.0
_MEMORY = 4 * 2**30
_WAITING = 100

_CHILD: Child[str, str] = Child(svg.draw, seconds=_SECONDS, memory=_MEMORY, waiting=_WAITING)

_FIRST = '{"data": {"values": [{}]}, "mark": "point", "config": {}}'


def draw_elsewhere() -> None:
    """Let another process draw from now on; it starts with the first picture."""
    if svg.can_draw():
        svg.draw_by(_draw)


def begin() -> None:
    """Start the process that draws, so that nobody waits for it."""
    if svg.can_draw():
        with contextlib.suppress(CentreError):
            _draw(_FIRST)


def _draw(spec: str) -> str:
    """Return the picture of a chart.

    Raises:
        CentreError: It cannot be drawn now.

    """
    try:
        return _CHILD.ask(spec)
    except (BusyError, LateError, EOFError, OSError) as error:
        problem = Problem("chart", "it could not be drawn.", "Try again in a minute.")
        raise CentreError(problem) from error
