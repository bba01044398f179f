"""What was done to the model: what made the rows of a probe's log, in words for every format."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.legible import cut
from evenhand.audits.evidence.probed import RELIABLE, ProbeRecord, TrustRecord, said
from evenhand.audits.evidence.strength import strength_of
from evenhand.logs.kinds import kinds
from evenhand.render.wording import counted, first, value_shown

TITLE = "What was done to the model"

UPPER_BOUND = (
    "An attacked accuracy is an upper bound: what this attack did not break a stronger one may."
)
NOBODY = (
    "Nobody looked for flags, so whether the attack is to be believed is not known: figures may be "
    "better than the model."
)
UNTOLD = (
    "The log does not say what made its rows: which model was asked, by which attack, and whether "
    "that attack is to be believed."
)

_LONGEST = 300
_MOST = 40
"""Lines of verdicts, and probes, that are shown."""

_NAMED = 12
"""Variants that are named in one line."""

_DIGEST = 12
"""Digits of a fingerprint that tell it from others at sight."""


@dataclass(frozen=True)
class Believed:
    """What is thought of the attacks behind some variants.

    Attributes:
        variants: The variants.
        verdict: The verdict, and on how many examples it rests.
        doubted: Whether something speaks against the attacks.
        reasons: What does, in words; first of all examples, then of groups.

    """

    variants: str
    verdict: str
    doubted: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Done:
    """One probe.

    Attributes:
        name: The attack, corruption or certificate, as it is written.
        facts: What was asked, of whom, and by what.
        judged: What is thought of its attacks; the doubted ones first.
        remarks: What a reader of its figures must know.
        notes: What was done otherwise than asked, and why.

    """

    name: str
    facts: tuple[tuple[str, str], ...]
    judged: tuple[Believed, ...]
    remarks: tuple[str, ...]
    notes: tuple[str, ...]


def done_of(bundle: Bundle) -> list[Done]:
    """Return what was done to the model, a probe each; nothing for other logs."""
    label = "" if bundle.plan.model is None else str(bundle.plan.model.label or "")
    return [_done(one, label) for one in bundle.probes[:_MOST]]


def shared(done: Sequence[Done]) -> tuple[list[tuple[str, str]], list[Done]]:
    """Return the facts that all of several probes share, and the probes without these.

    A probe is called by its name, which is said above its facts.
    """
    if len(done) < 2:  # noqa: PLR2004 - one probe shares nothing
        return [], [*done]
    same = {*done[0].facts}.intersection(*(one.facts for one in done[1:]))
    left = [
        replace(
            one,
            facts=tuple(fact for fact in one.facts if fact not in same and fact[1] != one.name),
        )
        for one in done
    ]
    return [fact for fact in done[0].facts if fact in same], left


def untold(bundle: Bundle) -> str:
    """Return what the files of a probe's log leave unsaid; empty where they say all."""
    kind = kinds().get(bundle.plan.log.kind)
    if kind is None or not kind.variant:
        return ""
    if not bundle.probes:
        return UNTOLD
    files, left = bundle.files_without_probe, len(bundle.probes) - _MOST
    told = []
    if files:
        which = "1 file does" if files == 1 else f"{files:,} files do"
        told.append(f"{which} not say what made the rows.")
    if left > 0:
        told.append(f"{left:,} more probes are in the evidence file.")
    return " ".join(told)


def _done(one: ProbeRecord, label: str) -> Done:
    spec = spec_line(one.model.spec)
    facts = [
        ("model", one.model.name),
        ("its fingerprint", _short(one.model.fingerprint)),
        ("it takes and gives", spec),
        ("its classes are of", label),
        ("inputs", f"{one.inputs.name}, {counted(one.inputs.examples, 'example')}"),
        ("their digest", _short(one.inputs.digest)),
        ("attack" if one.attacks else "probe", one.probe.name),
        ("variants", in_brief(one.probe.variants)),
        ("seed", str(one.seed)),
        ("queries", f"{one.queries:,}"),
        ("probed by", f"Evenhand {one.version}"),
    ]
    remarks = [UPPER_BOUND] if one.attacks else []
    if one.attacks and one.flags is None:
        remarks.append(NOBODY)
    elif one.attacks:
        judged = {trust.variant for trust in one.flags or ()}
        lacking = [name for name in one.probe.variants if name not in judged]
        if lacking:
            named = ", ".join(first([value_shown(name) for name in lacking], _NAMED))
            remarks.append(f"Nobody looked for flags in {named}.")
    return Done(
        name=cut(one.probe.name, _LONGEST),
        facts=tuple((name, cut(text, _LONGEST)) for name, text in facts if text),
        judged=tuple(_judged(one.flags or ())),
        remarks=tuple(remarks),
        notes=tuple(cut(text, _LONGEST) for text in one.probe.notes[:_MOST]),
    )


