"""Time and memory of figures of ranked lists beside hand-written Polars: ``make bench-rankings``.

Asked are nDCG@10 by user group, the shares of exposure by item group, and the mean Jensen-Shannon
divergence of each request's exposure from the groups' shares of its items. Logs have 100,000
requests of 100 items, 1,000,000 of 20, and for memory 5,000,000 of 20.

floor      hand-written Polars: one group_by over requests, then one over users' groups
careful    the same, which also finds tied slots and repeated items, as an audit must
evenhand   the figures, with checks, intervals, chance and what can be reached
pytrec_eval, ranx   nDCG@10 alone, on 100,000 requests of 20, with what they need built first

Each runs three times in a process of its own, in turn; the fastest counts, and the largest
resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

TIERS = ("star", "established", "rising", "new")
BLOCK = 500_000
SHAPES = {"1e5 x 100": (100_000, 100), "1e6 x 20": (1_000_000, 20), "1e5 x 20": (100_000, 20)}
LARGE = {"2e6 x 20": (2_000_000, 20), "5e6 x 20": (5_000_000, 20)}
GRADES, CUT = 5, 10


def make_log(folder: Path, requests: int, size: int, seed: int = 1) -> None:
    """Write a log of whole requests, in files of half a million requests."""
    rng = np.random.default_rng(seed)
    folder.mkdir()
    for start in range(0, requests, BLOCK):
        count = min(BLOCK, requests - start)
        rows = count * size
        user = rng.integers(0, max(1, requests // 10), count)
        # Items of a request differ: a random start and an odd step through a power of two.
        first, step = rng.integers(0, 2**17, count), 2 * rng.integers(0, 2**16, count) + 1
        place = np.tile(np.arange(size), count)
        item = (first.repeat(size) + step.repeat(size) * place) % 2**17
        pl.DataFrame(
            {
                "user": user.repeat(size),
                "age": np.array(["young", "middle", "old"])[user % 3].repeat(size),
                "request": np.arange(start, start + count).repeat(size),
                "item": item,
                "slot": place.astype(np.int32) + 1,
                "grade": (rng.random(rows) ** 3 * GRADES).astype(np.int8),
                "tier": np.array(TIERS)[item % 7 % 4],
            }
        ).write_parquet(folder / f"{start:09d}.parquet")


def _floor(path: str, *checks: pl.Expr) -> None:
    rows = pl.scan_parquet(f"{path}/*.parquet")
    discount = 1 / (pl.col("slot") + 1).log(2)
    gained = pl.when(pl.col("slot") <= CUT).then(pl.col("grade") * discount).otherwise(0.0)
    grades = [*range(1, GRADES)]
    requests = rows.group_by("request").agg(
        gained.sum().alias("gained"),
        *((pl.col("grade") == grade).sum().alias(f"grade {grade}") for grade in grades),
        *(
            pl.when(pl.col("tier") == tier).then(discount).otherwise(0.0).sum().alias(f"e {tier}")
            for tier in TIERS
        ),
        *((pl.col("tier") == tier).sum().alias(f"n {tier}") for tier in TIERS),
        pl.col("user").first(),
        pl.col("age").first(),
        *checks,
    )
    table = requests.collect(engine="streaming")
    if checks:
        table = table.filter(pl.all_horizontal(pl.selectors.starts_with("check")))
    cumulated = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(2, CUT + 2)))])
    counts = table.select(f"grade {grade}" for grade in reversed(grades)).to_numpy()
    upto = np.minimum(np.cumsum(counts, axis=1), CUT)
    best = np.diff(cumulated[upto], axis=1, prepend=0.0) @ np.array(grades[::-1], float)
    table = table.with_columns(best=pl.Series(best))
    exposure = table.select(pl.selectors.starts_with("e ")).to_numpy()
    items = table.select(pl.selectors.starts_with("n ")).to_numpy()
    s = exposure / exposure.sum(axis=1, keepdims=True)
    t = items / items.sum(axis=1, keepdims=True)
    middle = (s + t) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.nan_to_num(s * np.log2(s / middle)) + np.nan_to_num(t * np.log2(t / middle))
    print(1 - parts.sum(axis=1).mean() / 2, exposure.sum(axis=0) / exposure.sum())
    judged = table.filter(pl.col("best") > 0)
    print(judged.group_by("age").agg((pl.col("gained") / pl.col("best")).mean()))


def floor(path: str) -> None:
    _floor(path)


def careful(path: str) -> None:
    tied = pl.col("slot").n_unique() == pl.len()
    _floor(
        path, tied.alias("check slot"), (pl.col("item").n_unique() == pl.len()).alias("check item")
    )


def evenhand(path: str, *figures: str) -> None:
    import evenhand as eh

    log = eh.log(
        f"{path}/*.parquet",
        kind="recommendation",
        user="user",
        request="request",
        item="item",
        rank="slot",
        relevance="grade",
        groups=["age"],
        item_groups=["tier"],
    )
    wanted = figures or (
        "difference(nDCG@10, by=age)",
        "shares(exposure, of=tier)",
        "AWRF(of=tier, target=candidates)",
    )
    for found in eh.estimates(wanted, log):
        print(found)


def evenhand_ndcg(path: str) -> None:
    evenhand(path, "nDCG@10")


def pytrec_eval(path: str) -> None:
    import pytrec_eval

    qrels: dict[str, dict[str, int]] = {}
    run: dict[str, dict[str, float]] = {}
    rows = pl.read_parquet(f"{path}/*.parquet", columns=["request", "item", "slot", "grade"])
    for request, item, slot, grade in rows.iter_rows():
        qrels.setdefault(str(request), {})[str(item)] = grade
        run.setdefault(str(request), {})[str(item)] = -float(slot)
    found = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10"}).evaluate(run)
    print(np.mean([one["ndcg_cut_10"] for one in found.values()]))


def ranx(path: str) -> None:
    from ranx import Qrels, Run, evaluate

    rows = pl.read_parquet(f"{path}/*.parquet", columns=["request", "item", "slot", "grade"])
    frame = rows.with_columns(
        pl.col("request", "item").cast(pl.String),
        pl.col("grade").cast(pl.Int64),
        score=-pl.col("slot").cast(pl.Float64),
    ).to_pandas()
    frame = frame.astype({"request": object, "item": object})
    qrels = Qrels.from_df(frame, q_id_col="request", doc_id_col="item", score_col="grade")
    run = Run.from_df(frame, q_id_col="request", doc_id_col="item", score_col="score")
    print(evaluate(qrels, run, "ndcg@10"))


CONTENDERS: dict[str, Callable[[str], None]] = {
    "floor": floor,
    "careful": careful,
    "evenhand": evenhand,
    "evenhand nDCG@10": evenhand_ndcg,
    "pytrec_eval nDCG@10": pytrec_eval,
    "ranx nDCG@10": ranx,
}
PEERS = ("evenhand nDCG@10", "pytrec_eval nDCG@10", "ranx nDCG@10")


def make(path: Path, requests: int, size: int) -> None:
    """Write a log in a process of its own: a child's peak memory starts from its parent's."""
    command = [sys.executable, __file__, "--log", str(path), "--make", f"{requests}", f"{size}"]
    subprocess.run(command, check=True)  # noqa: S603


def measure(name: str, path: Path, *, shown: bool) -> tuple[float, float] | None:
    """Return seconds and MB of a contender in a process of its own; None where it fails."""
    command = [sys.executable, "-W", "ignore", __file__, "--run", name, "--log", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        print(f"{name}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    *figures, last = done.stdout.strip().splitlines()
    if shown:
        print("\n".join(figures), file=sys.stderr)
    found = json.loads(last)
    return found["seconds"], found["mb"]


def run_one(name: str, path: str) -> None:
    import evenhand.audits
    import evenhand.measures.registry

    evenhand.measures.registry.measures()
    if name.startswith("pytrec"):
        import pytrec_eval  # noqa: F401
    if name.startswith("ranx"):
        import ranx  # noqa: F401
    began = time.perf_counter()
    CONTENDERS[name](path)
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {"seconds": seconds, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}
        )
    )


def compare(names: tuple[str, ...], path: Path, times: int) -> dict[str, tuple[float, float]]:
    """Return the best time and the largest memory of each, which run in turn."""
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(times):
        for name in names:
            one = measure(name, path, shown=turn == 0)
            if one is not None:
                found.setdefault(name, []).append(one)
    return {
        name: (min(s for s, _ in runs), max(mb for _, mb in runs)) for name, runs in found.items()
    }


def table(title: str, found: dict[str, tuple[float, float]], base: str) -> None:
    print(f"\n{title}\n\n| | seconds | MB | x {base} |\n|---|---|---|---|")
    for name, (seconds, mb) in found.items():
        ratio = f"{seconds / found[base][0]:.2f}" if base in found else "-"
        print(f"| {name} | {seconds:.2f} | {mb:.0f} | {ratio} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", choices=CONTENDERS)
    parser.add_argument("--log")
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="also 2 and 5 million requests")
    parser.add_argument("--make", nargs=2, type=int, metavar=("REQUESTS", "SIZE"))
    asked = parser.parse_args()
    if asked.make:
        make_log(Path(asked.log), *asked.make)
        return
    if asked.run:
        run_one(asked.run, asked.log)
        return
    print(f"{os.cpu_count()} cores, Polars {pl.__version__}")
    with tempfile.TemporaryDirectory() as folder:
        for title, (requests, size) in (SHAPES | (LARGE if asked.large else {})).items():
            path = Path(folder) / title.replace(" ", "")
            make(path, requests, size)
            if title in LARGE:
                table(title, compare(("evenhand",), path, 1), "evenhand")
            elif title == "1e5 x 20":
                table(title, compare(PEERS, path, asked.times), PEERS[0])
            else:
                table(title, compare(("floor", "careful", "evenhand"), path, asked.times), "floor")


if __name__ == "__main__":
    main()
