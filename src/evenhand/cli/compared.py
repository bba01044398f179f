"""``evenhand mitigate --compare``: re-rankers beside each other, and the choice among them."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evenhand.cli.output import show
from evenhand.cli.progress import shown_progress
from evenhand.errors import Problem, RoleError

if TYPE_CHECKING:
    from evenhand.audits.tradeoff import Tradeoff
    from evenhand.logs.log import Log
    from evenhand.mitigations.candidates import Label

_ENDINGS = (".html", ".json")


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
        source: The plan or the log, as it is named.
        words: The flags that its roles were said by.

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
    source: str
    words: Sequence[str]


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
        what = f"'{out}' is no page and no document, and --compare writes no lists."
        raise RoleError(Problem("--out", what, "Write comparison.html, or comparison.json."))
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
    following = _following(found, asked)
    document = {**found.to_dict(), "next": following or None}
    if out is not None:
        written = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
        if out.suffix.lower() == ".html":
            from evenhand import __version__
            from evenhand.render.tradeoff_page import page

            written = page(
                found,
                version=__version__,
                source=Path(asked.source).name,
                following=following,
            )
        write_all({out: written.encode()}, force=force)
        document["out"] = str(out)
    show(text(found, following), document, as_json=as_json)


def shares_said(targets: Mapping[Label, float]) -> str:
    """Return shares as `--target` takes them, such that they add up to 1 again."""
    return ",".join(f"{name}={share!r}" for name, share in targets.items())


def _following(found: Tradeoff, asked: Asked) -> str:
    """Return the command that writes the lists of what was chosen; empty where none does."""
    choice = found.choice
    if choice is None or not choice.name or not found.of(choice.name).reranks:
        return ""
    targets = found.targets if isinstance(found.targets, str) else shares_said(found.targets)
    words = ["evenhand", "mitigate", asked.source, *asked.words, "--method", choice.name]
    words += ["--item-group", asked.item_group, "--top", str(asked.k), "--target", targets]
    return shlex.join(words)
