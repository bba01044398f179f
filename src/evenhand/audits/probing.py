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
from evenhand.probes.probe import Probe
from evenhand.probes.run import Probed, run
from evenhand.probes.work import lasting


def predicted(
    probe: Probe, model: Model, examples: int, most: int, rate: float | None = None
) -> str:
    """Return what a probe will do and what it may cost, in one line.

    Args:
        probe: What is done.
        model: The model; an endpoint is asked about a few inputs to see how fast it answers.
        examples: How many there are.
        most: The most that it may ask.
        rate: Of endpoints: requests in a second at most.

    """
    names = [one.name for one in probe.variants]
    few = names if len(names) < _MANY else [f"{names[0]} to {names[-1]} ({len(names)})"]
    cost = f"at most {most:,} queries of {model.name}{_lasting(model, most, rate)}"
    many = f"{examples:,} example{'s' * (examples != 1)}"
    return f"{probe.method.name} of {many}, {', '.join(few)}: {cost}"


_MANY = 5
"""Variants of which the first and the last alone are named."""


def _lasting(model: Model, most: int, rate: float | None) -> str:
    """Return how long that may take at an endpoint, going by its answers to a few inputs."""
    from evenhand.models.http import Way

    if not model.name.startswith("http"):
        return ""
    before, began = model.queries, time.monotonic()
    model.fingerprint()
    asked = model.queries - before
    if not asked:
        return ""
    pace = (time.monotonic() - began) / asked
    # A rate is of requests, each of which is a batch.
    pace = max(pace, 1 / (rate * Way().batch)) if rate else pace
    return f", {lasting(most * pace)} at {1 / pace:,.0f} a second as it answers now"


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
