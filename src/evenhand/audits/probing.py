"""A probe whose log goes to a file: finished blocks are kept beside it, and pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from evenhand.audits.evidence.file import check_targets, write_all
from evenhand.audits.plan.model import SHOWN
from evenhand.audits.run import kept_beside
from evenhand.errors import OutputError, Problem, StoppedError
from evenhand.logs.reader import format_of
from evenhand.models.inputs import Inputs
from evenhand.models.model import Model
from evenhand.probes import picture
from evenhand.probes.kept import forget, kept_in
from evenhand.probes.log import to_parquet
from evenhand.probes.method import Progress, silent
from evenhand.probes.pace import Clock, paced
from evenhand.probes.probe import Probe
from evenhand.probes.run import Probed, run
from evenhand.probes.work import SOON, lasting


def predicted(probe: Probe, model: Model, examples: int, most: int) -> str:
    """Return what a probe will do and how many queries it may cost, in one line.

    Args:
        probe: What is done.
        model: The model, which is not asked.
        examples: How many there are.
        most: The most that it may ask.

    """
    names = [one.name for one in probe.variants]
    few = names if len(names) < _MANY else [f"{names[0]} to {names[-1]} ({len(names)})"]
    cost = f"at most {most:,} queries of {model.name}"
    many = f"{examples:,} example{'s' * (examples != 1)}"
    return f"{probe.method.name} of {many}, {', '.join(few)}: {cost}"


_MANY = 5
"""Variants of which the first and the last alone are named."""


def predicted_time(
    probe: Probe,
    model: Model,
    inputs: Inputs,
    most: int,
    *,
    folder: Path,
    max_queries: int | None = None,
    clock: Clock | None = time.monotonic,
) -> str:
    """Return how long a probe will take by estimate, as words that stand behind `predicted`.

    Empty where nothing tells: of a run that goes on, a part is done already; and nothing is asked
    of a model whose queries are limited, nor of an endpoint, where each may cost something. It is
    told from how an endpoint answered so far, and from its rate.

    Args:
        probe: What is done.
        model: The model, which is asked about a few examples, as `paced` says.
        inputs: Examples with labels.
        most: The most that the probe may ask.
        folder: Where an earlier run kept what it finished.
        max_queries: What the model may be asked.
        clock: Tells seconds; None to measure nothing.

    >>> _words(125.0, 1_889_000, "as measured on 256 examples")
    ', about 2 min by estimate at 15,000 a second, as measured on 256 examples'
    """
    if kept_in(folder):
        return ""
    if model.name.startswith("http"):
        return _of_endpoint(model, most)
    if clock is None or max_queries is not None:
        return ""
    pace = paced(probe, model, inputs, most, clock=clock)
    if pace is None:
        return ""
    on = f"{pace.examples} example{'s' * (pace.examples != 1)}"
    more = f"{pace.queries:,} more quer{'ies' if pace.queries != 1 else 'y'}"
    return _words(pace.seconds, most, f"as measured on {on} with {more}")


def _of_endpoint(model: Model, most: int) -> str:
    from evenhand.models.http import HttpModel

    cost = model.predicted(most) if isinstance(model, HttpModel) else None
    if cost is None or cost.seconds is None:
        return ""
    rate = model.way.rate if isinstance(model, HttpModel) else None
    limited = cost.requests / rate if rate else 0.0
    answers = _FULL * cost.seconds if cost.seconds > limited else 0.0
    how = "going by its answers so far" if answers > limited else "going by --rate"
    return _words(max(answers, limited), most, how)


_FULL = 2.0
"""How many times as long a full request takes as those that were asked so far: of about 16 inputs,
so that between once and four times as long would be possible."""


def _words(seconds: float, most: int, how: str) -> str:
    # Two digits: more would be of chance.
    rate = float(f"{most / max(seconds, 1e-9):.1e}")
    at = f" at {rate:,.0f} a second" if rate >= 1 and seconds >= SOON else ""
    return f", {lasting(seconds)} by estimate{at}, {how}"


def check_out(out: str | Path, *, pictures: int, force: bool) -> None:
    """Check that a log and its pictures may be written, before any work is done.

    Raises:
        OutputError: One is there already, or cannot be written; or the log is named as a file of
            another kind, which nobody could read then.

    """
    if format_of(Path(out).name) != "parquet":
        name = Path(out).with_suffix(".parquet")
        raise OutputError(Problem(str(out), "a probe writes Parquet.", f"Name it {name}."))
    check_targets([out, *([picture.path_beside(out)] if pictures else [])], force=force)


def probe_to(
    out: str | Path,
    probe: Probe,
    model: Model,
    inputs: Inputs,
    *,
    groups: Sequence[str] = (),
    version: str,
    max_queries: int | None = None,
    believe: bool = False,
    judged: bool = True,
    pictures: int = SHOWN,
    force: bool = False,
    progress: Progress = silent,
) -> Probed:
    """Return what a probe found, written to a file; arguments as `evenhand.probes.run.run`.

    Args:
        out: Where the log goes; finished blocks are kept beside it until all are.
        probe: What is done.
        model: The model.
        inputs: Examples with labels.
        groups: Columns of the inputs that go into the log.
        version: The version of Evenhand.
        max_queries: What the model may be asked by this run.
        believe: Go on where the check of the spec is certain that something was said wrongly.
        judged: Whether flags are looked for.
        pictures: How many examples are kept to be looked at, in a file beside the log.
        force: Whether files that are there are replaced.
        progress: Told what is being done.

    Raises:
        EvenhandError: As `run`; or a file cannot be written.

    """
    check_out(out, pictures=pictures, force=force)
    folder = kept_beside(out)
    probed = run(
        probe,
        model,
        inputs,
        groups=groups,
        version=version,
        folder=folder,
        max_queries=max_queries,
        believe=believe,
        judged=judged,
        pictures=pictures,
        progress=progress,
    )
    files: dict[str | Path, bytes] = {out: to_parquet(probed.rows, probed.made)}
    side = picture.path_beside(out)
    if probed.pictures is not None and len(probed.pictures):
        files[side] = picture.to_parquet(probed.pictures)
    elif force:
        # Of an earlier log of that name: they would be taken for those of this one.
        side.unlink(missing_ok=True)
    write_all({Path(path): data for path, data in files.items()}, force=force)
    forget(folder)
    return probed


@contextmanager
def telling_kept(folder: Path, tell: Callable[[str], None]) -> Iterator[None]:
    """Tell, where the work is broken off, what a folder keeps of it."""
    try:
        yield
    except BaseException as error:
        blocks = len(kept_in(folder))
        if blocks:
            kept = "1 finished block of rows is" if blocks == 1 else f"{blocks} finished blocks are"
            tell(f"{kept} kept in {folder}: the same command goes on from there")
        elif isinstance(error, StoppedError | KeyboardInterrupt):
            tell("no block of rows was finished: the same command begins anew")
        raise
