"""Where inputs are stored: tables (Parquet, Arrow, CSV), folders of files, and ``.npz``."""

from __future__ import annotations

import dataclasses
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import (
    EvenhandError,
    ModelError,
    Problem,
    SourceError,
    did_you_mean,
    listed,
    reason,
)
from evenhand.logs.expression import Expression
from evenhand.logs.log import check_where
from evenhand.logs.reader import format_of, separator_of, unreadable
from evenhand.models.image import decoded, file_columns, read_files
from evenhand.models.inputs import Read, known_only

Encoding = Mapping[str, Mapping[str, float]]
"""For a column of text, the number that stands for each of its values."""


@dataclass(frozen=True)
class Columns:
    """What in a source is an example, its class and its id; `read_inputs` has the words for it."""

    shape: tuple[int, ...] | None = None
    pixels: str | None = None
    features: Sequence[str] | None = None
    label: str | None = None
    ids: str | None = None
    where: str | None = None
    encode: Encoding = field(default_factory=dict)
    coded: bool = False

    def problems(self, table: pl.DataFrame, name: str) -> list[Problem]:
        """Return everything that stops these from being read of a table."""
        if (self.pixels is None) == (self.features is None):
            what = "what is an example: a column of pixels, or columns of features?"
            hint = f"Say --pixels COLUMN --shape 28x28, or --features a,b. {_columns(table)}"
            return [Problem(name, what, hint)]
        found = []
        if self.pixels is not None and self.shape is None:
            found.append(Problem(name, "pixels have no shape.", "Say --shape 28x28 or 3x32x32."))
        if self.features is not None and self.shape not in {None, (len(self.features),)}:
            what = f"there are {len(self.features)} features, where the shape is {self.shape}."
            found.append(Problem(name, what, "Leave the shape out."))
        named = {"pixels": self.pixels, "label": self.label, "id": self.ids}
        named |= {f"features[{place}]": one for place, one in enumerate(self.features or ())}
        return found + [
            Problem(f"{name}, {role}", f"there is no column '{column}'.", _did(column, table))
            for role, column in named.items()
            if column is not None and column not in table.columns
        ]


def read_inputs(
    source: str | Path | pl.DataFrame,
    *,
    shape: tuple[int, ...] | None = None,
    pixels: str | None = None,
    features: Sequence[str] | None = None,
    label: str | None = None,
    ids: str | None = None,
    where: str | None = None,
    encode: Encoding | None = None,
    coded: bool = False,
) -> Read:
    """Return examples as they are stored.

    Args:
        source: A Parquet, Arrow or CSV file, a folder with a CSV whose column ``file`` names
            images or ``.npy`` files in it, an ``.npz`` with ``x``, or a table in memory.
        shape: Of one example. Of features it is how many there are.
        pixels: The column of examples: bytes (as many as the shape has numbers, or an encoded
            image), or lists of numbers.
        features: Columns of numbers that make one example, in the model's order.
        label: The column of true classes; of an ``.npz`` by default ``y`` where it has that.
        ids: The column of ids; by default places in the source, before anything is left out.
        where: Which rows are meant, as an expression over the columns.
        encode: For features that are text, the number of each value: nobody can guess those.
        coded: Whether text is told by the places of its values among all of them, sorted, since
            the model gets the values themselves; `Read.values` says which they are.

    Raises:
        SourceError: It cannot be read.
        ModelError: Everything in it that makes no examples.

    """
    asked = Columns(shape, pixels, features, label, ids, where, encode or {}, coded)
    if isinstance(source, pl.DataFrame):
        return _from_table(source, "table", asked)
    path = Path(source)
    if path.is_dir():
        table = _folder_table(path)
        if not pixels and not features:
            asked = dataclasses.replace(asked, pixels=_file_column(table, path))
        return _from_table(table, path.name, asked, root=path)
    if not path.exists():
        raise SourceError(Problem(str(path), "no such file.", _near(path)))
    if path.suffix.lower() == ".npz":
        return _from_arrays(path, asked)
    return _from_table(_table(path), path.name, asked)


def _from_table(
    table: pl.DataFrame, name: str, asked: Columns, *, root: Path | None = None
) -> Read:
    problems = asked.problems(table, name)
    if problems:
        raise ModelError(problems)
    table = _filtered(table.with_row_index(_PLACE), asked.where, name)
    ids = table[asked.ids or _PLACE].to_numpy()
    table = beside = table.drop(_PLACE)
    values: dict[str, tuple[object, ...]] = {}
    if asked.pixels is None:
        if asked.coded:
            table, values = _coded(table, asked.features or ())
        x = _features(table, asked.features or (), asked.encode, name)
    else:
        x = _pixels(table[asked.pixels], asked.shape or (), root, name)
        beside = table.drop(asked.pixels)
    labels = beside[asked.label].to_numpy() if asked.label else None
    features, label = tuple(asked.features or ()), asked.label or ""
    return Read(x, ids, labels, beside, name, features, values, label)


