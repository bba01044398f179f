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

from evenhand.errors import ModelError, OutputError, Problem, reason
from evenhand.models.canary import COUNT
from evenhand.models.check import MOST, check
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.probes.attack.attack import Progress, silent
from evenhand.probes.flag import SAMPLE, judge
from evenhand.probes.log import Made, check_groups, rows_of, told_of, with_groups
from evenhand.probes.probe import Probe, Variant

BLOCK = 256
"""Examples that are attacked, and kept, at once."""

_ENDING, _CHECKED, _JUDGED, _HALF = ".block", ".checked", ".judged", ".part"


@dataclass(frozen=True)
class Probed:
    """What a probe found.

    Attributes:
        rows: The log, one row for each source example and variant.
        made: What made it.
        resumed: How many blocks were finished by an earlier run.

    """

    rows: pl.DataFrame
    made: Made
    resumed: int = 0


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
            run once more, in full, on a sample of the examples.
        progress: Told what is being done, with the time left, and which share is done.

    Raises:
        ModelError: The model or the inputs do not fit, its spec is certainly wrong, or it would
            ask more than it may; finished blocks are kept then.
        OutputError: What is finished cannot be kept.

    """
    _labels(inputs)
    columns = check_groups(inputs, groups)
    probe.check(model)
    before = model.queries
    fingerprint = model.fingerprint()
    known = model.queries - before
    work = _Work(probe, model, inputs, fingerprint, folder, max_queries, progress, before)
    if not len(inputs):
        raise ModelError(Problem(inputs.name, "there are no examples."))
    doubts, asked = work.spec(believe=believe)
    parts = [
        work.block(some, variant) for some in _blocks(len(inputs)) for variant in probe.variants
    ]
    rows = with_groups(pl.concat([part.drop(_ASKED) for part in parts]), inputs, columns)
    notes = [*probe.attack.notes(model), *doubts]
    flags, spent, left_out = work.judged(columns) if judged else (None, 0, "")
    notes += [left_out] if left_out else []
    if model.fingerprint() != fingerprint:
        notes.append("the model changed while it was probed: it answers otherwise than before")
    made = Made(
        probe={
            "name": str(probe.attack),
            "variants": [variant.name for variant in probe.variants],
            "notes": notes,
        },
        model=told_of(model, fingerprint),
        inputs={"name": inputs.name, "examples": len(inputs), "digest": inputs.digest},
        seed=probe.seed,
        queries=2 * known + asked + spent + sum(int(part[_ASKED][0]) for part in parts),
        flags=flags,
        version=version,
    )
    return Probed(rows, made, work.resumed)


def _labels(inputs: Inputs) -> Codes:
    if inputs.labels is None:
        what = "the true classes are not known, so no example can be right."
        raise ModelError(Problem(inputs.name, what, "Say which column holds them: --label COLUMN."))
    return inputs.labels


def most_asked(probe: Probe, model: Model, examples: int, *, judged: bool = False) -> int:
    """Return the most queries that `run` takes, checks, flags and fingerprints included."""
    found = probe.most(model, examples) + _CHECK * min(MOST, examples) + 2 * COUNT
    each = _judging(probe, model, examples) if judged else 0
    return found + len(probe.variants) * each


def _judging(probe: Probe, model: Model, examples: int) -> int:
    """Return what looking for flags may cost under one threat.

    All attacks of the set in full, the set with more effort and without a bound, and what it is
    compared with.
    """
    attack = probe.attack
    one_by_one = sum(one.most(model) for one in attack.members(model))
    again = attack.most(model) + attack.stronger().most(model)
    return min(SAMPLE, examples) * (one_by_one + again + _COMPARED)


_COMPARED = 1_200
"""More than flags ask about an example beside the attacks of the set."""


_ASKED = "asked"
"""The column of a kept block that holds what the model was asked for all of it."""


def kept_in(folder: Path) -> list[Path]:
    """Return the finished blocks that a folder keeps."""
    return sorted(folder.glob(f"*{_ENDING}"))


def forget(folder: Path) -> None:
    """Remove what was kept, and the folder unless it holds something else."""
    rest = [path for ending in (_CHECKED, _JUDGED, _HALF) for path in folder.glob(f"*{ending}")]
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
    folder: Path | None
    most: int | None
    progress: Progress
    before: int
    resumed: int = 0

    def __post_init__(self) -> None:
        """Note where it begins."""
        self._began = time.monotonic()
        self._all = len(self.probe.variants) * len(self.inputs)
        self._finished = self._attacked = 0

    def spec(self, *, believe: bool) -> tuple[list[str], int]:
        """Return what speaks against the spec of the model, and what it cost to look.

        Raises:
            ModelError: It is certainly wrong, and nobody said to go on.

        """
        known = json.dumps([self.fingerprint, str(self.model.spec), self.inputs.digest])
        path = None
        if self.folder is not None:
            name = hashlib.sha256(known.encode()).hexdigest()[:32]
            path = self.folder / f"{name}{_CHECKED}"
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
        """Return the rows of a block under one threat, found in the folder or made now."""
        examples = self.inputs.take(some)
        path = None if self.folder is None else self.folder / self._name(examples, variant)
        kept = None if path is None else _read(path)
        if kept is not None:
            self.resumed += 1
            self._finished += len(examples)
            return kept
        self._check_budget(self._cost(len(examples)))
        rows = self._attack(examples, variant)
        if path is not None:
            _write(rows, path)
        self._finished += len(examples)
        self._attacked += len(examples)
        return rows

    def judged(self, columns: Sequence[str]) -> tuple[list[dict[str, Any]] | None, int, str]:
        """Return the flags of every variant, what they cost, and why there are none.

        They are judged within the groups of the first column, too.
        """
        found, spent = [], 0
        for variant in self.probe.variants:
            of = ["flags", columns[0] if columns else "", self.inputs.digest]
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
        trust = judge(
            self.probe.attack,
            self.model,
            self.inputs.x,
            _labels(self.inputs),
            variant.threat,
            rng=np.random.default_rng([self.probe.seed, _JUDGES]),
            groups=self.inputs.table[columns[0]].to_list() if columns else None,
            progress=lambda what, _: self.progress(f"{variant.name}, {what}", 1.0),
        )
        told = {"variant": variant.name, "by": columns[0] if columns else None, **trust.as_json()}
        spent = self.model.queries - asked
        return pl.DataFrame({"flags": [json.dumps(told, default=_native)], _ASKED: [spent]})

    def _attack(self, examples: Inputs, variant: Variant) -> pl.DataFrame:
        model, attack = self.model, self.probe.attack
        labels = _labels(examples)
        asked = model.queries
        prediction = model.predict(examples.x)

        def tell(_what: str, share: float) -> None:
            self._tell(variant, share * len(examples))

        tell("", 0.0)
        found = attack.run(
            model, examples.x, labels, variant.threat, self._rng(examples), progress=tell
        )
        rows = rows_of(
            examples,
            found,
            variant,
            model.spec,
            labels=labels,
            prediction=prediction,
            minimal=attack.minimal,
        )
        return rows.with_columns(pl.lit(model.queries - asked).alias(_ASKED))

    def _rng(self, examples: Inputs) -> np.random.Generator:
        """Return the generator of a block: of the seed and its first id, whatever came before."""
        first = hashlib.sha256(str(examples.ids[0]).encode()).digest()
        return np.random.default_rng([self.probe.seed, int.from_bytes(first[:8], "big")])

    def _cost(self, examples: int) -> int:
        """Return what so many examples may cost under one threat."""
        return examples * (1 + self.probe.attack.most(self.model))

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
        fresh = self._attacked + within
        passed = time.monotonic() - self._began
        if fresh and passed > _SOON:
            text += f", {_lasting(passed * (self._all - done) / fresh)} left"
        self.progress(text, done / self._all)

    def _name(self, examples: Inputs, variant: Variant) -> str:
        return self._known([examples.digest], variant, _ENDING)

    def _known(self, of: list[str], variant: Variant, ending: str) -> str:
        """Return what a part is kept by: another model, attack, threat or seed has another."""
        known = [
            *(str(self.probe.attack), variant.name, variant.threat.eps, self.probe.seed),
            *(self.fingerprint, str(self.model.spec), *of),
        ]
        return hashlib.sha256(json.dumps(known).encode()).hexdigest()[:32] + ending


_JUDGES = 1
"""Tells the numbers of the flags' sample from those of the blocks."""


def _native(value: Any) -> Any:  # noqa: ANN401 - a number of NumPy
    """Return a number of NumPy as Python's, for JSON."""
    return value.item() if hasattr(value, "item") else str(value)


_CHECK = 16
"""More queries than the check of a spec takes for each example that it looks at."""

_SOON = 2.0
"""Seconds after which the time left can be told."""


def _lasting(seconds: float) -> str:
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
