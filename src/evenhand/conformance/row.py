"""Rows to hold a measure against: random logs, and the same rows as a reference reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import polars as pl

from evenhand.logs.group import UNKNOWN
from evenhand.logs.kinds import kinds
from evenhand.logs.log import Log, open_log
from evenhand.measures.measure import CLASSIFIED, Measure
from evenhand.measures.ranking import Ranking

GROUPS = ("a", "b", None)
UNITS = ("row", "unit", "name", "[unit, name]", "pair(unit, item)")

COLUMNS = {
    "classes": {"label": "label", "prediction": "prediction"},
    "numbers": {"label": "target", "prediction": "guess"},
}
"""The columns of label and prediction by what a measure reads."""

_HIDDEN = 0.2
"""Share of values that are missing in each role, where any are."""


@dataclass(frozen=True)
class Row:
    """One row as a reference reads it: the roles that it has, and a weight that counts it.

    Attributes:
        label: What was true: 0 or 1, or a number where the measure reads numbers.
        prediction: What was decided or predicted, alike.
        score: The number behind a decision.
        neighbours: The mean decision of the row's nearest neighbours.
        correct: Whether the clean example is right, 0 or 1.
        robust: Whether it is right and stays so, 0 or 1.
        minimal_norm: The smallest perturbation found; None where none was.
        certified_radius: How far nothing can change its class; None where that is not certified.
        corrupted_correct: Whether the changed example is right, 0 or 1.
        baseline_error: A baseline's mean error on the row's corruption.
        baseline_relative_error: How far it is above the baseline's clean error.
        weight: How many rows it counts as; 1 in logs without weights.
        card: An explanation's numbers by role, such as ``insertion``.

    """

    label: float
    prediction: float
    score: float
    neighbours: float
    weight: float
    correct: float = 1.0
    robust: float = 1.0
    minimal_norm: float | None = None
    certified_radius: float | None = None
    corrupted_correct: float = 1.0
    baseline_error: float = 1.0
    baseline_relative_error: float = 1.0
    card: Mapping[str, float] = field(default_factory=dict)


class Rows(tuple[Row, ...]):  # noqa: SLOT001 - a tuple can have no slot for what is outside
    """The rows of one group.

    Attributes:
        outside: The rows of all other groups, for measures that look there.

    """

    outside: tuple[Row, ...]

    def __new__(cls, inside: Iterable[Row], outside: Iterable[Row] = ()) -> Self:
        """Return the rows of a group, and those of all others."""
        rows = super().__new__(cls, inside)
        rows.outside = tuple(outside)
        return rows


def random_rows(rng: np.random.Generator, size: int, *, missing: bool = False) -> pl.DataFrame:
    """Return rows with repeated units, a missing group, weights and, if asked, missing values."""
    rows = pl.DataFrame(
        {
            "unit": rng.integers(0, max(1, size // 3), size),
            "item": rng.integers(0, max(1, size // 5), size),
            "name": [f"person-{i}" for i in rng.integers(0, max(1, size // 3), size)],
            "group": [GROUPS[i] for i in rng.integers(0, 3, size)],
            "other": rng.choice(["x", "y"], size),
            "year": [None if y == 2024 else int(y) for y in rng.integers(2023, 2027, size)],  # noqa: PLR2004
            "label": rng.integers(0, 2, size),
            "prediction": rng.integers(0, 2, size),
            "weight": rng.integers(0, 4, size) / 2,
            # Exact in binary, none of them 0 or 1, which has no logit, and so few that each is a
            # bin of its own.
            "score": (2 * rng.integers(0, 4, size) + 1) / 8,
            "neighbours": rng.integers(0, 5, size) / 4,
            "target": rng.integers(-8, 8, size) / 4,
            "guess": rng.integers(-8, 8, size) / 4,
            **_perturbed(rng.spawn(1)[0], size),
            **dict(zip(_CARD, rng.spawn(1)[0].integers(0, 5, (len(_CARD), size)) / 4, strict=True)),
        },
        schema_overrides={"group": pl.String, "name": pl.String, "year": pl.Int64},
    )
    if not missing:
        return rows
    names = ["label", "prediction", "score", "neighbours", "target", "guess"]
    hidden = rng.random((len(names), size)) < _HIDDEN
    unknown = rng.spawn(1)[0].random((len(_PERTURBED), size)) < _HIDDEN
    unasked = rng.spawn(1)[0].random((len(_CARD), size)) < _HIDDEN
    names, hidden = [*names, *_PERTURBED, *_CARD], np.vstack([hidden, unknown, unasked])
    return rows.with_columns(
        pl.when(pl.lit(~gone)).then(pl.col(name)) for name, gone in zip(names, hidden, strict=True)
    )


_PERTURBED = (
    *("correct", "robust", "minimal_norm", "certified_radius"),
    *("corrupted_correct", "baseline_error", "baseline_relative_error"),
)
"""Roles of perturbed examples, which have columns of their names."""

_CARD = tuple(name for name in kinds()["attributions"].own if name != "variant")
"""Roles of attributions, which have columns of their names: numbers, exact in binary."""


def _perturbed(rng: np.random.Generator, size: int) -> dict[str, object]:
    """Return the columns of perturbed examples; some have no minimal norm and no certificate."""
    correct = rng.integers(0, 2, size)
    far = np.where(rng.random((2, size)) < _HIDDEN, np.nan, rng.integers(0, 5, (2, size)) / 4)
    norms = pl.DataFrame(far.T, schema=["minimal_norm", "certified_radius"]).fill_nan(None)
    return {
        "source": np.arange(size),
        "variant": ["linf 0.1"] * size,
        "correct": correct,
        "robust": correct * rng.integers(0, 2, size),
        "corrupted_correct": rng.integers(0, 2, size),
        # Exact in binary, so that sums do not depend on their order.
        "baseline_error": 2.0 ** -rng.integers(0, 3, size),
        "baseline_relative_error": 2.0 ** -rng.integers(0, 3, size),
        **{name: norms[name] for name in norms.columns},
    }


def kind_of(measure: Measure | type[Measure]) -> str | None:
    """Return the kind of log that has what a measure reads; None when there is none."""
    cls = measure if isinstance(measure, type) else type(measure)
    if issubclass(cls, Ranking):
        # Its rows would be those of lists.
        return None
    wanted = {"classes": "binary", "numbers": "number"}[measure.reads]
    for kind in kinds().values():
        roles = {role.name: role.values for role in kind.roles}
        fits = all(roles[name] == wanted for name in CLASSIFIED if name in roles)
        if fits and {*measure.needs} <= {*roles}:
            return kind.name
    return None


def roles_of(kind: str) -> dict[str, str]:
    """Return the columns of random rows by the role that they play in a kind."""
    values = {role.name: role.values for role in kinds()[kind].roles}
    reads = "classes" if values.get("label", "binary") == "binary" else "numbers"
    same = ("score", "neighbours", "weight", *_PERTURBED, *_CARD)
    columns = {name: name for name in same} | COLUMNS[reads]
    return {role: column for role, column in columns.items() if role in values}


def scaled(rows: pl.DataFrame, measure: Measure) -> pl.DataFrame:
    """Return rows whose numbers in [0, 1] are brought into the limits that a measure sets."""
    limits = {
        role: (low, high)
        for role, (low, high) in measure.limits.items()
        if role in {"score", "neighbours"} and math.isfinite(low) and math.isfinite(high)
    }
    return rows.with_columns(
        low + (high - low) * pl.col(role) for role, (low, high) in limits.items()
    )


def log_of(
    rows: pl.DataFrame | Path,
    kind: str,
    unit: str = "unit",
    *,
    weight: bool = True,
    engine: str | None = None,
    where: str | None = None,
    classes: tuple[str, ...] = (),
) -> Log:
    """Return a log of random rows, or of files that hold them, compared by ``group``."""
    roles = roles_of(kind)
    if not weight:
        roles.pop("weight")
    return open_log(
        rows,
        kind=kind,
        roles=roles,
        groups=["group"],
        # Where rows are never independent, the column of what is has another value in each.
        unit=None if unit == "row" else unit,
        where=where,
        engine=engine,
        classes=classes,
    )


def rows_by_group(rows: pl.DataFrame, kind: str, *, weight: bool) -> dict[str, Rows]:
    """Return the rows of each group as a reference reads them."""
    roles = roles_of(kind)
    if not weight:
        roles.pop("weight")
    members: dict[str, list[Row]] = {}
    for row in rows.iter_rows(named=True):
        # What the kind lacks has the value that changes nothing.
        values = dict.fromkeys(("label", "prediction", "score", "neighbours", "weight"), 1.0)
        values |= {role: row[column] for role, column in roles.items()}
        card = {role: values.pop(role) for role in _CARD if role in values}
        members.setdefault(row["group"] or UNKNOWN, []).append(Row(**values, card=card))
    return {
        name: Rows(inside, (row for other in members if other != name for row in members[other]))
        for name, inside in members.items()
    }