def in_brief(variants: Sequence[str]) -> str:
    """Return variants by what was done, each with its strengths.

    >>> in_brief(["linf 4/255", "linf 8/255", "fog 1", "l2 smoothing(sigma=0.25)"])
    'linf 4/255, 8/255; fog 1; l2 smoothing(sigma=0.25)'
    """
    found: dict[str, list[str]] = {}
    for name in variants:
        what, strength = strength_of(name)
        found.setdefault(what, []).append(strength)
    told = [f"{what} {', '.join(first(each, _NAMED))}".strip() for what, each in found.items()]
    return "; ".join(first(told, _NAMED))


def _short(digest: str) -> str:
    return digest.removeprefix("sha256:")[:_DIGEST]


def spec_line(spec: Mapping[str, Any]) -> str:
    """Return a model's spec in a line.

    >>> spec_line({"shape": [1, 8, 8], "layout": "CHW", "low": 0.0, "high": 1.0,
    ...            "labels": ["a", "b"], "output": "logits"})
    '1x8x8 numbers (CHW) from 0 to 1; 2 classes, logits'
    """
    shape, layout = spec.get("shape"), spec.get("layout")
    takes = []
    if isinstance(shape, list) and shape:
        takes.append(f"{'x'.join(map(str, shape))} numbers")
    if layout:
        takes.append(f"({layout})")
    low, high = spec.get("low"), spec.get("high")
    if _is_number(low) and _is_number(high):
        takes.append(f"from {low:g} to {high:g}")
    if spec.get("mean"):
        takes.append("normalised inside")
    labels = spec.get("labels")
    gives = [f"{len(labels):,} classes"] if isinstance(labels, list) and labels else []
    gives += [str(spec["output"])] if spec.get("output") else []
    gives += ["answers at random"] if spec.get("stochastic") else []
    return "; ".join(filter(None, (" ".join(takes), ", ".join(gives))))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _judged(flags: Sequence[TrustRecord]) -> Iterator[Believed]:
    """Yield what is thought of every variant; those that nothing speaks against together."""
    doubted = [one for one in flags if one.verdict != RELIABLE or _weak(one)]
    for one in doubted[:_MOST]:
        verdict = f"{one.verdict}, judged on {counted(one.examples, 'example')}"
        if one.verdict == RELIABLE:
            verdict += "; not in every group"
        yield Believed(value_shown(one.variant), verdict, doubted=True, reasons=(*_reasons(one),))
    left = len(doubted) - _MOST
    if left > 0:
        yield Believed(f"{left:,} more variants", "doubted as well", doubted=True, reasons=())
    sound: dict[str, list[str]] = {}
    for one in flags:
        if one.verdict == RELIABLE and not _weak(one):
            verdict = f"{one.verdict}, judged on {counted(one.examples, 'example')}"
            if one.groups:
                verdict += f"; so in each {cut(one.by or 'group')}"
            sound.setdefault(verdict, []).append(value_shown(one.variant))
    for verdict, names in sound.items():
        yield Believed(", ".join(first(names, _NAMED)), verdict, doubted=False, reasons=())


def _reasons(one: TrustRecord) -> Iterator[str]:
    for flag in one.raised[:_MOST]:
        yield cut(f"{said(flag.name)}: {flag.text}", _LONGEST)
    weak = _weak(one)
    if weak:
        yield f"In groups: {'; '.join(first(weak, _NAMED))}."


def _weak(one: TrustRecord) -> list[str]:
    """Return the groups in which the attacks are doubted, each with the flags that are raised."""
    by = cut(one.by or "group")
    raised = {
        group.name: ", ".join(map(said, group.raised)) or group.verdict
        for group in one.groups
        if group.verdict != RELIABLE
    }
    return [f"{by} = {value_shown(name)} ({cut(flags)})" for name, flags in raised.items()]


def in_lines(bundle: Bundle) -> list[str]:
    """Return what was done in lines of text; the first of each probe names it."""
    lines = []
    for one in done_of(bundle):
        lines.append(one.name)
        known = dict(one.facts)
        lines.append("; ".join(f"{name} {text}" for name, text in known.items()))
        for part in one.judged:
            lines.append(f"{part.variants}: {part.verdict}")
            lines += [f"  {text}" for text in part.reasons]
        lines += [*one.remarks, *one.notes]
    return [*lines, *filter(None, [untold(bundle)])]
