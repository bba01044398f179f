"""Evenhand: measure whether a model treats people evenly, and how sure that is.

>>> import evenhand as eh, polars as pl
>>> rows = pl.DataFrame({"sex": ["f", "f", "m", "m"], "approved": [1, 0, 1, 1]})
>>> log = eh.log(rows, kind="decisions", prediction="approved", groups=["sex"])
>>> eh.estimate("difference(selection_rate, by=sex)", log).value
0.5
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evenhand.notebook import show_with

if TYPE_CHECKING:
    import polars as pl

    from evenhand.audits import Finding
    from evenhand.audits.evidence.bundle import Bundle
    from evenhand.audits.plan import AuditPlan
    from evenhand.audits.plan.fit import Fit
    from evenhand.centre.client import Client
    from evenhand.logs import Group, Log
    from evenhand.logs.backend import Spark
    from evenhand.logs.source import EngineLike, OnBadFile
    from evenhand.probes.corrupting import Baseline
    from evenhand.probes.probe import Probe

__version__ = "0.1.0"
__all__ = [
    "__version__",
    "audit",
    "connect",
    "converted",
    "estimate",
    "estimates",
    "log",
    "merge",
    "neighbour_means",
    "probe",
    "read_bundle",
    "spark",
]

# The heavy imports wait for the first call: `import evenhand` stays quick.


def _in_notebook(what: object) -> str:
    """Return a finding or a bundle as HTML."""
    from evenhand.render.notebook import notebook

    return notebook(what)


show_with(_in_notebook)


def log(
    source: object,
    *,
    kind: str,
    groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    unit: str | Iterable[str] | None = None,
    where: str | None = None,
    engine: EngineLike = None,
    top: int | None = None,
    classes: Iterable[int | float | str] = (),
    on_bad_file: OnBadFile = "fail",
    tables: Iterable[Mapping[str, Any] | str] = (),
    item_groups: Iterable[str | Mapping[str, Any] | Group] | Mapping[str, Any] = (),
    catalogue: object = None,
    max_bad_requests: float = 0.001,
    **roles: str,
) -> Log:
    """Return a log: rows and the roles that their columns play.

    Args:
        source: A path or glob (Parquet, CSV, Arrow IPC), an address (``s3://...``), a Delta or
            Iceberg table (``delta:...``), a table of Spark's catalogue, a pandas, Polars or PyArrow
            table, a DuckDB relation or a Spark DataFrame.
        kind: The product kind: ``decisions``, ``regression``, ``recommendation``, ``search`` or
            ``perturbed``.
        groups: Who is compared: columns (``"race"``), bins (``"age: [25, 45]"``) or a mapping as
            in a plan.
        unit: What is independent: ``row``, or the column whose equal values belong together.
            ``["user", "item"]`` where rows that share either are dependent, and
            ``"pair(subject_a, subject_b)"`` where a row is a pair of units of one population. None
            for what the kind has: the row, of ranked lists the user or else the request, of
            perturbed examples the source example.
        where: Rows in scope, such as ``"year >= 2025 and region in ['EU', 'UK']"``.
        engine: ``polars``, ``duckdb``, ``spark`` or `evenhand.spark`; by default the source's own,
            else Polars.
        top: Keep only this many of the most frequent values of each group.
        classes: The classes of label and prediction, where they are not yes or no:
            ``["low", "mid", "high"]``.
        on_bad_file: ``fail``, or ``skip`` to leave out files that are broken, or that lack a column
            that is read or have it of another type.
        tables: Side tables whose columns are joined to the rows, as in a plan: ``{"source":
            "creators.parquet", "key": "creator_id"}``, also with ``columns`` and ``as_of``, or
            ``"creators.parquet:creator_id"``. The source may be a table in memory.
        item_groups: Attributes of the items of ranked lists, written as ``groups``; a column of
            lists holds several groups for one item.
        catalogue: The table of what could have been shown, one row per item.
        max_bad_requests: The largest share of requests that may be left out as inconsistent.
        **roles: The column or expression of each role, such as ``prediction="score >= 0.5"``.

    Raises:
        RoleError: With every problem found in roles, groups, unit and filter.
        SourceError: The source or a side table cannot be opened.
        EngineError: Spark's master cannot be reached.
        MissingExtraError: The engine is not installed.

    """
    from evenhand.logs import open_log

    return open_log(
        source,
        kind=kind,
        roles=roles,
        groups=groups,
        unit=unit,
        where=where,
        engine=engine,
        top=top,
        classes=classes,
        on_bad_file=on_bad_file,
        tables=tables,
        item_groups=item_groups,
        catalogue=catalogue,
        max_bad_requests=max_bad_requests,
    )


def spark(session: object = None, *, master: str | None = None) -> Spark:
    """Return Apache Spark as an engine: ``evenhand.audit(plan, engine=evenhand.spark(session))``.

    Args:
        session: A `SparkSession` that runs, of this process or of Spark Connect, as there is one on
            Databricks or EMR; None to find it, or to start one.
        master: Where a new session runs: ``local[4]``, ``spark://host:7077``, ``yarn``, or Spark
            Connect's ``sc://host:15002``; None for this machine's cores.

    """
    from evenhand.logs.backend import Spark

    return Spark(session, master)


def estimates(
    notations: Iterable[str],
    log: Log,
    *,
    level: float = 0.95,
    seed: int = 1,
    adjust: str | None = None,
    margin: float | None = None,
    shrink: bool = False,
    permutations: int = 0,
) -> list[Finding]:
    """Return the findings that the notations ask for, from one pass over the log.

    Args:
        notations: Measures and contrasts, such as ``difference(selection_rate, by=sex)``.
        log: The log, from `evenhand.log`.
        level: Nominal coverage of the intervals, in (0, 1).
        seed: Seed of simultaneous critical values.
        adjust: Test differences and pairs for parity, and adjust the p-values for their number:
            ``holm``, ``benjamini_hochberg`` or ``benjamini_yekutieli``.
        margin: Largest difference that does not matter: differences and pairs then say whether
            they are ``equivalent``, ``different`` or ``undecided``, and how many units would tell.
        shrink: Show each group's figure also shrunk towards the mean of all groups.
        permutations: Number of permutations by which differences of shares of independent rows
            are tested; needs ``adjust``. By default their intervals are turned over.

    Returns:
        Findings in the order asked; ``pairs`` gives one for every pair of groups.

    Raises:
        NotationError: A measure is unknown, or the log lacks what it needs; all problems at once.
        ValueInLogError: A role has a value that it does not allow.
        SourceError: The rows cannot be read.
        StateSizeError: A group has too many values.

    """
    from evenhand.audits import estimates as answer

    return answer(
        notations,
        log,
        level=level,
        seed=seed,
        adjust=adjust,
        margin=margin,
        shrink=shrink,
        permutations=permutations,
    )


def estimate(notation: object, log: Log, **how: Any) -> Finding:  # noqa: ANN401 - as estimates
    """Return one finding; options as in `estimates`.

    Raises:
        NotationError: Also when the notation stands for several findings.

    """
    from evenhand.errors import NotationError, Problem

    if not isinstance(notation, str):
        hint = "For several, use evenhand.estimates([...], log)."
        raise NotationError(Problem("estimate", f"{notation!r} is not a notation.", hint))
    found = estimates([notation], log, **how)
    if len(found) > 1:
        what = f"this gives {len(found)} findings."
        raise NotationError(Problem(f"'{notation}'", what, "Use evenhand.estimates([...], log)."))
    return found[0]


def converted(
    name: str, log: Log, *, by: str, reference: str | None = None
) -> float | dict[str, float]:
    """Return a figure as another tool defines it, such as ``aif360.disparate_impact``.

    Args:
        name: Tool and figure; a wrong one is answered with those there are.
        log: The log, from `evenhand.log`.
        by: The group attribute.
        reference: The reference or privileged group, where the tool has one.

    Returns:
        The figure, without an interval; by group for tools that print one for each.

    Raises:
        NotationError: There is no such figure or reference group.
        UndefinedError: The figure is undefined here.

    """
    from evenhand.audits.peer import converted as convert

    return convert(name, log, by=by, reference=reference)


def neighbour_means(
    rows: pl.DataFrame, prediction: str, features: Iterable[str], *, k: int = 5
) -> pl.Series:
    """Return the mean decision of the k rows that are most like each row, for `consistency`.

    Args:
        rows: A Polars table that fits into memory.
        prediction: The column of decisions, 0 or 1.
        features: Columns of numbers by which rows are alike, each scaled to unit variance.
        k: Number of neighbours.

    Returns:
        Float64 in [0, 1], one for each row, named ``neighbours``.

    Raises:
        RoleError: A column is missing or no number, or there are fewer than k other rows.

    """
    from evenhand.logs.neighbour import neighbour_means as means

    return means(rows, prediction, features, k=k)


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


def audit(
    plan: str | Path | Mapping[str, Any] | AuditPlan | None = None,
    *,
    table: object = None,
    engine: EngineLike = None,
    on_bad_file: OnBadFile = "fail",
    from_states: str | Path | None = None,
    states: str | Path | None = None,
    out: str | Path | None = None,
    html: str | Path | None = None,
    pictures: bool = False,
    sign: str | Path | None = None,
    probes: str | Path | None = None,
    trust_pickle: bool = False,
    believe: bool = False,
    max_queries: int | None = None,
    force: bool = False,
) -> Bundle:
    """Return the evidence of an audit: findings, verdicts, and what they were made with.

    Args:
        plan: A file (``audit.yaml``), or the same as a mapping; None with ``from_states`` for the
            plan that they were counted for.
        table: A table in memory to audit instead of the plan's source, as `evenhand.log` takes it.
        engine: ``polars``, ``duckdb``, ``spark`` or `evenhand.spark`.
        on_bad_file: ``fail``, or ``skip`` to leave out files that are broken or have another
            schema; the evidence names them.
        from_states: Read no rows: answer from these states, which an earlier audit wrote.
        states: Write what the rows were counted to here, ``x.states``, to be merged with others.
        out: Write the evidence here, ``x.evidence.zip``.
        html: Write the report here, one HTML file.
        pictures: Show in the report some of the examples that probes kept beside their logs; they
            are rows of data, and in no evidence.
        sign: Sign the evidence with this Ed25519 key, a PEM file.
        probes: For a plan that names a model: the folder of the logs of its probes; by default
            ``audit.probes`` beside ``audit.yaml``, and in the current folder for a mapping. What
            the same probes made of the same model and inputs is taken from there.
        trust_pickle: For a plan that names a model: read a pickle, which runs what is in it.
        believe: For a plan that names a model: go on where the check of it is certain that it was
            misread.
        max_queries: For a plan that names a model: what it may be asked by this run.
        force: Write over files that are there.

    A scan of many files that is stopped goes on from where it was, when it is started again with
    the same ``out`` or ``states``.

    Raises:
        PlanError: With every problem of the plan and its line.
        OutputError: A file that would be written is there already, or cannot be written; then
            none is.
        StateMergeError: The states cannot answer the plan.
        EvenhandError: The rows cannot be read, or hold what a role does not allow.

    """
    from evenhand.audits.evidence.file import check_targets
    from evenhand.audits.plan import AuditPlan, Located, plan_from
    from evenhand.audits.run import conclude, keeping
    from evenhand.audits.run import count_rows as count
    from evenhand.audits.states.file import read_states, write_states
    from evenhand.audits.states.states import fit_states
    from evenhand.errors import PlanError, Problem
    from evenhand.render.file import check_audit, write_audit

    check_audit(out, html, key=sign, force=force)
    check_targets([states] if states else [], force=force)
    given = plan if plan is None or isinstance(plan, str | Path | AuditPlan) else None
    if isinstance(plan, Mapping):
        given = plan_from(Located("", plan, {}))
    if from_states is not None:
        counted = read_states(from_states)
        fitted = fit_states(counted, given)
    elif given is None:
        raise PlanError(Problem("audit", "a plan or from_states is needed."))
    else:
        how: dict[str, Any] = {"table": table, "engine": engine, "on_bad_file": on_bad_file}
        said = {"trust_pickle": trust_pickle, "believe": believe, "max_queries": max_queries}
        fitted = _fitted(given, how, probes, said)
        with keeping(states or out) as folder:
            counted = count(fitted, version=__version__, folder=folder)
    bundle = conclude(fitted, counted, version=__version__)
    if states is not None:
        write_states(counted, states, force=force)
    logs = fitted.log.source.files if pictures else ()
    write_audit(bundle, out, html, key=sign, force=force, logs=logs)
    return bundle


def _fitted(
    plan: str | Path | AuditPlan,
    how: dict[str, Any],
    probes: str | Path | None,
    said: dict[str, Any],
) -> Fit:
    """Return a plan with its log, which probes of its model make first where it names one."""
    from evenhand.audits.plan import AuditPlan
    from evenhand.audits.plan.file import names_model, open_plan
    from evenhand.audits.plan.fit import fit
    from evenhand.errors import PlanError, Problem, listed

    modelled = plan.model is not None if isinstance(plan, AuditPlan) else names_model(plan)
    if not modelled or how["table"] is not None:
        given = [name for name, value in {"probes": probes, **said}.items() if value]
        if given:
            what = "it is for plans that name a model, and no model is probed here."
            raise PlanError(Problem(listed(given), what, "Leave it out."))
        return fit(plan, **how) if isinstance(plan, AuditPlan) else open_plan(plan, **how)
    from evenhand.audits.modelled import Runner, checked, probed
    from evenhand.audits.plan.opened import Trust

    trust = Trust(trust_pickle=said["trust_pickle"], max_queries=said["max_queries"])
    folder = None if probes is None else Path(probes)
    runner = Runner(version=__version__, trust=trust, believe=said["believe"], probes=folder)
    how = {name: how[name] for name in ("engine", "on_bad_file")}
    if not isinstance(plan, AuditPlan):
        return open_plan(plan, **how, runner=runner)
    ready = checked(plan, None, folder=None, runner=runner)
    return probed(*ready, None, folder=None, runner=runner, **how)


def merge(
    states: Iterable[str | Path],
    out: str | Path,
    *,
    unknown_inputs: bool = False,
    force: bool = False,
) -> None:
    """Merge states of one plan, of different days, shards or machines, into one file.

    Args:
        states: Files that audits wrote.
        out: Where the merged states go.
        unknown_inputs: Merge also rows that are in no local file, of which nobody can tell whether
            several states have them.
        force: Write over a file that is there.

    Raises:
        StateMergeError: They are of different plans, subjects or versions, or have files in common.
        OutputError: The file is there already, or cannot be written.

    """
    from evenhand.audits.evidence.file import check_targets
    from evenhand.audits.states.file import read_states, write_states
    from evenhand.audits.states.states import merged

    check_targets([out], force=force)
    all_states = [read_states(path) for path in states]
    write_states(merged(all_states, unknown_inputs=unknown_inputs), out, force=force)


def read_bundle(path: str | Path) -> Bundle:
    """Return the evidence of a file, after checking that nothing in it was changed.

    Raises:
        BundleError: It is cut, edited, from a newer version, or no evidence.

    """
    from evenhand.audits.evidence.archive import read_bundle as read

    return read(Path(path))


def connect(
    address: str | None = None,
    *,
    token: str | None = None,
    token_file: str | Path | None = None,
    insecure: bool = False,
) -> Client:
    """Return a centre that others run: its products, evidence, gates and jobs.

    Args:
        address: Its address, such as ``http://127.0.0.1:8642``; None for ``EVENHAND_CENTRE``.
        token: What it lets in by; None for that of the file, or of ``EVENHAND_TOKEN``.
        token_file: A file with the token.
        insecure: Whether the token may be sent unencrypted to another machine.

    Raises:
        EvenhandError: No centre is named, or the token cannot be read.
        DeniedError: The token would be sent unencrypted to another machine.

    """
    from evenhand.centre.client.address import address_of, named, read_token
    from evenhand.centre.client.client import Client

    given = token or read_token(None if token_file is None else Path(token_file))
    return Client(address_of(named(address), given, insecure=insecure))
