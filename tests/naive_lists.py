"""Ranked lists in plain Python: their measures as slow loops that follow the definitions.

Nothing here is imported from the package but to build what it reads.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl
import pytest

import evenhand as eh
from evenhand.measures.lists import Lists, Membership
from evenhand.measures.registry import measure_named
from evenhand.notation import parse

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Item:
    """An item of a request.

    Attributes:
        slot: Where it was shown; None where it was not.
        relevance: What it is worth; None where it is not known.
        groups: The groups it belongs to in equal parts; none where they are not known.
        numbers: Other numbers by column.

    """

    slot: int | None
    relevance: float | None = 0.0
    groups: tuple[str, ...] = ()
    numbers: dict[str, float | None] = field(default_factory=dict)


Request = list[Item]


def items(*pairs, **columns) -> Request:
    """Return a request of (slot, relevance) pairs with columns of as many numbers or groups."""
    groups = columns.pop("groups", [()] * len(pairs))
    return [
        Item(
            slot,
            relevance,
            (groups[place],) if isinstance(groups[place], str) else groups[place],
            {name: values[place] for name, values in columns.items()},
        )
        for place, (slot, relevance) in enumerate(pairs)
    ]


def random_requests(
    rng: np.random.Generator, count: int, *, grades="graded", unknown=0.0, soft=False
) -> list[Request]:
    """Return requests with gaps between slots, items not shown, and ties in relevance."""
    found = []
    for _ in range(count):
        shown = int(rng.integers(0, 7))
        slots = sorted(rng.choice(np.arange(1, 11), shown, replace=False).tolist())
        hidden = int(rng.integers(0 if shown else 1, 4))
        request = []
        for slot in [*slots, *[None] * hidden]:
            worth = {
                "binary": float(rng.random() < 0.4),
                "graded": float(rng.choice([0, 0, 1, 2, 4])),
                "continuous": float(rng.choice([0.0, 0.0, rng.random(), 0.5])),
            }[grades]
            members = rng.choice([*"abc"], 1 + int(soft and rng.random() < 0.5), replace=False)
            request.append(
                Item(
                    slot,
                    None if rng.random() < unknown else worth,
                    () if rng.random() < 0.2 else tuple(members.tolist()),
                    {
                        "seconds": float(rng.integers(0, 60)),
                        "part": float(rng.choice([0, 0.05, 0.5, 1])),
                        "reached": float(rng.random() < 0.7),
                        "bought": float(rng.integers(0, 9)),
                    },
                )
            )
        rng.shuffle(request)
        found.append(request)
    return found


def in_order(request: Request) -> Request:
    """Return a request's items: those shown by slot, then the others."""
    shown = sorted((i for i in request if i.slot is not None), key=lambda i: i.slot)
    return [*shown, *(i for i in request if i.slot is None)]


def lists_of(requests: list[Request], of: str = "topic") -> Lists:
    """Return the arrays that measures see."""
    rows = [item for request in requests for item in in_order(request)]
    names = tuple(sorted({name for item in rows for name in item.groups or (UNKNOWN,)}))
    entries = [
        (row, names.index(name), 1 / len(item.groups or (UNKNOWN,)))
        for row, item in enumerate(rows)
        for name in sorted(item.groups or (UNKNOWN,))
    ]
    row, group, share = (np.array(part) for part in zip(*entries, strict=True))
    soft = any(len(item.groups) > 1 for item in rows)
    columns = {name for item in rows for name in item.numbers}

    def numbers(values):
        return np.array([np.nan if value is None else value for value in values], float)

    return Lists(
        starts=np.cumsum([0, *map(len, requests)]).astype(np.intp),
        slot=np.array([item.slot or 0 for item in rows]),
        relevance=numbers(item.relevance for item in rows),
        columns={name: numbers(item.numbers.get(name) for item in rows) for name in columns},
        items={of: Membership(names, row, group, share, soft)},
        sound=np.ones(len(requests), np.bool_),
    )


def frame_of(requests: list[Request]) -> pl.DataFrame:
    """Return the rows of a log, one for each item."""
    soft = any(len(item.groups) > 1 for request in requests for item in request)

    def group(item):
        return list(item.groups) if soft else (item.groups or (None,))[0]

    kinds = {"slot": pl.Int64, "worth": pl.Float64, "topic": pl.List(pl.String)}

    return pl.DataFrame(
        [
            {
                "q": place,
                "slot": item.slot,
                "worth": item.relevance,
                "topic": group(item),
                **item.numbers,
            }
            for place, request in enumerate(requests)
            for item in request
        ],
        infer_schema_length=None,
        schema_overrides=kinds if soft else {**kinds, "topic": pl.String},
    )


def log_of(requests: list[Request], **more):
    """Return a search log of the requests."""
    named = {"request": "q", "rank": "slot", "relevance": "worth", "item_groups": ["topic"]}
    return eh.log(frame_of(requests), kind="search", **named, **more)


def finding_of(notation: str, requests: list[Request], **more):
    """Return the finding of one measure on a log of the requests."""
    return eh.estimate(notation, log_of(requests, **more))


