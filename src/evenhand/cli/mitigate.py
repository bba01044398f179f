"""``evenhand mitigate``: lists are ranked anew, so that groups of items get what they should."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from evenhand.cli import compared, flags
from evenhand.cli.output import show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from evenhand.logs.log import Log
    from evenhand.mitigations.listed import Listed


def mitigate(
    source: Annotated[
        str,
        typer.Argument(help="A plan (audit.yaml) of ranked lists, or a log with flags."),
    ],
    *,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="How: det_const_sort, det_greedy, 'fa_star_ir(protected=f, p=0.4)', ...; of "
            "--compare several, or those that apply."
        ),
    ] = None,
    item_group: Annotated[
        str, typer.Option(help="The attribute of items that groups are made of.")
    ],
    k: Annotated[int, typer.Option("--top", help="Slots to fill.", min=1)] = 10,
    target: Annotated[
        str | None,
        typer.Option(
            help="The share each group is to have: population (of all candidates), request (of a "
            "request's own), equal, or a=0.5,b=0.5."
        ),
    ] = None,
    kind: flags.Kind = "recommendation",
    user: flags.User = None,
    request: flags.Request = None,
    item: flags.Item = None,
    rank: flags.Rank = None,
    score: flags.Score = None,
    relevance: flags.Relevance = None,
    where: flags.Where = None,
    compare: Annotated[
        bool,
        typer.Option(
            "--compare", help="Compare re-rankers on two halves of the units, and write no lists."
        ),
    ] = False,
    at_least: Annotated[
        float | None,
        typer.Option(
            help="Of --compare: choose the one of most utility whose exposure is at least this."
        ),
    ] = None,
    exposure: Annotated[
        str | None,
        typer.Option(
            help="Of --compare: another figure of exposure, such as AWRF(of=tier, target=equal)@10."
        ),
    ] = None,
    utility: Annotated[
        str | None, typer.Option(help="Of --compare: another figure of utility, such as R@10.")
    ] = None,
    choose_on: Annotated[
        float, typer.Option(help="Of --compare: the share of units that are chosen on.")
    ] = 0.5,
    seed: Annotated[int, typer.Option(help="Of --compare: seed of the split.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the lists here, by default reranked.parquet; of --compare a page (.html) "
            "or what it says (.json).",
            show_default=False,
        ),
    ] = None,
    force: flags.Force = False,
    as_json: flags.AsJson = False,
) -> None:
    """Rank lists anew, with what is guaranteed and what it costs; candidates come from the log.

    New slots are written to the column of the old ones, which stands beside as RANK_before. Of a
    plan a plan of the new lists is written too, so that one command audits them as before.

    [bold]Example[/bold]

      evenhand mitigate recs.parquet --request request_id --item video_id --score score
      --method det_const_sort --item-group creator_tier --target population --top 25
      --out reranked.parquet

      evenhand mitigate audit.yaml --score=-rank --method "fa_star_ir(protected=f, p=0.4)"
      --item-group sex --top 10

      evenhand mitigate audit.yaml --compare --item-group creator_tier --top 25 --at-least 0.8
      --out comparison.html
    """
    roles = flags.given(
        user=user, request=request, item=item, rank=rank, score=score, relevance=relevance
    )
    if compare:
        asked = compared.Asked(
            methods=method or (),
            item_group=item_group,
            k=k,
            target=target,
            at_least=at_least,
            exposure=exposure,
            utility=utility,
            seed=seed,
            choose_on=choose_on,
            source=source,
            words=_words(source, kind, where, roles),
        )
        compared.check_out(out, force=force)
        log = _opened(source, roles, kind, where)
        compared.compare(log, asked, out, force=force, as_json=as_json)
        return
    alone = {"--at-least": at_least, "--exposure": exposure, "--utility": utility}
    named = _only(method or (), [name for name, value in alone.items() if value is not None])
    _rank_anew(
        source,
        _Asked(named, item_group, k, target, kind, where, roles),
        Path("reranked.parquet") if out is None else out,
        force=force,
        as_json=as_json,
    )


@dataclass(frozen=True)
class _Asked:
    """What lists are ranked by anew."""

    method: str
    item_group: str
    k: int
    target: str | None
    kind: str
    where: str | None
    roles: Mapping[str, str]


def _only(methods: Sequence[str], of_comparisons: Sequence[str]) -> str:
    """Return the one re-ranker that is named.

    Args:
        methods: Those that are.
        of_comparisons: Flags that were said, and mean nothing here.

    Raises:
        RoleError: With every problem.

    """
    from evenhand.errors import Problem, RoleError

    problems = []
    if len(methods) != 1:
        what = "none is named." if not methods else f"{len(methods)} are named."
        hint = "Name one: --method det_const_sort; or say --compare to try several."
        problems.append(Problem("--method", what, hint))
    problems += [
        Problem(name, "it is of comparisons.", "Say --compare too.") for name in of_comparisons
    ]
    if problems:
        raise RoleError(problems)
    return methods[0]


def _rank_anew(source: str, asked: _Asked, out: Path, *, force: bool, as_json: bool) -> None:
    """Write new lists, and of a plan their plan."""
    import io

    from evenhand.audits.evidence.file import check_targets, write_all
    from evenhand.audits.plan.file import is_plan
    from evenhand.mitigations.aim import targets_of
    from evenhand.mitigations.listed import listed
    from evenhand.mitigations.registry import read, reranked

    plan = Path(source) if is_plan(source) else None
    after = out.with_suffix(".yaml")
    check_targets([out, *([after] if plan else [])], force=force)
    found = listed(_opened(source, asked.roles, asked.kind, asked.where), asked.item_group)
    reranker = read(asked.method, targets_of(asked.target, found.candidates))
    done = reranked(reranker, found.candidates, asked.k, found.requests)
    stream = io.BytesIO()
    found.written(done.order).write_parquet(stream)
    files: dict[str | os.PathLike[str], bytes] = {out: stream.getvalue()}
    following = _audit_of(out, asked, found.rank)
    if plan is not None:
        files[after] = _plan_of(plan, out, after, found.rank).encode()
        following = f"evenhand audit {shlex.quote(str(after))} --out after.evidence.zip"
    write_all(files, force=force)
    document = {
        "lists": str(out),
        "plan": str(after) if plan else None,
        "method": asked.method,
        "top": asked.k,
        "exposure": _shares(found, done.order, asked.k),
        "candidates": int(found.candidates.sizes.sum()),
        "unknown": found.candidates.unknown,
        "certificate": done.certificate.to_dict(),
        "next": following,
    }
    show(_shown(document), document, as_json=as_json)


def _words(source: str, kind: str, where: str | None, roles: Mapping[str, str]) -> Sequence[str]:
    """Return the flags that say the same roles again."""
    from evenhand.audits.plan.file import is_plan

    # As one word: what a role is may begin with a minus.
    words = [f"--{name}={text}" for name, text in roles.items()]
    if is_plan(source):
        return words
    return [f"--kind={kind}", *([] if where is None else [f"--where={where}"]), *words]


def _audit_of(out: Path, asked: _Asked, rank: str) -> str:
    """Return the command that audits new lists: with the roles of the old ones, and their slots."""
    roles = {name: text for name, text in asked.roles.items() if name != "score"} | {"rank": rank}
    words = ["evenhand", "audit", str(out), "--kind", asked.kind]
    words += [word for name, text in roles.items() for word in (f"--{name}", text)]
    return shlex.join([*words, "--item-group", asked.item_group])


def _opened(source: str, roles: Mapping[str, Any], kind: str, where: str | None) -> Log:
    """Return the log of a plan, with roles that are said beside it, or of a path."""
    from dataclasses import replace

    from evenhand import log
    from evenhand.audits.plan.file import is_plan, open_plan
    from evenhand.errors import PlanError, Problem
    from evenhand.logs.expression import Expression

    if not is_plan(source):
        if "rank" in roles or "score" not in roles:
            return log(source, kind=kind, where=where, **roles)
        # Lists that nobody has ranked yet: what they are sorted by stands in while they are opened.
        found = log(source, kind=kind, where=where, **{**roles, "rank": roles["score"]})
        return replace(found, roles={n: text for n, text in found.roles.items() if n != "rank"})
    if where is not None:
        raise PlanError(Problem("--where", "a plan has a filter of its own.", "Write it there."))
    found = open_plan(source).log
    said = {role: Expression(text) for role, text in roles.items()}
    problems = [
        problem
        for role, text in said.items()
        for problem in text.problems(found.schema, f"--{role}")
    ]
    if problems:
        raise PlanError(problems)
    return replace(found, roles={**found.roles, **said})


def _shares(found: Listed, order: Any, k: int) -> list[dict[str, Any]]:  # noqa: ANN401 - an array
    """Return each group's share of the exposure before and after, by log2 discounts."""
    import numpy as np

    from evenhand.mitigations.certificate import discounts

    candidates, weight = found.candidates, discounts(k)

    def shares(of: Any) -> Any:  # noqa: ANN401 - an array
        groups = candidates.groups_at(of)
        total = [float((weight * (groups == code)).sum()) for code in range(len(candidates.names))]
        return np.array(total) / max(sum(total), 1e-12)

    before, after = shares(candidates.best(k)), shares(order)
    return [
        {"group": name, "by_score": float(b), "reranked": float(a)}
        for name, b, a in zip(candidates.names, before, after, strict=True)
    ]


