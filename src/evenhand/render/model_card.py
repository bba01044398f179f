"""A model card for the Hugging Face Hub: figures as ``model-index``, and the same to be read.

The format has no field for an interval, so that it stands in the name of a metric, and in its
arguments as numbers. A figure that is undefined has no value to give: it is in the text alone, with
the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from evenhand.audits.evidence.bundle import Bundle
from evenhand.render.card import data_text, limitations, model_name, subject_facts, window_text
from evenhand.render.figure import Figure, figures
from evenhand.render.format import Format
from evenhand.render.gfm import bullets, plain, table
from evenhand.render.rule import facts
from evenhand.render.wording import summary

_TASKS = {"decisions": "tabular-classification", "regression": "tabular-regression"}
"""Tasks of the Hub by kind of log; what has no task of its own there is ``other``."""


def render(bundle: Bundle) -> str:
    """Return the card: a head in YAML, then Markdown."""
    head = yaml.safe_dump(_head(bundle), sort_keys=False, allow_unicode=True, width=10_000)
    return f"---\n{head}---\n\n{_text(bundle)}\n"


def _head(bundle: Bundle) -> dict[str, Any]:
    head: dict[str, Any] = {"tags": ["fairness"]}
    metrics = [_metric(one) for one in figures(bundle) if one.estimate is not None]
    if not metrics:
        return head
    task = _TASKS.get(bundle.plan.log.kind, "other")
    result = {
        "task": {"type": task, "name": bundle.plan.log.kind},
        "dataset": _dataset(bundle),
        "metrics": metrics,
    }
    return {**head, "model-index": [{"name": model_name(bundle), "results": [result]}]}


def _dataset(bundle: Bundle) -> Mapping[str, Any]:
    names = ", ".join(one.name for one in bundle.inputs) or "log"
    digests = [one.sha256 for one in bundle.inputs if one.sha256]
    dataset: dict[str, Any] = {"type": names, "name": names}
    if len(digests) == 1:
        dataset["revision"] = digests[0]
    if window_text(bundle):
        dataset["args"] = {"window": window_text(bundle)}
    return dataset


def _metric(one: Figure) -> Mapping[str, Any]:
    found = one.estimate
    if found is None:
        return {}
    about = f", {one.slice}" if one.slice else ""
    low, high = f"{found.low:.4f}", f"{found.high:.4f}"
    args: dict[str, Any] = {
        "low": float(found.low),
        "high": float(found.high),
        "level": found.level,
        "units": one.units,
    }
    if one.slice:
        args["slice"] = one.slice
    return {
        "type": one.name,
        # Where only a set is identified there is no one value.
        "value": float(found.value) if found.identified is None else one.value,
        "name": f"{one.name}{about}, {100 * found.level:g}% interval [{low}, {high}]",
        "args": args,
    }


def _text(bundle: Bundle) -> str:
    subject = bundle.plan.subject
    parts = [f"# {plain(model_name(bundle))}", _about(bundle)]
    if bundle.rules:
        parts += ["## Verdict", f"**{bundle.verdict}**", _verdicts(bundle)]
    every = figures(bundle)
    parts += ["## Figures", _figures([one for one in every if one.estimate is not None])]
    limits = limitations(bundle)
    if limits:
        parts += ["## What cannot be said", bullets(map(plain, limits))]
    made = (
        f"Evenhand {plain(bundle.version)} audited {plain(subject.title) or 'the model'} on "
        f"{bundle.created.date().isoformat()} by the plan of SHA-256 `{bundle.plan.digest}`. "
        "The evidence file holds every figure of this card; `evenhand verify` checks it."
    )
    return "\n\n".join([*parts, "## How this was made", made])


def _about(bundle: Bundle) -> str:
    said = subject_facts(bundle)
    lines = [f"{name.capitalize()}: {plain(text)}" for name, text in said.items()]
    lines += [f"Data: {plain(one.name)} ({plain(data_text(bundle, one))})" for one in bundle.inputs]
    if bundle.plan.groups:
        lines.append(f"Groups compared: {plain(', '.join(bundle.plan.groups))}")
    return bullets(lines)


def _verdicts(bundle: Bundle) -> str:
    rows = []
    for rule in bundle.rules:
        said = facts(bundle, rule)
        shown = ("id", "rule", "scope", "reason", "waiver")
        rows.append([plain({**said, "id": rule.id}.get(name, "")) for name in shown])
    return table(["rule", "what must hold", "rows", "verdict", "waiver"], rows)


def _figures(found: Sequence[Figure]) -> str:
    rows = [
        [
            plain(one.name),
            plain("; ".join(filter(None, (one.group, one.scope)))),
            plain(summary(one.outcome)),
            "" if one.units is None else f"{one.units:,}",
        ]
        for one in found
    ]
    return table(["figure", "of", "value, interval", "units"], rows, numbers=1)


FORMAT = Format("model-card", ".md", "Hugging Face model card, with model-index.", render)
