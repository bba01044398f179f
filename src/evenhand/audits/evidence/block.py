"""Blocks: findings that share a picture and a table, and what such a picture is called."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from typing import Literal

from evenhand.audits.finding import Finding, GroupFinding
from evenhand.errors import NotationError
from evenhand.notation import Term, parse

Shape = Literal["figure", "groups", "family", "depths", "curve"]
"""What a block is: one figure; groups; signed differences; shares of groups at several depths; or
the shares of the most exposed items, which are points of Lorenz's curve."""

_PLAIN = re.compile(r"[a-z0-9_]+")
_POINT, _INDEX = "top_share", "exposure_gini"
"""A point of Lorenz's curve, and the index that the curve is summed up in."""


def shape_of(block: Sequence[Finding]) -> Shape:
    """Return what a block is."""
    one = block[0]
    if one.pair:
        return "family"
    if one.groups:
        return "depths" if len({depth_of(part) for part in block}) > 1 else "groups"
    return "curve" if len(block) > 1 and any(top_of(part) for part in block) else "figure"


def term_of(text: str) -> Term:
    """Return a notation as a term; of text that is none, a term of that name."""
    try:
        return parse(text)
    except NotationError:
        return Term(text)


def depth_of(one: Finding) -> int | None:
    """Return the last slot that counts; None for whole lists."""
    return term_of(one.measure).cutoff


def top_of(one: Finding) -> float | None:
    """Return the part of the catalogue whose share a finding is; None for any other finding.

    >>> top_of(Finding("top_share", "top_share", None, "row", 1, True, 1, (), {}))
    0.1
    """
    term = term_of(one.measure)
    if one.contrast is not None or term.name != _POINT:
        return None
    part = dict(term.params).get("share", _USUAL)
    return float(part) if isinstance(part, int | float) else None


_USUAL = 0.1
"""The part of the catalogue where a top share names none."""


def is_of_items(one: Finding) -> bool:
    """Return whether a finding compares groups of items, which its key names by ``of=``."""
    return one.contrast is not None and "of" in dict(term_of(one.key).params)


def has_target(one: Finding) -> bool:
    """Return whether groups stand beside what they should have."""
    return any(group.target is not None for group in one.groups)


def together(findings: Sequence[Finding]) -> list[tuple[Finding, ...]]:
    """Return findings in the blocks in which they are shown, in the order in which they come.

    The members of a family, such as pairs, are one block; so are contrasts of one measure over the
    same groups, which share a picture and a table; shares of the same groups at several depths; and
    shares of the most exposed items, with the index of the curve whose points they are.
    """
    blocks: dict[object, list[Finding]] = {}
    for place, one in enumerate(findings):
        same: object = place
        if one.pair:
            same = (one.key, one.slice, "family")
        elif has_target(one) and depth_of(one) is not None:
            same = (_without(one.key), one.slice, "depths")
        elif one.groups:
            same = (one.measure, one.by, one.given, one.slice, _written(one.groups))
        elif _curve(one) is not None:
            same = (_curve(one), one.slice)
        blocks.setdefault(same, []).append(one)
    return [_sorted(block) for block in blocks.values()]


_NAME = re.compile(r"\w+")


def may_share(one: str, other: str) -> bool:
    """Return whether findings of two measures may be in one block; if not, they never are.

    >>> may_share("exposure@5", "exposure@10"), may_share("exposure@5", "accuracy")
    (True, False)
    """
    names = {found[0] if (found := _NAME.match(text)) else text for text in (one, other)}
    return len(names) == 1 or names == {_POINT, _INDEX}


def _written(groups: Sequence[GroupFinding]) -> str:
    return json.dumps([group.to_dict() for group in groups])


def _without(key: str) -> str:
    """Return a contrast's notation without the depth of its measure."""
    term = term_of(key)
    args = tuple(Term(a.name, a.args, a.params) if isinstance(a, Term) else a for a in term.args)
    return str(Term(term.name, args, term.params))


def _curve(one: Finding) -> tuple[tuple[tuple[str, str], ...], int | None] | None:
    """Return which of Lorenz's curves a finding is about; None for one that is about none."""
    term = term_of(one.measure)
    if one.contrast is not None or term.name not in {_POINT, _INDEX}:
        return None
    rest = tuple(sorted((name, str(value)) for name, value in term.params if name != "share"))
    return rest, term.cutoff


def _sorted(block: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return a block from the least depth, or the least part of a catalogue, on."""
    match shape_of(block):
        case "depths":
            return tuple(sorted(block, key=lambda one: depth_of(one) or 0))
        case "curve":
            return tuple(sorted(block, key=lambda one: top_of(one) or 0.0))
    return tuple(block)


def name_of(block: Sequence[Finding]) -> str:
    """Return what the picture of a block is called: stable, and safe as the name of a file.

    A digest follows where letters, parameters or a slice would be lost otherwise.
    """
    one = block[0]
    aimed = has_target(one)
    what = [one.measure, *one.by]
    if one.pair or aimed or not one.measure.isidentifier():
        what.insert(0, one.contrast or "")
    over = one.by[0] if len(one.by) == 1 else f"[{', '.join(one.by)}]"
    usual = not (one.pair or aimed) or one.key == f"{one.contrast}({one.measure}, by={over})"
    plain = usual and not (one.given or one.slice) and all(map(_PLAIN.fullmatch, what))
    slug = re.sub(r"[^a-z0-9_]+", "-", "-".join(what).lower()).strip("-")[:60]
    if plain and len(slug) < 60:  # noqa: PLR2004 - as cut above
        return slug
    called = one.key if one.pair or aimed else one.measure
    whole = json.dumps([called, one.by, one.given, one.slice])
    return f"{slug}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