def of_each(notation: str, requests: list[Request]) -> list[float | None]:
    """Return a measure's figure of each request; None where it does not count."""
    measure = measure_named(parse(notation))
    lists = lists_of(requests)
    hold = np.ones(lists.requests, np.bool_)
    for condition in measure.conditions:
        hold &= condition.holds(lists)
    found = measure.per_request(lists)
    return [value if holds else None for value, holds in zip(found.tolist(), hold, strict=True)]


def assert_agree(notation: str, naive, requests: list[Request]) -> None:
    """Show that a measure is what the loop says, for every request and for their mean."""
    expected = [naive(request) for request in requests]
    assert of_each(notation, requests) == pytest.approx(expected, abs=1e-12)
    counted = [value for value in expected if value is not None]
    finding = finding_of(notation, requests)
    assert finding.value == pytest.approx(np.mean(counted), abs=1e-12)
    assert sum(part.rows for part in finding.excluded) == len(expected) - len(counted)


# What follows defines the measures once more. None says that a request does not count.


def within(request: Request, k: int | None) -> Request:
    return [i for i in in_order(request) if i.slot is not None and (k is None or i.slot <= k)]


def relevant(item: Item, rel: float = 1) -> bool:
    return item.relevance is not None and item.relevance >= rel


def precision(request, *, rel=1, k=None):
    if not any(relevant(i, rel) for i in request) or (k is None and not within(request, None)):
        return None
    hits = sum(relevant(i, rel) for i in within(request, k))
    return hits / (k or len(within(request, None)))


def recall(request, *, rel=1, k=None, ideal="all"):
    every = sum(relevant(i, rel) for i in (request if ideal == "all" else within(request, None)))
    return sum(relevant(i, rel) for i in within(request, k)) / every if every else None


def average_precision(request, *, rel=1, k=None, ideal="all"):
    every = sum(relevant(i, rel) for i in (request if ideal == "all" else within(request, None)))
    if not every:
        return None
    total = 0.0
    for item in within(request, k):
        if relevant(item, rel):
            above = within(request, item.slot)
            total += sum(relevant(i, rel) for i in above) / item.slot
    return total / every


def reciprocal_rank(request, *, rel=1, k=None):
    if not any(relevant(i, rel) for i in request):
        return None
    return next((1 / i.slot for i in within(request, k) if relevant(i, rel)), 0.0)


def success(request, *, rel=1, k=None):
    if not any(relevant(i, rel) for i in request):
        return None
    return float(any(relevant(i, rel) for i in within(request, k)))


def rbp(request, *, rel=1, k=None, p=0.8, gain="hit"):
    level = rel if gain == "hit" else math.ulp(0.0)
    if not any(relevant(i, level) for i in request):
        return None
    total = 0.0
    for i in within(request, k):
        worth = float(relevant(i, rel)) if gain == "hit" else i.relevance
        total += (1 - p) * p ** (i.slot - 1) * worth
    return total


def watch_time(request, *, column="seconds", k=None):
    return sum(i.numbers[column] for i in within(request, k))


def diversity(request, *, k=None):
    known = [i for i in within(request, k) if i.groups]
    if len(known) < 2:
        return None
    unlike, pairs = 0.0, 0
    for place, one in enumerate(known):
        for other in known[place + 1 :]:
            shared = len({*one.groups} & {*other.groups})
            unlike += 1 - shared / (len(one.groups) * len(other.groups))
            pairs += 1
    return unlike / pairs


def mix(weighted: list[tuple[Item, float]]) -> dict[str, float]:
    """Return the shares of groups among items with weights; empty where all weigh 0."""
    sums: Counter[str] = Counter()
    for item, weight in weighted:
        for name in item.groups:
            sums[name] += weight / len(item.groups)
    total = sum(sums.values())
    return {name: weight / total for name, weight in sums.items()} if total else {}


def entropy(request, *, k=None):
    shares = mix([(i, 1.0) for i in within(request, k)])
    if not shares:
        return None
    return -sum(share * math.log2(share) for share in shares.values() if share)


def calibration(request, *, k=None, divergence="kl", alpha=0.01):
    q = mix([(i, 1 / math.log2(1 + i.slot)) for i in within(request, k)])
    p = mix([(i, i.relevance or 0.0) for i in request])
    if not q or not p:
        return None
    names = {*p, *q}
    p, q = ({name: one.get(name, 0.0) for name in names} for one in (p, q))
    if divergence == "kl":
        return sum(
            p[g] * math.log(p[g] / ((1 - alpha) * q[g] + alpha * p[g])) for g in names if p[g]
        )
    if divergence == "hellinger":
        return math.sqrt(sum((math.sqrt(p[g]) - math.sqrt(q[g])) ** 2 for g in names) / 2)
    middle = {g: (p[g] + q[g]) / 2 for g in names}
    return sum(
        one[g] * math.log2(one[g] / middle[g]) / 2 for one in (p, q) for g in names if one[g]
    )


def list_popularity(request, *, column="bought", k=None):
    shown = within(request, k)
    return sum(i.numbers[column] for i in shown) / len(shown) if shown else None


def tail_count(request, *, tail=("a",), k=None):
    shown = within(request, k)
    if not shown:
        return None
    return sum(len({*i.groups} & {*tail}) / len(i.groups) for i in shown if i.groups)


def tail_share(request, *, tail=("a",), k=None):
    known = [i for i in within(request, k) if i.groups]
    return tail_count(known, tail=tail, k=k) / len(known) if known else None
