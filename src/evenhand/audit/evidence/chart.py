"""Charts as Vega-Lite specifications: data that can be compared, tested and drawn anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from evenhand.audit.finding import Finding


def charts_of(findings: Iterable[Finding]) -> dict[str, Mapping[str, Any]]:
    """Return the charts of findings by the name of their file."""
    return {}
