"""Random logs of ranked lists, and a value of every measure of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl

from evenhand.logs.log import open_log
from evenhand.measures.ranking import Ranking
from evenhand.measures.registry import measures
from evenhand.notation import Term

TIERS = ("a", "b", "c")
GENRES = ("x", "y", "z")

PARAMETERS = {
    "of": "tier",
    "group": "a",
    "tail": "c",
    "column": "watched",
    "popularity": "popular",
    "p": 0.3,
    "policy": Term("ips", (Term("wished"),)),
}
"""What is asked where a measure must be told."""

IN_TURN = Term("snips", (Term("wished"),), (("given", "above"),))


def random_lists(rng: np.random.Generator, requests: int, *, most: int = 8) -> pl.DataFrame:
    """Return requests of users with gaps in slots, items not shown, and groups that are missing.

    Every second query has two requests: rankings that were sampled for it.
    """
    rows = []
    for request in range(requests):
        query = request // 2 if request % 4 < 2 else request
        user = f"user-{query % 17}"
        size = int(rng.integers(2, most + 1))
        slots = np.sort(rng.choice(np.arange(1, 2 * most), size, replace=False))
        items = rng.choice(30, size, replace=False)
        shown = rng.random(size) < 0.7
        shown[0] = True
        for slot, item, seen in zip(slots, items, shown, strict=True):
            rows.append(
                {
                    "user": user,
                    "query": query,
                    "request": f"r{request}",
                    "item": int(item),
                    "slot": int(slot) if seen else None,
                    "grade": int(rng.integers(0, 3)),
                    "age": ("young", "old", None)[query % 17 % 3],
                    "tier": (*TIERS, None)[item % 4],
                    "genres": [GENRES[i] for i in rng.choice(3, item % 3, replace=False)],
                    "watched": int(rng.integers(0, 2)),
                    "popular": float(1 + item),
                    "provider": int(item % 5),
                    "chance": (0.5, 0.25, 0.8)[item % 3] if seen or item % 2 else 0.0,
                    "wished": 0.0 if item == 7 else (0.3, 0.25, 0.35, 0.28)[item % 4],
                }
            )
    types = {"slot": pl.Int64, "age": pl.String, "tier": pl.String, "genres": pl.List(pl.String)}
    return pl.DataFrame(rows, schema_overrides=types)


def catalogue() -> pl.DataFrame:
    """Return all items that random lists are made of, and some that are never in one."""
    items = range(36)
    return pl.DataFrame(
        {
            "item": [*items],
            "tier": [(*TIERS, None)[item % 4] for item in items],
            "genres": [[GENRES[item % 3]] for item in items],
        },
        schema_overrides={"genres": pl.List(pl.String)},
    )


def log_of_lists(rows, *, unit=None, engine=None, where=None):
    """Return a log of random lists."""
    return open_log(
        rows,
        kind="recommendation",
        roles={
            "user": "user",
            "query": "query",
            "request": "request",
            "item": "item",
            "rank": "slot",
            "relevance": "grade",
            "provider": "provider",
            "propensity": "chance",
        },
        groups=["age"],
        item_groups=["tier", "genres"],
        unit=unit,
        engine=engine,
        where=where,
        catalogue=catalogue(),
    )


def every_measure() -> list[Ranking]:
    """Return a value of every measure of ranked lists, and several of those that have variants."""
    found = []
    for cls in measures().values():
        if not issubclass(cls, Ranking):
            continue
        fields = {field.name: field for field in dataclasses.fields(cls)}
        needed = {n: PARAMETERS[n] for n, f in fields.items() if f.default is dataclasses.MISSING}
        # Lists that lack a group have no logarithm of its share.
        needed |= {"smoothing": 1.0} if "smoothing" in fields else {}
        if not cls(**needed).problem():
            found.append(cls(**needed))
        if "k" in fields:
            found.append(cls(**needed, k=5))
        if "browsing" in fields and cls.view != "queries":
            found.append(cls(**needed, browsing="log2_clipped"))
        if "policy" in fields:
            cut = {"k": 4} if "k" in fields else {}
            found.append(cls(**{**needed, "policy": IN_TURN}, **cut))
        if needed.get("of"):
            cut = {"k": 6} if "k" in fields else {}
            found.append(cls(**{**needed, "of": "genres", **_of_genres(needed)}, **cut))
    return found


def _of_genres(needed):
    return {name: "x" for name in ("group", "tail") if name in needed}