def _plan_of(plan: Path, out: Path, after: Path, rank: str) -> str:
    """Return the plan of the new lists: the same, with their source and their slots."""
    import yaml

    document: dict[str, Any] = yaml.safe_load(plan.read_text(encoding="utf-8-sig"))

    def moved(path: str) -> str:
        if "${" in path or "://" in path or Path(path).is_absolute():
            return path
        return Path(os.path.relpath(plan.parent / path, after.parent)).as_posix()

    document["log"]["source"] = Path(os.path.relpath(out, after.parent)).as_posix()
    document.setdefault("roles", {})["rank"] = rank
    # The new rows have the columns of side tables already.
    document.pop("tables", None)
    if "catalogue" in document:
        document["catalogue"] = moved(document["catalogue"])
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _shown(document: dict[str, Any]) -> RenderableType:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="dim")
    for heading in ("group", "exposure by score", "ranked anew"):
        table.add_column(heading)
    for one in document["exposure"]:
        table.add_row(
            *(Text(str(one["group"])), f"{one['by_score']:.1%}", f"{one['reranked']:.1%}")
        )
    told = document["certificate"]
    kept = f"kept in {told['kept']:,} of {told['requests']:,} requests"
    unknown = (
        f"{document['unknown']:,} of {document['candidates']:,} candidates have no known group"
    )
    lines = [
        *([f"{unknown}: ranked by score, they count towards none"] if document["unknown"] else []),
        "",
        told["guarantee"],
        f"{kept}; {told['violated_prefixes']:,} prefixes break it",
        f"utility {told['utility']:.4g} a request, {told['best']:.4g} at best ({told['against']})"
        + (f", {told['by_score']:.4g} by score" if "by_score" in told else ""),
        *(f"  {reason}" for reason in told["reasons"]),
        "",
        f"lists  {document['lists']}",
        *([f"plan   {document['plan']}"] if document["plan"] else []),
        f"\n  {document['next']}",
    ]
    return Group(table, Text("\n".join(lines)))
