"""``evenhand doctor``: what this installation can do, and what a model can be probed for."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version

import typer

import evenhand
from evenhand.cli import flags, modelled
from evenhand.cli.output import FAIL, show

_ENGINE_PACKAGE = {"polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}

_OPTIONAL = (
    ("pyarrow tables", "pyarrow", "evenhand[arrow]"),
    ("pandas tables", "pandas", "evenhand[pandas]"),
    ("torch models", "torch", "evenhand[torch]"),
    ("ONNX models", "onnxruntime", "evenhand[onnx]"),
    ("estimators", "scikit-learn", "scikit-learn"),
    ("image files", "pillow", "evenhand[images]"),
    ("attributions", "captum", "evenhand[explain]"),
    ("Shapley of trees", "shap", "evenhand[explain]"),
)
"""What a package is for, and what installs it."""


def doctor(
    *,
    model: modelled.Address = None,
    inputs: modelled.Examples = None,
    label: modelled.Label = None,
    ids: modelled.Id = None,
    pixels: modelled.Pixels = None,
    shape: modelled.Shape = None,
    features: modelled.Features = None,
    where: flags.Where = None,
    limits: modelled.Range = None,
    classes: modelled.Classes = None,
    output: modelled.Gives = None,
    layout: modelled.Axes = None,
    mean: modelled.Mean = None,
    std: modelled.Std = None,
    stochastic: modelled.Stochastic = False,
    architecture: modelled.Architecture = None,
    trust_pickle: modelled.TrustPickle = False,
    form: modelled.Sent = "json",
    rate: modelled.Rate = None,
    timeout: modelled.Timeout = 30.0,
    max_queries: modelled.MaxQueries = None,
    keep: modelled.Keep = None,
    as_json: flags.AsJson = False,
) -> None:
    """Say what is installed and what is missing; of a model, what can be probed, and what is wrong.

    With --model the model is asked about inputs, to check what is said of it: range, layout,
    normalisation, order of labels, what its scores are, gradients. Exit status: 1 where a probe
    would measure something else than what was said.

    [bold]Example[/bold]

      evenhand doctor --json

      evenhand doctor --model mypkg.models:load --inputs digits.parquet --pixels image --shape 8x8
      --label label
    """
    if model is not None or inputs is not None:
        from evenhand.cli.examined import both, examine
        from evenhand.probes.opened import Asked, opened

        told = modelled.told_of(
            shape=shape,
            limits=limits,
            classes=classes,
            output=output,
            layout=layout,
            mean=mean,
            std=std,
            stochastic=stochastic,
        )
        named = None if features is None else [one.strip() for one in features.split(",")]
        asked = Asked(label, ids, pixels, named, modelled.shape_of(shape), where)
        address, source = both(model, inputs)
        found = opened(
            address,
            source,
            asked,
            told=told,
            architecture=architecture,
            trust_pickle=trust_pickle,
            way=modelled.way_of(
                form=form, rate=rate, timeout=timeout, max_queries=max_queries, keep=keep
            ),
        )
        text, document = examine(*found, told)
        show(text, document, as_json=as_json)
        if not document["sound"]:
            raise typer.Exit(FAIL)
        return
    _installation(as_json=as_json)


def _installation(*, as_json: bool) -> None:
    from rich.table import Table
    from rich.text import Text

    from evenhand.logs.backend import installed
    from evenhand.logs.kinds import kinds
    from evenhand.measures import plugin, registry

    checks: list[dict[str, str | bool]] = [
        _check("evenhand", found=f"{evenhand.__version__} on Python {platform.python_version()}")
    ]
    for engine, package in _ENGINE_PACKAGE.items():
        works = installed(engine)  # type: ignore[arg-type]
        found = f"{package} {version(package)}" if works else "not installed"
        if engine == "spark" and works and shutil.which("java") is None:
            works, found, hint = False, f"{found}, but no Java", "Install Java 17 or newer."
        else:
            hint = "" if works else f"pip install 'evenhand[{engine}]'"
        checks.append(_check(f"engine {engine}", found=found, hint=hint, ok=works))
    for what, package, wanted in _OPTIONAL:
        try:
            checks.append(_check(what, found=f"{package} {version(package)}"))
        except PackageNotFoundError:
            hint = f"pip install '{wanted}'"
            checks.append(_check(what, found="not installed", hint=hint, ok=False))
    checks += _device()
    checks.append(_check("kinds", found=", ".join(kinds())))
    checks.append(_check("measures", found=f"{len(registry.measures())} found"))
    for one in registry.plugins():
        names = ", ".join(cls.name for cls in one.classes) or "left out"
        found = f"{one.package}: {names}"
        hint = f"{one.reasons}." if one.left_out else ""
        checks.append(_check(f"plug-in {one.name}", found=found, hint=hint, ok=not hint))
    for what, group in plugin.NOT_USED.items():
        for one in plugin.found(group):
            found = f"{one.package}: found, not used by this release"
            hint = f"This release has no {what}s."
            checks.append(_check(f"{what} {one.name}", found=found, hint=hint, ok=False))
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/green]" if check["ok"] else "[yellow]--[/yellow]"
        # As Text, because 'evenhand[duckdb]' is not markup.
        table.add_row(mark, *(Text(str(check[key])) for key in ("what", "found", "hint")))
    show(table, {"checks": checks}, as_json=as_json)


def _device() -> list[dict[str, str | bool]]:
    """Return where modules of torch are asked, where there is torch."""
    import importlib.util

    from evenhand.errors import ModelError, first_line

    if importlib.util.find_spec("torch") is None:
        return []
    from evenhand.models.device import device_of

    try:
        device = device_of(None)
    except ModelError as error:
        (problem,) = error.problems
        return [_check("torch device", found=problem.what, hint=problem.hint, ok=False)]
    except (ImportError, OSError) as error:
        # One that is built for another machine, or lacks a library.
        found = f"torch cannot be imported: {first_line(error)}"
        return [_check("torch device", found=found, hint="Install it anew.", ok=False)]
    found = str(device)
    if device.type == "cuda":
        import torch

        found = f"{found}, {torch.cuda.get_device_name(device)}"
    return [_check("torch device", found=found)]


def _check(what: str, *, found: str, hint: str = "", ok: bool = True) -> dict[str, str | bool]:
    return {"what": what, "ok": ok, "found": found, "hint": hint}