_PLACE = "\0place"
"""The column of places in the source, which no column of a user is called like."""


def _filtered(table: pl.DataFrame, where: str | None, name: str) -> pl.DataFrame:
    if where is not None:
        frame = nw.from_native(table, eager_only=True)
        condition = Expression(where)
        problems = check_where(condition, frame.schema)
        if problems:
            raise ModelError(problems)
        table = frame.filter(condition.lower(frame.schema)).to_native()
    if table.is_empty():
        hint = f"No row has {where}." if where else ""
        raise ModelError(Problem(name, "there are no examples.", hint))
    return table


def _features(
    table: pl.DataFrame, features: Sequence[str], encode: Encoding, name: str
) -> NDArray[Any]:
    problems, columns = [], []
    for feature in features:
        column, where = table[feature], f"{name}, {feature}"
        missing = column.null_count()
        if missing:
            what = f"{missing:,} of {len(column):,} values are missing."
            hint = f"Fill them, or leave them out: {known_only(feature)}."
            problems.append(Problem(where, what, hint))
        elif feature in encode:
            try:
                columns.append(_encoded(column, encode[feature], where))
            except ModelError as error:
                problems += error.problems
        elif column.dtype.is_numeric() or column.dtype == pl.Boolean:
            columns.append(column.cast(pl.Float64).to_numpy())
        else:
            what = f"it holds {str(column.dtype).lower()}, no numbers."
            hint = "Say which number stands for each value, as the model learned them: encode."
            problems.append(Problem(where, what, hint))
    strange = sorted({*encode} - {*features})
    problems += [Problem(f"{name}, encode", f"'{one}' is no feature.") for one in strange]
    if problems:
        raise ModelError(problems)
    return np.stack(columns, axis=1)


def _coded(
    table: pl.DataFrame, features: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, tuple[object, ...]]]:
    """Return a table whose text features are places among their values, and these values.

    What is missing is a value too, the last one.
    """
    values: dict[str, tuple[object, ...]] = {}
    for feature in features:
        column = table[feature]
        if column.dtype.is_numeric() or column.dtype == pl.Boolean:
            continue
        text = column.cast(pl.String)
        known = text.drop_nulls().unique().sort().to_list()
        places = {one: place for place, one in enumerate(known)}
        values[feature] = (*known, *([None] if text.null_count() else []))
        codes = [places.get(one, len(known)) for one in text.to_list()]
        table = table.with_columns(pl.Series(feature, codes, pl.Float64))
    return table, values


def _encoded(column: pl.Series, numbers: Mapping[str, float], where: str) -> NDArray[Any]:
    values = [str(one) for one in column.to_list()]
    unknown = sorted({*values} - {*numbers})
    if unknown:
        what = f"no number is said for {listed(repr(one) for one in unknown[:5])}."
        raise ModelError(Problem(where, what, "Name every value."))
    return np.array([numbers[one] for one in values], dtype=np.float64)


def _pixels(
    column: pl.Series, shape: tuple[int, ...], root: Path | None, name: str
) -> NDArray[Any]:
    where, size = f"{name}, {column.name}", math.prod(shape)
    missing = column.null_count()
    if missing:
        what = f"{missing:,} of {len(column):,} examples are missing."
        raise ModelError(Problem(where, what, f"Leave them out: {known_only(column.name)}."))
    if root is not None and column.dtype == pl.String:
        return read_files(root, column.to_list(), shape)
    if column.dtype == pl.Binary:
        return _of_bytes(column, shape, where)
    if not isinstance(column.dtype, pl.List | pl.Array):
        what = f"it holds {str(column.dtype).lower()}, neither bytes nor lists of numbers."
        raise ModelError(Problem(where, what))
    flat, levels = column, []
    while isinstance(flat.dtype, pl.List | pl.Array):
        arrays = isinstance(flat.dtype, pl.Array)
        levels.append({*(flat.arr if arrays else flat.list).len().unique().to_list()})
        flat = flat.explode()
    if not flat.dtype.is_numeric() or flat.null_count():
        raise ModelError(Problem(where, "its lists do not hold numbers alone."))
    if levels != ([{size}] if len(levels) == 1 else [{one} for one in shape]):
        lengths = " of ".join(" or ".join(map(str, sorted(one)[:3])) for one in levels)
        what = f"examples have {lengths} numbers, the shape {shape} has {size}."
        raise ModelError(Problem(where, what, "Say the shape of one example: --shape 28x28."))
    return flat.to_numpy().reshape(len(column), *shape)


