"""Some examples to be looked at, as they were and as they became: a side file of the log."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.logs.file import PICTURES as BESIDE
from evenhand.models.inputs import Inputs
from evenhand.models.model import Floats, Model
from evenhand.models.spec import Spec

PICTURES = ("picture_shape", "picture_clean", "picture_changed", "picture_prediction")
"""Columns of a kept block that are no columns of the log: null where an example is not shown."""

COLUMNS = ("source", "variant", "group", "label", "prediction", "shape", "clean", "changed", "said")
"""Columns of the side file: bytes of shape (height, width, channels), 0 the lowest value."""

_GREYS = 255


def path_beside(log: str | Path) -> Path:
    """Return where the pictures of a log are: ``attacked.pictures.parquet``."""
    path = Path(log)
    return path.with_name(f"{path.stem}{BESIDE}")


def chosen(inputs: Inputs, by: Sequence[str], count: int, seed: int) -> NDArray[np.bool_]:
    """Return which examples are shown: a seeded choice, as many of each group as there are.

    Args:
        inputs: All examples.
        by: The column of groups, or none.
        count: How many are shown at most.
        seed: Where the choice comes from.

    """
    order = np.random.default_rng([seed, _SHOWN]).permutation(len(inputs))
    # The first of each group, then the second of each, and so on.
    turn = pl.DataFrame({"place": order, "group": pl.Series([""]).new_from_index(0, len(order))})
    if by:
        turn = turn.with_columns(group=inputs.table[by[0]].gather(order).cast(pl.String))
    ranked = turn.with_columns(turn=pl.int_range(pl.len()).over("group"))
    first = ranked.sort("turn", maintain_order=True)["place"].head(count).to_numpy()
    found: NDArray[np.bool_] = np.zeros(len(inputs), dtype=bool)
    found[first] = True
    return found


_SHOWN = 2
"""Tells the numbers of the choice from those of the blocks and of the flags' sample."""


def pictured(
    model: Model, x: Floats, changed: Floats | None, shown: NDArray[np.bool_]
) -> pl.DataFrame:
    """Return the columns `PICTURES` of a block; nulls where an example is not shown.

    Args:
        model: The model, which is asked what the changed examples are.
        x: Examples, shape (n, *spec.shape).
        changed: What became of them; None where nothing was changed.
        shown: Which are shown, shape (n,).

    """
    size, spec = len(x), model.spec
    names = pl.Series([*spec.labels])
    shape: list[list[int] | None] = [None] * size
    before: list[bytes | None] = [None] * size
    after: list[bytes | None] = [None] * size
    said: list[object] = [None] * size
    places = np.flatnonzero(shown)
    if changed is not None and places.size and spec.layout != "features":
        classes = names.gather(model.predict(changed[places])).to_list()
        for place, name in zip(places, classes, strict=True):
            clean, other = (_bytes(of[place], spec) for of in (x, changed))
            shape[place], said[place] = [*clean.shape], name
            before[place], after[place] = clean.tobytes(), other.tobytes()
    return pl.DataFrame(
        {
            "picture_shape": pl.Series(shape, dtype=pl.List(pl.Int64)),
            "picture_clean": pl.Series(before, dtype=pl.Binary),
            "picture_changed": pl.Series(after, dtype=pl.Binary),
            "picture_prediction": pl.Series(said, dtype=names.dtype),
        }
    )


def _bytes(image: Floats, spec: Spec) -> NDArray[np.uint8]:
    """Return an image of shape (height, width, channels), the range mapped onto 0 to 255."""
    scaled = (np.asarray(image, np.float64) - spec.low) / (spec.high - spec.low) * _GREYS
    greys = np.clip(np.rint(scaled), 0, _GREYS).astype(np.uint8)
    if spec.layout == "CHW":
        return np.ascontiguousarray(np.moveaxis(greys, 0, -1))
    return greys[..., None] if spec.layout == "HW" else greys


def pictures_of(parts: pl.DataFrame, inputs: Inputs, by: Sequence[str]) -> pl.DataFrame:
    """Return the side file of a probe's blocks, with the columns `COLUMNS`.

    Args:
        parts: The rows of all blocks.
        inputs: All examples.
        by: The column of groups that the examples were chosen by, or none.

    """
    names = dict(zip(PICTURES, COLUMNS[-4:], strict=True))
    group = inputs.table[by[0]].cast(pl.String) if by else pl.Series([None] * len(inputs))
    groups = pl.DataFrame({"source": inputs.ids.tolist(), "group": group.cast(pl.String)})
    shown = parts.filter(pl.col("picture_clean").is_not_null())
    told = shown.join(groups, on="source", how="left", maintain_order="left").rename(names)
    return told.select(COLUMNS)


def to_parquet(pictures: pl.DataFrame) -> bytes:
    """Return the side file."""
    stream = io.BytesIO()
    pictures.write_parquet(stream)
    return stream.getvalue()
