"""``evenhand mitigate --compare``: re-rankers beside each other, and the choice among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.cli.output import show
from evenhand.cli.progress import shown_progress
from evenhand.errors import Problem, RoleError

if TYPE_CHECKING:
    from evenhand.logs.log import Log

_ENDINGS = (".json",)


@dataclass(frozen=True)
class Asked:
    """What a comparison was asked for.

    Attributes:
        methods: Re-rankers; none for those that apply.
        item_group: The attribute of items that groups are made of.
        k: Slots.
        target: The share each group is to have; None for the population.
        at_least: The least exposure; None for no choice.
        exposure: A notation; None for the usual.
        utility: A notation; None for the usual.
        seed: Of the split.
        choose_on: Share of the units that are chosen on.

    """

    methods: Sequence[str]
    item_group: str
    k: int
    target: str | None
    at_least: float | None
    exposure: str | None
    utility: str | None
    seed: int
    choose_on: float


def check_out(out: Path | None, *, force: bool) -> None:
    """Check that a page or a document can be written.

    Raises:
        RoleError: The file is neither.
        OutputError: It is there already.

    """
    from evenhand.audits.evidence.file import check_targets

    if out is None:
        return
    if out.suffix.lower() not in _ENDINGS:
        what = f"'{out}' is no document, and --compare writes no lists."
        raise RoleError(Problem("--out", what, "Write comparison.json."))
    check_targets([out], force=force)


def compare(log: Log, asked: Asked, out: Path | None, *, force: bool, as_json: bool) -> None:
    """Compare re-rankers, print what was found, and write it where that is asked for."""
    import json

    from evenhand.audits.choosing import choose
    from evenhand.audits.evidence.file import write_all
    from evenhand.render.tradeoff import text

    with shown_progress(silent=as_json) as progress:
        found = choose(
            log,
            asked.item_group,
            asked.k,
            methods=asked.methods,
            target=asked.target,
            at_least=asked.at_least,
            exposure=asked.exposure,
            utility=asked.utility,
            seed=asked.seed,
            share=asked.choose_on,
            progress=progress,
        )
    document = found.to_dict()
    if out is not None:
        written = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        write_all({out: written.encode()}, force=force)
        document["out"] = str(out)
    show(text(found), document, as_json=as_json)
