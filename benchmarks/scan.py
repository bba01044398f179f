"""Time and memory of one scan beside the best that can be written by hand: ``make bench``.

A log of 10 million rows, 1 million users, 300 groups (country x age x segment) and 128 buckets.

floor A   a hand-written count by group, on Polars
floor B   a hand-written count by (bucket, groups, label, prediction), on each engine
evenhand  the state of five measures by the three groups, from which every figure follows
whole     the same with all five contrasts over 300 groups and their simultaneous intervals

Each runs three times in a process of its own, in turn; the fastest counts, and the largest
resident set. Fairlearn's MetricFrame computes the same five measures, without intervals.
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

GROUPS = ("country", "age", "segment")
MEASURES = ("selection_rate", "base_rate", "true_positive_rate", "false_positive_rate", "accuracy")
ROWS = 10_000_000
POSITIVE, SELECTED = 0.3, 0.6


def make_log(path: Path, rows: int, users: int | None = None, seed: int = 1) -> None:
    """Write the log; the same seed gives the same rows, of a tenth as many users by default."""
    rng = np.random.default_rng(seed)
    sizes = {"country": 10, "age": 6, "segment": 5}
    groups = {
        name: np.array([f"{name}-{i}" for i in range(size)])[rng.integers(0, size, rows)]
        for name, size in sizes.items()
    }
    score = rng.random(rows).round(3)
    pl.DataFrame(
        {
            "user": rng.integers(0, max(1, users or rows // 10), rows),
            **groups,
            "label": (rng.random(rows) < POSITIVE).astype(np.int8),
            "score": score,
            "prediction": (score > SELECTED).astype(np.int8),
        }
    ).write_parquet(path)


def _floor_b_sql(table: str) -> str:
    """Return the count by bucket, groups, label and prediction in SQL that DuckDB and Spark run."""
    keys = ", ".join([*GROUPS, "label", "prediction"])
    p = "cast(2147483647 as bigint)"
    return f"""
        with hashed as (select *, user % {p} as a from {table}),
        squared as (select *, a * a % {p} as b from hashed),
        fourth as (select *, b * b % {p} as c from squared)
        select (((c * a % {p}) * 69069 + 12345) % {p}) % 128 as bucket, {keys}, count(*) as n
        from fourth group by bucket, {keys}
    """  # noqa: S608 - a benchmark of our own file


def polars_floor_a(path: str) -> None:
    pl.scan_parquet(path).group_by(*GROUPS).len().collect(engine="streaming")


def polars_floor_b(path: str) -> None:
    prime = 2**31 - 1
    a = pl.col("user") % prime
    b = a * a % prime
    b = b * b % prime
    bucket = (((b * a % prime) * 69069 + 12345) % prime) % 128
    rows = pl.scan_parquet(path).with_columns(bucket=bucket)
    rows.group_by("bucket", *GROUPS, "label", "prediction").len().collect(engine="streaming")


def duckdb_floor_b(path: str) -> None:
    import duckdb

    duckdb.sql(_floor_b_sql(f"'{path}'")).pl()


def spark_floor_b(path: str) -> None:
    from evenhand.logs.backend import spark_session

    session = spark_session()
    session.read.parquet(path).createOrReplaceTempView("log")
    session.sql(_floor_b_sql("log")).toArrow()


def _state(engine: str) -> Callable[[str], None]:
    def run(path: str) -> None:
        import evenhand as eh
        from evenhand.engine import Request, plan_scan, scan
        from evenhand.measures.registry import measures

        log = eh.log(
            path,
            kind="decisions",
            label="label",
            prediction="prediction",
            unit="user",
            engine=engine,
        )
        requests = [Request(measures()[name](), GROUPS) for name in MEASURES]
        scan(plan_scan(requests, log), log)

    return run


def whole(path: str) -> None:
    import evenhand as eh

    log = eh.log(path, kind="decisions", label="label", prediction="prediction", unit="user")
    eh.estimates([f"difference({name}, by=[{', '.join(GROUPS)}])" for name in MEASURES], log)


def fairlearn(path: str) -> None:
    import pandas as pd
    from fairlearn.metrics import (
        MetricFrame,
        false_positive_rate,
        selection_rate,
        true_positive_rate,
    )
    from sklearn.metrics import accuracy_score

    rows = pd.read_parquet(path)
    metrics = {
        "selection_rate": selection_rate,
        "base_rate": lambda y_true, _: selection_rate(y_true, y_true),
        "true_positive_rate": true_positive_rate,
        "false_positive_rate": false_positive_rate,
        "accuracy": accuracy_score,
    }
    frame = MetricFrame(
        metrics=metrics,
        y_true=rows["label"],
        y_pred=rows["prediction"],
        sensitive_features=rows[[*GROUPS]],
    )
    frame.difference()


RUNS: dict[str, Callable[[str], None]] = {
    "polars floor A": polars_floor_a,
    "polars floor B": polars_floor_b,
    "polars evenhand": _state("polars"),
    "polars whole": whole,
    "duckdb floor B": duckdb_floor_b,
    "duckdb evenhand": _state("duckdb"),
    "spark floor B": spark_floor_b,
    "spark evenhand": _state("spark"),
    "fairlearn": fairlearn,
}


def one(name: str, path: str) -> None:
    """Run one contender twice for Spark, whose session start is not the scan, else once."""
    warm = name.startswith("spark")
    import evenhand.audits
    import evenhand.measures.registry

    evenhand.measures.registry.measures()
    if name == "fairlearn":
        import fairlearn.metrics  # noqa: F401
    if name.startswith("duckdb"):
        import duckdb  # noqa: F401
    if warm:
        RUNS[name](path)
    start = time.perf_counter()
    RUNS[name](path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak}))


def _make(path: Path, rows: int) -> None:
    """Write the log in a process of its own: a child's peak memory starts from its parent's."""
    command = [sys.executable, __file__, "--make", "--rows", str(rows), "--log", str(path)]
    subprocess.run(command, check=True)  # noqa: S603


def measure(names: list[str], path: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Return the fastest time and the largest memory of each contender, run in turn."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(repeats):
        for name in names:
            command = [sys.executable, "-W", "ignore", __file__, "--one", name, "--log", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                sys.stderr.write(f"{name}: {done.stderr.strip().splitlines()[-1]}\n")
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            known = best.setdefault(name, found)
            known["seconds"] = min(known["seconds"], found["seconds"])
            known["megabytes"] = max(known["megabytes"], found["megabytes"])
    return best


def ratios(best: dict[str, dict[str, float]], base: str) -> list[str]:
    """Return table rows of each contender beside a base."""
    lines = []
    for name, found in best.items():
        time_ratio = found["seconds"] / best[base]["seconds"]
        memory_ratio = found["megabytes"] / best[base]["megabytes"]
        lines.append(
            f"| {name} | {found['seconds']:.2f} s | {found['megabytes']:,.0f} MB "
            f"| {time_ratio:.2f} x | {memory_ratio:.2f} x |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one")
    parser.add_argument("--make", action="store_true")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if options.make:
        make_log(options.log, options.rows)
        return
    if options.one:
        one(options.one, str(options.log))
        return
    head = [
        "| contender | time | peak memory | time / base | memory / base |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.parquet"
        _make(path, options.rows)
        print(f"{options.rows:,} rows, {path.stat().st_size / 1e6:.0f} MB, {os.cpu_count()} cores")
        for engine in ("polars", "duckdb", "spark"):
            names = [name for name in RUNS if name.startswith(engine)]
            best = measure(names, path, options.repeats)
            base = f"{engine} floor B"
            print("\n".join([f"\nbase: {base}", *head, *ratios(best, base)]), flush=True)
            if engine == "polars":
                share = best["polars evenhand"]["seconds"] / best["polars floor A"]["seconds"]
                print(f"\npolars evenhand / polars floor A: {share:.2f} x")
        for rows in (100_000, 1_000_000):
            _make(path, rows)
            best = measure(["polars whole", "polars evenhand", "fairlearn"], path, options.repeats)
            print(
                "\n".join(
                    [f"\n{rows:,} rows, base: polars whole", *head, *ratios(best, "polars whole")]
                )
            )


if __name__ == "__main__":
    main()
