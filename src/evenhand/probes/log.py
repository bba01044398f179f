"""The log that a probe writes: one row for each source example and variant, and what made it."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from evenhand.errors import ModelError, Problem, SourceError, did_you_mean, first_line
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.probes.attack.attack import CLEAN, Attacked
from evenhand.probes.probe import Variant

COLUMNS = (
    *("source", "label", "prediction", "variant", "norm", "eps"),
    *("correct", "robust", "broken_by", "queries", "minimal_norm"),
)
"""The columns of the log beside the groups; the last where the attack looks for the smallest."""

_PREFIX = "evenhand."


@dataclass(frozen=True)
class Made:
    """What made a log; file metadata as JSON, under ``evenhand.``.

    Attributes:
        probe: The attack as it is written, its norms and eps, and what was done otherwise.
        model: Its name, spec and fingerprint.
        inputs: Their name, number and digest.
        seed: The seed.
        queries: What the model was asked in all, by this run and by those it goes on from.
        flags: Reasons not to believe the attack; None where nobody looked for any.
        version: The version of Evenhand.

    """

    probe: Mapping[str, Any]
    model: Mapping[str, Any]
    inputs: Mapping[str, Any]
    seed: int
    queries: int
    flags: Sequence[Mapping[str, Any]] | None
    version: str

    def metadata(self) -> dict[str, str]:
        """Return it as file metadata."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {f"{_PREFIX}{name}": json.dumps(value) for name, value in fields.items()}


def rows_of(
    inputs: Inputs,
    attacked: Attacked,
    variant: Variant,
    spec: Spec,
    *,
    labels: Codes,
    prediction: Codes,
    minimal: bool,
) -> pl.DataFrame:
    """Return the rows of some examples under one threat, without groups.

    Args:
        inputs: The examples.
        attacked: What the attack found.
        variant: The threat.
        spec: Of the model, whose labels are written.
        labels: The true classes.
        prediction: The classes of the clean examples.
        minimal: Whether the attack looked for the smallest perturbation.

    """
    names = pl.Series([*spec.labels])
    by = pl.Series(attacked.broken_by.astype(object), dtype=pl.String)
    # Asked twice, a model that answers at random may say both: right is what it said both times.
    correct = (prediction == labels) & (attacked.broken_by != CLEAN)
    columns: dict[str, Any] = {
        "source": pl.Series(inputs.ids.tolist()),
        "label": names.gather(labels),
        "prediction": names.gather(prediction),
        "variant": variant.name,
        "norm": variant.threat.norm,
        "eps": variant.threat.eps,
        "correct": correct,
        "robust": correct & ~attacked.broken,
        "broken_by": by.replace("", None),
        "queries": attacked.queries,
    }
    if minimal:
        columns["minimal_norm"] = pl.Series(np.where(correct, attacked.distance, 0.0)).fill_nan(
            None
        )
    return pl.DataFrame(columns)


def with_groups(rows: pl.DataFrame, inputs: Inputs, groups: Sequence[str]) -> pl.DataFrame:
    """Return rows with columns of the inputs, joined on the source example."""
    if not groups:
        return rows
    beside = inputs.table.select(groups).with_columns(source=pl.Series(inputs.ids.tolist()))
    return rows.join(beside, on="source", how="left", maintain_order="left")


def check_groups(inputs: Inputs, groups: Sequence[str]) -> tuple[str, ...]:
    """Return the columns of the inputs that go into the log; ``label`` is there anyway.

    Raises:
        ModelError: One is not there, or is called as a column that the log has itself.

    """
    wanted = [name for name in dict.fromkeys(groups) if name != "label"]
    problems = [
        Problem(
            f"group '{name}'",
            f"{inputs.name} have no such column.",
            did_you_mean(name, inputs.table.columns),
        )
        for name in wanted
        if name not in inputs.table.columns
    ]
    problems += [
        Problem(f"group '{name}'", "the log has a column of that name itself.", "Rename it.")
        for name in wanted
        if name in COLUMNS
    ]
    if problems:
        raise ModelError(problems)
    return tuple(wanted)


def told_of(model: Model, fingerprint: str) -> dict[str, Any]:
    """Return what a log tells of the model."""
    spec = {name: _plain(value) for name, value in dataclasses.asdict(model.spec).items()}
    return {"name": model.name, "fingerprint": fingerprint, "spec": spec}


def _plain(value: object) -> object:
    """Return a value as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def to_parquet(rows: pl.DataFrame, made: Made) -> bytes:
    """Return the log as a Parquet file, with what made it as its metadata."""
    stream = io.BytesIO()
    rows.write_parquet(stream, metadata=made.metadata())
    return stream.getvalue()


def read_made(path: str | Path) -> Made:
    """Return what made a log.

    Raises:
        SourceError: The file cannot be read, or no probe wrote it.

    """
    try:
        found = pl.read_parquet_metadata(path)
        fields = [field.name for field in dataclasses.fields(Made)]
        return Made(**{name: json.loads(found[f"{_PREFIX}{name}"]) for name in fields})
    except (KeyError, json.JSONDecodeError):
        hint = "Name a file that evenhand probe wrote."
        raise SourceError(Problem(str(path), "no probe wrote it.", hint)) from None
    except (OSError, pl.exceptions.PolarsError) as error:
        what = f"it cannot be read: {first_line(error)}"
        raise SourceError(Problem(str(path), what)) from error
