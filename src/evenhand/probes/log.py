"""The log that a probe writes: one row for each source example and variant, and what made it."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from evenhand.errors import ModelError, Problem, SourceError, did_you_mean, first_line
from evenhand.logs.kinds.attributions import KIND as ATTRIBUTIONS
from evenhand.logs.kinds.perturbed import KIND as PERTURBED
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Model
from evenhand.models.spec import Spec
from evenhand.probes.method import named_classes

_NOT_WRITTEN = "baseline_relative_error"
"""The role that no probe knows: it is of the baseline's errors on clean examples."""

COLUMNS = frozenset({*PERTURBED.own, *ATTRIBUTIONS.own}) - {_NOT_WRITTEN} | {
    *("source", "label", "prediction", "queries"),
    *("norm", "eps", "broken_by", "corruption", "severity", "corrupted_prediction"),
    *("baseline_correct", "explanation", "fill", "attribution_error", "background_shift"),
    *("base_score", "changes", "ale_bin", "ale_low", "ale_high", "moved_to", "moved_score"),
}
"""The columns that a log can have beside the groups, whichever method wrote it: roles of its kind,
and what else is known of a row."""

_PREFIX = "evenhand."


@dataclass(frozen=True)
class Made:
    """What made a log; file metadata as JSON, under ``evenhand.``.

    Attributes:
        probe: The method as it is written, what it is known by, its variants, what was done
            otherwise, whether it can be doubted, and libraries that took part with their versions.
        model: Its name, spec and fingerprint.
        inputs: Their name, number and digest.
        seed: The seed.
        queries: What the model was asked in all, by this run and by those it goes on from.
        flags: Reasons not to believe the attack, for each variant; empty where nothing is doubted,
            such as corruptions; None where nobody looked for any.
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


def beside(rows: pl.DataFrame, inputs: Inputs, labels: Codes, spec: Spec) -> pl.DataFrame:
    """Return rows with the ids and the true classes of their examples in front.

    Where there are several for each example, all examples stand once before the next of any.
    """
    ids = pl.Series(inputs.ids.tolist())
    first = pl.DataFrame({"source": ids, "label": named_classes(spec, labels)})
    return pl.concat([first] * (len(rows) // max(len(inputs), 1))).hstack(rows)


def with_groups(rows: pl.DataFrame, inputs: Inputs, groups: Sequence[str]) -> pl.DataFrame:
    """Return rows with columns of the inputs, joined on the source example."""
    if not groups:
        return rows
    beside = inputs.table.select(groups).with_columns(source=pl.Series(inputs.ids.tolist()))
    return rows.join(beside, on="source", how="left", maintain_order="left")


def digest_of_groups(inputs: Inputs, by: str | None) -> str:
    """Return what tells the groups of examples from others of the same column; empty without one.

    Flags are judged within them, and the digest of the inputs does not know them.
    """
    if by is None:
        return ""
    values = json.dumps([str(one) for one in inputs.table[by].to_list()])
    return f"sha256:{hashlib.sha256(values.encode()).hexdigest()}"


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


def libraries() -> dict[str, str]:
    """Return the versions of libraries of models and explanations, of those that are loaded."""
    loaded = {name: sys.modules.get(module) for module, name in _LIBRARIES.items()}
    return {
        name: str(version)
        for name, module in loaded.items()
        if (version := getattr(module, "__version__", None)) is not None
    }


_LIBRARIES = {
    **{name: name for name in ("captum", "catboost", "lightgbm", "onnxruntime")},
    "sklearn": "scikit-learn",
    **{name: name for name in ("shap", "torch", "xgboost")},
}
"""Modules, and what they are installed as."""


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
