"""The work of a probe, block after block of examples: kept, resumed, within a budget."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from evenhand.errors import ModelError, Problem
from evenhand.models.answer import check_inputs
from evenhand.models.canary import COUNT
from evenhand.models.check import MOST, check, most_checked
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.flag import SAMPLE
from evenhand.probes.kept import ASKED, CHECKED, CLEAN, ENDING, JUDGED, named, read, write
from evenhand.probes.log import beside, digest_of_groups
from evenhand.probes.looked import looked
from evenhand.probes.method import Progress, Variant
from evenhand.probes.picture import chosen, pictured
from evenhand.probes.probe import Probe


def labels_of(inputs: Inputs) -> Codes:
    """Return the true classes of inputs.

    Raises:
        ModelError: They are not known.

    """
    if inputs.labels is None:
        what = "the true classes are not known, so no example can be right."
        raise ModelError(Problem(inputs.name, what, "Say which column holds them: --label COLUMN."))
    return inputs.labels


def judging(probe: Probe, model: Model, examples: int) -> int:
    """Return what looking for flags may cost under one variant."""
    return min(SAMPLE, examples) * probe.method.judging(model)


@dataclass
class Work:
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
        self._each = len(self.probe.variants) // max(len(self.probe.method.passes), 1)
        self._finished = self._changed = 0
        self._shown: NDArray[np.bool_] = np.zeros(len(self.inputs), dtype=bool)
        self._predictions: dict[int, Codes] = {}
        self._scores: dict[int, Floats] = {}
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
        path = None if self.folder is None else self.folder / f"{named(known)}{CHECKED}"
        kept = None if path is None else read(path)
        if kept is not None:
            return kept["doubts"][0].to_list(), int(kept[ASKED][0])
        count = len(self.inputs)
        first = self._cost(min(self.probe.method.block, count))
        self._check_budget(first)
        looked = MOST
        left = None if self.most is None else self.most - first - 2 * COUNT
        while left is not None and looked and most_checked(looked) > left:
            looked -= 1
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
            write(told.with_columns(pl.lit(found.queries).alias(ASKED)), path)
        return doubts, found.queries

    def block(self, some: slice, variant: Variant) -> pl.DataFrame:
        """Return the rows of a block by one pass, found in the folder or made now."""
        examples = self.inputs.take(some)
        path = None if self.folder is None else self.folder / self._name(examples, variant, some)
        kept = None if path is None else read(path)
        prediction = self._look(some, examples)
        if kept is not None:
            self.resumed += 1
            self._finished += len(examples) * self._each
            return kept
        self._check_budget(self._cost(len(examples)))
        scores = self._scores.get(some.start)
        known = examples if scores is None else looked(examples, scores)
        rows = self._change(known, variant, prediction, self._shown[some])
        if path is not None:
            write(rows, path)
        self._finished += len(examples) * self._each
        self._changed += len(examples) * self._each
        return rows

    def _look(self, some: slice, examples: Inputs) -> Codes:
        """Return what the model says of a block as it is, which every variant needs."""
        if some.start in self._predictions:
            return self._predictions[some.start]
        path = None
        if self.folder is not None:
            known = [self.fingerprint, str(self.model.spec), examples.digest]
            path = self.folder / f"{named(known)}{CLEAN}"
        kept = None if path is None else read(path)
        scored = self.probe.method.of_tables and "scores" in self.model.offers
        if kept is None or (scored and _SCORES not in kept.columns):
            self._check_budget(len(examples))
            asked = self.model.queries
            kept = self._said(examples, scored=scored)
            spent = self.model.queries - asked
            kept = kept.with_columns(pl.lit(spent).alias(ASKED))
            if path is not None:
                write(kept, path)
        # Of the last block alone: nobody comes back to an earlier one.
        self._scores = {some.start: kept[_SCORES].to_numpy()} if scored else {}
        prediction = kept["prediction"].to_numpy()
        self._predictions[some.start] = prediction
        self.looks.append(int(kept[ASKED][0]))
        return prediction

    def _said(self, examples: Inputs, *, scored: bool) -> pl.DataFrame:
        """Return what the model says of examples as they are: classes, and scores if asked for."""
        model = self.model
        if not scored:
            return pl.DataFrame({"prediction": model.predict(examples.x)})
        check_inputs(examples.x, model.spec, model.name)
        scores = np.asarray(model.numpy(model.scores(model.array(examples.x))))
        return pl.DataFrame({"prediction": scores.argmax(axis=1), _SCORES: scores})

    def judged(self, columns: Sequence[str]) -> tuple[list[dict[str, Any]] | None, int, str]:
        """Return the flags of every variant, what they cost, and why there are none.

        There are none of what is not doubted, such as corruptions. They are judged within the
        groups of the first column, too.
        """
        found, spent = [], 0
        for variant in self.probe.variants if self.probe.method.doubted else ():
            by = digest_of_groups(self.inputs, columns[0] if columns else None)
            of = ["flags", columns[0] if columns else "", by, self.inputs.digest]
            path = None if self.folder is None else self.folder / self._known(of, variant, JUDGED)
            kept = None if path is None else read(path)
            if kept is None:
                more = judging(self.probe, self.model, len(self.inputs))
                if self.most is not None and self.model.queries - self.before + more > self.most:
                    return None, spent, "the budget left nothing to look for flags with"
                kept = self._flags(columns, variant)
                if path is not None:
                    write(kept, path)
            found.append(json.loads(kept["flags"][0]))
            spent += int(kept[ASKED][0])
        return found, spent, ""

    def _flags(self, columns: Sequence[str], variant: Variant) -> pl.DataFrame:
        asked = self.model.queries
        trust = self.probe.method.judge(
            self.model,
            self.inputs,
            variant,
            labels=labels_of(self.inputs),
            groups=self.inputs.table[columns[0]].to_list() if columns else None,
            rng=np.random.default_rng([self.probe.seed, _JUDGES]),
            progress=lambda what, _: self.progress(f"{variant.name}, {what}", 1.0),
        )
        by = columns[0] if columns else None
        digest = digest_of_groups(self.inputs, by)
        told = {"variant": variant.name, "by": by, "by_digest": digest, **trust.as_json()}
        spent = self.model.queries - asked
        return pl.DataFrame({"flags": [json.dumps(told, default=_native)], ASKED: [spent]})

    def _change(
        self, examples: Inputs, variant: Variant, prediction: Codes, shown: NDArray[np.bool_]
    ) -> pl.DataFrame:
        model, labels = self.model, labels_of(examples)
        asked = model.queries

        def tell(_what: str, share: float) -> None:
            self._tell(variant, share * len(examples) * self._each)

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
        times = len(table) // max(len(examples), 1)
        pictures = pl.concat([pictured(model, examples.x, rows, shown)] * times)
        return table.hstack(pictures).with_columns(pl.lit(model.queries - asked).alias(ASKED))

    def _cost(self, examples: int) -> int:
        """Return what so many examples may cost by one pass, with a look at them."""
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
        return self._known([examples.digest, str(shown)], variant, ENDING)

    def _known(self, of: list[str], variant: Variant, ending: str) -> str:
        """Return what a part is kept by; another model, method, variant or version has another."""
        probe = self.probe
        about = [probe.method.known, variant.name, str(variant.what), probe.seed, self.version]
        return named([*about, self.fingerprint, str(self.model.spec), *of]) + ending


_SCORES = "scores"
"""The column of what a model gives for examples as they are, where somebody needs it."""

_JUDGES = 1
"""Tells the numbers of the flags' sample from those of the blocks."""


