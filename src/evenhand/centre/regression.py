"""What a version does worse than the one that it is held against, rule by rule.

A rule that the other version passed is passed again or it is not: what was left out of the audit
of the new version counts as not passed, since leaving a rule out would otherwise mend it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from evenhand.audits.gate.verdict import WORST_FIRST, Verdict
from evenhand.centre.dossier import EvidenceRecord
from evenhand.centre.used import in_order, newest


class Regression(BaseModel):
    """A rule that the other version passed and this one does not.

    Attributes:
        after: Its verdict now; ``missing`` where no rule of this name is judged in this scope.
        waived: Whether somebody else has approved that it does not pass.

    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: str
    scope: str
    before: Verdict
    after: Verdict | Literal["missing"]
    waived: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """A version held against another.

    Attributes:
        passed: How many rules the other one passed.
        regressions: Those of them that this one does not pass.
        changed: Those that say another thing now, as ``id: RULE, was RULE``.

    """

    passed: int
    regressions: list[Regression]
    changed: list[str]


def held_against(before: Iterable[EvidenceRecord], rules: Sequence[dict[str, Any]]) -> Held:
    """Return what of the rules that a version passed another one does not pass.

    A rule is the one of the same name and scope of the same plan or, where that plan was not run
    again, of any plan.

    Args:
        before: Evidence of the version that is held against.
        rules: Rules of the new one as they are judged, each with its ``plan`` and ``waiver``.

    """
    regressions, changed, passed = list[Regression](), dict[str, None](), 0
    for one in newest(in_order(before)):
        for rule in one.rules:
            if rule["verdict"] != "pass":
                continue
            passed += 1
            now = _same(rule, one.plan, rules)
            after = _worst(now)
            if after != "pass":
                waived = bool(now) and all(
                    other["waiver"] for other in now if other["verdict"] != "pass"
                )
                key = {"id": rule["id"], "scope": rule["scope"]}
                regressions.append(Regression(**key, before="pass", after=after, waived=waived))
            for other in now:
                if _asked(other) != _asked(rule):
                    changed[f"{rule['id']}: {_asked(other)}, was {_asked(rule)}"] = None
    unique = {(one.id, one.scope, one.after): one for one in regressions}
    return Held(passed, [*unique.values()], [*changed])


def _same(rule: dict[str, Any], plan: str, rules: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    alike = [one for one in rules if (one["id"], one["scope"]) == (rule["id"], rule["scope"])]
    return [one for one in alike if one["plan"] == plan] or alike


def _worst(rules: Sequence[dict[str, Any]]) -> Verdict | Literal["missing"]:
    verdicts = [rule["verdict"] for rule in rules]
    return next((one for one in WORST_FIRST if one in verdicts), "missing")


def _asked(rule: dict[str, Any]) -> str:
    return f"{rule['rule']} ({100 * rule['certainty']:g}% sure)"
