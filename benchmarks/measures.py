"""Time of many measures beside few, and of score measures beside a kernel: ``make bench-measures``.

A log of 10 million rows with continuous scores, 1 million users and 300 groups.

five, fifty    the state of five measures, and of fifty, of the same kinds (rates, errors, scores)
kernel         a hand-written count by (group, label, 65,536 bins of the score) in NumPy, with the
               AUC and the calibration in the large of all groups
evenhand       the same two measures: the state, and all with intervals
replicates     1,000 bootstrap replicates of the sums of the five measures, beside their scan

Each runs in turn in one process, three times; the fastest counts. Beside them, on 100,000 rows,
the AUC of every group by scikit-learn in a loop and by Fairlearn's MetricFrame.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

import evenhand as eh
from evenhand.audits.estimate import requests
from evenhand.audits.question import ask
from evenhand.engine import plan_scan, scan
from evenhand.engine.table import group_column
from evenhand.logs.log import Log
from evenhand.logs.unit import BUCKET, BUCKETS
from evenhand.measures.decisions.confusion import Rate
from evenhand.measures.registry import measures
from evenhand.stats.resample import bucket_replicates

SIZES = {"country": 10, "age": 6, "segment": 5}
BY = f"by=[{', '.join(SIZES)}]"
FIVE = ("selection_rate", "true_positive_rate", "brier_score", "f1", "auc")
ROWS = 10_000_000
_BINS = 65_536


def make_log(path: Path, rows: int) -> None:
    """Write the log; the same seed gives the same rows."""
    rng = np.random.default_rng(1)
    groups = {
        name: np.array([f"{name}-{i}" for i in range(size)])[rng.integers(0, size, rows)]
        for name, size in SIZES.items()
    }
    score = rng.uniform(0.001, 0.999, rows)
    columns = {
        "user": rng.integers(0, max(1, rows // 10), rows),
        **groups,
        "label": (rng.random(rows) < score).astype(np.int8),
        "score": score,
        "prediction": (score > rng.random(rows)).astype(np.int8),
    }
    pl.DataFrame(columns).write_parquet(path)


def fifty(roles: set[str]) -> list[str]:
    """Return fifty measures that need no other roles; some of them of the other class."""
    names = [n for n, cls in measures().items() if cls.reads == "classes" and {*cls.needs} <= roles]
    rates = [name for name in names if issubclass(measures()[name], Rate)]
    others = [name for name in names if hasattr(measures()[name], "positive")]
    more = [*(f"{n}(positive=0)" for n in others), *(f"{n}(average=macro)" for n in rates)]
    powers = [f"generalized_entropy(alpha={alpha})" for alpha in range(3, 12)]
    return [*names, *more, *powers][:50]


def state(log: Log, names: list[str] | tuple[str, ...]) -> Callable[[], object]:
    questions = ask([f"difference({name}, {BY})" for name in names], log)
    return lambda: scan(plan_scan(requests(questions), log), log)


def kernel(path: Path) -> None:
    """Count by group, label and bin, and compute both measures of all groups."""
    places = [
        pl.col(name).cast(pl.Enum([f"{name}-{i}" for i in range(size)])).to_physical()
        for name, size in SIZES.items()
    ]
    rows = pl.scan_parquet(path).select(*places, "label", "score")
    groups = int(np.prod([*SIZES.values()]))
    counts = np.zeros(groups * 2 * _BINS)
    for batch in rows.collect_batches(chunk_size=2_500_000, engine="streaming"):
        cell = np.zeros(len(batch), dtype=np.int64)
        for name, size in SIZES.items():
            cell = cell * size + batch[name].to_numpy()
        bins = np.floor(batch["score"].to_numpy() * _BINS).astype(np.int64)
        index = (cell * 2 + batch["label"].to_numpy()) * _BINS + bins
        counts += np.bincount(index, minlength=counts.size)
    negatives, positives = np.moveaxis(counts.reshape(groups, 2, _BINS), 1, 0)
    below = np.cumsum(negatives, axis=1) - negatives / 2
    _ = (positives * below).sum(axis=1) / positives.sum(axis=1) / negatives.sum(axis=1)
    scores = (np.arange(_BINS) + 0.5) / _BINS
    total = positives + negatives
    _ = (positives.sum(axis=1) - total @ scores) / total.sum(axis=1)


def sklearn_loop(rows: pl.DataFrame) -> None:
    from sklearn.metrics import roc_auc_score

    for _, group in rows.group_by([*SIZES]):
        roc_auc_score(group["label"], group["score"])


def fairlearn(rows: pl.DataFrame) -> None:
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import roc_auc_score

    frame = MetricFrame(
        metrics=roc_auc_score,
        y_true=rows["label"].to_numpy(),
        y_pred=rows["score"].to_numpy(),
        sensitive_features=rows.select([*SIZES]).to_pandas(),
    )
    frame.by_group  # noqa: B018 - computed here


def fastest(runs: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    best = dict.fromkeys(runs, np.inf)
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def table(title: str, best: dict[str, float], base: str) -> str:
    lines = [f"\n{title}, base: {base}\n", "| contender | time | time / base |", "|---|---|---|"]
    lines += [f"| {n} | {s:.2f} s | {s / best[base]:.2f} x |" for n, s in best.items()]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    roles = {"label": "label", "prediction": "prediction", "score": "score"}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        make_log(path, options.rows)
        plain = eh.log(str(path), kind="decisions", **roles)
        by_user = eh.log(str(path), kind="decisions", unit="user", **roles)
        rates = FIVE[:2]
        sums = (
            scan(
                plan_scan(
                    requests(ask([f"difference({n}, {BY})" for n in rates], by_user)), by_user
                ),
                by_user,
            )
            .sums_by([*SIZES])
            .frame
        )
        keys = [BUCKET, *map(group_column, SIZES)]
        names = [name for name in sums.columns if name not in keys]
        dense = np.zeros((len(names), BUCKETS, sums.select(keys[1:]).n_unique()))
        place = sums.select(pl.struct(keys[1:]).rank("dense")).to_series().to_numpy() - 1
        for index, name in enumerate(names):
            dense[index, sums[BUCKET].to_numpy(), place] = sums[name].to_numpy()
        auc = [f"worst(auc, {BY})", f"difference(calibration_in_the_large, {BY})"]
        print(f"{options.rows:,} rows, 300 groups")
        best = fastest(
            {"five": state(plain, FIVE), "fifty": state(plain, fifty({*roles}))}, options.repeats
        )
        print(table("Many measures of decisions and scores", best, "five"), flush=True)
        decisions = fifty({"label", "prediction"})
        best = fastest(
            {"five": state(plain, decisions[:5]), "fifty": state(plain, decisions)},
            options.repeats,
        )
        print(table("Many measures of decisions", best, "five"), flush=True)
        best = fastest(
            {
                "kernel": lambda: kernel(path),
                "evenhand, state": state(plain, ("auc", "calibration_in_the_large")),
                "evenhand, with intervals": lambda: eh.estimates(auc, plain),
            },
            options.repeats,
        )
        print(table("AUC and calibration", best, "kernel"), flush=True)
        best = fastest(
            {
                "scan by user": state(by_user, rates),
                "1,000 replicates": lambda: bucket_replicates(
                    dense, 1_000, np.random.default_rng(1)
                ),
            },
            options.repeats,
        )
        print(table("Replicates", best, "scan by user"), flush=True)
        make_log(path, 100_000)
        small = pl.read_parquet(path)
        log = eh.log(str(path), kind="decisions", **roles)
        best = fastest(
            {
                "evenhand, with intervals": lambda: eh.estimates(auc[:1], log),
                "scikit-learn, loop": lambda: sklearn_loop(small),
                "Fairlearn MetricFrame": lambda: fairlearn(small),
            },
            options.repeats,
        )
        print(table("AUC of 300 groups, 100,000 rows", best, "evenhand, with intervals"))


if __name__ == "__main__":
    main()
