"""What every measure promises, as checks that the author of a measure runs in one line.

``check_measure(MyMeasure, reference=the_definition_again)`` in a test raises with everything that
is wrong at once; docs/plugins.md says what is checked.
"""

from evenhand.conformance.check import ConformanceError, check_measure, violations
from evenhand.conformance.row import Row, Rows

__all__ = ["ConformanceError", "Row", "Rows", "check_measure", "violations"]
