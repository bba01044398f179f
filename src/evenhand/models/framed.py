"""Estimators that were fitted on a table with named columns, some of them text, asked by numbers.

What a probe changes are numbers, so that a column of text is told by the place of each value among
all values of that column; before the estimator is asked they become the table that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from evenhand.models.load import imported_or_unpickled
from evenhand.models.model import Floats

Values = Mapping[str, Sequence[object]]
"""For a column of text, the values that its numbers stand for, by place."""


class Framed:
    """An estimator that takes arrays, and asks another that takes tables.

    Attributes:
        estimator: Takes a table with the columns ``names``.
        names: In its order.
        values: Of columns of text.

    """

    def __init__(self, estimator: Any, names: Sequence[str], values: Values) -> None:  # noqa: ANN401
        self.estimator, self.names, self.values = estimator, tuple(names), dict(values)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the estimator has
        found = getattr(self.estimator, name)
        if name in {"predict", "predict_proba", "decision_function"}:
            return lambda x: found(self.frame(x))
        return found

    def __repr__(self) -> str:
        return f"{self.estimator!r} of {self.names} {self.values}"

    def frame(self, x: Floats) -> Any:  # noqa: ANN401 - of pandas where it is there, else Polars
        """Return examples as a table: text by its values, whole numbers as such.

        Args:
            x: Shape (n, columns); a number that stands for no value is taken as the nearest.

        """
        columns = {name: self._column(name, x[:, place]) for place, name in enumerate(self.names)}
        try:
            import pandas as pd
        except ImportError:
            return pl.DataFrame(columns)
        # What a batch happens to hold may not tell the type: of text that is missing throughout,
        # encoders would know nothing. It is the type that this version of pandas reads text as.
        text = pd.Series([""]).dtype
        typed = {name: pd.Series(columns[name], dtype=text) for name in self.values}
        return pd.DataFrame({**columns, **typed})

    def _column(self, name: str, numbers: Floats) -> Any:  # noqa: ANN401 - an array
        if name in self.values:
            values = np.array(self.values[name], dtype=object)
            places = np.clip(np.rint(numbers), 0, len(values) - 1).astype(np.int64)
            return values[places]
        whole = bool((numbers == np.rint(numbers)).all() and (np.abs(numbers) < _WHOLE).all())
        return numbers.astype(np.int64) if whole else numbers


_WHOLE = 2.0**53
"""Up to here floating-point numbers tell all whole numbers apart."""


def fitted_on_names(model: object, *, trust_pickle: bool) -> tuple[object, tuple[str, ...]]:
    """Return the estimator that an address or an object is, with the columns it was fitted on.

    Args:
        model: An address or an object.
        trust_pickle: Whether a pickle is read.

    Returns:
        The estimator and ``feature_names_in_``; what was given and nothing, where it is none.

    Raises:
        ModelError: It cannot be read, or is a pickle that nobody trusts.

    """
    found = imported_or_unpickled(model, trust_pickle=trust_pickle)
    names = getattr(found, "feature_names_in_", None)
    if names is None or not hasattr(found, "classes_"):
        return model, ()
    return found, tuple(str(one) for one in names)
