"""The parts of a plan that name a model and what is done to its inputs, in place of a log."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from evenhand.audits.plan.lines import Place
from evenhand.audits.plan.part import Name, Part, Scalar, Text
from evenhand.errors import listed
from evenhand.models.spec import Layout, Output
from evenhand.probes.written import kind_of

KIND = "perturbed"
"""What the rows of a probe are that cannot be read."""

SHOWN = 24
"""Examples that are kept to be looked at, where nobody says how many."""

PER_CHANNEL = "of each channel, one number for all or one for each"


class ModelSource(Part):
    """A model, and the inputs that it is asked about; keys are those of ``evenhand probe``."""

    address: Text = Field(
        description="pkg.mod:name (the plan's folder counts), a file relative to the plan's folder "
        "(.onnx, .safetensors, .joblib), or http(s)://."
    )
    inputs: Text = Field(
        description="Parquet, Arrow, CSV, .npz or a folder with a CSV, relative to the plan's "
        "folder."
    )
    label: Name | None = Field(None, description="Column of true classes; of an .npz by default y.")
    id: Name | None = Field(None, description="Column of ids; by default places.")
    pixels: Name | None = Field(None, description="Column of images.")
    features: list[Name] | None = Field(
        None, min_length=1, description="Columns of one example, in the model's order."
    )
    shape: Annotated[str, StringConstraints(pattern=r"^[1-9]\d*(x[1-9]\d*)*$")] | None = Field(
        None, description="Shape of one image: 28x28, 3x32x32 or 32x32x3."
    )
    where: Text | None = Field(None, description="Inputs that are meant, as an expression.")
    encode: dict[Name, dict[Name, float]] = Field(
        default_factory=dict, description="For features that are text, the number of each value."
    )
    range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="Smallest and largest value of an input; [0, 1] by default."
    )
    classes: list[Scalar] = Field(
        default_factory=list, description="Classes, in the order of the model's scores."
    )
    output: Output | None = Field(None, description="What it gives; by default as it looks.")
    layout: Layout | None = Field(None, description="What the axes of an input are.")
    mean: list[float] = Field(
        default_factory=list, description=f"Subtracted before the model, {PER_CHANNEL}."
    )
    std: list[float] = Field(default_factory=list, description=f"Divided by, {PER_CHANNEL}.")
    stochastic: bool = Field(
        False,  # noqa: FBT003 - the default of a field
        description="Whether it answers the same input differently.",
    )
    architecture: Text | None = Field(
        None, description="What .safetensors are the weights of: pkg.mod:build."
    )
    form: Literal["json", "npy", "raw"] = Field(
        "json", description="Of endpoints: what inputs are sent as."
    )

    @property
    def lengths(self) -> tuple[int, ...] | None:
        """The shape as numbers."""
        return None if self.shape is None else tuple(map(int, self.shape.split("x")))

    def portable(self, named: Callable[[str], str]) -> ModelSource:
        """Return it without folders of one machine.

        Args:
            named: Gives a path without its folder where it is absolute.

        """
        return self.model_copy(
            update={"address": named(self.address), "inputs": named(self.inputs)}
        )


class ProbeEntry(Part):
    """What is done to every input, which gives rows of the log."""

    probe: Text = Field(
        description="attack.auto(eps=8/255), corrupt.common, certify.ibp, attribute.common."
    )
    baseline: Text | None = Field(
        None, description="Of corruptions: a model, as address, whose errors mCE divides by."
    )
    flags: bool = Field(
        True,  # noqa: FBT003 - the default of a field
        description="Of attacks: whether reasons not to believe them are looked for.",
    )
    pictures: int = Field(SHOWN, ge=0, description="Images that are kept to be looked at.")
    seed: int = Field(1, ge=0, description="Where every random number comes from.")

    def portable(self, named: Callable[[str], str]) -> ProbeEntry:
        """Return it without folders of one machine, as `ModelSource.portable`."""
        if self.baseline is None:
            return self
        return self.model_copy(update={"baseline": named(self.baseline)})

    def written(self) -> str | dict[str, Any]:
        """Return it as plans write it: the probe alone where nothing else is said."""
        said = self.model_dump(mode="json", exclude_defaults=True)
        return said if len(said) > 1 else self.probe


def as_probe(value: object) -> object:
    """Return a probe that is written alone as a mapping."""
    return {"probe": value} if isinstance(value, str) else value


def kinds_of(probes: object) -> dict[str, str]:
    """Return the kinds of rows that the probes of a document write, each with one that does."""
    found: dict[str, str] = {}
    for one in probes if isinstance(probes, list) else []:
        text = one.get("probe") if isinstance(one, Mapping) else one
        # What cannot be read is told where it stands, and of one kind all the same.
        kind = kind_of(str(text))
        if kind is not None:
            found.setdefault(kind, str(text))
    return found


def with_kind(content: object) -> object:
    """Return a document that names a model with the kind of the rows that its probes write."""
    if not isinstance(content, Mapping) or content.get("model") is None:
        return content
    log = content.get("log", {})
    kind = next(iter(kinds_of(content.get("probes"))), KIND)
    return {**content, "log": {"kind": kind, **log}} if isinstance(log, Mapping) else content


def contradictions(content: Mapping[Any, Any]) -> Iterator[tuple[Place, str, str]]:
    """Yield what of a document's log, model and probes does not go together, each at its place."""
    model, probes = content.get("model"), content.get("probes")
    log = content.get("log")
    said = log if isinstance(log, Mapping) else {}
    if model is None:
        if "log" not in content:
            yield ("log",), "the key 'log' is missing.", _LOG
        elif isinstance(log, Mapping) and "source" not in log:
            yield ("log", "source"), "the key 'source' is missing.", _LOG
        if probes:
            yield ("probes",), "probes are of a model, and the plan names none.", _MODEL
        return
    if "source" in said:
        what = "the plan names a model too: rows are read from a log, or probes make them."
        yield ("log", "source"), what, "Leave one of them out."
    written = kinds_of(probes) or {KIND: ""}
    if len(written) > 1:
        what = "rows are of one kind, and "
        what += listed(f"{probe} writes {kind}" for kind, probe in written.items()) + "."
        yield ("probes",), what, "Write a plan for each."
    elif said.get("kind") not in {None, *written}:
        what = f"probes write rows of kind {listed([*written])}, not '{said['kind']}'."
        yield ("log", "kind"), what, "Leave it out."
    if not probes:
        yield ("model",), "the model is not probed.", _PROBES


