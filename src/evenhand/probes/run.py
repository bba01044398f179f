"""Running a probe: block after block of examples, kept as they are finished, so that it resumes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from evenhand.errors import ModelError, Problem
from evenhand.models.canary import COUNT
from evenhand.models.check import most_checked
from evenhand.models.inputs import Inputs
from evenhand.models.model import Model
from evenhand.probes.kept import ASKED
from evenhand.probes.log import Made, check_groups, libraries, told_of, with_groups
from evenhand.probes.method import Progress, silent
from evenhand.probes.picture import PICTURES, pictures_of
from evenhand.probes.probe import Probe
from evenhand.probes.work import Work, judging, labels_of


@dataclass(frozen=True)
class Probed:
    """What a probe found.

    Attributes:
        rows: The log, one row for each source example and variant.
        made: What made it.
        resumed: How many blocks were finished by an earlier run.
        pictures: Some of the examples as they were and as they became, one row for each source and
            variant as `evenhand.probes.picture` says; None where none were asked for.

    """

    rows: pl.DataFrame
    made: Made
    resumed: int = 0
    pictures: pl.DataFrame | None = None


def run(
    probe: Probe,
    model: Model,
    inputs: Inputs,
    *,
    groups: Sequence[str] = (),
    version: str,
    folder: Path | None = None,
    max_queries: int | None = None,
    believe: bool = False,
    judged: bool = False,
    pictures: int = 0,
    progress: Progress = silent,
) -> Probed:
    """Return the log of a probe. Same probe, model and inputs: same rows, however it was stopped.

    Args:
        probe: What is done.
        model: The model.
        inputs: Examples with labels.
        groups: Columns of the inputs that go into the log.
        version: The version of Evenhand.
        folder: Where finished blocks are kept, and found; None for nowhere.
        max_queries: What the model may be asked by this run; None for as much as it takes.
        believe: Go on where the check of the spec is certain that something was said wrongly.
        judged: Whether flags are looked for: reasons not to believe the attack. The attacks then
            run once more on a sample of the examples, and others on what they leave.
        pictures: How many examples are kept to be looked at, as they are and as they become under
            each variant; of inputs that are no images there are none.
        progress: Told what is being done, with the time left, and which share is done.

    Raises:
        ModelError: The model or the inputs do not fit, its spec is certainly wrong, or it would
            ask more than it may; finished blocks are kept then.
        OutputError: What is finished cannot be kept.

    """
    labels_of(inputs)
    if pictures < 0:
        raise ModelError(Problem("pictures", f"{pictures} is no number of them.", "0 is for none."))
    columns = check_groups(inputs, groups)
    probe = probe.among(inputs)
    probe.check(model)
    before = model.queries
    fingerprint = model.fingerprint()
    known = model.queries - before
    work = Work(probe, model, inputs, fingerprint, version, folder, max_queries, progress, before)
    if not len(inputs):
        raise ModelError(Problem(inputs.name, "there are no examples."))
    doubts, asked = work.spec(believe=believe)
    work.choose(pictures, columns)
    blocks = _blocks(len(inputs), probe.method.block)
    parts = [work.block(some, one) for some in blocks for one in probe.method.passes]
    looks = sum(work.looks)
    whole = probe.method.finished(pl.concat([part.drop(ASKED, *PICTURES) for part in parts]))
    rows = with_groups(whole, inputs, columns)
    notes = [*probe.method.notes(model), *doubts]
    flags, spent, left_out = work.judged(columns) if judged else (None, 0, "")
    notes += [left_out] if left_out else []
    if model.fingerprint() != fingerprint:
        notes.append("the model changed while it was probed: it answers otherwise than before")
    made = Made(
        probe={
            "name": probe.method.name,
            "known": probe.method.known,
            "variants": [variant.name for variant in probe.variants],
            "notes": notes,
            "doubted": probe.method.doubted,
            "packages": libraries(),
        },
        model=told_of(model, fingerprint),
        inputs={"name": inputs.name, "examples": len(inputs), "digest": inputs.digest},
        seed=probe.seed,
        queries=2 * known + asked + spent + looks + sum(int(part[ASKED][0]) for part in parts),
        flags=flags,
        version=version,
    )
    shown = pictures_of(pl.concat(parts), inputs, columns[:1]) if pictures else None
    return Probed(rows, made, work.resumed, shown)


def most_asked(
    probe: Probe, model: Model, examples: int, *, judged: bool = False, pictures: int = 0
) -> int:
    """Return the most queries that `run` takes, checks, flags and fingerprints included."""
    found = probe.most(model, examples) + most_checked(examples) + 2 * COUNT
    each = judging(probe, model, examples) if judged else 0
    return found + len(probe.variants) * (each + min(pictures, examples))


def _blocks(count: int, size: int) -> list[slice]:
    return [slice(start, min(start + size, count)) for start in range(0, count, size)]
