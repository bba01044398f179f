"""The model and the inputs of a probe, however they are given: addresses, files, arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from evenhand.errors import ModelError, Problem
from evenhand.models.framed import Framed, fitted_on_names
from evenhand.models.inputs import Inputs, Read, distinct
from evenhand.models.load import PICKLED, load, model_of
from evenhand.models.model import Model
from evenhand.models.stored import Encoding, read_inputs
from evenhand.models.told import Told
from evenhand.probes.corrupting import Baseline

if TYPE_CHECKING:
    from evenhand.models.http import Way

_SAMPLE = 16
"""Examples that a model is asked about where its classes or output were left to be seen."""


@dataclass(frozen=True)
class Asked:
    """What in a source is an example, its class and its id; columns, or values in memory.

    Attributes:
        labels: The column of true classes, or the classes.
        ids: The column of ids, or the ids; by default places.
        pixels: The column of images.
        features: Columns that make one example.
        shape: Of one example.
        where: Which rows are meant.
        groups: Columns of the inputs that go into the log, or values by name.
        encode: For features that are text, the number of each value.
        observed: Whether the range of the inputs is that of their values, where none was said.

    """

    labels: Any = None
    ids: Any = None
    pixels: str | None = None
    features: Sequence[str] | None = None
    shape: tuple[int, ...] | None = None
    where: str | None = None
    groups: Sequence[str] | Mapping[str, Sequence[object]] | pl.DataFrame | None = None
    encode: Encoding = field(default_factory=dict)
    observed: bool = False

    @property
    def group_names(self) -> tuple[str, ...]:
        """The columns that go into the log."""
        if self.groups is None:
            return ()
        if isinstance(self.groups, pl.DataFrame):
            return tuple(self.groups.columns)
        return tuple(self.groups)


def opened(
    model: object,
    inputs: object,
    asked: Asked,
    *,
    told: Told | None = None,
    architecture: str | None = None,
    trust_pickle: bool = False,
    way: Way | None = None,
) -> tuple[Model, Inputs]:
    """Return a model and its inputs, in the units of its spec.

    Args:
        model: An address as `evenhand.models.load.load` takes it, or an object.
        inputs: A path, a table, an array of examples, or `Inputs`.
        asked: What in the inputs is what.
        told: What was said of the model.
        architecture: Of weights alone.
        trust_pickle: Whether a pickle is read.
        way: How an endpoint is asked.

    Raises:
        EvenhandError: One cannot be opened, or they do not fit together.

    """
    if isinstance(inputs, Inputs):
        sample = inputs.x[:_SAMPLE]
        found = _model(model, told, sample, (), architecture, trust=trust_pickle, way=way)
        return found, inputs
    thing: object = model
    names: tuple[str, ...] = ()
    table = isinstance(inputs, str | Path | pl.DataFrame)
    if table and asked.pixels is None and asked.shape is None and _may_name(model, asked):
        thing, names = fitted_on_names(model, trust_pickle=trust_pickle)
        if asked.features is not None and (asked.encode or tuple(asked.features) != names):
            thing, names = model, ()
    read = _read(inputs, replace(asked, features=names or asked.features), coded=bool(names))
    if asked.observed or (names and asked.features is None):
        told = _observed(read, told or Told(), model)
    low, high = _range(model, told)
    found = _model(
        Framed(thing, names, read.values) if names else model,
        told,
        read.sample(_SAMPLE, low, high),
        distinct(read.labels),
        architecture,
        trust=trust_pickle,
        way=way,
        name=Path(model).name if isinstance(model, str | Path) else "",
    )
    return found, read.fit(found.spec)


def baseline_of(
    model: object,
    inputs: Inputs,
    *,
    told: Told | None = None,
    architecture: str | None = None,
    trust_pickle: bool = False,
) -> Baseline:
    """Return a model that others are measured by, opened for inputs that are there.

    Args:
        model: An address or an object, as `opened` takes it.
        inputs: The examples.
        told: What was said of the model.
        architecture: Of weights alone.
        trust_pickle: Whether a pickle is read.

    Raises:
        EvenhandError: It cannot be opened.

    """
    sample = inputs.x[:_SAMPLE]
    found = _model(model, told, sample, (), architecture, trust=trust_pickle, way=None)
    return Baseline(found, found.fingerprint())


def _range(model: object, told: Told | None) -> tuple[float, float]:
    """Return the range in which a model is asked first: of its own spec, where it has one."""
    spec = getattr(model, "spec", None)
    if spec is not None and hasattr(spec, "low"):
        return float(spec.low), float(spec.high)
    return (told or Told()).range


def _model(
    model: object,
    told: Told | None,
    sample: Any,  # noqa: ANN401 - an array
    seen: tuple[Any, ...],
    architecture: str | None,
    *,
    trust: bool,
    way: Way | None,
    name: str = "",
) -> Model:
    if isinstance(model, Framed):
        return model_of(model, told, sample=sample, seen=seen, name=name)
    if isinstance(model, str | Path):
        return load(
            str(model),
            told,
            sample=sample,
            seen=seen,
            architecture=architecture,
            trust_pickle=trust,
            way=way,
        )
    return model_of(model, told, sample=sample, seen=seen)


def _may_name(model: object, asked: Asked) -> bool:
    """Return whether a model is looked at for its columns: nothing is built twice for it."""
    pickled = isinstance(model, str | Path) and Path(model).suffix.lower() in PICKLED
    return asked.features is None or pickled or hasattr(model, "feature_names_in_")


def _observed(read: Read, told: Told, model: object) -> Told:
    """Return what was said, with the range of the values where none was and the model has none."""
    if told.low is not None or hasattr(model, "spec") or read.x.dtype == np.uint8:
        return told
    if read.x.dtype.kind not in "fiub" or not np.isfinite(read.x).all():
        return told
    low, high = float(read.x.min()), float(read.x.max())
    return replace(told, low=low, high=high if high > low else low + 1.0, observed=True)


def _read(inputs: object, asked: Asked, *, coded: bool = False) -> Read:
    if isinstance(inputs, str | Path | pl.DataFrame):
        return read_inputs(
            inputs,
            shape=asked.shape,
            pixels=asked.pixels,
            features=asked.features,
            label=asked.labels,
            ids=asked.ids,
            where=asked.where,
            encode=asked.encode,
            coded=coded,
        )
    x = np.asarray(inputs)
    if x.ndim < 2 or x.dtype.kind not in "fiub":  # noqa: PLR2004 - the batch and one axis
        what = f"examples of type {x.dtype} and shape {x.shape} are no inputs."
        raise ModelError(Problem("inputs", what, "Give a path, a table or an array (n, ...)."))
    count = len(x)
    if not (isinstance(asked.groups, Mapping | pl.DataFrame) or asked.groups is None):
        what = "names of columns are for tables; examples are an array here."
        raise ModelError(Problem("groups", what, "Give values: groups={'sex': [...]}."))
    table = pl.DataFrame(asked.groups or {})
    ids = np.arange(count) if asked.ids is None else np.asarray(asked.ids)
    labels = None if asked.labels is None else np.asarray(asked.labels)
    lengths = {"ids": len(ids), "labels": count if labels is None else len(labels)}
    lengths["groups"] = len(table) if table.width else count
    wrong = [
        Problem(what, f"there are {found:,} for {count:,} examples.")
        for what, found in lengths.items()
        if found != count
    ]
    if wrong:
        raise ModelError(wrong)
    return Read(x, ids, labels, table, "inputs")
