"""The words of a model and its inputs as flags, the same for every verb that asks a model."""

from __future__ import annotations

import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import typer

from evenhand.errors import ModelError, PlanError, Problem, listed
from evenhand.models.spec import Layout, Output

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evenhand.audits.modelled import Runner, Step
    from evenhand.audits.plan.probed import Prepared
    from evenhand.models.http import Way
    from evenhand.models.told import Told
    from evenhand.probes.method import Progress

Address: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="A model: pkg.mod:name, a file (.onnx, .safetensors, .joblib) or http(s)://.",
    ),
]
Examples: TypeAlias = Annotated[
    str | None,
    typer.Option("--inputs", help="Its inputs: Parquet, Arrow, CSV, .npz, a folder with a CSV."),
]
Label: TypeAlias = Annotated[
    str | None, typer.Option(help="Inputs: the column of true classes; of an .npz its y.")
]
Id: TypeAlias = Annotated[
    str | None, typer.Option("--id", help="Inputs: the column of ids; by default places.")
]
Pixels: TypeAlias = Annotated[str | None, typer.Option(help="Inputs: the column of images.")]
Shape: TypeAlias = Annotated[
    str | None, typer.Option(help="Shape of one image: 28x28, 3x32x32 or 32x32x3.")
]
Features: TypeAlias = Annotated[
    str | None,
    typer.Option(help="Inputs: columns of one example, in the model's order: a,b,c."),
]
Range: TypeAlias = Annotated[
    tuple[float, float] | None,
    typer.Option(
        "--range",
        help="Smallest and largest value of an input, before normalisation; 0 1 by default.",
        metavar="LOW HIGH",
    ),
]
Classes: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--class", help="A class, in the order of the model's scores."),
]
Gives: TypeAlias = Annotated[
    Output | None, typer.Option("--output", help="What it gives; by default what it looks like.")
]
Axes: TypeAlias = Annotated[
    Layout | None,
    typer.Option("--layout", help="What the axes of an input are; by default by their lengths."),
]
Mean: TypeAlias = Annotated[
    str | None, typer.Option(help="Subtracted of each channel before the model: 0.5,0.5,0.5.")
]
Std: TypeAlias = Annotated[str | None, typer.Option(help="What each channel is divided by then.")]
Stochastic: TypeAlias = Annotated[
    bool, typer.Option("--stochastic", help="The model answers the same input differently.")
]
Architecture: TypeAlias = Annotated[
    str | None, typer.Option(help="What .safetensors are the weights of: pkg.mod:build.")
]
TrustPickle: TypeAlias = Annotated[
    bool, typer.Option("--trust-pickle", help="Read a pickle, which runs what is in it.")
]
Sent: TypeAlias = Annotated[
    Literal["json", "npy", "raw"],
    typer.Option("--form", help="Endpoints: what inputs are sent as."),
]
Rate: TypeAlias = Annotated[
    float | None, typer.Option(help="Endpoints: requests in a second at most.")
]
Timeout: TypeAlias = Annotated[
    float, typer.Option(help="Endpoints: seconds that an answer may take.")
]
MaxQueries: TypeAlias = Annotated[
    int | None, typer.Option(help="Endpoints: inputs that may be sent at most.")
]
Budget: TypeAlias = Annotated[
    int | None, typer.Option("--max-queries", help="What this run may ask the model at most.")
]
Believe: TypeAlias = Annotated[
    bool,
    typer.Option("--believe", help="Go on where the check says that the model was misread."),
]
Logs: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--probes",
        help="Plans with a model: the folder of the probes' logs; by default PLAN.probes.",
    ),
]
Keep: TypeAlias = Annotated[
    Path | None,
    typer.Option(help="Endpoints: a folder for answers, so that nothing is asked twice."),
]


def names_of(flags: Sequence[str]) -> tuple[str, ...]:
    """Return names that stand in flags, with commas between them: ``sex,race``."""
    return tuple(one.strip() for flag in flags for one in flag.split(",") if one.strip())


def ranges_of(flags: Sequence[str]) -> tuple[tuple[str, float, float], ...]:
    """Return the ranges that stand in flags: ``age=18:90,hours=0:80``.

    Raises:
        ModelError: One is none.

    """
    found, problems = [], []
    for one in names_of(flags):
        name, _, ends = one.rpartition("=")
        low, _, high = ends.partition(":")
        try:
            found.append((name.strip(), float(low), float(high)))
        except ValueError:
            what = f"'{one}' is no feature with a least and a greatest value."
            problems.append(Problem("--ranges", what, "Write age=18:90,hours=0:80."))
    if problems:
        raise ModelError(problems)
    return tuple(found)


def way_of(
    *,
    form: Literal["json", "npy", "raw"],
    rate: float | None,
    timeout: float,
    max_queries: int | None,
    keep: Path | None,
) -> Way:
    """Return how flags say that an endpoint is asked; of other models nothing comes of it.

    Raises:
        ModelError: A limit is none.

    """
    from evenhand.models.http import Way

    limits = {"--rate": rate, "--timeout": timeout, "--max-queries": max_queries}
    wrong = [
        Problem(flag, f"{value:g} is no limit.", "Say a number above 0.")
        for flag, value in limits.items()
        if value is not None and not value > 0
    ]
    if wrong:
        raise ModelError(wrong)
    return Way(form=form, rate=rate, timeout=timeout, max_queries=max_queries, cache=keep)


OF_RUNNER = ("probes", "trust_pickle", "believe", "max_queries", "rate", "timeout", "keep")
"""Parameters of plans that name a model, which say what no plan may."""


