"""A report's findings in the order in which people read: by measure, then by who is compared."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from evenhand.audits.contrasts import form_of
from evenhand.audits.evidence.block import has_target, is_of_items, shape_of, term_of, together
from evenhand.audits.evidence.bundle import Bundle
from evenhand.audits.evidence.curve import Curve, curves_of
from evenhand.audits.evidence.strength import (
    budget_of,
    is_of_sources,
    merged_by_budget,
    on_curve,
    variant_column,
    variant_in,
)
from evenhand.audits.finding import Exclusion, Finding
from evenhand.audits.gate.verdict import RuleVerdict
from evenhand.errors import NotationError
from evenhand.measures.registry import measure_in, measure_named
from evenhand.notation import Term, parse
from evenhand.render.ranked import aim_of
from evenhand.render.reading import Roles, definition, family
from evenhand.render.wording import value_shown
from evenhand.stats.estimate import Estimate, Undefined


@dataclass(frozen=True)
class Block:
    """Findings that share a picture and a table.

    Attributes:
        findings: The findings: contrasts of the same groups, a family of pairs, or one figure.
        rules: The ids of the rules that are about them.
        number: Its place in the report, from 1.
        variant: The column that tells variants apart; empty where none does.
        only: The name of the only variant that there is, which goes without saying; else empty.

    """

    findings: tuple[Finding, ...]
    rules: tuple[str, ...]
    number: int
    variant: str = ""
    only: str = ""

    @property
    def lead(self) -> Finding:
        """The first finding, which has what all share."""
        return self.findings[0]

    @property
    def is_family(self) -> bool:
        """Whether its findings are lines of one table."""
        return bool(self.lead.pair)

    @property
    def title(self) -> str:
        """Who is compared, in which rows."""
        one = self.lead
        over = "items by" if is_of_items(one) else "by"
        who = f"{over} {', '.join(one.by)}" if one.by else "all together"
        if shape_of(self.findings) == "curve":
            who = "all items, the most and the least exposed"
        given = f" within {', '.join(one.given)}" if one.given else ""
        if has_target(one):
            given += f", each beside {aim_of(one)}"
        name, rest = variant_of(one.slice, self.variant, self.only)
        # Where every variant's rows hold the same, the one that was asked goes without saying.
        named = bool(name) and not is_same_of_variants(one.measure)
        return f"{f'{name}: ' if named else ''}{who}{given}{f' in {rest}' if rest else ''}"

    @property
    def importance(self) -> tuple[int, int]:
        """What is shown first where there is no room for all: smaller is more important."""
        one = self.lead
        single = any(form_of(f.contrast) == "gap" for f in self.findings) and len(one.by) == 1
        worth = 0 if self.rules else 1 if single and not one.slice else 2 if one.by else 3
        return worth, self.number

    def readings(self, roles: Roles | None = None) -> list[str]:
        """Return what the findings say, in sentences."""
        return family(self.findings, roles)

    def excluded(self) -> list[Exclusion]:
        """Return rows left out of any of them, by reason."""
        return [*dict.fromkeys(part for one in self.findings for part in one.excluded)]

    def conventions(self) -> dict[str, str]:
        """Return how the figures are defined: what holds for every finding of a family."""
        said: dict[str, set[str]] = {}
        for one in self.findings:
            for name, text in one.conventions.items():
                said.setdefault(name, set()).add(text)
        return {name: texts.pop() for name, texts in said.items() if len(texts) == 1}

    def reasons(self) -> list[tuple[Finding, str]]:
        """Return the reason of every finding that is undefined."""
        return [(f, f.outcome.reason) for f in self.findings if isinstance(f.outcome, Undefined)]

    def methods(self) -> list[str]:
        """Return how the intervals were computed, each once."""
        found = [one.outcome for one in self.findings if isinstance(one.outcome, Estimate)]
        told = [f"{100 * one.level:g}% intervals, {one.method}" for one in found if one.method]
        return [*dict.fromkeys(told)]


@dataclass(frozen=True)
class Section:
    """A measure and all that was found with it.

    Attributes:
        measure: Its notation.
        about: Its definition in a sentence.
        counted: What it counts in the words of the plan; empty where that adds nothing.
        blocks: What was found.
        number: That of its first block.
        told: Findings that are in no block since a curve tells them.
        folded: The numbers of the blocks of single variants, which are told side by side before.

    """

    measure: str
    about: str
    counted: str
    blocks: tuple[Block, ...]
    number: int
    told: int = 0
    folded: frozenset[int] = frozenset()

    @property
    def budget(self) -> str:
        """What its figures differ by, such as a cost, where they are of one measure; else empty."""
        lead = self.blocks[0].lead if self.blocks else None
        return "" if lead is None or lead.measure == self.measure else budget_of(self.measure)


def sections_of(bundle: Bundle) -> list[Section]:
    """Return the findings of a bundle by measure, in the order of the plan.

    Of logs whose rows are told apart by variant the measures that a rule is about come first, and
    figures of one measure by its budget, which are points of one course, are one section.
    """
    variant, only = variant_column(bundle.plan), only_variant(bundle)
    merged = merged_by_budget(bundle.findings, variant)
    blocks: dict[str, list[Block]] = {}
    for number, findings in enumerate(together(bundle.findings), start=1):
        rules = tuple(dict.fromkeys(_about(findings, bundle.rules)))
        block = Block(findings, rules, number, variant, only)
        blocks.setdefault(_measure_of(findings, merged), []).append(block)
    roles = bundle.plan.roles
    found = [
        Section(
            measure,
            definition_of(measure) or definition_of(parts[0].lead.measure),
            definition(measure, roles),
            tuple(parts),
            parts[0].number,
        )
        for measure, parts in blocks.items()
    ]
    if variant:
        found.sort(key=lambda one: not any(block.rules for block in one.blocks))
    return found


def variants_of(bundle: Bundle) -> frozenset[str]:
    """Return the variants that findings are about; nothing where no slice chooses one."""
    column = variant_column(bundle.plan)
    found = {variant_in(one.slice, column)[0] for one in bundle.findings} if column else set()
    return frozenset(found - {""})


def only_variant(bundle: Bundle) -> str:
    """Return the one variant that all findings are about; empty where there is another, or none."""
    column, names = variant_column(bundle.plan), variants_of(bundle)
    if len(names) != 1:
        return ""
    every = all(variant_in(one.slice, column)[0] for one in bundle.findings)
    return next(iter(names)) if every else ""


def variant_of(scope: str | None, variant: str, only: str = "") -> tuple[str, str]:
    """Return the variant that a slice chooses as people read it, and what else the slice asks.

    >>> variant_of("variant == 'age' and sex == 'f'", "variant")
    ('age', "sex == 'f'")
    >>> variant_of("variant == 'age'", "variant", only="age"), variant_of("sex == 'f'", "")
    (('', ''), ('', "sex == 'f'"))
    """
    name, rest = variant_in(scope, variant) if variant else ("", "")
    if not name:
        return "", scope or ""
    return ("" if name == only else value_shown(name)), rest


def shown_sections(bundle: Bundle) -> list[Section]:
    """Return the findings of a bundle by measure, without those that a curve tells.

    A curve is made of dozens of figures of single bins, each with its groups. Those that a rule is
    about stand by themselves too.
    """
    curves = curves_in(bundle)
    told = {about for one in curves for about in one.told}
    sections = [replace(one, folded=_side_by_side(one)) for one in sections_of(bundle)]
    if not told:
        return sections
    shown = []
    for section in sections:
        left = [
            block
            for block in section.blocks
            if block.rules or not {(one.key, one.slice) for one in block.findings} <= told
        ]
        count = sum(len(block.findings) for block in section.blocks if block not in left)
        shown.append(replace(section, blocks=tuple(left), told=count))
    return shown


def _side_by_side(section: Section) -> frozenset[int]:
    """Return the blocks of single variants, or budgets, where there are several."""
    found = [
        (block.number, block.lead.measure, name)
        for block in section.blocks
        for name, _ in [variant_in(block.lead.slice, block.variant)]
        if (name or section.budget)
        and not (block.lead.given or block.lead.part or on_curve(block.lead))
    ]
    several = len({(measure, name) for _, measure, name in found}) > 1
    return frozenset(number for number, *_ in found) if several else frozenset()


def curves_in(bundle: Bundle) -> list[Curve]:
    """Return the curves along features that a bundle's figures make."""
    plan = bundle.plan
    return curves_of(bundle.findings, variant_column(plan), apart=is_of_sources(plan))


