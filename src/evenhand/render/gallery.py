"""Examples as they became, or as they were explained, from side files of probes; reports alone.

Pictures are rows of somebody's data: they are read from beside the log when a report is written,
and are in no evidence file.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.strength import strength_of
from evenhand.errors import MissingExtraError
from evenhand.probes.picture import COLUMNS, path_beside
from evenhand.render.wording import value_shown

TITLE = "Some of the examples"

_FEW, _MOST_VARIANTS = 4, 18
"""Up to so many variants all are shown in full; of more the strongest of each kind, in brief."""

_IN_FULL, _IN_BRIEF = 12, 4
"""Examples of a variant."""

_SIDE = 96
"""Pixels of the longer side at most; larger pictures are made smaller."""

_BYTES = 400_000
"""Of all pictures together: a report is sent by mail."""

_STRONGEST = 255


@dataclass(frozen=True)
class Picture:
    """An example.

    Attributes:
        clean: As it was, a ``data:`` address of a PNG.
        changed: As it became.
        change: What was changed, grey for nothing, as strong as it can be shown.
        label: What it is.
        group: Whose it is; empty where nobody was compared.
        before: What the model said of it as it was.
        after: What it said of what it became.
        outcome: ``wrong before``, ``broken`` or ``still right``.

    """

    clean: str
    changed: str
    change: str
    label: str
    group: str
    before: str
    after: str
    outcome: str


@dataclass(frozen=True)
class Map:
    """An example with what explains it.

    Attributes:
        clean: As it is, a ``data:`` address of a PNG.
        map: What speaks for the class in orange and against it in blue, the strongest in full.
        said: What the model says of it, which is explained.
        label: What it is.
        group: Whose it is; empty where nobody was compared.
        figures: Its card in words; empty where there is none.
        outcome: Whether its areas are better than the means of random orders, both ways; ``not
            judged`` where there is no card.

    """

    clean: str
    map: str
    said: str
    label: str
    group: str
    figures: str
    outcome: str

    @property
    def below(self) -> bool:
        """Whether its order is no better than random ones."""
        return self.outcome == _BELOW


_ABOVE = "above random orders"
_BELOW = "not above random orders"
"""Both ways, of one map; of noise a quarter to a half are above, so that it says little alone."""


@dataclass(frozen=True)
class Strip:
    """The examples of a variant.

    Attributes:
        variant: Its name.
        pictures: The examples that were changed.
        maps: Those that were explained.

    """

    variant: str
    pictures: tuple[Picture, ...] = ()
    maps: tuple[Map, ...] = ()


@dataclass(frozen=True)
class Gallery:
    """What is shown of the examples.

    Attributes:
        strips: A strip for each variant.
        left: What is not shown, in words; empty for nothing.

    """

    strips: tuple[Strip, ...] = ()
    left: str = ""

    @property
    def changed(self) -> bool:
        """Whether some were changed."""
        return any(one.pictures for one in self.strips)

    @property
    def explained(self) -> bool:
        """Whether some were explained."""
        return any(one.maps for one in self.strips)


def pictures_beside(logs: Iterable[str | Path]) -> list[Path]:
    """Return the side files that lie beside logs, as probes write them."""
    return [side for side in map(path_beside, logs) if side.is_file()]


def gallery_of(files: Iterable[Path], only: Collection[str] = ()) -> Gallery:
    """Return the pictures of side files; nothing where there are none.

    A file that cannot be read shows nothing: a report never fails for want of an illustration.

    Args:
        files: Side files of probes, as `evenhand.probes.picture` writes them.
        only: The variants that are shown, and spoken of; empty for all.

    """
    tables = [table for path in files if (table := _read(path)) is not None]
    if not tables:
        return Gallery()
    try:
        import PIL.Image  # noqa: F401 - whether it is there
    except ImportError:
        hint = MissingExtraError("images", where=TITLE).problems[0].hint
        return Gallery(left=f"Pictures of examples are beside the log. {hint}")
    every = [
        (table, name)
        for table in tables
        for name in table["variant"].unique(maintain_order=True).to_list()
        if not only or name in only
    ]
    brief = len(every) > _FEW
    # Variants come in order of their strength, so that the last of a kind is the strongest.
    last = {strength_of(name)[0]: (table, name) for table, name in every}
    named = [*last.values()][:_MOST_VARIANTS] if brief else every
    strips, spent = [], 0
    for table, name in named:
        rows = table.filter(pl.col("variant") == name).head(_IN_BRIEF if brief else _IN_FULL)
        if spent > _BYTES:
            break
        changed = rows.filter(pl.col("changed").is_not_null()).iter_rows(named=True)
        pictures = tuple(map(_picture, changed))
        spent += sum(len(one.clean) + len(one.changed) + len(one.change) for one in pictures)
        maps = tuple(map(_map, rows.filter(_MAPPED).iter_rows(named=True)))
        spent += sum(len(one.clean) + len(one.map) for one in maps)
        strips.append(Strip(value_shown(name), pictures, maps))
    more = len(every) - len(strips)
    left = f"Of {more:,} more variants there are pictures beside the log." if more else ""
    return Gallery(tuple(strips), left)


def _read(path: Path) -> pl.DataFrame | None:
    try:
        table = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        return None
    # Files of earlier versions hold no maps.
    table = table.with_columns(
        pl.lit(None).cast(dtype).alias(name)
        for name, dtype in {"map": pl.Binary, "scale": pl.Float64}.items()
        if name not in table.columns
    )
    return table if {*COLUMNS} <= {*table.columns} and len(table) else None


_MAPPED = pl.col("map").is_not_null()


def _picture(row: dict[str, Any]) -> Picture:
    shape: Sequence[int] = row["shape"]
    clean, changed = (
        np.frombuffer(row[name], np.uint8).reshape(shape) for name in ("clean", "changed")
    )
    said = {name: cut(str(row[name])) for name in ("label", "prediction", "said")}
    outcome = "still right" if said["said"] == said["label"] else "broken"
    if said["prediction"] != said["label"]:
        outcome = "wrong before"
    return Picture(
        clean=_address(clean),
        changed=_address(changed),
        change=_address(_change(clean, changed)),
        label=said["label"],
        group="" if row["group"] is None else cut(row["group"]),
        before=said["prediction"],
        after=said["said"],
        outcome=outcome,
    )


def _map(row: dict[str, Any]) -> Map:
    shape: Sequence[int] = row["shape"]
    clean = np.frombuffer(row["clean"], np.uint8).reshape(shape)
    parts = np.frombuffer(row["map"], np.int8).reshape(shape[:2])
    figures, outcome = _judged(row)
    return Map(
        clean=_address(clean),
        map=_address(_coloured(parts)),
        said=cut(str(row["prediction"])),
        label=cut(str(row["label"])),
        group="" if row["group"] is None else cut(row["group"]),
        figures=figures,
        outcome=outcome,
    )


def _judged(row: dict[str, Any]) -> tuple[str, str]:
    """Return an explanation's areas beside those of random orders, and what they say of it."""
    names = ("insertion", "insertion_random", "deletion", "deletion_random")
    areas = [row[name] for name in names if row.get(name) is not None]
    if len(areas) < len(names):
        return "", "not judged"
    comes, by_chance, goes, away = areas
    told = f"insertion {comes:.2f} (random {by_chance:.2f})"
    told += f"; deletion {goes:.2f} (random {away:.2f})"
    faithful = comes > by_chance and goes < away
    return told, _ABOVE if faithful else _BELOW


