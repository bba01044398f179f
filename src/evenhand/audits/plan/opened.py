"""The model and the inputs that a plan names: opened from its folder, problems at its lines."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evenhand.audits.plan.lines import Located, Place
from evenhand.audits.plan.model import ModelSource, keys_for_flags
from evenhand.audits.plan.placed import at_place
from evenhand.audits.plan.plan import AuditPlan
from evenhand.audits.plan.source import expanded
from evenhand.errors import EvenhandError, ModelError, PlanError, Problem
from evenhand.logs.remote import within
from evenhand.models.http import TRUSTED, Way
from evenhand.models.inputs import Inputs
from evenhand.models.model import Model
from evenhand.models.told import Told
from evenhand.probes.opened import Asked, baseline_of, opened
from evenhand.probes.probe import Probe
from evenhand.probes.written import probe_of


@dataclass(frozen=True)
class Trust:
    """What whoever runs a plan says of its model, and no plan may say.

    Attributes:
        trust_pickle: Whether a pickle is read, which runs whatever is in it.
        max_queries: What the model may be asked by this run; None for as much as it takes.
        rate: Of endpoints: requests in a second at most.
        timeout: Of endpoints: seconds that an answer may take.
        keep: Of endpoints: a folder for answers.

    """

    trust_pickle: bool = False
    max_queries: int | None = None
    rate: float | None = None
    timeout: float = 30.0
    keep: Path | None = None

    def way(self, form: Any) -> Way:  # noqa: ANN401 - what inputs are sent as
        """Return how an endpoint is asked.

        Who wrote the plan need not be who set the token: it is sent to a host that they named too.
        """
        return Way(
            form=form,
            rate=self.rate,
            timeout=self.timeout,
            max_queries=self.max_queries,
            cache=self.keep,
            trusted=os.environ.get(TRUSTED, ""),
        )


def open_model(
    source: ModelSource, folder: Path, trust: Trust, places: Located
) -> tuple[Model, Inputs, Told]:
    """Return the model, its inputs, and what the plan says of it.

    Args:
        source: What the plan says.
        folder: The folder that relative paths start from, and whose modules count.
        trust: What its runner says.
        places: Where everything stands in its file.

    Raises:
        PlanError: A variable of the environment is not set.
        EvenhandError: One cannot be opened, or they do not fit together; see `placed`.

    """
    addresses, problems = {}, []
    for key in ("address", "inputs", "architecture"):
        text = getattr(source, key)
        try:
            addresses[key] = None if text is None else _expanded(text)
        except EvenhandError as error:
            problems += at_place(places, ("model", key), error)
    if problems:
        raise PlanError(problems)
    low, high = source.range or (None, None)
    told = Told(
        labels=tuple(source.classes) or None,
        shape=source.lengths,
        low=low,
        high=high,
        layout=source.layout,
        output=source.output,
        mean=tuple(source.mean),
        std=tuple(source.std),
        stochastic=source.stochastic,
    )
    asked = Asked(
        labels=source.label,
        ids=source.id,
        pixels=source.pixels,
        features=source.features,
        shape=source.lengths,
        where=source.where,
        encode=source.encode,
    )
    with _importing(folder, addresses["address"], addresses["architecture"]):
        model, inputs = opened(
            address_within(folder, str(addresses["address"])),
            within(folder, str(addresses["inputs"]), catalogue=False),
            asked,
            told=told,
            architecture=addresses["architecture"],
            trust_pickle=trust.trust_pickle,
            way=trust.way(source.form),
        )
    return model, inputs, told


def _expanded(text: str) -> str:
    """Return an address with the variables of the environment in it, but of no endpoint.

    Raises:
        PlanError: A variable is not set, or would be sent to an endpoint: a plan may come from
            anybody, and the environment holds secrets.

    """
    found = expanded(text)
    if found != text and found.startswith(("http://", "https://")):
        what = "what variables of the environment hold would be sent to it."
        raise PlanError(Problem(text, what, "Write the address of an endpoint out."))
    return found


def with_baseline(
    plan: AuditPlan, index: int, inputs: Inputs, told: Told, *, folder: Path, trust: Trust
) -> Probe:
    """Return a probe of the plan, with the model beside which it is measured.

    Raises:
        EvenhandError: It cannot be read, or that model cannot be opened.

    """
    entry, source = plan.probes[index], plan.model
    if entry.baseline is None or source is None:
        return probe_of(entry.probe, seed=entry.seed).among(inputs)
    address = _expanded(entry.baseline)
    architecture = None if source.architecture is None else _expanded(source.architecture)
    with _importing(folder, address, architecture):
        beside = baseline_of(
            address_within(folder, address),
            inputs,
            told=told,
            architecture=architecture,
            trust_pickle=trust.trust_pickle,
        )
    return probe_of(entry.probe, seed=entry.seed, baseline=beside).among(inputs)


_IMPORTED = re.compile(r"[^\W\d][\w.]*:[^\W\d][\w.]*")
_FILES = {".onnx", ".safetensors", ".joblib", ".pkl", ".pickle", ".pt", ".pth", ".bin", ".ckpt"}


def address_within(folder: Path, address: str) -> str:
    """Return the address of a model as it is found from here: files are relative to a folder.

    >>> address_within(Path("plans"), "net.onnx"), address_within(Path("plans"), "models:cnn")
    ('plans/net.onnx', 'models:cnn')
    """
    if Path(address).suffix.lower() not in _FILES or "://" in address:
        return address
    return within(folder, address, catalogue=False)


class _importing:  # noqa: N801 - it is used as a verb
    """Lets modules beside a plan be imported, and sees that it was those that were.

    Raises:
        ModelError: Another module of that name was imported in its place.

    """

    def __init__(self, folder: Path, *addresses: str | None) -> None:
        self._folder = folder.resolve()
        named = [one for one in addresses if one is not None and _IMPORTED.fullmatch(one)]
        self._modules = dict.fromkeys(re.split(r"[.:]", one)[0] for one in named)

    def __enter__(self) -> None:
        if self._modules and str(self._folder) not in sys.path:
            sys.path.append(str(self._folder))

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for name in self._modules if kind is None else ():
            own = {self._folder / f"{name}.py", self._folder / name / "__init__.py"}
            at = getattr(sys.modules.get(name), "__file__", None)
            if any(one.exists() for one in own) and at and Path(at).resolve() not in own:
                what = f"module '{name}' was imported from {at}, and another lies beside the plan."
                raise ModelError(Problem(f"model '{name}'", what, "Give it a name of its own."))


_ROLE = re.compile(r".*, (label|id|pixels|encode|features)(?:\[(\d+)\])?")


def placed(problem: Problem, places: Located, source: ModelSource) -> Problem:
    """Return a problem of the model or its inputs at the place of the plan that it is about."""
    role = _ROLE.fullmatch(problem.where)
    place: Place = ("model",)
    if role:
        number = () if role[2] is None else (int(role[2]),)
        place = ("model", role[1], *number)
    elif problem.where.startswith("model '") or problem.where.endswith(source.address):
        place = ("model", "address")
    elif problem.where == "where":
        place = ("model", "where")
    elif Path(problem.where.partition(", ")[0]).name == Path(source.inputs).name:
        place = ("model", "inputs")
    said = "" if role or problem.where == "where" else f"{problem.where}: "
    hint = keys_for_flags(problem.hint)
    if hint.startswith("Modules are looked for"):
        hint = f"{hint.rstrip('.')} and beside the plan."
    return Problem(places.where(place), f"{said}{problem.what}", hint)
