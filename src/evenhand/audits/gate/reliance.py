"""Whether the attacks behind the rows of a rule are to be believed, as far as their logs say.

An attacked accuracy is an upper bound, so a rule that passes on it passes only as surely as the
attack is strong. Where the attack is doubted, or nobody looked, such a pass is worth nothing; a
rule that fails stays failed, since a stronger attack only leaves less.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator, Sequence

import narwhals as nw
import polars as pl

from evenhand.audits.evidence.legible import cut, visible
from evenhand.audits.evidence.probed import RELIABLE, ProbeRecord, TrustRecord, said
from evenhand.audits.made import Makers
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import is_text
from evenhand.logs.log import Log

NOBODY_SAYS = "the log does not say what made it, so its attack is not to be relied on"

_LONGEST = 300
"""Signs of what a file says of a flag."""

_MOST = 12
"""Flags of one variant; there are fewer kinds of them."""

_NAMED = 3
"""Variants and groups that a reason names before it counts the rest."""


def doubt(makers: Makers, log: Log, by: Sequence[str]) -> str:
    """Return why the attacks behind the rows of a scope are not to be relied on; empty if they are.

    Args:
        makers: What made the rows of the whole log.
        log: The log of the scope: its filter says which variants it has.
        by: The group attributes that are compared; of those that flags were judged by, every
            group's verdict counts too.

    """
    if not makers.records or makers.unknown:
        return NOBODY_SAYS
    every = list(dict.fromkeys(name for one in makers.records for name in one.probe.variants))
    within = {*variants_within(log, every)}
    made = [
        (probe, name) for probe in makers.records for name in probe.probe.variants if name in within
    ]
    if not made:
        return NOBODY_SAYS
    columns = {log.group(name).expression.text for name in by}
    attacked = [(probe, name) for probe, name in made if probe.attacks]
    unlooked = [name for probe, name in attacked if probe.trust(name) is None]
    weak = [text for probe, name in attacked for text in _weak(probe, name, columns)]
    told = [f"the attack is not to be relied on: {'; '.join(_some(weak))}"] if weak else []
    if unlooked:
        named = ", ".join(_some([visible(name) for name in dict.fromkeys(unlooked)]))
        told.append(f"nobody looked for flags in {named}: whether the attack is weak is not known")
    return "; ".join(told)


def variants_within(log: Log, variants: Sequence[str]) -> list[str]:
    """Return the variants that the filter of a log may leave.

    Of its conditions those about the variant alone are asked; any other may leave all of them.
    """
    role = log.roles[log.kind.variant].text
    where = log.where
    if where is None or role not in log.schema or where.text in log.schema:
        return [*variants]
    if not is_text(log.schema[role]):
        return [*variants]
    schema = {role: nw.String()}
    frame = nw.from_native(pl.DataFrame({role: [*variants]}, schema={role: pl.String}))
    for part in _conditions(ast.parse(where.text.strip(), mode="eval").body):
        condition = Expression(ast.unparse(part))
        if condition.columns(log.schema) == [role]:
            frame = frame.filter(condition.lower(schema))
    found: list[str] = frame[role].to_list()
    return found


def _conditions(node: ast.expr) -> Iterator[ast.expr]:
    """Yield what must hold all together."""
    if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
        for value in node.values:
            yield from _conditions(value)
    else:
        yield node


def _weak(probe: ProbeRecord, variant: str, columns: Collection[str]) -> Iterator[str]:
    """Yield what speaks against the attacks behind a variant, in all and in its groups."""
    trust = probe.trust(variant)
    if trust is None:
        return
    if trust.verdict != RELIABLE:
        yield f"{visible(variant)}, {_flags(trust)}"
    elif trust.by in columns:
        for group in trust.groups:
            if group.verdict != RELIABLE:
                names = ", ".join(map(said, group.raised)) or group.verdict
                yield f"{visible(variant)}, {names} in {trust.by} = {visible(group.name)}"


def _flags(trust: TrustRecord) -> str:
    told = [
        f"{said(flag.name)}: {cut(flag.text, _LONGEST).rstrip('.')}"
        for flag in trust.raised[:_MOST]
    ]
    return "; ".join(told) or trust.verdict


def _some(names: Sequence[str]) -> list[str]:
    left = len(names) - _NAMED
    return [*names[:_NAMED], *([f"and {left:,} more"] if left > 0 else [])]
