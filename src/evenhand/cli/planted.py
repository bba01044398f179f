"""Products whose unfairness is planted: plans, and what is true of them.

What is true of them comes from the worlds themselves, which know it by formula or from many runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

    from evenhand.audits.evidence.bundle import Bundle
    from evenhand.audits.finding import Finding
    from evenhand.worlds.ranked import MonteCarlo
    from evenhand.worlds.short_video import ShortVideo

DEPTH = 10
"""Slots of the figures whose truth is told."""

_RUNS = 8
"""Runs of a world, whose spread tells how well the truth itself is known."""

_DEPTHS = [f"shares(exposure@{k}, of={{of}})" for k in (5, DEPTH, 20)]
_CURVE = [f"top_share(share={p})@{DEPTH}" for p in (0.01, 0.05, 0.1, 0.2, 0.5)]

_VARIANT = re.compile(r"variant == '(.+)'")
"""A slice of one variant of a probe's log."""

MODERATION: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": {"product": "short videos", "model": "moderation", "version": "demo"},
    "log": {"source": "simulated videos", "kind": "decisions"},
    "roles": {"label": "breaks_rules", "prediction": "removed"},
    "unit": "creator",
    "groups": {"language": "language"},
    "measures": [
        "difference(false_positive_rate, by=language)",
        "difference(true_positive_rate, by=language)",
        "worst(true_positive_rate, by=language)",
        "pairs(false_positive_rate, by=language)",
        "accuracy",
    ],
    "gate": [
        {
            "id": "wrongly-removed",
            "rule": "difference(false_positive_rate, by=language) <= 0.05",
            "why": "videos within the rules are removed alike in every language",
        },
        {
            "id": "rightly-removed",
            "rule": "difference(true_positive_rate, by=language) <= 0.1",
            "why": "videos that break the rules are found alike in every language",
        },
        {"id": "finds-enough", "rule": "worst(true_positive_rate, by=language) >= 0.6"},
    ],
}

FEED: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": {"product": "short videos", "model": "feed", "version": "demo"},
    "log": {"source": "simulated feed", "kind": "recommendation"},
    "roles": {
        "user": "user",
        "request": "request_id",
        "item": "item",
        "rank": "slot",
        "relevance": "relevance",
    },
    "unit": ["user", "creator_id"],
    "groups": {"age_band": "age_band", "gender": "gender"},
    "item_groups": {"creator_tier": "creator_tier"},
    "measures": [
        "nDCG@10",
        "difference(nDCG@10, by=age_band)",
        "difference(nDCG@10, by=gender)",
        *(one.format(of="creator_tier") for one in _DEPTHS),
        "ratio(exposure_per_relevance@10, of=creator_tier)",
        "AWRF(of=creator_tier, target=candidates)@10",
        "exposure_gini@10",
        *_CURVE,
    ],
    "gate": [
        {
            "id": "served-alike",
            "rule": "difference(nDCG@10, by=age_band) <= 0.03",
            "why": "lists are as good for viewers of every age",
        },
        {
            "id": "genders-alike",
            "rule": "difference(nDCG@10, by=gender) <= 0.05",
            "why": "lists are as good for viewers of every gender",
        },
        {
            "id": "creators-shown",
            "rule": "shares(exposure@10, of=creator_tier) <= 0.05",
            "why": "tiers are shown in proportion to what could be shown",
        },
    ],
}

RESULTS: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": {"product": "library", "model": "search", "version": "demo"},
    "log": {"source": "simulated search", "kind": "search"},
    "roles": {
        "request": "ranking_id",
        "query": "query_id",
        "item": "doc_id",
        "rank": "position",
        "relevance": "grade",
    },
    "unit": "query_id",
    "groups": {"locale": "locale"},
    "item_groups": {"author_group": "author_groups"},
    "measures": [
        "nDCG@10",
        "difference(nDCG@10, by=locale)",
        *(one.format(of="author_group") for one in _DEPTHS),
        "AWRF(of=author_group, target=candidates)@10",
        *("EE_D", "EE_R", "EE_L"),
    ],
    "gate": [
        {
            "id": "locales-alike",
            "rule": "difference(nDCG@10, by=locale) <= 0.03",
            "why": "results are as good in every language",
        },
        {
            "id": "authors-shown",
            "rule": "shares(exposure@10, of=author_group) <= 0.03",
            "why": "authors are shown in proportion to what could be shown",
        },
        {"id": "good-results", "rule": "nDCG@10 >= 0.7"},
    ],
}


@dataclass(frozen=True)
class Product:
    """A simulated product.

    Attributes:
        name: What its files are called.
        title: A heading.
        planted: What was planted, in a sentence.
        plan: Its plan.
        rows: Its log; None where the plan names a file.
        truth: True values by the key and the slice of a finding, then by group; by no group for a
            figure of all.

    """

    name: str
    title: str
    planted: str
    plan: Mapping[str, Any]
    rows: pl.DataFrame | None
    truth: Mapping[tuple[str, str | None], Mapping[str, MonteCarlo]]


