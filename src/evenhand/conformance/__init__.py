"""What every measure promises, as checks that the author of a measure runs in one line.

>>> from evenhand.conformance import check_measure
>>> from evenhand.measures.decisions.confusion import SelectionRate
>>> def selected(rows):
...     total = sum(row.weight for row in rows)
...     return sum(row.weight * row.prediction for row in rows) / total if total else None
>>> check_measure(SelectionRate, reference=selected)
"""

from evenhand.conformance.check import ConformanceError, check_measure, violations
from evenhand.conformance.row import Row, Rows

__all__ = ["ConformanceError", "Row", "Rows", "check_measure", "violations"]
