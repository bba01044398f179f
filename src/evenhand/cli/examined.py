"""What ``evenhand doctor --model`` says: the spec as understood, what can be probed, the doubts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from evenhand.errors import EvenhandError, ModelError, Problem, listed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evenhand.models.check import Checked
    from evenhand.models.inputs import Inputs
    from evenhand.models.model import Model
    from evenhand.models.told import Told

_FEW = 64
"""Inputs that an endpoint is asked about: each question may cost something."""


def examine(model: Model, inputs: Inputs, told: Told) -> tuple[RenderableType, dict[str, Any]]:
    """Return what was found of a model, for people and as JSON."""
    from evenhand.models.check import MOST, check

    own = not model.name.startswith("http")
    found = check(model, inputs.x, inputs.labels, most=MOST if own else _FEW)
    spec = model.spec
    seen = " (as it looks)" if told.output is None else ""
    facts = {
        "model": f"{model.name}, {type(model).__name__}, offers {_offers(model)}",
        "fingerprint": model.fingerprint(),
        "inputs": f"{len(inputs):,} of shape {_shape(spec.shape)} ({spec.layout}) in {inputs.name}",
        "range": f"{spec.low:g} to {spec.high:g}" + _observed(found),
        "normalisation": _normalisation(spec.mean, spec.std),
        "output": f"{spec.output}{seen} of {spec.classes} classes: {_few(spec.labels)}",
        "accuracy": "unknown: say --label COLUMN"
        if found.accuracy is None
        else f"{found.accuracy:.3f} of {found.inputs:,} inputs that were looked at",
    }
    probes = [*_attacks(model), *_others(model), *_explanations(model, inputs)]
    document: dict[str, Any] = {
        **{name: facts[name] for name in ("model", "fingerprint", "inputs")},
        "spec": {
            "labels": [*spec.labels],
            "shape": [*spec.shape],
            "range": [spec.low, spec.high],
            "layout": spec.layout,
            "output": spec.output,
            "mean": [*spec.mean],
            "std": [*spec.std],
            "stochastic": spec.stochastic,
        },
        "offers": sorted(model.offers),
        "observed": None if found.observed is None else [*found.observed],
        "accuracy": found.accuracy,
        "looked_at": found.inputs,
        "queries": model.queries,
        "probes": probes,
        "doubts": [
            {"check": one.name, "sure": one.sure, "seen": one.seen, "hint": one.hint}
            for one in found.doubts
        ],
        "passed": [*found.passed],
        "skipped": found.skipped,
        "sound": not found.certain,
    }
    return _shown(facts, probes, found, model), document


def _shown(
    facts: dict[str, str], probes: list[dict[str, Any]], found: Checked, model: Model
) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    facts = {**facts, "fingerprint": facts["fingerprint"][:23]}
    for name, value in facts.items():
        table.add_row("", Text(name), Text(value), "")
    for one in probes:
        mark = "[green]ok[/green]" if one["ok"] else "[yellow]--[/yellow]"
        table.add_row(mark, *(Text(str(one[key])) for key in ("what", "found", "hint")))
    for doubt in found.doubts:
        mark = "[red]!![/red]" if doubt.sure == "certain" else "[yellow]?[/yellow]"
        seen = f"{doubt.sure}: {doubt.seen}"
        table.add_row(mark, Text(doubt.name), Text(seen), Text(doubt.hint))
    for name in found.passed:
        table.add_row("[green]ok[/green]", Text(name), "nothing speaks against it", "")
    for name, why in found.skipped.items():
        table.add_row("[yellow]--[/yellow]", Text(name), Text(f"not checked: {why}"), "")
    said = "Nothing that could be checked speaks against the spec."
    if found.certain:
        said = "A probe would measure something else than what was said: correct the spec first."
    elif found.doubts:
        said = "The spec may be wrong: look at the doubts before a probe is believed."
    return Group(table, Text(f"\n{said} {model.queries:,} queries."))


def _attacks(model: Model) -> list[dict[str, Any]]:
    from evenhand.models.model import need
    from evenhand.probes.attack.registry import attacks

    found = []
    for name, attack in attacks().items():
        what = f"attack.{name}"
        by = {None: "", "scores": ", by scores", "vjp": ", by gradients"}[attack.needs]
        try:
            if attack.needs is not None:
                need(model, attack.needs, what)
        except EvenhandError as error:
            hint = "attack.square needs scores alone." if "scores" in model.offers else ""
            found.append(_not(what, error.problems[0].what, hint or "attack.hop needs decisions."))
        else:
            found.append(_can(what, f"can be run{by}"))
    return found


def _others(model: Model) -> list[dict[str, Any]]:
    """Return which corruptions, certificates and maps there can be."""
    from evenhand.probes.attribute.registry import attributions
    from evenhand.probes.certify.registry import certificates
    from evenhand.probes.written import probe_of

    names = ["corrupt.common", "corrupt.video", *(f"certify.{one}" for one in certificates())]
    names += [f"attribute.{one}" for one in attributions()]
    return [_judged(what, probe_of(what).method.problems(model)) for what in names]


def _explanations(model: Model, inputs: Inputs) -> list[dict[str, Any]]:
    """Return which explanations of tables there can be of these inputs."""
    from evenhand.probes.explaining import explanations
    from evenhand.probes.written import probe_of

    spec, found = model.spec, []
    for name, kind in explanations().items():
        what = f"explain.{name}"
        # Which of more than two classes is meant is nothing that the model lacks.
        fields = {one.name for one in dataclasses.fields(kind)} & {"target", "favourable"}
        keys = sorted(fields) if spec.classes > 2 else []  # noqa: PLR2004
        said = f"({', '.join(f'{key}={spec.labels[0]!r}' for key in keys)})" if keys else ""
        probe = probe_of(f"{what}{said}")
        if spec.layout == "features":
            probe = probe.among(inputs)
        can = f"can be run, of a class that is named: {keys[0]}=..." if keys else "can be run"
        found.append(_judged(what, probe.method.problems(model), can))
    return found


def _judged(what: str, problems: list[Problem], can: str = "can be run") -> dict[str, Any]:
    """Return what is said of a probe; the first problem stands for all."""
    return _not(what, problems[0].what, problems[0].hint) if problems else _can(what, can)


def _can(what: str, found: str) -> dict[str, Any]:
    return {"what": what, "ok": True, "found": found, "hint": ""}


def _not(what: str, found: str, hint: str) -> dict[str, Any]:
    return {"what": what, "ok": False, "found": found, "hint": hint}


def _observed(found: Checked) -> str:
    if found.observed is None:
        return ""
    least, most = found.observed
    return f", the inputs from {least:g} to {most:g}"


def _offers(model: Model) -> str:
    from evenhand.models.model import OFFERS

    return listed(["classes", *(OFFERS[one] for one in sorted(model.offers))])


def _normalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    if not mean:
        return "none, or inside the model"
    return f"less {listed(f'{one:g}' for one in mean)}, by {listed(f'{one:g}' for one in std)}"


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _few(labels: tuple[object, ...]) -> str:
    more = f" and {len(labels) - 10} more" if len(labels) > 10 else ""  # noqa: PLR2004
    return listed(labels[:10]) + more


def both(model: str | None, inputs: str | None) -> tuple[str, str]:
    """Return model and inputs, if both were said.

    Raises:
        ModelError: One was not.

    """
    if model is None:
        what = "inputs are for a model."
        raise ModelError(Problem("--inputs", what, "Say --model."))
    if inputs is None:
        what = "a model is checked by asking it about inputs."
        raise ModelError(Problem("--model", what, "Say --inputs and --pixels or --features."))
    return model, inputs
