"""States for the terminal: how much was counted, and what can be done with it."""

from __future__ import annotations

import dataclasses
import shlex
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from evenhand.audits.states.states import States
from evenhand.render.wording import left_out


def written(states: States, path: Path) -> RenderableType:
    """Return what is said where states were written."""
    units, exact = states.units
    unit = ", ".join(states.whole.identity["unit"][1:]) or "row"
    about = "" if exact else "about "
    files = sum(one.sha256 is not None and not one.table for one in states.inputs)
    lines = [f"{states.whole.rows:,} rows of {about}{units:,} units ({unit}), {files:,} files"]
    said = left_out([dataclasses.asdict(one) for one in states.skipped])
    lines += [said] if said else []
    lines += [
        f"states    {path}",
        f"next      evenhand audit --from-states {shlex.quote(str(path))} --html report.html",
    ]
    return Text("\n".join(lines))


def to_dict(states: States, path: Path) -> dict[str, Any]:
    """Return what ``--json`` prints where states were written."""
    units, exact = states.units
    return {
        "states": str(path),
        "rows": states.whole.rows,
        "units": units,
        "units_exact": exact,
        "engine": states.whole.engine,
        "plan": f"sha256:{states.whole.plan}",
        "slices": [scope for scope in states.scopes if scope is not None],
        "inputs": [dataclasses.asdict(one) for one in states.inputs],
        "skipped": [dataclasses.asdict(one) for one in states.skipped],
    }