_FOR, _AGAINST = (213, 94, 0), (0, 114, 178)
"""Orange and blue, which everybody can tell apart."""


def _coloured(parts: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return parts as colours on white, the strongest in full, shape (height, width, 3)."""
    strength = np.abs(parts.astype(np.float64)) / max(1, int(np.abs(parts.astype(int)).max()))
    full = np.where(parts[..., None] > 0, _FOR, _AGAINST)
    found: NDArray[np.uint8] = np.rint(
        _STRONGEST + strength[..., None] * (full - _STRONGEST)
    ).astype(np.uint8)
    return found


def _change(clean: NDArray[np.uint8], changed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return what was added as light and what was taken away as dark, the largest at its end."""
    difference = changed.astype(np.float64) - clean
    most = np.abs(difference).max()
    scaled = difference / most if most else difference
    found: NDArray[np.uint8] = np.rint((1 + scaled) * _STRONGEST / 2).astype(np.uint8)
    return found


def _address(image: NDArray[np.uint8]) -> str:
    """Return an image of shape (height, width, channels) as a ``data:`` address."""
    from PIL import Image

    channels = image.shape[-1]
    # What is neither grey nor of three colours has no picture: its mean is shown.
    flat = image if channels in {1, 3} else image.mean(axis=-1, keepdims=True).astype(np.uint8)
    drawn = Image.fromarray(flat[..., 0] if flat.shape[-1] == 1 else flat)
    drawn.thumbnail((_SIDE, _SIDE))
    stream = io.BytesIO()
    drawn.save(stream, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}"
