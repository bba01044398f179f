"""What is measured of a model where its plan does not say it: what each of its probes asks for."""

from __future__ import annotations

from collections.abc import Sequence

from evenhand.audits.plan.default import accepted, compared
from evenhand.audits.plan.plan import Entry
from evenhand.logs.log import Log
from evenhand.measures.registry import measures
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.method import Method


def probed_measures(methods: Sequence[Method], spec: Spec, log: Log) -> list[Entry]:
    """Return what is measured of the rows of probes, with contrasts by every group and pair.

    Args:
        methods: What is done to the inputs.
        spec: Of the model.
        log: The log, whose groups are compared.

    """
    reach: dict[str, tuple[float, ...]] = {}
    for method in methods:
        for norm, far in method.reach.items():
            reach[norm] = (*reach.get(norm, ()), *far)
    found: dict[str, list[str]] = {}
    for method in methods:
        for plain, scope in method.measured(spec, reach):
            if not accepted(plain, log):
                continue
            contrasts = _contrasts(method, plain, log)
            # Of a gap what all together have is that of a background that happened to be drawn.
            for text in (*(() if method.compared else (str(plain),)), *contrasts):
                scopes = found.setdefault(text, [])
                scopes += [] if scope in scopes else [scope]
    return [Entry(measure=text, slices=scopes) for text, scopes in found.items()]


def _contrasts(method: Method, plain: Term, log: Log) -> list[str]:
    """Return a measure by groups; signed pairs by each where differences add up to a gap.

    Of a curve by each alone: where two attributes meet, few examples are left in a bin.
    """
    if method.compared or method.curved:
        how = "pairs" if method.compared else "difference"
        every = [Term(how, (plain,), (("by", name),)) for name in log.groups]
        return [str(one) for one in every if accepted(one, log)]
    cls = measures().get(plain.name)
    return [] if cls is None else compared(plain, cls, log)
