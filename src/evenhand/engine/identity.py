"""What a state is a state of: states merge, and answer a plan, only where that is the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from evenhand.engine.plan import ScanPlan
from evenhand.logs.log import Log

Identity: TypeAlias = Mapping[str, Any]
"""Plain values, as JSON has them."""

_SCOPE = ("kind", "unit", "where", "classes")
"""What says which rows are counted and what is independent."""


def identity_of(plan: ScanPlan, log: Log) -> Identity:
    """Return all that a state depends on but the rows: roles, groups, unit, filter and sums."""
    names = sorted({name for by in plan.stages for name in by})
    found: dict[str, Any] = {
        "kind": log.kind.name,
        "roles": {role: expression.text for role, expression in sorted(log.roles.items())},
        "groups": {name: log.group(name).written() for name in names},
        "unit": [log.unit.kind, *log.unit.columns],
        "where": None if log.where is None else log.where.text,
        "classes": [*log.classes],
        "sums": {
            _name(by): sorted([*stage.sums, *stage.amounts]) for by, stage in plan.stages.items()
        },
        "units": {_name(by): sorted(stage.trials) for by, stage in plan.stages.items()},
        "scores": {
            _name(by): {role: sorted(keys) for role, keys in sorted(stage.by_score.items())}
            for by, stage in plan.stages.items()
        },
    }
    if plan.views:
        found["item groups"] = {
            name: group.written() for name, group in sorted(log.item_groups.items())
        }
        found["views"] = {view.name: identity_of(inner, view.log) for view, inner in plan.views}
    if log.source.tables:
        # Only then: states of logs without them were written before there were any.
        found["tables"] = [table.identity for table in log.source.tables]
    # As it is read again from a file: no tuples, no whole floats beside ints.
    plain: dict[str, Any] = json.loads(json.dumps(found, sort_keys=True))
    return plain


def digest(identity: Identity) -> str:
    """Return the SHA-256 of an identity, in hexadecimal."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()


def differences(one: Identity, other: Identity) -> Iterator[str]:
    """Yield in which respects two states are states of different things."""
    for part in _SCOPE:
        if one[part] != other[part]:
            yield f"{part} {_shown(part, one)} and {_shown(part, other)}"
    for part, what in (("roles", "role"), ("groups", "group")):
        yield from _each(what, one[part], other[part])
    mine, theirs = _tables(one), _tables(other)
    if mine != theirs:
        yield f"side tables {_listed(mine)} and {_listed(theirs)}"
    elif one.get("tables") != other.get("tables"):
        yield "side tables of another content"
    views = one.get("views") != other.get("views")
    if views or any(one[part] != other[part] for part in ("sums", "units", "scores")):
        yield "other measures, or by other groups"


def lacking(have: Identity, want: Identity) -> Iterator[str]:
    """Yield why a state cannot answer what is asked: it may hold more, but nothing less.

    Args:
        have: The identity of the state.
        want: The identity that a scan for the question would have.

    """
    for part in _SCOPE:
        if have[part] != want[part]:
            yield f"they have {part} {_shown(part, have)}, the plan has {_shown(part, want)}"
    for part, what in (("roles", "role"), ("groups", "group")):
        kept = {name: text for name, text in have[part].items() if name in want[part]}
        for said in _each(what, kept, want[part]):
            yield f"they have {said.replace(' and ', ', the plan has ', 1)}"
    mine, theirs = _tables(have), _tables(want)
    if len(mine) != len(theirs) or not all(map(_answers, mine, theirs)):
        yield f"they have side tables {_listed(mine)}, the plan has {_listed(theirs)}"
    for by in want["sums"]:
        wide = [stage for stage in have["sums"] if {*_names(by)} <= {*_names(stage)}]
        if not wide:
            yield f"they hold nothing by [{by}]" if by else "they hold no sums"
            continue
        missing = min((_missing(have, want, stage, by) for stage in wide), key=len)
        if missing:
            whole = f" by [{by}]" if by else ""
            shown = ", ".join(f"'{key}'" for key in sorted(missing)[:_SHOWN])
            more = f" and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
            yield f"they hold no sums of {shown}{more}{whole}"
    for name, view in want.get("views", {}).items():
        if name not in have.get("views", {}):
            yield f"they hold nothing of {name}"
        else:
            yield from lacking(have["views"][name], view)


_SHOWN = 4


def _missing(have: Identity, want: Identity, stage: str, by: str) -> set[str]:
    lacks = {*want["sums"][by]} - {*have["sums"][stage]}
    lacks |= {*want["units"][by]} - {*have["units"][stage]}
    for role, keys in want["scores"][by].items():
        if {*keys} - {*have["scores"][stage].get(role, ())}:
            lacks.add(f"{role} by value")
    return lacks


def _tables(identity: Identity) -> list[dict[str, Any]]:
    """Return the side tables of a state, whatever is in them."""
    tables = identity.get("tables", [])
    return [{part: table[part] for part in ("key", "columns", "as_of")} for table in tables]


def _answers(have: Mapping[str, Any], want: Mapping[str, Any]) -> bool:
    """Return whether a side table that was joined is the one that is asked for.

    Where the plan names no columns it asks for all, and only the table tells which these are.
    """
    return {**have, "columns": None} == {**want, "columns": None} and (
        want["columns"] is None or {*want["columns"]} <= {*have["columns"]}
    )


def _listed(tables: list[dict[str, Any]]) -> str:
    said = [
        f"by {one['key'][0]}{'' if one['as_of'] is None else '@' + one['as_of']}"
        f" ({'all columns' if one['columns'] is None else ', '.join(one['columns'])})"
        for one in tables
    ]
    return "; ".join(said) or "none"


def _each(what: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys((*one, *other)):
        if one.get(name) != other.get(name):
            yield f"{what} '{name}' {_written(one.get(name))} and {_written(other.get(name))}"


def _written(value: object) -> str:
    return "not at all" if value is None else f"as {value!r}"


def _shown(part: str, identity: Identity) -> str:
    value = identity[part]
    if part == "unit":
        value = ", ".join(value[1:]) or value[0]
    return "none" if not value else repr(value)


def _name(by: tuple[str, ...]) -> str:
    return ", ".join(by)


def _names(by: str) -> list[str]:
    return by.split(", ") if by else []
