"""The engine: from a log and a list of measures to a small table of sums, in one pass."""

from evenhand.engine.plan import (
    MeasureColumns,
    Request,
    ScanPlan,
    columns_of,
    plan_scan,
    role_columns,
)
from evenhand.engine.scan import scan
from evenhand.engine.sketch import count_units
from evenhand.engine.state import State
from evenhand.engine.table import Table

__all__ = [
    "MeasureColumns",
    "Request",
    "ScanPlan",
    "State",
    "Table",
    "columns_of",
    "count_units",
    "plan_scan",
    "role_columns",
    "scan",
]
