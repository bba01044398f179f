"""Evenhand: measure whether a model treats people evenly, and how sure that is.

>>> import evenhand as eh, polars as pl
>>> rows = pl.DataFrame({"sex": ["f", "f", "m", "m"], "approved": [1, 0, 1, 1]})
>>> log = eh.log(rows, kind="decisions", prediction="approved", groups=["sex"])
>>> eh.estimate("difference(selection_rate, by=sex)", log).value
0.5
"""

from __future__ import annotations

from evenhand.interface.audit import audit, merge, read_bundle
from evenhand.interface.centre import connect
from evenhand.interface.estimate import converted, estimate, estimates
from evenhand.interface.log import log, neighbour_means, spark
from evenhand.interface.probe import probe
from evenhand.notebook import show_with

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "audit",
    "connect",
    "converted",
    "estimate",
    "estimates",
    "log",
    "merge",
    "neighbour_means",
    "probe",
    "read_bundle",
    "spark",
]


def _in_notebook(what: object) -> str:
    """Return a finding or a bundle as HTML."""
    from evenhand.render.notebook import notebook

    return notebook(what)


show_with(_in_notebook)
