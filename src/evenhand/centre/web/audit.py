"""Pages of an audit and of its findings: what its bundle says, in the words of its report."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.block import shape_of
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.chart import charts
from evenhand.audits.finding import ALL_ROWS, Finding
from evenhand.audits.gate.verdict import RuleVerdict
from evenhand.centre.api.access import Reader
from evenhand.centre.api.ask import Bundle as Sha256
from evenhand.centre.api.ask import Here
from evenhand.centre.api.sight import audit_seen
from evenhand.centre.protocol import PREFIX
from evenhand.centre.store import history
from evenhand.centre.store.centre import Centre
from evenhand.centre.store.findings import findings_of, measures_of, places_of
from evenhand.centre.store.opened import Shelf, head_of, part_of
from evenhand.centre.store.tables import Audit, Model, Product, Version
from evenhand.centre.store.tables import Finding as Indexed
from evenhand.centre.web.company import Start, Text
from evenhand.centre.web.page import Crumb, Pager, audit_address, page, short, version_crumbs
from evenhand.errors import Problem, UnknownError
from evenhand.render import svg
from evenhand.render.done import TITLE, done_of, untold
from evenhand.render.html import disclosure, facts_of
from evenhand.render.reading import capital, definition, reading
from evenhand.render.rule import LIMITS, rule_view, sentence, worst_first
from evenhand.render.section import Block, definition_of, sections_of
from evenhand.render.view import block_view, pictures_of
from evenhand.render.wording import interval_of, name_of, value_of
from evenhand.stats.estimate import Undefined

router = APIRouter()

_ROWS = 50
_RULES = 200
_CHOICES = 60
_SIBLINGS = 12


@dataclass(frozen=True)
class Asked:
    """What of an audit's findings is asked for."""

    measure: str = ""
    verdict: str = ""
    search: str = ""


@router.get("/audits/{bundle}")
def show_audit(
    request: Request,
    principal: Reader,
    centre: Here,
    bundle: Sha256,
    *,
    measure: Text = "",
    verdict: Text = "",
    search: Text = "",
    start: Start = 0,
) -> Response:
    """Show an audit."""
    asked = Asked(measure, verdict, search.strip())
    with centre.database.reading() as session:
        audit = audit_seen(session, principal, bundle)
        evidence = head_of(centre, bundle)
        places = places_of(session, audit, {rule.key for rule in evidence.rules})
        product = session.get_one(Product, audit.product_id)
        model = session.get_one(Model, audit.model_id)
        version = session.get_one(Version, audit.version_id)
        listed = findings_of(session, audit, **asdict(asked), start=start, most=_ROWS)
        measures = measures_of(session, audit)
        others = history.audits_of(session, Audit.model_id == model.id, most=_CHOICES)
    title = f"{model.name} {version.name}"
    name = bundle.removeprefix("sha256:")[:16]
    here = audit_address(bundle)
    return page(
        request,
        "audit.html",
        title=f"{title}: {audit.verdict or 'no verdict'}",
        twin=f"{PREFIX}{here}",
        crumbs=version_crumbs(product.name, model.name, version.name),
        audit=audit,
        product=product.name,
        model=model.name,
        of_version=version.name,
        heading=title,
        sentence=sentence(evidence),
        rules=[
            rule_view(rule, _address_of(rule, bundle, places))
            for rule in worst_first(evidence.rules)[:_RULES]
        ],
        rules_left=_rules_left(evidence),
        limits=LIMITS,
        facts=facts_of(evidence),
        coded={"filter", "source", "artefact", *evidence.plan.roles},
        done_title=TITLE,
        done=done_of(evidence),
        untold=untold(evidence),
        disclosure=disclosure(evidence),
        findings=listed.findings,
        measures=measures,
        asked=asked,
        filtered=asked != Asked(),
        pager=Pager(start, _ROWS, listed.found, here, asdict(asked)),
        choices=[one for one in others if one.audit.id != audit.id],
        evidence_file=f"{name}.evidence.zip",
        file=f"{name}.html",
    )


def _address_of(
    rule: RuleVerdict, bundle: str, places: Mapping[tuple[str, str | None], int]
) -> str:
    """Return where the figure of a rule is shown; empty where there is none."""
    place = places.get((rule.key, None if rule.scope == ALL_ROWS else rule.scope))
    return "" if place is None else audit_address(bundle, place)


def _rules_left(bundle: Bundle) -> str:
    left = len(bundle.rules) - _RULES
    return f"{left:,} more verdicts are in the evidence file; none is worse." if left > 0 else ""


