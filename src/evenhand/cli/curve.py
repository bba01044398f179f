"""What ``evenhand probe explain.ale`` and ``explain.pdp`` say: the curve of each feature."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table

    from evenhand.probes.explain.curve import Curve

_BLOCKS = "▁▂▃▄▅▆▇█"


def curves(rows: pl.DataFrame) -> list[Curve]:
    """Return the curves of all features that have one, the widest first."""
    from evenhand.probes.explaining import explanations

    made = [explanations()[name]() for name in rows["explanation"].unique()]
    names = rows["variant"].unique(maintain_order=True).to_list()
    every = (one.curve(rows, name) for one in made for name in names)
    found = [curve for curve in every if curve is not None]
    return sorted(found, key=lambda one: -float(one.value.max() - one.value.min()))


def as_json(curve: Curve) -> dict[str, Any]:
    """Return a curve as JSON: its points, and the examples in the bin that ends there, or there."""
    counts = [*[None] * (len(curve.at) - len(curve.count)), *curve.count.tolist()]
    limits = zip(curve.at, curve.value, curve.low, curve.high, counts, strict=True)
    points = [
        {
            "at": float(at),
            "value": float(value),
            "low": _number(low),
            "high": _number(high),
            "rows": count,
        }
        for at, value, low, high, count in limits
    ]
    return {"feature": curve.feature, "points": points}


def table(found: list[Curve]) -> Table:
    """Return one line for each curve: from where to where, what it is at its ends, its shape."""
    from rich.table import Table
    from rich.text import Text

    made = Table(box=None, pad_edge=False, header_style="dim")
    of_bins = any(len(one.count) < len(one.at) for one in found)
    headings = ("feature", "from", "effect there", "to", "effect there", "curve")
    for heading in (*headings, "least in a bin" if of_bins else "examples"):
        made.add_column(heading)
    for one in found:
        first, last = (_written(one, place) for place in (0, -1))
        ends = (f"{one.at[0]:g}", first, f"{one.at[-1]:g}", last)
        made.add_row(*map(Text, (one.feature, *ends, _shape(one), f"{one.count.min():,}")))
    return made


def _written(curve: Curve, place: int) -> str:
    value, low, high = (float(one[place]) for one in (curve.value, curve.low, curve.high))
    limits = "" if math.isnan(low) else f" [{low:.3f}, {high:.3f}]"
    return f"{value:.3f}{limits}"


def _shape(curve: Curve) -> str:
    """Return the curve as blocks, one for each end of a bin."""
    least, most = float(curve.value.min()), float(curve.value.max())
    if most - least <= 0:
        return _BLOCKS[0] * len(curve.value)
    places = (curve.value - least) / (most - least) * (len(_BLOCKS) - 1)
    return "".join(_BLOCKS[round(float(place))] for place in places)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
