"""What is measured of a model where its plan does not say it: by the kind of each probe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evenhand.audits.plan.default import accepted, compared
from evenhand.audits.plan.plan import Entry
from evenhand.logs.log import Log
from evenhand.measures.registry import measures
from evenhand.models.spec import Spec
from evenhand.notation import Term
from evenhand.probes.attacking import Attacking
from evenhand.probes.certify.certificate import Certificate
from evenhand.probes.certifying import Certifying
from evenhand.probes.corrupting import Corrupting
from evenhand.probes.method import Method

_OF_ATTACKS = ("clean_accuracy", "robust_accuracy", "attack_success_rate", "robustness_drop")

_OF_NOISE, _OF_RANGE = (0.0, 0.5, 1.0, 2.0), (0.0, 0.01, 0.05, 0.1)
"""Radii at which a certificate is asked for where no attack of the plan has an eps of its norm: in
deviations of its noise, or else as a share of the range."""

_CORRUPTED = "corruption != None"


def probed_measures(methods: Sequence[Method], spec: Spec, log: Log) -> list[Entry]:
    """Return what is measured of the rows of probes, with contrasts by every group and pair.

    Of attacks and certificates variant by variant, each in its slice; of corruptions all together.

    Args:
        methods: What is done to the inputs.
        spec: Of the model.
        log: The log, whose groups are compared.

    """
    found: dict[str, list[str]] = {}
    for method in methods:
        for plain, scope in _of(method, methods, spec):
            if not accepted(plain, log):
                continue
            cls = measures().get(plain.name)
            contrasts = [] if cls is None else compared(plain, cls, log)
            for text in (str(plain), *contrasts):
                scopes = found.setdefault(text, [])
                scopes += [] if scope in scopes else [scope]
    return [Entry(measure=text, slices=scopes) for text, scopes in found.items()]


def _of(method: Method, methods: Sequence[Method], spec: Spec) -> Iterator[tuple[Term, str]]:
    """Yield what is measured of a method, each with its slice."""
    if isinstance(method, Corrupting):
        yield Term("mean_corruption_error"), _CORRUPTED
        if method.baseline is not None:
            yield Term("mCE", params=(("baseline", method.baseline.model.name),)), _CORRUPTED
    for variant in method.variants:
        scope = f"variant == {variant.name!r}"
        if isinstance(method, Attacking):
            for name in _OF_ATTACKS:
                yield Term(name), scope
            if method.certificate is not None and method.certificate.norm == variant.what.norm:
                robust = (Term("robust_accuracy"),)
                yield Term("bounds", robust, (("missing", "certificate"),)), scope
        elif isinstance(method, Certifying):
            yield Term("clean_accuracy"), scope
            for radius in map(_plain, _radii(variant.what, methods, spec)):
                yield Term("certified_accuracy", params=(("r", radius),)), scope


def _radii(certificate: Certificate, methods: Sequence[Method], spec: Spec) -> list[float]:
    """Return the radii at which a certificate is asked for: the eps of attacks of its norm."""
    every = [
        float(one.what.eps)
        for method in methods
        if isinstance(method, Attacking)
        for one in method.variants
        if one.what.norm == certificate.norm
    ]
    if every:
        return sorted({0.0, *every})
    sigma = getattr(certificate, "sigma", None)
    if sigma is not None:
        return [share * float(sigma) for share in _OF_NOISE]
    return [round(share * (spec.high - spec.low), 12) for share in _OF_RANGE]


def _plain(number: float) -> float:
    """Return a number as people write it: 0, not 0.0."""
    return int(number) if number.is_integer() else number