def _of_bytes(column: pl.Series, shape: tuple[int, ...], where: str) -> NDArray[Any]:
    values, size = column.to_list(), math.prod(shape)
    if {len(one) for one in values} == {size}:
        return np.frombuffer(b"".join(values), np.uint8).reshape(len(values), *shape)
    return decoded(values, shape, where)


def _from_arrays(path: Path, asked: Columns) -> Read:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        what = "it cannot be read as arrays of numbers and text."
        raise SourceError(Problem(str(path), what, "Save it with numpy.savez.")) from error
    if "x" not in arrays:
        what = f"it has no array 'x'; it has {listed(arrays)}."
        raise ModelError(Problem(str(path), what, "Save it with numpy.savez(path, x=..., y=...)."))
    x = arrays.pop("x")
    if x.ndim < 2:  # noqa: PLR2004 - the batch and one axis
        what = f"x has the shape {x.shape}, and the first axis is that of examples."
        raise ModelError(Problem(str(path), what, "Save x of shape (n, ...)."))
    if asked.pixels or asked.features:
        what = "columns are of tables, and an .npz has its examples in x."
        raise ModelError(Problem(str(path), what, "Leave --pixels and --features out."))
    label = asked.label or ("y" if "y" in arrays else None)
    ids = asked.ids or ("ids" if "ids" in arrays else None)
    problems = [
        Problem(
            f"{path.name}, {role}", f"there is no array '{name}'.", did_you_mean(name, [*arrays])
        )
        for role, name in (("label", label), ("id", ids))
        if name is not None and name not in arrays
    ]
    problems += [
        Problem(f"{path.name}, {name}", f"it has the shape {one.shape}, for {len(x):,} examples.")
        for name, one in arrays.items()
        if one.shape != (len(x),)
    ]
    if problems:
        raise ModelError(problems)
    table = pl.DataFrame({_PLACE: np.arange(len(x)), **arrays})
    table = _filtered(table, asked.where, path.name)
    kept, rest = table[_PLACE].to_numpy(), table.drop(_PLACE)
    labels = rest[label].to_numpy() if label else None
    named = rest[ids].to_numpy() if ids else kept
    return Read(x[kept], named, labels, rest, path.name, label=label or "")


def _table(path: Path) -> pl.DataFrame:
    readers = {
        "parquet": pl.read_parquet,
        "ipc": pl.read_ipc,
        "csv": lambda file: pl.read_csv(file, separator=separator_of(str(file))),
    }
    form = format_of(path.name)
    if form is None:
        what = "no inputs are read from such a file."
        hint = "Give Parquet, Arrow (.arrow), CSV, .npz, or a folder with a CSV."
        raise SourceError(Problem(str(path), what, hint))
    try:
        return readers[form](path)
    except EvenhandError:
        raise
    except (OSError, pl.exceptions.PolarsError) as error:
        raise unreadable(str(path), error) from error


def _folder_table(folder: Path) -> pl.DataFrame:
    try:
        found = sorted(folder.glob("*.csv"))
    except OSError as error:
        raise SourceError(Problem(str(folder), f"it cannot be read: {reason(error)}.")) from error
    if len(found) != 1:
        what = f"a folder of inputs has one CSV that names its files; here are {len(found)}."
        raise SourceError(Problem(str(folder), what, "Its columns: file, and label, groups, id."))
    return _table(found[0])


def _file_column(table: pl.DataFrame, folder: Path) -> str:
    found = file_columns(table.columns)
    if len(found) != 1:
        what = "which column names the files?"
        raise ModelError(Problem(str(folder), what, f"Say --pixels COLUMN. {_columns(table)}"))
    return found[0]


def _columns(table: pl.DataFrame) -> str:
    return f"Columns: {listed(table.columns[:40])}."


def _did(column: str, table: pl.DataFrame) -> str:
    return did_you_mean(column, table.columns)


def _near(path: Path) -> str:
    if not path.parent.is_dir():
        return f"The folder {path.parent} does not exist either."
    names = sorted(one.name for one in path.parent.iterdir())
    return did_you_mean(path.name, names) if names else ""