def _native(value: Any) -> Any:  # noqa: ANN401 - a number of NumPy
    """Return a number of NumPy as Python's, for JSON."""
    return value.item() if hasattr(value, "item") else str(value)


_SOON = 2.0
"""Seconds after which the time left can be told."""

SOON = 10.0
"""Seconds below which nobody needs to know how many."""

_UNITS = (
    (95.0, 1.0, 10, "s"),
    (9.5 * 60, 60.0, 1, "min"),
    (90 * 60.0, 60.0, 5, "min"),
    (9.5 * 3600, 3600.0, 0.5, "h"),
    (48 * 3600.0, 3600.0, 1, "h"),
)
"""Seconds up to which a unit is used, what it is, to what its number is rounded, its name."""


def lasting(seconds: float) -> str:
    """Return about how long so many seconds are, no finer than anybody can foretell.

    >>> [lasting(one) for one in (3, 37, 200, 1500, 5400, 90_000, 300_000)]
    ... # doctest: +NORMALIZE_WHITESPACE
    ['a few seconds', 'about 40 s', 'about 3 min', 'about 25 min', 'about 1.5 h', 'about 25 h',
     'about 3 days']
    """
    if seconds < SOON:
        return "a few seconds"
    for most, unit, step, name in _UNITS:
        if seconds < most:
            return f"about {round(seconds / unit / step) * step:g} {name}"
    return f"about {seconds / 86_400:,.0f} days"
