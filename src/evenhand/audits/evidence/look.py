"""How charts look: one palette, one type, the colour of the page for all that is no figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"

BLUE, VERMILLION = "#0072B2", "#D55E00"
"""Of Okabe and Ito's palette, which readers of any colour vision tell apart."""

WIDTH = 440
"""Of a picture with its labels: scaled to a telephone, its text can still be read."""

CONFIG: Mapping[str, Any] = {
    "aria": False,
    # Fonts of one width on every system, so that labels have the room that was measured for them.
    "font": "Arial, 'Liberation Sans', Helvetica, sans-serif",
    "view": {"stroke": None},
    "axis": {
        "labelColor": "currentColor",
        "titleColor": "currentColor",
        "gridColor": "currentColor",
        "gridOpacity": 0.12,
        "domain": False,
        "ticks": False,
        "labelFontSize": 13,
        "labelPadding": 8,
        "titleFontSize": 13,
        "titleFontWeight": "normal",
    },
    "axisX": {
        # A title longer than its axis runs on over the names, not off the page.
        "titleAnchor": "end",
        "labelFlush": False,
        "labelOverlap": "parity",
        "labelSeparation": 4,
    },
}
"""How every chart looks."""
