"""What a pass over the rows brings, whichever path it took."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl


class BadCodeError(Exception):
    """A row has a value that its role does not allow."""


@dataclass(frozen=True)
class Counts:
    """Rows and units counted by what they are.

    Attributes:
        rows: Number of rows (and sums of weights and squares) by bucket, groups and codes.
        marks: Largest mark of every kind of trial by groups and register, 0 for none; None when the
            unit is the row.

    """

    rows: pl.DataFrame
    marks: pl.DataFrame | None
