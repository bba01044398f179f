"""Audits of simulated products, and files of evidence that say the same of other versions.

An audit is run once for each kind of product and seed. Its file is then sealed anew for every
version that it stands for: only the plan's subject, the time and what follows from them change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

import evenhand
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.canonical import canonical, digest_of
from evenhand.audits.evidence.content import members_of
from evenhand.audits.evidence.manifest import comment_with
from evenhand.audits.evidence.zipped import MANIFEST, PLAN, pack
from evenhand.audits.plan.plan import Subject
from evenhand.centre.store.evidence import EvidenceFile, file_of
from evenhand.worlds.moderation import ModerationWorld
from evenhand.worlds.scores import ScoreWorld
from evenhand.worlds.search import Search
from evenhand.worlds.short_video import Creators, ShortVideo, Viewers

RATES = (
    "selection_rate",
    "base_rate",
    "true_positive_rate",
    "false_positive_rate",
    "false_negative_rate",
    "positive_predictive_value",
    "negative_predictive_value",
    "false_discovery_rate",
    "accuracy",
)
"""Rates of decisions."""


@dataclass(frozen=True)
class Made:
    """An audit that was run, about a subject whose names are filled in later.

    Attributes:
        bundle: The bundle.
        members: The members of its file.
        asked: The canonical JSON of its plan, whose SHA-256 is the plan's digest.

    """

    bundle: Bundle
    members: Mapping[str, bytes]
    asked: bytes

    def sealed(
        self, created: dt.datetime, *, product: str, model: str, version: str, owner: str
    ) -> tuple[bytes, EvidenceFile]:
        """Return the file of the same audit of another version, done at another time."""
        said = {"product": product, "model": model, "version": version, "owner": owner}
        subject = Subject.model_validate(said)
        plan = self.bundle.plan.model_copy(update={"subject": subject})
        text = _filled(self.members[PLAN], said)
        before = self.members[PLAN]
        manifest = self.members[MANIFEST]
        for old, new in (
            (self.bundle.created.isoformat(), created.isoformat()),
            (digest_of(self.asked), digest_of(_filled(self.asked, said))),
            (
                f'"bytes":{len(before)},"sha256":"{digest_of(before)}"',
                f'"bytes":{len(text)},"sha256":"{digest_of(text)}"',
            ),
        ):
            manifest = _replaced(manifest, old, new)
        digest = digest_of(manifest)
        data = pack({**self.members, PLAN: text, MANIFEST: manifest}, comment_with(digest))
        bundle = replace(self.bundle, plan=plan, created=created)
        return data, file_of(bundle, digest_of(data), digest, len(data))


_SUBJECT = {name: f"the-{name}-of-a-copy" for name in ("product", "model", "version", "owner")}


def _made(plan: Mapping[str, Any], rows: pl.DataFrame) -> Made:
    bundle = evenhand.audit({**plan, "subject": _SUBJECT}, table=rows)
    asked = canonical(bundle.plan.model_dump(mode="json"), PLAN)
    return Made(bundle, members_of(bundle), asked)


def _filled(text: bytes, said: Mapping[str, str]) -> bytes:
    for name, value in said.items():
        text = _replaced(text, _SUBJECT[name], value)
    return text


def _replaced(text: bytes, old: str, new: str) -> bytes:
    """Return a text in which something that is there once is something else."""
    if text.count(old.encode()) != 1:
        raise ValueError(f"{old} is there {text.count(old.encode())} times")
    return text.replace(old.encode(), new.encode())


def made(kind: str, seed: int) -> Made:
    """Return an audit of a kind of product."""
    plan, rows = KINDS[kind]
    return _made({**plan, "seed": seed}, rows(np.random.default_rng(seed)))


def large(size: int, seed: int = 1) -> Made:
    """Return an audit whose file has about this many bytes: the first one, in many slices."""
    plan, rows = KINDS["moderation"]
    table = rows(np.random.default_rng(seed))
    one = members_of(evenhand.audit(plan, table=table))
    count = max(1, round(size / sum(map(len, one.values()))))
    # Every slice has most of the rows, so that no figure is left out for want of units.
    ways = [f"part >= {50 * number}" for number in range(1, count)]
    measures = [{"measure": asked, "slices": ways} for asked in plan["measures"]]
    whole = {**plan, "measures": [*plan["measures"], *(measures if ways else [])]}
    parts = table.with_columns(part=pl.int_range(pl.len()) % 1000)
    return _made(whole, parts)


def _plan(
    name: str,
    kind: str,
    roles: Mapping[str, str],
    measures: Sequence[Any],
    gate: Sequence[tuple[str, str]],
    **more: Any,  # noqa: ANN401 - the plan's other keys
) -> dict[str, Any]:
    return {
        "evenhand": 1,
        "log": {"source": f"{name}.parquet", "kind": kind},
        "roles": dict(roles),
        "measures": [*measures],
        "gate": [{"id": rule_id, "rule": rule} for rule_id, rule in gate],
        **more,
    }


def _of_rates(group: str, pairs: Sequence[str]) -> Iterator[str]:
    """Yield measures of decisions between the groups."""
    yield from RATES
    for rate in RATES:
        yield f"difference({rate}, by={group})"
        yield f"ratio({rate}, by={group})"
        yield f"to_overall({rate}, by={group})"
    for rate in pairs:
        yield f"pairs({rate}, by={group})"


_MODERATION = _plan(
    "videos",
    "decisions",
    {"label": "breaks_rules", "prediction": "removed"},
    [*_of_rates("language", RATES[:7])],
    [
        ("wrongly-removed", "difference(false_positive_rate, by=language) <= 0.05"),
        ("rightly-removed", "difference(true_positive_rate, by=language) <= 0.2"),
    ],
    unit="creator",
    groups={"language": "language"},
)

_LENDING = _plan(
    "loans",
    "decisions",
    {"label": "label", "prediction": "prediction", "score": "score"},
    [
        *_of_rates("group", RATES),
        *("auc", "brier_score", "difference(auc, by=group)", "worst(auc, by=group)"),
    ],
    [
        ("chances-alike", "difference(true_positive_rate, by=group) <= 0.5"),
        ("ranks-well", "worst(auc, by=group) >= 0.55"),
    ],
    unit="unit",
    groups={"group": "group"},
)

_AT = (1, 3, 5, 10, 15, 20)
"""Depths of lists."""

_FEED = _plan(
    "feed",
    "recommendation",
    {
        "user": "user",
        "request": "request_id",
        "item": "item",
        "rank": "slot",
        "relevance": "relevance",
    },
    [
        *(f"{one}@{k}" for one in ("nDCG", "P", "R", "RBP") for k in _AT),
        *(f"difference(nDCG@{k}, by={by})" for by in ("age_band", "gender") for k in _AT),
        *(f"difference(P@{k}, by={by})" for by in ("age_band", "gender") for k in _AT),
        "pairs(nDCG@10, by=age_band)",
        "pairs(P@10, by=age_band)",
        *(f"shares(exposure@{k}, of=creator_tier)" for k in _AT),
        *(f"AWRF(of=creator_tier, target=candidates)@{k}" for k in _AT),
        *(f"exposure_gini@{k}" for k in _AT),
    ],
    [
        ("served-alike", "difference(nDCG@10, by=age_band) <= 0.03"),
        ("genders-alike", "difference(nDCG@10, by=gender) <= 0.1"),
        ("creators-shown", "shares(exposure@10, of=creator_tier) <= 0.2"),
    ],
    unit="user",
    groups={"age_band": "age_band", "gender": "gender"},
    item_groups={"creator_tier": "creator_tier"},
)

_SEARCH = _plan(
    "searches",
    "search",
    {
        "request": "ranking_id",
        "query": "query_id",
        "item": "doc_id",
        "rank": "position",
        "relevance": "grade",
    },
    [
        *(f"{one}@{k}" for one in ("nDCG", "P", "R", "RBP") for k in _AT),
        *(f"difference({one}@{k}, by=locale)" for one in ("nDCG", "P") for k in _AT),
        *(f"pairs({one}@{k}, by=locale)" for one in ("nDCG", "P") for k in (5, 10)),
        *(f"shares(exposure@{k}, of=author_group)" for k in _AT),
        *(f"AWRF(of=author_group, target=candidates)@{k}" for k in _AT),
        *("EE_D", "EE_R", "EE_L"),
    ],
    [
        ("locales-alike", "difference(nDCG@10, by=locale) <= 0.05"),
        ("good-results", "nDCG@10 >= 0.5"),
    ],
    unit="query_id",
    groups={"locale": "locale"},
    item_groups={"author_group": "author_groups"},
)

_ERRORS = ("mean_error", "mae", "mse", "rmse")
_SIZES = ["rooms >= 1", "rooms <= 2", "rooms >= 4"]

_PRICES = _plan(
    "homes",
    "regression",
    {"label": "price", "prediction": "estimate"},
    [
        {"measure": asked, "slices": _SIZES}
        for error in _ERRORS
        for asked in (error, *(f"{way}({error}, by=region)" for way in ("difference", "pairs")))
    ],
    [("errs-alike", "difference(mae, by=region) <= 5")],
    groups={"region": "region"},
)


def _loans(rng: np.random.Generator) -> pl.DataFrame:
    groups = {"18-29": -0.4, "30-44": 0.1, "45-59": 0.3, "60+": 0.0}
    world = ScoreWorld(groups, dict.fromkeys(groups, 1.2), slopes={"18-29": 0.6}, rows_per_unit=3)
    return world.rows({"18-29": 300, "30-44": 400, "45-59": 260, "60+": 25}, rng)


def _videos(rng: np.random.Generator) -> pl.DataFrame:
    creators = {"English": 300, "Spanish": 240, "Hindi": 200, "Swahili": 45, "Wolof": 12}
    return ModerationWorld(creators=creators).rows(rng)


def _feed(rng: np.random.Generator) -> pl.DataFrame:
    tiers = {"star": 40, "established": 100, "rising": 100, "new": 100}
    world = ShortVideo(
        viewers=Viewers(count=400),
        creators=Creators(tiers=tiers, moves=0.0),
        requests=1_200,
        days=1,
    )
    tables = world.simulate(int(rng.integers(2**31)), unshown="all")
    tier = tables.creators.select("creator_id", "creator_tier")
    return tables.log.join(tier, on="creator_id", how="left", maintain_order="left")


def _searches(rng: np.random.Generator) -> pl.DataFrame:
    return Search(queries=200, rankings=2).simulate(int(rng.integers(2**31)))


def _homes(rng: np.random.Generator) -> pl.DataFrame:
    regions = np.array(["coast", "hills", "plain", "town"])[rng.integers(0, 4, 4_000)]
    price = rng.lognormal(5, 0.4, 4_000)
    noise = rng.normal(np.where(regions == "hills", 12, 0), 25)
    rooms = rng.integers(1, 6, 4_000)
    return pl.DataFrame(
        {"region": regions, "rooms": rooms, "price": price, "estimate": price + noise}
    )


KINDS: Mapping[str, tuple[dict[str, Any], Callable[[np.random.Generator], pl.DataFrame]]] = {
    "moderation": (_MODERATION, _videos),
    "lending": (_LENDING, _loans),
    "feed": (_FEED, _feed),
    "search": (_SEARCH, _searches),
    "prices": (_PRICES, _homes),
}
"""Plan and rows of each kind of product."""
