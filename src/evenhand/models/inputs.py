"""Inputs of a probe: examples in a model's units, their ids, true classes and groups."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, ModelError, Problem, listed
from evenhand.logs.grammar import written
from evenhand.models.answer import check_inputs, codes_of
from evenhand.models.model import Codes, Floats
from evenhand.models.spec import Label, Spec

_SHOWN = 5

_BYTES = 255


@dataclass(frozen=True)
class Inputs:
    """Examples that a model is asked about.

    Attributes:
        x: In the units of a spec, shape (n, *spec.shape), float32 or float64.
        ids: What tells the examples apart, shape (n,): integers or text, no two alike. They are
            the unit of everything that is measured.
        labels: The place in `Spec.labels` of each true class, shape (n,); None where unknown.
        table: The other columns, n rows in the same order: groups.
        name: What reports call them.
        digest: Of examples, ids and labels, ``sha256:...``.
        features: Names of the columns of one example, where it is a row of a table; else empty.
        values: For columns of text, the values that their numbers stand for, by place.

    """

    x: Floats
    ids: NDArray[Any]
    labels: Codes | None
    table: pl.DataFrame
    name: str
    digest: str = field(default="")
    features: tuple[str, ...] = ()
    values: Mapping[str, Sequence[object]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Compute the digest."""
        if not self.digest:
            object.__setattr__(self, "digest", _digest(self.x, self.ids, self.labels))

    def __len__(self) -> int:
        return len(self.x)

    def take(self, places: NDArray[Any] | slice) -> Inputs:
        """Return some of the examples, by places, a mask or a slice."""
        labels = None if self.labels is None else self.labels[places]
        table = self.table
        if table.width:
            table = table[places] if isinstance(places, slice) else table[_places(places)]
        return Inputs(
            self.x[places],
            self.ids[places],
            labels,
            table,
            self.name,
            features=self.features,
            values=self.values,
        )


@dataclass(frozen=True)
class Read:
    """Examples as they were stored, before a model's spec is known.

    Attributes:
        x: As stored, shape (n, *shape): bytes (uint8) or numbers.
        ids: As `Inputs.ids`, whatever they are.
        labels: True classes as stored, shape (n,); None where no column was named.
        table: The other columns.
        name: What reports call them.
        features: As `Inputs.features`.
        values: As `Inputs.values`.
        label: The column that the true classes stand in; empty for none.

    """

    x: NDArray[Any]
    ids: NDArray[Any]
    labels: NDArray[Any] | None
    table: pl.DataFrame
    name: str
    features: tuple[str, ...] = ()
    values: Mapping[str, Sequence[object]] = field(default_factory=dict)
    label: str = ""

    def sample(self, count: int, low: float, high: float) -> Floats:
        """Return the first examples in the units of a range, for a model to be asked about."""
        return _in_units(self.x[:count], low, high)

    def fit(self, spec: Spec) -> Inputs:
        """Return the examples in the units of a spec.

        Bytes (uint8) are mapped: 0 to the lowest value of the range, 255 to the highest. Other
        numbers are taken as they are, and refused outside the range.

        Raises:
            ModelError: Everything that does not fit the spec: shape, range, NaN, labels that it
                does not have, ids that are missing or double.

        """
        problems = _id_problems(self.ids, self.name)
        x: Floats = np.empty(0)
        labels = None
        try:
            x = _in_units(self.x, spec.low, spec.high)
            check_inputs(x, spec, self.name)
        except EvenhandError as error:
            problems += error.problems
        if self.labels is not None:
            try:
                labels = _codes(self.labels, spec, self.name, self.label)
            except EvenhandError as error:
                problems += error.problems
        if problems:
            raise ModelError(problems)
        return Inputs(
            x,
            self.ids,
            labels,
            self.table,
            self.name,
            features=self.features,
            values=self.values,
        )