@router.get("/audits/{bundle}/findings/{position}")
def show_finding(
    request: Request,
    principal: Reader,
    centre: Here,
    bundle: Sha256,
    position: Annotated[int, Path(ge=0, lt=2**31)],
) -> Response:
    """Show a finding: the figure, who is compared, how sure it is, and what it means."""
    with centre.database.reading() as session:
        audit = audit_seen(session, principal, bundle)
        indexed = session.get(Indexed, (audit.id, position))
        if indexed is None:
            what = f"this audit has {audit.findings:,} findings, from 0 on."
            raise UnknownError(Problem(f"finding {position}", what))
        product = session.get_one(Product, audit.product_id).name
        model = session.get_one(Model, audit.model_id).name
        version = session.get_one(Version, audit.version_id).name
    read = _read(centre, bundle, indexed.measure)
    one, roles = read.findings[position], read.bundle.plan.roles
    block = read.blocks[position]
    shown = block if shape_of(block.findings) in _TOGETHER else _alone(block, one)
    view = block_view(shown, roles, drawn=False, live=False)
    drawn = pictures_of(shown, only=_own(shown, one)) if svg.can_draw() else []
    pictures = [{**picture, "label": shown.title} for picture in drawn]
    could = not pictures and any(charts(shown.findings))
    outcome = one.outcome
    return page(
        request,
        "finding.html",
        title=one.key,
        twin=f"{PREFIX}{audit_address(bundle, position)}",
        crumbs=(
            *version_crumbs(product, model, version),
            Crumb(f"audit {short(bundle)}", audit_address(bundle)),
        ),
        product=product,
        model=model,
        of_version=version,
        bundle=bundle,
        position=position,
        of=audit.findings,
        key=one.key,
        about=capital(_about(one, shown)),
        rules=[rule_view(rule) for rule in read.rules_about(one)],
        value="" if isinstance(outcome, Undefined) else value_of(outcome),
        interval=""
        if isinstance(outcome, Undefined)
        else f"{interval_of(outcome)} {100 * outcome.level:g}%",
        undefined=outcome.reason if isinstance(outcome, Undefined) else "",
        readings=_readings(one, roles),
        pictures=pictures,
        no_charts=f"Charts need one more package: {svg.INSTALL}." if could else "",
        warnings=view["warnings"],
        table=view["table"],
        table_title=f"{_ALL.get(form_of(one.contrast), 'All lines')} {view['title']}"
        if one.pair
        else view["table_title"],
        table_caption=view["table_caption"],
        siblings=_siblings(read, block, position),
        definition=definition_of(one.measure),
        counted=definition(one.measure, roles),
        notes=view["notes"],
        indexed=indexed,
    )


_TOGETHER = {"family", "depths", "curve"}
"""Blocks whose picture and table are about all findings of theirs."""


_ALL: Mapping[str | None, str] = {"pair": "All pairs", "to overall": "All groups"}
"""What the lines of a family are."""


def _own(block: Block, one: Finding) -> Collection[int] | None:
    """Return which pictures of a block are about a finding: not those of other depths."""
    if shape_of(block.findings) != "depths":
        return None
    if len(charts(block.findings)) != len(block.findings) + 1:
        return None
    place = next(i for i, other in enumerate(block.findings) if other is one)
    return {0, 1 + place}


@dataclass(frozen=True)
class Read:
    """Findings of a bundle in blocks: those that share a picture and a table.

    Attributes:
        bundle: The bundle, with these findings alone.
        findings: The findings, by their position in the whole.
        blocks: The block of each, by its position.

    """

    bundle: Bundle
    findings: Mapping[int, Finding]
    blocks: Mapping[int, Block]

    def rules_about(self, one: Finding) -> list[RuleVerdict]:
        """Return the rules about a finding, what fails first."""
        about = (one.key, one.scope)
        return worst_first(rule for rule in self.bundle.rules if (rule.key, rule.scope) == about)


_SHELF: Shelf[Read] = Shelf(200_000)
"""Room for so many figures of groups, of about 1 kB each."""


def _read(centre: Centre, bundle: str, measure: str) -> Read:
    """Return the findings that may be shown together with those of a measure."""

    def make() -> tuple[Read, int]:
        found = part_of(centre, bundle, measure)
        part = replace(head_of(centre, bundle), findings=tuple(found.values()))
        block_of = {
            id(one): block
            for section in sections_of(part)
            for block in section.blocks
            for one in block.findings
        }
        blocks = {place: block_of[id(one)] for place, one in found.items()}
        size = sum(1 + len(one.groups) for one in found.values())
        return Read(part, found, blocks), 1 + size

    return _SHELF.get((bundle, measure), make)


def _alone(block: Block, one: Finding) -> Block:
    """Return a finding without those that it is shown beside in a report."""
    return Block((one,), block.rules, block.number)


def _about(one: Finding, block: Block) -> str:
    """Return who is compared, in which rows."""
    if not one.pair:
        return block.title
    pair = " and ".join(name_of(group) for group in one.pair)
    within = f" in {one.slice}" if one.slice else ""
    return f"{pair}{f', {one.part}' if one.part else ''}{within}"


def _readings(one: Finding, roles: Mapping[str, str]) -> list[str]:
    """Return a finding in words; of one that is undefined the reason stands there already."""
    text = "" if isinstance(one.outcome, Undefined) else reading(one, roles)
    return [capital(text)] if text else []


def _siblings(read: Read, block: Block, position: int) -> list[dict[str, Any]]:
    """Return the findings that a report shows beside one."""
    if len(block.findings) == 1 or block.is_family:
        return []
    mine = {id(one) for one in block.findings}
    found = [
        {
            "position": place,
            "key": one.key,
            "value": "" if isinstance(one.outcome, Undefined) else value_of(one.outcome),
            "interval": interval_of(one.outcome),
        }
        for place, one in read.findings.items()
        if id(one) in mine and place != position
    ]
    return found[:_SIBLINGS]