def _measure_of(findings: Sequence[Finding], merged: Collection[str]) -> str:
    """Return what a block is listed under: of shares at several depths the measure without one.

    So are figures by the budget of a measure that has a course.
    """
    name = term_of(findings[0].measure).name
    if name in merged:
        return name
    if shape_of(findings) != "depths":
        return findings[0].measure
    term = term_of(findings[0].measure)
    return str(Term(term.name, term.args, term.params))


def _about(findings: Iterable[Finding], rules: Iterable[RuleVerdict]) -> list[str]:
    keys = {(one.key, one.scope) for one in findings}
    return [rule.id for rule in rules if (rule.key, rule.scope) in keys]


def definition_of(measure: str) -> str:
    """Return the first sentence of a measure's own documentation."""
    try:
        found = measure_named(parse(measure))
    except NotationError:
        return ""
    return (inspect.getdoc(type(found)) or "").partition("\n\n")[0].replace("\n", " ")


def is_same_of_variants(measure: str) -> bool:
    """Return whether what a measure reads is the same in the rows of every variant."""
    found = measure_in(measure)
    return found is not None and found.variants == "same"


def title_of(bundle: Bundle) -> str:
    """Return what was audited, for a headline."""
    plan = bundle.plan
    return plan.subject.title or plan.log.source or (plan.model.address if plan.model else "")
