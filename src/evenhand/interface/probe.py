"""Probes: what a model does with changed inputs, as a log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from evenhand.logs import Log
    from evenhand.probes.corrupting import Baseline
    from evenhand.probes.probe import Probe


def probe(
    model: object,
    inputs: object,
    probe: str,
    *,
    eps: str | float | Sequence[str | float] = (),
    norm: str | Sequence[str] = (),
    severity: int | Sequence[int] = (),
    fill: str | Sequence[str] = (),
    certificate: str | None = None,
    baseline: object = None,
    labels: object = None,
    ids: object = None,
    groups: Sequence[str] | Mapping[str, Sequence[object]] | None = None,
    pixels: str | None = None,
    features: Sequence[str] | None = None,
    shape: Sequence[int] | None = None,
    where: str | None = None,
    range: tuple[float, float] | None = None,  # noqa: A002 - the word for it
    seed: int = 1,
    max_queries: int | None = None,
    believe: bool = False,
    flags: bool = True,
    pictures: int | None = None,
    out: str | Path | None = None,
    force: bool = False,
) -> Log:
    """Return the log of what a model does with changed inputs, ready for `estimate`.

    One row for each source example and variant; the unit is the source example.

    Args:
        model: A torch module, an estimator of scikit-learn's kind, a function of an array, a
            `Model`, or an address: ``pkg.mod:name``, ``model.onnx``, ``https://...``.
        inputs: An array of examples, shape (n, ...), a table, or a file: Parquet, CSV, ``.npz``.
        probe: ``attack.pgd(eps=0.1, steps=100)``, ``corrupt.fog(severity=3)``, ``corrupt.common``,
            ``certify.smoothing(sigma=0.25)``.
        eps: Of attacks: how far an example may be changed, in the units of the inputs' range;
            several give as many rows for each. Text such as ``8/255`` is read as a fraction.
        norm: ``linf``, the largest change of a number (default), or ``l2``, the Euclidean length.
        severity: Of corruptions: from 1 to 5; all by default.
        fill: Of attributions: what their card removes features with, ``mean`` by default.
        certificate: Beside an attack: what proves that some examples no attack can break, such as
            ``certify.ibp``.
        baseline: Of corruptions: a model, as ``model``, whose errors mCE divides by.
        labels: The true classes, or the column of a table.
        ids: What tells examples apart, or the column; by default their places.
        groups: Who is compared: columns of a table, or values by name.
        pixels: The column of a table that holds images.
        features: The columns of a table that make one example, in the model's order.
        shape: Of one image.
        where: Which rows of a table are meant.
        range: The smallest and the largest value of an input; (0, 1) unless the model says.
        seed: Where every random number comes from.
        max_queries: What the model may be asked: an example in a forward pass is one, a gradient
            two.
        believe: Go on where the check of the model is certain that it was misread: another range,
            probabilities for logits, training mode.
        flags: Look for reasons not to believe an attack, on a sample of the examples, and keep
            them in the file.
        pictures: How many examples are kept to be looked at, in a file beside the log
            (``attacked.pictures.parquet``); by default 24.
        out: Write the log here too, ``attacked.parquet``. A probe that is stopped goes on from
            where it was, when it is started again with the same ``out``.
        force: Write over a file that is there.

    Raises:
        NotationError: There is no such probe.
        ModelError: Model and inputs do not fit, or the probe needs what the model does not offer.
        EvenhandError: One of them cannot be read; or the log cannot be written.

    """
    from dataclasses import replace

    from evenhand import __version__
    from evenhand.audits.plan.model import SHOWN
    from evenhand.audits.probing import check_out, probe_to
    from evenhand.logs import open_log
    from evenhand.models.told import Told
    from evenhand.probes.opened import Asked, baseline_of, opened
    from evenhand.probes.run import run
    from evenhand.probes.written import probe_of

    asked = Asked(
        labels=labels,
        ids=ids,
        pixels=pixels,
        features=features,
        shape=None if shape is None else tuple(shape),
        where=where,
        groups=groups,
    )
    low, high = range or (None, None)
    told = Told(low=low, high=high)
    kept = SHOWN if pictures is None else pictures

    def written(beside: Baseline | None = None) -> Probe:
        return probe_of(
            probe,
            eps=eps,
            norm=norm,
            severity=severity,
            fill=fill,
            certificate=certificate,
            baseline=beside,
            seed=seed,
        )

    wanted = written()
    asked = replace(asked, observed=wanted.method.of_tables)
    if out is not None:
        check_out(out, pictures=kept, force=force)
    found, examples = opened(model, inputs, asked, told=told)
    if baseline is not None:
        wanted = written(baseline_of(baseline, examples, told=told))
    names = asked.group_names
    if out is None:
        # Without a file nobody would see flags and pictures.
        probed = run(
            wanted,
            found,
            examples,
            groups=names,
            version=__version__,
            max_queries=max_queries,
            believe=believe,
        )
    else:
        probed = probe_to(
            out,
            wanted,
            found,
            examples,
            groups=names,
            version=__version__,
            max_queries=max_queries,
            believe=believe,
            judged=flags,
            pictures=kept,
            force=force,
        )
    return open_log(probed.rows, kind=wanted.method.kind, roles={}, groups=names, classes=())
