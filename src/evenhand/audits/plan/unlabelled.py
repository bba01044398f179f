"""Labels that the log does not have: how many, where they were seen, and what that leaves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import narwhals as nw
import polars as pl

from evenhand.audits.plan.column import Sample
from evenhand.audits.plan.condition import condition
from evenhand.audits.plan.people import Guessed
from evenhand.errors import EvenhandError
from evenhand.logs.expression import Expression


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """Rows without a label.

    Attributes:
        about: How many rows have none and where the others are, in words.
        among: Values of the prediction, 0 and 1, at which every row has its label.

    """

    about: str
    among: tuple[int, ...]

    @property
    def note(self) -> str:
        """What is lost by that, in a sentence or two."""
        told = f"{self.about[:1].upper()}{self.about[1:]}"
        return (
            f"{told}. What was not observed is not guessed: no number of rows decides a rule "
            "about error rates there. bounds(...) says what they could be."
        )


def unlabelled(sample: Sample, roles: Iterable[Guessed]) -> Unlabelled | None:
    """Return what is known of labels that are missing in the first rows; None where none is."""
    found = {one.part: one for one in roles}
    label, prediction = found.get("label"), found.get("prediction")
    seen = None if label is None else _values(sample, label.text)
    if label is None or seen is None or not seen.null_count():
        return None
    rows = (
        f"{sample.rows.height:,} rows" if sample.is_whole else f"{sample.rows.height:,} looked at"
    )
    about = f"label '{label.text}' is missing for {seen.null_count():,} of {rows}"
    decided = None if prediction is None else _values(sample, prediction.text)
    if prediction is None or decided is None:
        return Unlabelled(about, ())
    counts = {value: (seen.filter(decided == value)) for value in (0, 1)}
    among = [value for value, part in counts.items() if len(part) and not part.null_count()]
    without = [value for value, part in counts.items() if part.null_count() == len(part) > 0]
    if len(without) == 1 and len(counts[1 - without[0]]):
        about += f", seen only where {condition(prediction.text, holds=without == [0])}"
    return Unlabelled(about, tuple(among))


def _values(sample: Sample, text: str) -> pl.Series | None:
    """Return a role in the first rows, as numbers; None where its text is no such thing."""
    try:
        value = Expression(text).lower(sample.schema).cast(nw.Float64)
        rows: pl.DataFrame = nw.from_native(sample.rows).select(value=value).to_native()
    except (
        EvenhandError,
        SyntaxError,
        ValueError,
        TypeError,
        RecursionError,
        pl.exceptions.PolarsError,
    ):
        return None
    return rows["value"].fill_nan(None)
