"""Proxies: a group that is known only as a probability, given something that is known.

A table gives P(group | proxy), such as the probability of each race given surname and place. Rows
are counted by the proxy; what that says of the groups is a set (Kallus, Mao and Zhou 2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from evenhand.errors import Problem, RoleError, listed, reason

_ROUNDING = 1e-6


@dataclass(frozen=True)
class Proxy:
    """The probability of each group for every value of a proxy.

    Attributes:
        groups: The groups.
        probabilities: For each value of the proxy, as text, P(group | proxy) in the same order.

    """

    groups: tuple[str, ...]
    probabilities: tuple[tuple[str, tuple[float, ...]], ...]

    def of(self, value: str) -> tuple[float, ...] | None:
        """Return the probabilities of a value, None where the table has none."""
        return dict(self.probabilities).get(value)


def proxy_from(spec: object, given: str, where: str) -> Proxy:
    """Return the proxy that a specification writes.

    Args:
        spec: A mapping ``{"10115": {"white": 0.8, "black": 0.2}, ...}``, a Polars table with the
            column ``given`` and one column for each group, or the path of such a table (CSV or
            Parquet).
        given: The proxy.
        where: The place that error messages name.

    Raises:
        RoleError: The specification is none of these, or its numbers are no probabilities.

    """
    if isinstance(spec, str | Path):
        spec = _read(Path(spec), where)
    if isinstance(spec, pl.DataFrame):
        if given not in spec.columns:
            what = f"the table of probabilities has no column '{given}'."
            raise RoleError(Problem(where, what, f"Columns: {listed(spec.columns)}."))
        if spec[given].n_unique() < len(spec):
            what = f"the table of probabilities has a value of '{given}' twice."
            raise RoleError(Problem(where, what, _EXAMPLE))
        rows = spec.iter_rows(named=True)
        spec = {
            str(row[given]): {name: p for name, p in row.items() if name != given} for row in rows
        }
    if not isinstance(spec, Mapping) or not all(isinstance(row, Mapping) for row in spec.values()):
        raise RoleError(Problem(where, "probabilities are a table or a mapping.", _EXAMPLE))
    groups = tuple(dict.fromkeys(str(name) for row in spec.values() for name in row))
    table = []
    for value, row in spec.items():
        try:
            chances = tuple(float(row.get(name, 0.0)) for name in groups)
        except (TypeError, ValueError) as error:
            what = f"the probabilities of '{value}' are not all numbers."
            raise RoleError(Problem(where, what, _EXAMPLE)) from error
        if any(not 0 <= chance <= 1 for chance in chances) or sum(chances) > 1 + _ROUNDING:
            what = f"the probabilities of '{value}' are not in [0, 1] with a sum of at most 1."
            raise RoleError(Problem(where, what, _EXAMPLE))
        table.append((str(value), chances))
    if not groups:
        raise RoleError(Problem(where, "there are no groups in the table.", _EXAMPLE))
    return Proxy(groups, tuple(table))


_EXAMPLE = (
    "Write race: {given: zip, probabilities: {'10115': {white: 0.8, black: 0.2}}}, or a table with "
    "the columns zip, white, black."
)


def _read(path: Path, where: str) -> pl.DataFrame:
    try:
        return pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        said = reason(error) if isinstance(error, OSError) else f"{error}"
        what = f"the table {path} cannot be read: {said}."
        raise RoleError(Problem(where, what, _EXAMPLE)) from error
