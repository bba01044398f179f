"""Answer what `docs/parity.py` asks of a peer: rows come in as JSON, figures go out as JSON.

Runs in the peer's own environment, so it imports nothing of Evenhand.
"""

from __future__ import annotations

import functools
import json
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True, eq=False)
class Case:
    """The rows of one section of the page, and who is compared.

    Attributes:
        columns: Values by role (``label``, ``prediction``, ``score``) and ``group``.
        reference: The group that peers call privileged, reference or majority.

    """

    columns: Mapping[str, list[float | str]]
    reference: str

    @functools.cached_property
    def rows(self) -> pd.DataFrame:
        """The rows as a table."""
        return pd.DataFrame(dict(self.columns))

    @property
    def label(self) -> pd.Series:
        """What was true."""
        return self.rows["label"]

    @property
    def prediction(self) -> pd.Series:
        """What was decided or predicted."""
        return self.rows["prediction"]

    @property
    def score(self) -> pd.Series:
        """The number behind the decision."""
        return self.rows["score"]

    @property
    def group(self) -> pd.Series:
        """Who is compared."""
        return self.rows["group"]


Answer = Callable[[Case, str], float]
"""A function of the peer: takes the rows and a group, which most ignore."""


def answer(functions: Mapping[str, Answer]) -> None:
    """Read the cases and what is wanted of each, write the figures.

    In:  ``{case: {"columns": ..., "reference": ..., "wanted": [[function, group], ...]}}``
    Out: ``{case: {"function, group": value}}``, without the comma where no group is named.
    """
    warnings.simplefilter("ignore")  # peers warn where a rate is undefined; the page shows it
    figures: dict[str, dict[str, float]] = {}
    for name, asked in json.load(sys.stdin).items():
        case = Case(asked["columns"], asked["reference"])
        figures[name] = {
            f"{function}, {group}" if group else function: float(functions[function](case, group))
            for function, group in asked["wanted"]
        }
    json.dump(figures, sys.stdout)
