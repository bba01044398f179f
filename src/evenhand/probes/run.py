"""Running a probe: block after block of examples, kept as they are finished, so that it resumes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import ModelError, OutputError, Problem, reason
from evenhand.models.canary import COUNT
from evenhand.models.check import MOST, check
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.probes.flag import SAMPLE
from evenhand.probes.log import (
    Made,
    beside,
    check_groups,
    digest_of_groups,
    told_of,
    with_groups,
)
from evenhand.probes.method import Progress, Variant, silent
from evenhand.probes.picture import PICTURES, chosen, pictured, pictures_of
from evenhand.probes.probe import Probe

BLOCK = 256
"""Examples that are changed, and kept, at once."""

_ENDING, _CLEAN, _CHECKED, _JUDGED, _HALF = ".block", ".clean", ".checked", ".judged", ".part"


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
    _labels(inputs)
    if pictures < 0:
        raise ModelError(Problem("pictures", f"{pictures} is no number of them.", "0 is for none."))
    columns = check_groups(inputs, groups)
    probe.check(model)
    before = model.queries
    fingerprint = model.fingerprint()
    known = model.queries - before
    work = _Work(probe, model, inputs, fingerprint, version, folder, max_queries, progress, before)
    if not len(inputs):
        raise ModelError(Problem(inputs.name, "there are no examples."))
    doubts, asked = work.spec(believe=believe)
    work.choose(pictures, columns)
    blocks = _blocks(len(inputs))
    parts = [work.block(some, variant) for some in blocks for variant in probe.variants]
    looks = sum(work.looks)
    whole = probe.method.finished(pl.concat([part.drop(_ASKED, *PICTURES) for part in parts]))
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
        },
        model=told_of(model, fingerprint),
        inputs={"name": inputs.name, "examples": len(inputs), "digest": inputs.digest},
        seed=probe.seed,
        queries=2 * known + asked + spent + looks + sum(int(part[_ASKED][0]) for part in parts),
        flags=flags,
        version=version,
    )
    shown = pictures_of(pl.concat(parts), inputs, columns[:1]) if pictures else None
    return Probed(rows, made, work.resumed, shown)


def _labels(inputs: Inputs) -> Codes:
    if inputs.labels is None:
        what = "the true classes are not known, so no example can be right."
        raise ModelError(Problem(inputs.name, what, "Say which column holds them: --label COLUMN."))
    return inputs.labels


def most_asked(
    probe: Probe, model: Model, examples: int, *, judged: bool = False, pictures: int = 0
) -> int:
    """Return the most queries that `run` takes, checks, flags and fingerprints included."""
    found = probe.most(model, examples) + _CHECK * min(MOST, examples) + 2 * COUNT
    each = _judging(probe, model, examples) if judged else 0
    return found + len(probe.variants) * (each + min(pictures, examples))


def _judging(probe: Probe, model: Model, examples: int) -> int:
    """Return what looking for flags may cost under one variant."""
    return min(SAMPLE, examples) * probe.method.judging(model)


_ASKED = "asked"
"""The column of a kept block that holds what the model was asked for all of it."""


def kept_in(folder: Path) -> list[Path]:
    """Return the finished blocks that a folder keeps."""
    return sorted(folder.glob(f"*{_ENDING}"))


def forget(folder: Path) -> None:
    """Remove what was kept, and the folder unless it holds something else."""
    rest = [
        path for ending in (_CLEAN, _CHECKED, _JUDGED, _HALF) for path in folder.glob(f"*{ending}")
    ]
    for path in (*kept_in(folder), *rest):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        folder.rmdir()


def _blocks(count: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, count)) for start in range(0, count, BLOCK)]


@dataclass
class _Work:
    """The work of a probe, block after block.

    Attributes:
        probe: What is done.
        model: The model.
        inputs: Examples with labels.
        fingerprint: Of the model.
        version: Of Evenhand: another may attack otherwise under the same name.
        folder: Where finished blocks are kept; None for nowhere.
        most: What the model may be asked.
        progress: Told how far the work is.
        before: What the model was asked before.
        resumed: How many blocks were found in the folder.

    """

    probe: Probe
    model: Model
    inputs: Inputs
    fingerprint: str
    version: str
    folder: Path | None
    most: int | None
    progress: Progress
    before: int
    resumed: int = 0

    def __post_init__(self) -> None:
        """Note where it begins."""
        self._began = time.monotonic()
        self._all = len(self.probe.variants) * len(self.inputs)
        self._finished = self._changed = 0
        self._shown: NDArray[np.bool_] = np.zeros(len(self.inputs), dtype=bool)
        self._predictions: dict[int, Codes] = {}
        self.looks: list[int] = []

    def choose(self, count: int, columns: Sequence[str]) -> None:
        """Choose the examples that are kept to be looked at, as many of each group."""
        self._shown = chosen(self.inputs, columns[:1], count, self.probe.seed)

    def spec(self, *, believe: bool) -> tuple[list[str], int]:
        """Return what speaks against the spec of the model, and what it cost to look.

        Raises:
            ModelError: It is certainly wrong, and nobody said to go on.

        """
        known = [self.fingerprint, str(self.model.spec), self.inputs.digest]
        path = None if self.folder is None else self.folder / f"{_named(known)}{_CHECKED}"
        kept = None if path is None else _read(path)
        if kept is not None:
            return kept["doubts"][0].to_list(), int(kept[_ASKED][0])
        count = len(self.inputs)
        first = self._cost(min(BLOCK, count))
        self._check_budget(first)
        looked = MOST
        if self.most is not None:
            looked = min(looked, (self.most - first - 2 * COUNT) // _CHECK)
        if looked < 1:
            return ["the budget left nothing to check the spec with"], 0
        self.progress("checking what was said of the model", 0.0)
        found = check(self.model, self.inputs.x, self.inputs.labels, most=looked)
        if found.certain and not believe:
            hint = "Correct it; to go on in spite of it: --believe."
            raise ModelError(
                Problem(f"spec, {one.name}", one.seen, f"{one.hint} {hint}".strip())
                for one in found.certain
            )
        doubts = [f"{one.sure} ({one.name}): {one.seen} {one.hint}" for one in found.doubts]
        if path is not None:
            told = pl.Series("doubts", [doubts], pl.List(pl.String)).to_frame()
            _write(told.with_columns(pl.lit(found.queries).alias(_ASKED)), path)
        return doubts, found.queries

    def block(self, some: slice, variant: Variant) -> pl.DataFrame:
        """Return the rows of a block under one variant, found in the folder or made now."""
        examples = self.inputs.take(some)
        path = None if self.folder is None else self.folder / self._name(examples, variant, some)
        kept = None if path is None else _read(path)
        prediction = self._look(some, examples)
        if kept is not None:
            self.resumed += 1
            self._finished += len(examples)
            return kept
        self._check_budget(self._cost(len(examples)))
        rows = self._change(examples, variant, prediction, self._shown[some])
        if path is not None:
            _write(rows, path)
        self._finished += len(examples)
        self._changed += len(examples)
        return rows

    def _look(self, some: slice, examples: Inputs) -> Codes:
        """Return what the model says of a block as it is, which every variant needs."""
        if some.start in self._predictions:
            return self._predictions[some.start]
        path = None
        if self.folder is not None:
            known = [self.fingerprint, str(self.model.spec), examples.digest]
            path = self.folder / f"{_named(known)}{_CLEAN}"
        kept = None if path is None else _read(path)
        if kept is None:
            self._check_budget(len(examples))
            asked = self.model.queries
            said = self.model.predict(examples.x)
            spent = self.model.queries - asked
            kept = pl.DataFrame({"prediction": said}).with_columns(pl.lit(spent).alias(_ASKED))
            if path is not None:
                _write(kept, path)
        prediction = kept["prediction"].to_numpy()
        self._predictions[some.start] = prediction
        self.looks.append(int(kept[_ASKED][0]))
        return prediction

    def judged(self, columns: Sequence[str]) -> tuple[list[dict[str, Any]] | None, int, str]:
        """Return the flags of every variant, what they cost, and why there are none.

        There are none of what is not doubted, such as corruptions. They are judged within the
        groups of the first column, too.
        """
        found, spent = [], 0
        for variant in self.probe.variants if self.probe.method.doubted else ():
            by = digest_of_groups(self.inputs, columns[0] if columns else None)
            of = ["flags", columns[0] if columns else "", by, self.inputs.digest]
            path = None if self.folder is None else self.folder / self._known(of, variant, _JUDGED)
            kept = None if path is None else _read(path)
            if kept is None:
                more = _judging(self.probe, self.model, len(self.inputs))
                if self.most is not None and self.model.queries - self.before + more > self.most:
                    return None, spent, "the budget left nothing to look for flags with"
                kept = self._flags(columns, variant)
                if path is not None:
                    _write(kept, path)
            found.append(json.loads(kept["flags"][0]))
            spent += int(kept[_ASKED][0])
        return found, spent, ""

    def _flags(self, columns: Sequence[str], variant: Variant) -> pl.DataFrame:
        asked = self.model.queries
        trust = self.probe.method.judge(
            self.model,
            self.inputs,
            variant,
            labels=_labels(self.inputs),
            groups=self.inputs.table[columns[0]].to_list() if columns else None,
            rng=np.random.default_rng([self.probe.seed, _JUDGES]),
            progress=lambda what, _: self.progress(f"{variant.name}, {what}", 1.0),
        )
        by = columns[0] if columns else None
        digest = digest_of_groups(self.inputs, by)
        told = {"variant": variant.name, "by": by, "by_digest": digest, **trust.as_json()}
        spent = self.model.queries - asked
        return pl.DataFrame({"flags": [json.dumps(told, default=_native)], _ASKED: [spent]})

    def _change(
        self, examples: Inputs, variant: Variant, prediction: Codes, shown: NDArray[np.bool_]
    ) -> pl.DataFrame:
        model, labels = self.model, _labels(examples)
        asked = model.queries

        def tell(_what: str, share: float) -> None:
            self._tell(variant, share * len(examples))

        tell("", 0.0)
        rows = self.probe.method.rows(
            model,
            examples,
            variant,
            labels=labels,
            prediction=prediction,
            seed=self.probe.seed,
            progress=tell,
        )
        table = beside(rows.table, examples, labels, model.spec)
        pictures = pictured(model, examples.x, rows, shown)
        return table.hstack(pictures).with_columns(pl.lit(model.queries - asked).alias(_ASKED))

    def _cost(self, examples: int) -> int:
        """Return what so many examples may cost under one variant, with a look at them."""
        return examples * (1 + self.probe.method.most(self.model)) + int(self._shown.sum())

    def _check_budget(self, more: int) -> None:
        if self.most is None:
            return
        spent = self.model.queries - self.before
        if spent + more + COUNT <= self.most:
            return
        what = f"{spent:,} queries are spent and the next block may take {more:,}, so more than "
        what += f"{self.most:,} might be asked; {self._finished:,} of {self._all:,} rows are done."
        hint = "Allow more (--max-queries), ask about fewer inputs, or use a cheaper attack."
        if self.folder is not None and self._finished:
            hint += " What is finished is kept: the same command goes on from there."
        raise ModelError(Problem("max_queries", what, hint))

    def _tell(self, variant: Variant, within: float) -> None:
        done = self._finished + within
        text = f"{variant.name}: {int(done):,} of {self._all:,} rows"
        fresh = self._changed + within
        passed = time.monotonic() - self._began
        if fresh and passed > _SOON:
            text += f", {lasting(passed * (self._all - done) / fresh)} left"
        self.progress(text, done / self._all)

    def _name(self, examples: Inputs, variant: Variant, some: slice) -> str:
        shown = np.flatnonzero(self._shown[some]).tolist()
        return self._known([examples.digest, str(shown)], variant, _ENDING)

    def _known(self, of: list[str], variant: Variant, ending: str) -> str:
        """Return what a part is kept by; another model, method, variant or version has another."""
        probe = self.probe
        about = [probe.method.known, variant.name, str(variant.what), probe.seed, self.version]
        return _named([*about, self.fingerprint, str(self.model.spec), *of]) + ending


def _named(known: Sequence[object]) -> str:
    """Return a file's name by what is in it."""
    return hashlib.sha256(json.dumps([str(one) for one in known]).encode()).hexdigest()[:32]


_JUDGES = 1
"""Tells the numbers of the flags' sample from those of the blocks."""


def _native(value: Any) -> Any:  # noqa: ANN401 - a number of NumPy
    """Return a number of NumPy as Python's, for JSON."""
    return value.item() if hasattr(value, "item") else str(value)


_CHECK = 16
"""More queries than the check of a spec takes for each example that it looks at."""

_SOON = 2.0
"""Seconds after which the time left can be told."""


def lasting(seconds: float) -> str:
    """Return about how long so many seconds are."""
    if seconds < 90:  # noqa: PLR2004 - seconds
        return f"about {max(1, round(seconds))} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"  # noqa: PLR2004


def _read(path: Path) -> pl.DataFrame | None:
    """Return a block that was kept; None where there is none that is whole."""
    try:
        return pl.read_parquet(path) if path.exists() else None
    except Exception:  # noqa: BLE001 - it is made again
        return None


def _write(rows: pl.DataFrame, path: Path) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        half = path.with_suffix(_HALF)
        rows.write_parquet(half)
        half.replace(path)
    except OSError as error:
        what = f"what is finished cannot be kept: {reason(error)}."
        raise OutputError(Problem(str(path.parent), what)) from error