_LOG = "Write log: {source: decisions.parquet, kind: decisions}."
_MODEL = "Write model: {address: pkg.mod:name, inputs: digits.parquet, label: label, ...}."
_PROBES = "Write probes: ['attack.auto(eps=8/255)', corrupt.common]."


def keys_for_flags(hint: str) -> str:
    """Return a hint that names flags of ``evenhand probe`` with the keys that a plan has for them.

    >>> keys_for_flags("Say --label COLUMN, or --trust-pickle.")
    'Say label: COLUMN, or --trust-pickle.'
    >>> keys_for_flags("Say --eps 0.1 or --eps 8/255, in the units of the inputs' range.")
    "Say eps=0.1 or eps=8/255, in the units of the inputs' range."
    >>> keys_for_flags("Say --range -1.5 2.5.")
    'Say range: [-1.5, 2.5].'
    """
    hint = re.sub(r"--(eps|norm|severity|certificate) ([\w/.]*\w)", r"\1=\2", hint)
    hint = re.sub(r"--class (\w+) --class (\w+)", r"classes: [\1, \2]", hint)
    hint = re.sub(r"--class\b", "classes:", hint)
    hint = re.sub(r"--range (\S+) ([^\s,;]*[^\s.,;])", r"range: [\1, \2]", hint)
    return re.sub(_FLAGS, r"\1:", hint)


_FLAGS = r"--(label|id|pixels|shape|features|where|output|layout|mean|std|architecture|form)\b"