def runner_of(
    *,
    probes: Path | None,
    trust_pickle: bool,
    believe: bool = False,
    max_queries: int | None = None,
    rate: float | None,
    timeout: float,
    keep: Path | None,
    progress: Progress | None = None,
    timed: bool = True,
) -> Runner:
    """Return what flags say of a plan's model; what it tells goes to stderr.

    It is measured how long probes will take where `timed` says that anybody reads it.

    Raises:
        ModelError: A limit is none.

    """
    import evenhand
    from evenhand.audits.modelled import Runner
    from evenhand.audits.plan.opened import Trust
    from evenhand.probes.method import silent

    # Also that limits are some.
    way_of(form="json", rate=rate, timeout=timeout, max_queries=max_queries, keep=keep)
    return Runner(
        version=evenhand.__version__,
        trust=Trust(
            trust_pickle=trust_pickle,
            max_queries=max_queries,
            rate=rate,
            timeout=timeout,
            keep=keep,
        ),
        believe=believe,
        probes=probes,
        tell=tell,
        progress=progress or silent,
        clock=time.monotonic if timed else None,
    )


def tell(line: str) -> None:
    """Say a line on stderr."""
    # Not typer's: what is written here stays above a bar of progress.
    sys.stderr.write(f"{line}\n")


def refuse(ctx: typer.Context, source: str) -> None:
    """Refuse what is said of the model of a plan, where there is none.

    Raises:
        PlanError: With every flag.

    """
    given = [
        max(one.opts, key=len)
        for one in ctx.command.params
        if one.name in OF_RUNNER
        and getattr(ctx.get_parameter_source(one.name), "name", "") == "COMMANDLINE"
    ]
    if given:
        what = "it is for plans that name a model, and this is none."
        raise PlanError(Problem(listed(given), what, f"Leave it out, or probe one in {source}."))


def told_of(
    *,
    shape: str | None,
    limits: tuple[float, float] | None,
    classes: list[str] | None,
    output: Output | None,
    layout: Layout | None,
    mean: str | None,
    std: str | None,
    stochastic: bool = False,
) -> Told:
    """Return what flags say of a model.

    Raises:
        ModelError: A flag does not read as what it means.

    """
    from evenhand.models.told import Told

    low, high = limits or (None, None)
    return Told(
        labels=tuple(map(class_of, classes or ())) or None,
        shape=shape_of(shape),
        low=low,
        high=high,
        layout=layout,
        output=output,
        mean=numbers_of("--mean", mean),
        std=numbers_of("--std", std),
        stochastic=stochastic,
    )


def class_of(written: str) -> bool | int | float | str:
    """Return a class that is written as a word: true, false, a number as people write it, or text.

    >>> class_of("7"), class_of("0.5"), class_of("true"), class_of("no"), class_of("007")
    (7, 0.5, True, 'no', '007')
    """
    if written.lower() in {"true", "false"}:
        return written.lower() == "true"
    if re.fullmatch(r"0|-?[1-9]\d*", written):
        return int(written)
    return float(written) if re.fullmatch(r"-?\d+\.\d+", written) else written


def shape_of(written: str | None) -> tuple[int, ...] | None:
    """Return a shape that is written ``28x28``.

    Raises:
        ModelError: It is none.

    """
    if written is None:
        return None
    try:
        return tuple(int(one) for one in written.lower().split("x"))
    except ValueError:
        what = f"'{written}' is no shape."
        raise ModelError(Problem("--shape", what, "Write 28x28, 3x32x32 or 32x32x3.")) from None


def numbers_of(flag: str, written: str | None) -> tuple[float, ...]:
    """Return numbers that are written ``0.5,0.5``.

    Raises:
        ModelError: They are none.

    """
    try:
        return tuple(float(one) for one in written.split(",")) if written else ()
    except ValueError:
        what = f"'{written}' are no numbers."
        raise ModelError(Problem(flag, what, "Write one for all, or 0.5,0.5,0.5.")) from None


def probed_lines(prepared: Prepared, steps: Sequence[Step]) -> list[str]:
    """Return what a plan's probes would do, in lines."""
    model, inputs = prepared.model, prepared.inputs
    spec = model.spec
    shape = "x".join(map(str, spec.shape))
    gives = f"{spec.output} of {spec.classes} classes"
    gives = f"{gives}; offers {listed(sorted(model.offers))}" if model.offers else gives
    lines = [
        f"  model: {model.name}, {gives}; inputs from {spec.low:g} to {spec.high:g}",
        f"  inputs: {len(inputs):,} of shape {shape} ({spec.layout}) in {inputs.name}",
        *(f"  probe {step.line}" for step in steps),
    ]
    whole = sum(step.most_queries for step in steps)
    several = sum(step.taken is None for step in steps) > 1
    return [*lines, f"  in all at most {whole:,} queries"] if several else lines


def probed_document(prepared: Prepared, steps: Sequence[Step]) -> dict[str, Any]:
    """Return the same as JSON."""
    return {
        "model": {
            "name": prepared.model.name,
            "offers": sorted(prepared.model.offers),
            "output": prepared.model.spec.output,
            "classes": [*prepared.model.spec.labels],
        },
        "inputs": {"name": prepared.inputs.name, "examples": len(prepared.inputs)},
        "probes": [
            {
                "probe": step.probe,
                "variants": [*step.variants],
                "most_queries": step.most_queries,
                "log": str(step.log),
                "taken": None if step.taken is None else str(step.taken),
            }
            for step in steps
        ],
    }
