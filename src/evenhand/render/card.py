"""What every model card says of a bundle: the model, its data, and what was not found out."""

from __future__ import annotations

from evenhand.audits.evidence.bundle import Bundle, Input
from evenhand.audits.finding import ALL_ROWS
from evenhand.render.figure import figures
from evenhand.render.rule import facts
from evenhand.render.wording import ALONE, alone, brief, left_out
from evenhand.stats.estimate import Undefined


def model_name(bundle: Bundle) -> str:
    """Return the model's name, else the product's."""
    subject = bundle.plan.subject
    return subject.model or subject.product or "unnamed model"


def subject_facts(bundle: Bundle) -> dict[str, str]:
    """Return what the plan says of the model by what it is; what it does not say is left out."""
    subject = bundle.plan.subject
    said = {
        "product": subject.product,
        "model": subject.model,
        "version": subject.version,
        "owner": subject.owner,
        "artefact": subject.artefact,
    }
    return {name: text for name, text in said.items() if text}


def window_text(bundle: Bundle) -> str:
    """Return the days that the data are of; empty where the plan does not say."""
    window = bundle.plan.subject.window
    return "" if window is None else f"{window[0].isoformat()} to {window[-1].isoformat()}"


def data_text(bundle: Bundle, one: Input) -> str:
    """Return what is known of a file that was read."""
    if one.table:
        return "; ".join(filter(None, ["side table", one.sha256]))
    plan, rows = bundle.plan, bundle.environment.get("rows")
    together = " in all files" if sum(not other.table for other in bundle.inputs) > 1 else ""
    said = [
        f"log of {plan.log.kind}",
        "" if rows is None else f"{rows:,} rows{together}",
        f"days {window_text(bundle)}" if window_text(bundle) else "",
        f"rows where {plan.log.where}" if plan.log.where else "",
        one.sha256 or "",
    ]
    return "; ".join(filter(None, said))


def limitations(bundle: Bundle) -> list[str]:
    """Return what the audit cannot say: undecided what is undecided, undefined or left out."""
    found = [*filter(None, [left_out(bundle.skipped)])]
    for rule in bundle.rules:
        said = facts(bundle, rule)
        where = "" if rule.scope == ALL_ROWS else f" in {rule.scope}"
        if rule.verdict == "undecided":
            found.append(f"Rule {rule.id}{where} ({rule.rule}): {brief(rule.reason)}")
        elif "undecided" in said:
            found.append(f"Rule {rule.id}{where} says nothing of {said['undecided']}")
    found += [
        f"{one.name}{f' ({one.slice})' if one.slice else ''}: undefined, "
        f"{brief(one.outcome.reason)}"
        for one in figures(bundle)
        if isinstance(one.outcome, Undefined)
    ]
    found += [
        f"{part.rows:,} rows left out of {finding.key} in {finding.scope}: {part.reason}"
        for finding in bundle.findings
        for part in finding.excluded
    ]
    found += [f"{one.key} in {one.scope}: {ALONE}" for one in bundle.findings if alone(one)]
    return [*dict.fromkeys(found)]
