"""Time, memory and growth of audits from a million to a hundred million rows: ``make bench-scale``.

The log is that of ``benchmarks/scan.py``, written in files of ten million rows; a tenth as many
users as rows, who are in all files.

floor A   a hand-written count by group, on Polars
floor B   a hand-written count by (bucket, groups, label, prediction), on each engine
states    the states of a plan with five contrasts over 300 groups: what a daily job does
audit     the same and all figures with simultaneous intervals of 44,850 pairs, five times

Each contender runs in a process of its own, in turn; the fastest counts, and the largest resident
set. Spark runs once before it is timed, so that its start is apart.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import scan as floors

PART = 10_000_000
SIZES = (1_000_000, 10_000_000, 100_000_000)
ENGINES = ("polars", "duckdb", "spark")
FIVE = tuple(f"difference({name}, by=[country, age, segment])" for name in floors.MEASURES)
RATES = (
    *("selection_rate", "base_rate", "accuracy", "true_positive_rate", "false_positive_rate"),
    *("true_negative_rate", "false_negative_rate", "positive_predictive_value"),
    *("negative_predictive_value", "false_discovery_rate"),
)


def make_log(folder: Path, rows: int) -> None:
    """Write the log in files of ten million rows."""
    for part in range(max(1, rows // PART)):
        floors.make_log(folder / f"part-{part:03d}.parquet", min(rows, PART), rows // 10, part + 1)


def fifty(by: str = "[country, age, segment]") -> list[str]:
    """Return fifty different measures, alone and compared."""
    wanted = [
        contrast.format(name, by=by)
        for contrast in ("{}", "difference({}, by={by})", "ratio({}, by={by})")
        for name in RATES
    ]
    wanted += [f"difference({name}, by={one})" for name in RATES for one in ("country", "age")]
    return wanted


def _plan(folder: str, measures: list[str]) -> dict[str, object]:
    return {
        "evenhand": 1,
        "log": {"source": f"{folder}/*.parquet", "kind": "decisions"},
        "roles": {"label": "label", "prediction": "prediction"},
        "unit": "user",
        "measures": measures,
    }


def _counted(engine: str, measures: list[str]) -> Callable[[str], None]:
    def run(folder: str) -> None:
        import evenhand
        from evenhand.audits.plan import Located, plan_from
        from evenhand.audits.plan.fit import fit
        from evenhand.audits.run import count_rows
        from evenhand.audits.states.file import write_states

        plan = plan_from(Located("", _plan(folder, measures), {}))
        with tempfile.TemporaryDirectory() as target:
            states = count_rows(fit(plan, engine=engine), version=evenhand.__version__)
            write_states(states, Path(target) / "x.states")

    return run


def _audited(engine: str, measures: list[str]) -> Callable[[str], None]:
    def run(folder: str) -> None:
        import evenhand as eh

        with tempfile.TemporaryDirectory() as target:
            eh.audit(_plan(folder, measures), engine=engine, out=f"{target}/x.evidence.zip")

    return run


def _globbed(floor: Callable[[str], None]) -> Callable[[str], None]:
    return lambda folder: floor(f"{folder}/*.parquet")


def attributes(number: int) -> list[str]:
    """Return five contrasts by the first few attributes."""
    by = ", ".join(floors.GROUPS[:number])
    return [f"difference({name}, by=[{by}])" for name in floors.MEASURES]


RUNS: dict[str, Callable[[str], None]] = {
    "polars floor A": _globbed(floors.polars_floor_a),
    "polars floor B": _globbed(floors.polars_floor_b),
    "duckdb floor B": _globbed(floors.duckdb_floor_b),
    "spark floor B": floors.spark_floor_b,
    **{f"{engine} states": _counted(engine, list(FIVE)) for engine in ENGINES},
    **{f"{engine} audit": _audited(engine, list(FIVE)) for engine in ENGINES},
    "five measures": _counted("polars", list(FIVE)),
    "fifty measures": _counted("polars", fifty()),
    "no attribute": _counted("polars", list(floors.MEASURES)),
    **{
        f"{number} attribute{'s' * (number > 1)}": _counted("polars", attributes(number))
        for number in (1, 2, 3)
    },
}


def one(name: str, folder: str) -> None:
    """Run one contender; what is imported and started once is not timed."""
    import evenhand.audits.run
    import evenhand.audits.states.file
    import evenhand.measures.registry

    evenhand.measures.registry.measures()
    if name.startswith("duckdb"):
        import duckdb  # noqa: F401
    if name.startswith("spark"):
        with tempfile.TemporaryDirectory() as small:
            floors.make_log(Path(small) / "warm.parquet", 100_000)
            RUNS[name](small)
    start = time.perf_counter()
    RUNS[name](folder)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"seconds": seconds, "megabytes": peak}))


def measure(names: list[str], folder: Path, repeats: int) -> dict[str, dict[str, float]]:
    """Return the fastest time and the largest memory of each contender, run in turn."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(repeats):
        for name in names:
            words = ["-W", "ignore", __file__, "--one", name, "--folder", str(folder)]
            done = subprocess.run(  # noqa: S603
                [sys.executable, *words], capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.stderr.write(f"{name}: {done.stderr.strip().splitlines()[-1]}\n")
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            known = best.setdefault(name, found)
            known["seconds"] = min(known["seconds"], found["seconds"])
            known["megabytes"] = max(known["megabytes"], found["megabytes"])
    return best


def table(best: dict[str, dict[str, float]], bases: dict[str, str]) -> None:
    """Print contenders, each beside its base."""
    print("| contender | time | peak memory | time / base | base |\n|---|---|---|---|---|")
    for name, found in best.items():
        base = bases.get(name, name)
        ratio = found["seconds"] / best[base]["seconds"]
        seconds, megabytes = found["seconds"], found["megabytes"]
        print(f"| {name} | {seconds:.2f} s | {megabytes:,.0f} MB | {ratio:.2f} x | {base} |")
    print(flush=True)


def slope(times: dict[int, float]) -> float:
    """Return the slope of the logarithm of time over that of rows, by least squares."""
    points = [(math.log(rows), math.log(seconds)) for rows, seconds in times.items()]
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    above = sum((x - mean_x) * (y - mean_y) for x, y in points)
    return above / sum((x - mean_x) ** 2 for x, _ in points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one")
    parser.add_argument("--make", type=int)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    if options.make:
        make_log(options.folder, options.make)
        return
    if options.one:
        one(options.one, str(options.folder))
        return
    bases = {name: f"{name.split()[0]} floor B" for name in RUNS if name.split()[0] in ENGINES}
    bases["polars floor A"] = "polars floor B"
    bases |= {"fifty measures": "five measures"}
    bases |= {f"{number} attribute{'s' * (number > 1)}": "no attribute" for number in (1, 2, 3)}
    compared = [name for name in RUNS if name.split()[0] in ENGINES]
    times: dict[str, dict[int, float]] = {}
    for rows in (size for size in SIZES if size <= options.most):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # In a process of its own: a child's peak memory starts from its parent's.
            words = [__file__, "--make", str(rows), "--folder", name]
            subprocess.run([sys.executable, *words], check=True)  # noqa: S603
            size = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
            print(f"\n## {rows:,} rows, {size:,.0f} MB, {os.cpu_count()} cores\n", flush=True)
            best = measure(compared, folder, options.repeats)
            table(best, bases)
            for contender, found in best.items():
                times.setdefault(contender, {})[rows] = found["seconds"]
            if rows == PART:
                others = [name for name in RUNS if name not in compared]
                table(measure(others, folder, options.repeats), bases)
    if len(next(iter(times.values()))) > 1:
        print("| contender | slope of log time over log rows | from 10^7 on |\n|---|---|---|")
        for contender, found in times.items():
            late = {rows: seconds for rows, seconds in found.items() if rows >= PART}
            last = f"{slope(late):.2f}" if len(late) > 1 else "-"
            print(f"| {contender} | {slope(found):.2f} | {last} |")


if __name__ == "__main__":
    main()