def inputs_of(
    x: object,
    spec: Spec,
    *,
    labels: object = None,
    ids: object = None,
    groups: pl.DataFrame | Mapping[str, Sequence[object]] | None = None,
    name: str = "inputs",
) -> Inputs:
    """Return inputs from arrays.

    Args:
        x: Shape (n, *spec.shape): bytes, which are mapped onto the range, or numbers in it.
        spec: Of the model.
        labels: True classes, as the spec's labels name them.
        ids: What tells the examples apart; by default their places, from 0.
        groups: Columns of n values.
        name: What reports call them.

    Raises:
        ModelError: As `Read.fit`; or the lengths differ.

    """
    examples = np.asarray(x)
    count = len(examples)
    named = np.arange(count) if ids is None else np.asarray(ids)
    known = None if labels is None else np.asarray(labels)
    table = groups if isinstance(groups, pl.DataFrame) else pl.DataFrame(groups or {})
    lengths = {"ids": len(named), "labels": count if known is None else len(known)}
    lengths["groups"] = len(table) if table.width else count
    wrong = [
        Problem(f"{name}.{what}", f"there are {found:,} for {count:,} examples.")
        for what, found in lengths.items()
        if found != count
    ]
    if wrong:
        raise ModelError(wrong)
    return Read(examples, named, known, table, name).fit(spec)


def _in_units(stored: NDArray[Any], low: float, high: float) -> Floats:
    if stored.dtype == np.uint8:
        # Of 0 to 1 what most image libraries give, to the last bit.
        mapped: Floats = (low + stored * (high - low) / _BYTES).astype(np.float32)
        return mapped
    if stored.dtype in {np.dtype(np.float32), np.dtype(np.float64)}:
        return stored
    if stored.dtype.kind not in "fiub":
        what = f"examples are of type {stored.dtype}, no numbers."
        raise ModelError(Problem("inputs", what))
    return stored.astype(np.float64)


def known_only(column: str) -> str:
    r"""Return the flag that leaves out rows that lack a column, as it is typed.

    >>> known_only("income"), known_only("income of 2018")
    ("--where 'income != None'", '--where "col(\'income of 2018\') != None"')
    """
    condition = f"{written(column, {column: nw.Unknown()})} != None"
    quote = '"' if "'" in condition else "'"
    return f"--where {quote}{condition}{quote}"


def _codes(labels: NDArray[Any], spec: Spec, name: str, column: str) -> Codes:
    values = labels.tolist()
    missing = sum(one is None or one != one for one in values)  # noqa: PLR0124 - NaN
    if missing:
        what = f"{missing:,} of {len(values):,} labels are missing."
        hint = f"Leave those rows out: {known_only(column)}." if column else ""
        raise ModelError(Problem(f"{name}, label", what, hint))
    return codes_of(labels, spec, f"{name}, label")


def _id_problems(ids: NDArray[Any], name: str) -> list[Problem]:
    where = f"{name}, id"
    values = ids.tolist()
    if any(one is None or one != one for one in values):  # noqa: PLR0124 - NaN
        return [Problem(where, "ids are missing.", "Name a column without gaps.")]
    seen: set[object] = set()
    double = [one for one in values if one in seen or seen.add(one)]  # type: ignore[func-returns-value]
    if not double:
        return []
    shown = listed(repr(one) for one in [*dict.fromkeys(double)][:_SHOWN])
    what = f"{len({*double}):,} ids stand in several rows, such as {shown}."
    return [Problem(where, what, "An example is asked about once; name a column that tells them.")]


def _places(places: NDArray[Any]) -> NDArray[Any]:
    return np.flatnonzero(places) if places.dtype == bool else places


def _digest(x: Floats, ids: NDArray[Any], labels: Codes | None) -> str:
    digest = hashlib.sha256(f"{x.shape} {x.dtype}\n".encode())
    digest.update(np.ascontiguousarray(x).tobytes())
    digest.update("\n".join(map(str, ids.tolist())).encode())
    if labels is not None:
        digest.update(np.ascontiguousarray(labels).tobytes())
    return f"sha256:{digest.hexdigest()}"


def distinct(labels: NDArray[Any] | None) -> tuple[Label, ...]:
    """Return the classes that stand in a column, sorted, without what is missing."""
    if labels is None:
        return ()
    present = {one for one in labels.tolist() if one is not None and one == one}  # noqa: PLR0124
    return tuple(sorted(present, key=lambda one: (str(type(one)), one)))