def feed(seed: int) -> Product:
    """Return a feed that serves older viewers worse and shows star creators more."""
    world = _feed_world()
    truth = world.truth(runs=_RUNS, k=DEPTH)
    shown = truth.shown["creator_tier"].exposure_share(_weights("log2", DEPTH))
    return Product(
        name="feed",
        title=f"A simulated feed: {world.viewers.count:,} viewers, {world.requests:,} requests",
        planted="lists are worse for viewers of 45 and over, and videos of star creators are "
        "pushed up whatever viewers like; genders are served alike.",
        plan=FEED,
        rows=_feed_rows(world, seed),
        truth={
            (f"difference(nDCG@{DEPTH}, by=age_band)", None): truth.ndcg["age_band"],
            (f"difference(nDCG@{DEPTH}, by=gender)", None): truth.ndcg["gender"],
            (f"shares(exposure@{DEPTH}, of=creator_tier, target=candidates)", None): shown,
        },
    )


def repaired_feed(seed: int) -> pl.DataFrame:
    """Return the log of a feed in which nothing is planted, with more viewers."""
    from evenhand.worlds.short_video import Viewers

    return _feed_rows(
        replace(
            _feed_world(), viewers=Viewers(count=4_000), requests=12_000, boost={}, noise_of={}
        ),
        seed,
    )


def _feed_world() -> ShortVideo:
    from evenhand.worlds.short_video import Creators, ShortVideo, Viewers

    return ShortVideo(
        viewers=Viewers(count=1_500),
        # A tier of enough creators to be shown, and the same on every day.
        creators=Creators(
            tiers={"star": 40, "established": 160, "rising": 200, "new": 200}, moves=0.0
        ),
        boost={"star": 1.5},
        requests=6_000,
        days=2,
    )


def _feed_rows(world: ShortVideo, seed: int) -> pl.DataFrame:
    tables = world.simulate(seed, unshown="all")
    tiers = tables.creators.select("creator_id", "creator_tier")
    return tables.log.join(tiers, on="creator_id", how="left", maintain_order="left")


def repaired_results(seed: int) -> pl.DataFrame:
    """Return the log of a search product in which nothing is planted, with more queries."""
    from evenhand.worlds.search import Search

    return Search(queries=2_000, rankings=2, noise_of={}, penalty={}).simulate(seed)


def results(seed: int) -> Product:
    """Return a search product that is worse in one language and holds some authors down."""
    from evenhand.worlds.ranked import MonteCarlo
    from evenhand.worlds.search import UNKNOWN, Search

    world = Search(queries=600, rankings=4)
    truth = world.truth(runs=_RUNS, k=DEPTH)
    shown = truth.shown.exposure_share(_weights("log2", DEPTH))
    # Findings share out the exposure of documents whose authors are known.
    known = 1 - shown.pop(UNKNOWN).value
    shares = {
        group: MonteCarlo(one.value / known, one.error / known, one.runs)
        for group, one in shown.items()
    }
    spread = truth.per_document.disparity(_weights("geometric", world.slots))
    return Product(
        name="search",
        title=f"A simulated search product: {world.queries:,} queries, {world.rankings} sampled "
        "rankings each",
        planted="results are worse in Maltese, and documents are held down by the part of their "
        "authors that is from the south.",
        plan=RESULTS,
        rows=world.simulate(seed),
        truth={
            (f"difference(nDCG@{DEPTH}, by=locale)", None): truth.ndcg,
            (f"shares(exposure@{DEPTH}, of=author_group, target=candidates)", None): shares,
            ("EE_D", None): {"": spread},
        },
    )


PRODUCTS: tuple[Callable[[int], Product], ...] = (feed, results)


def _weights(browsing: str, depth: int) -> list[float]:
    """Return the weights of slots, as the audit's own browsing model has them."""
    from evenhand.measures.browsing import Browsing, browsing_from

    model = browsing_from(browsing)
    slots = model.slots(depth) if isinstance(model, Browsing) else None
    if slots is None:
        raise TypeError(f"{browsing} is no model of slots alone")
    return [float(weight) for weight in slots]


def told(product: Product, bundle: Bundle) -> list[dict[str, Any]]:
    """Return what was planted beside what the audit of a product found."""
    by_key = {(one.key, one.slice): one for one in bundle.findings}
    return [
        _line(by_key[key], group, value)
        for key, values in product.truth.items()
        for group, value in values.items()
    ]


def _line(finding: Finding, group: str, planted: MonteCarlo) -> dict[str, Any]:
    from evenhand.stats.estimate import Estimate

    outcomes = {"": finding.outcome} | {
        ", ".join(one.group.values()): one.outcome for one in finding.groups
    }
    outcome = outcomes.get(group)
    figure = f"share of {finding.measure}" if finding.contrast == "shares" else finding.measure
    variant = _VARIANT.fullmatch(finding.slice or "")
    # What is read rightly as it is is the same under every variant.
    figure += f", {variant[1]}" if variant and finding.measure != "clean_accuracy" else ""
    line = {"figure": figure, "group": group, "planted": planted.value, "error": planted.error}
    if not isinstance(outcome, Estimate):
        return {**line, "found": None, "says": "not looked at: too few units to be shown"}
    found = {"value": outcome.value, "low": outcome.low, "high": outcome.high}
    inside = outcome.low <= planted.value <= outcome.high
    return {**line, "found": found, "says": "within the interval" if inside else "outside it"}
