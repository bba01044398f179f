"""Some examples to be looked at, as they were and as they became: a side file of the log."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.logs.file import PICTURES as BESIDE
from evenhand.models.inputs import Inputs
from evenhand.models.model import Floats, Model
from evenhand.models.spec import Spec
from evenhand.probes.attribute.attribution import pixels
from evenhand.probes.card.card import COLUMNS as CARD
from evenhand.probes.method import Rows

PICTURES = (
    *("picture_shape", "picture_clean", "picture_changed", "picture_prediction"),
    *("picture_map", "picture_scale"),
)
"""Columns of a kept block that are no columns of the log: null where an example is not shown."""

COLUMNS = (
    *("source", "variant", "group", "label", "prediction"),
    *("shape", "clean", "changed", "said", "map", "scale"),
)
"""Columns of the side file: bytes of shape (height, width, channels), 0 the lowest value.

Of what was changed there are ``changed`` and ``said``, what the model says of it. Of what was
explained there are ``map``, whole numbers from -127 to 127 of shape (height, width), the channels
of a pixel added up, and ``scale``, what one of them is in units of the map; its card stands beside.
"""

_GREYS, _STEPS = 255, 127


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


def pictured(model: Model, x: Floats, made: Rows, shown: NDArray[np.bool_]) -> pl.DataFrame:
    """Return the columns `PICTURES` of a block; nulls where an example is not shown.

    Args:
        model: The model, which is asked what the changed examples are.
        x: Examples, shape (n, *spec.shape).
        made: What became of them, or what explains them.
        shown: Which are shown, shape (n,).

    """
    size, spec = len(x), model.spec
    names = pl.Series([*spec.labels])
    found: dict[str, list[Any]] = {name: [None] * size for name in PICTURES}
    places = np.flatnonzero(shown)
    seen = places.size > 0 and spec.layout != "features"
    for place in places if seen and not (made.changed is None and made.maps is None) else ():
        clean = _bytes(x[place], spec)
        found["picture_shape"][place], found["picture_clean"][place] = (
            [*clean.shape],
            clean.tobytes(),
        )
    if seen and made.changed is not None:
        said = names.gather(model.predict(made.changed[places])).to_list()
        for place, name in zip(places, said, strict=True):
            found["picture_prediction"][place] = name
            found["picture_changed"][place] = _bytes(made.changed[place], spec).tobytes()
    if seen and made.maps is not None:
        maps = np.asarray(made.maps, np.float64)
        for place, values in zip(places, pixels(maps[places], spec), strict=True):
            scale = float(np.abs(values).max()) / _STEPS
            steps = np.rint(values / scale) if scale else np.zeros_like(values)
            found["picture_map"][place] = steps.astype(np.int8).tobytes()
            found["picture_scale"][place] = scale
    types = (pl.List(pl.Int64), pl.Binary, pl.Binary, names.dtype, pl.Binary, pl.Float64)
    return pl.DataFrame(found, schema=dict(zip(PICTURES, types, strict=True)))


def _bytes(image: Floats, spec: Spec) -> NDArray[np.uint8]:
    """Return an image of shape (height, width, channels), the range mapped onto 0 to 255."""
    scaled = (np.asarray(image, np.float64) - spec.low) / (spec.high - spec.low) * _GREYS
    greys = np.clip(np.rint(scaled), 0, _GREYS).astype(np.uint8)
    if spec.layout == "CHW":
        return np.ascontiguousarray(np.moveaxis(greys, 0, -1))
    return greys[..., None] if spec.layout == "HW" else greys


def pictures_of(parts: pl.DataFrame, inputs: Inputs, by: Sequence[str]) -> pl.DataFrame:
    """Return the side file of a probe's blocks, with the columns `COLUMNS`, and a card.

    Args:
        parts: The rows of all blocks.
        inputs: All examples.
        by: The column of groups that the examples were chosen by, or none.

    """
    names = dict(zip(PICTURES, COLUMNS[-len(PICTURES) :], strict=True))
    group = inputs.table[by[0]].cast(pl.String) if by else pl.Series([None] * len(inputs))
    groups = pl.DataFrame({"source": inputs.ids.tolist(), "group": group.cast(pl.String)})
    shown = parts.filter(pl.col("picture_clean").is_not_null())
    told = shown.join(groups, on="source", how="left", maintain_order="left").rename(names)
    return told.select(*COLUMNS, *(name for name in CARD if name in told.columns))


def to_parquet(pictures: pl.DataFrame) -> bytes:
    """Return the side file."""
    stream = io.BytesIO()
    pictures.write_parquet(stream)
    return stream.getvalue()
