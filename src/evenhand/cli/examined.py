"""What ``evenhand doctor --model`` says: the spec as understood, what can be probed, the doubts."""

from __future__ import annotations

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
    probes = [_probe(name, model) for name in _attacks()]
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


def _attacks() -> list[str]:
    from evenhand.probes.attack.registry import attacks

    return [*attacks()]


def _probe(name: str, model: Model) -> dict[str, Any]:
    from evenhand.models.model import need
    from evenhand.probes.attack.registry import attacks

    attack = attacks()[name]
    what = f"attack.{name}"
    by = {None: "", "scores": ", by scores", "vjp": ", by gradients"}[attack.needs]
    if attack.needs is not None:
        try:
            need(model, attack.needs, what)
        except EvenhandError as error:
            (problem,) = error.problems
            hint = "attack.square needs scores alone." if "scores" in model.offers else ""
            hint = hint or "attack.hop needs decisions alone."
            return {"what": what, "ok": False, "found": problem.what, "hint": hint}
    return {"what": what, "ok": True, "found": f"can be run{by}", "hint": ""}


def _observed(found: Checked) -> str:
    if found.observed is None:
        return ""
    least, most = found.observed
    return f", the inputs from {least:g} to {most:g}"


def _offers(model: Model) -> str:
    words = {"scores": "scores", "vjp": "gradients"}
    return listed(["classes", *(words[one] for one in sorted(model.offers))])


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
