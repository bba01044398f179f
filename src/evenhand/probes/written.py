"""Reading a probe from notation: ``attack.pgd(eps=0.1)``, ``corrupt.common``, ``certify.ibp``."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from evenhand.errors import EvenhandError, ModelError, NotationError, Problem, listed
from evenhand.notation import Term, parse
from evenhand.probes.attack.attack import PREFIX as ATTACK
from evenhand.probes.attack.registry import attack_named
from evenhand.probes.attacking import Attacking
from evenhand.probes.attribute.attribution import PREFIX as ATTRIBUTE
from evenhand.probes.attribute.baseline import BASELINES, refused
from evenhand.probes.attributing import Attributing
from evenhand.probes.card.card import Card
from evenhand.probes.card.depth import ALL, HOWS, Depth, How
from evenhand.probes.certify.certificate import PREFIX as CERTIFY
from evenhand.probes.certify.certificate import Certificate
from evenhand.probes.certifying import Certifying
from evenhand.probes.corrupt.corruption import PREFIX as CORRUPT
from evenhand.probes.corrupt.corruption import SEVERITIES
from evenhand.probes.corrupting import Baseline, Corrupting
from evenhand.probes.explain.explanation import PREFIX as EXPLAIN
from evenhand.probes.method import Method, Variant
from evenhand.probes.named import combinations, several
from evenhand.probes.parameter import count_of
from evenhand.probes.probe import Probe
from evenhand.probes.threat import NORMS, Norm, Threat

PREFIXES = (ATTACK, CORRUPT, CERTIFY, ATTRIBUTE, EXPLAIN)

_FRACTION = re.compile(r"(?<![\w'\"./])(\d+ */ *\d+)(?![\w'\"./])")

_EXAMPLE = "Write 'attack.pgd(steps=100)' with eps 0.1 or 8/255."


def probe_of(
    written: str,
    *,
    eps: Sequence[str | float] | str | float = (),
    norm: Sequence[str] | str = (),
    severity: Sequence[int] | int = (),
    fill: Sequence[str] | str = (),
    randomisations: int | None = None,
    cascade: Sequence[int] | int = (),
    independent: Sequence[int] | int = (),
    immutable: Sequence[str] | str = (),
    ranges: Sequence[tuple[str, float, float]] = (),
    certificate: str | None = None,
    baseline: Baseline | None = None,
    seed: int = 1,
) -> Probe:
    """Return the probe that is written.

    ``attack.pgd(eps=0.1, steps=100)``, ``corrupt.common(severity=[1, 3])``,
    ``certify.smoothing(sigma=[0.25, 0.5])``. What tells variants apart may stand in it or beside.

    Args:
        written: The probe with its parameters.
        eps: Of attacks: how far, in the units of the inputs' range; numbers, or text as ``8/255``.
        norm: Of attacks: ``linf`` (default) or ``l2``.
        severity: Of corruptions: from 1 to 5; all by default.
        fill: Of attributions: what their card removes features with: ``mean`` (default), ``low``,
            ``blur``.
        randomisations: Of attributions: how many networks that learned nothing their maps are
            compared with, 10 by default; 0 for none, which is far cheaper.
        cascade: Of attributions: down to which layer these networks forget, counted from the last
            one that has parameters; several give a variant each, and by default it is all.
        independent: Of attributions: which layer alone they forget, counted likewise.
        immutable: Of counterfactual examples: features that stay as they are.
        ranges: Of counterfactual examples: features with their least and greatest values.
        certificate: Of attacks: what proves how much of the rest no attack can break.
        baseline: Of corruptions: whose errors others are measured by.
        seed: Where every random number comes from, from 0.

    Raises:
        NotationError: There is no such probe or parameter; or something is said twice, or not at
            all, or is for another kind of probe.
        ModelError: A norm, an eps or a severity is none.

    """
    if isinstance(seed, bool) or seed < 0:
        raise ModelError(Problem("seed", f"{seed} is no whole number from 0."))
    prefix, term = _split(written)
    beside: dict[str, tuple[object, ...]] = {
        "eps": several(eps),
        "norm": several(norm),
        "severity": several(severity),
        "fill": several(fill),
        "randomisations": () if randomisations is None else (randomisations,),
        "cascade": several(cascade),
        "independent": several(independent),
        "immutable": several(immutable),
        "ranges": tuple(ranges),
        "certificate": () if certificate is None else (certificate,),
        "baseline": () if baseline is None else (baseline,),
    }
    allowed = _BESIDE[prefix]
    foreign = [name for name, value in beside.items() if value and name not in allowed]
    if foreign:
        what = f"it takes no {listed(foreign)}."
        raise NotationError(Problem(f"'{written}'", what, _FOR[foreign[0]]))
    params = dict(term.params)
    inside = {name: several(params.pop(name)) for name in allowed if name in params}
    twice = [name for name in inside if beside[name]]
    if twice:
        what = f"{twice[0]} is said in it and beside it."
        raise NotationError(Problem(f"'{written}'", what, "Say it once."))
    said = {**beside, **inside}
    rest = Term(term.name, term.args, tuple(params.items()), term.cutoff)
    return Probe(_METHODS[prefix](written, rest, said), seed)


_BESIDE = {
    ATTACK: ("eps", "norm", "certificate"),
    CORRUPT: ("severity", "baseline"),
    CERTIFY: (),
    EXPLAIN: ("immutable", "ranges"),
    ATTRIBUTE: ("fill", "randomisations", "cascade", "independent"),
}
_FOR = {
    "eps": "It says how far an attack may go; a certificate finds out how far none can.",
    "norm": "It says how an attack is measured; every certificate has its own.",
    "severity": "It is for corruptions: corrupt.common(severity=3).",
    "fill": "It is for attributions: their card removes features with it.",
    "randomisations": "It is for attributions: their card compares networks that learned nothing.",
    "cascade": "It is for attributions: attribute.gradient(cascade=[1, 2]).",
    "independent": "It is for attributions: attribute.gradient(independent=[1, 2]).",
    "immutable": "It is for counterfactual examples: explain.counterfactual.",
    "ranges": "It is for counterfactual examples: explain.counterfactual.",
    "certificate": "It stands beside an attack; alone it is written certify.ibp.",
    "baseline": "It is for corruptions, whose errors are divided by its.",
}


def _split(written: str) -> tuple[str, Term]:
    """Return which kind of probe is written, and its term; without a kind it is an attack."""
    # A fraction is no value of the notation, and eps is known by it: 8/255.
    text = _FRACTION.sub(r"'\1'", written.strip())
    for prefix in PREFIXES:
        if text.startswith(prefix):
            return prefix, parse(text.removeprefix(prefix))
    kind, dot, _ = text.partition(".")
    if dot and kind.isidentifier():
        what = f"there is no kind of probe '{kind}'."
        hint = f"There are: {listed(one.rstrip('.') for one in PREFIXES)}."
        raise NotationError(Problem(f"'{written}'", what, hint))
    return ATTACK, parse(text)


def _attacking(written: str, term: Term, said: dict[str, tuple[object, ...]]) -> Method:
    if not said["eps"]:
        hint = "Say --eps 0.1 or --eps 8/255, in the units of the inputs' range."
        raise NotationError(Problem(f"'{written}'", "how far may it go? There is no eps.", hint))
    threats = _threats(said["norm"] or ("linf",), said["eps"])
    by = said["certificate"]
    if len(by) > 1:
        what = f"it has {len(by)} certificates, and one stands beside an attack."
        raise NotationError(Problem(f"'{written}'", what, "Probe the others by themselves."))
    return Attacking(attack_named(term), threats, _certificate(by[0]) if by else None)


def _corrupting(written: str, term: Term, said: dict[str, tuple[object, ...]]) -> Method:
    del written
    from evenhand.probes.corrupt.registry import corruptions_named

    severities = said["severity"] or SEVERITIES
    # By type first: True equals 1, and 3.0 equals 3.
    wrong = [one for one in severities if type(one) is not int or one not in SEVERITIES]
    if wrong:
        what = f"{listed(map(str, wrong))} is no severity."
        raise ModelError(Problem("severity", what, "Severities are whole numbers from 1 to 5."))
    chosen = tuple(sorted({int(str(one)) for one in severities}))
    baseline = said["baseline"][0] if said["baseline"] else None
    if not (baseline is None or isinstance(baseline, Baseline)):
        what = f"'{baseline}' stands in the notation, and a baseline is a model."
        raise NotationError(Problem("baseline", what, "Say --baseline MODEL beside it."))
    return Corrupting(str(term), corruptions_named(term), chosen, baseline)


def _certifying(written: str, term: Term, said: dict[str, tuple[object, ...]]) -> Method:
    from evenhand.probes.certify.registry import certificate_named

    del written, said
    every = combinations(term)
    return Certifying(tuple(dict.fromkeys(certificate_named(one) for one in every)))


def _attributing(written: str, term: Term, said: dict[str, tuple[object, ...]]) -> Method:
    from evenhand.probes.attribute.registry import attributions_named
    from evenhand.probes.disagreeing import DISAGREEMENT, disagreeing
    from evenhand.probes.weighing import IMPORTANCE, weighing

    several_of = {DISAGREEMENT: disagreeing, IMPORTANCE: weighing}
    if term.name in several_of:
        if any(said.values()):
            what = f"it takes no {listed(name for name, value in said.items() if value)}."
            hint = "Maps are looked at and no card is made; a method has its own baseline."
            raise NotationError(Problem(f"'{written}'", what, hint))
        return several_of[term.name](written, term)
    fills = said["fill"] or ("mean",)
    wrong = [Problem("fill", why) for why in map(refused, fills) if why]
    times: Sequence[Any] = said["randomisations"] or (Card.randomisations,)
    if len(times) > 1 or not count_of(times[0], 0):
        what = f"{listed(map(str, times))} is no whole number from 0."
        wrong.append(Problem("randomisations", what, "10 is usual, 0 is for none of them."))
    wrong += _unlayered(said, times[0])
    if wrong:
        raise ModelError(wrong)
    depths = [Depth(how, layer) for how in HOWS[1:] for layer in _layers(said, how)] or [ALL]
    cards = tuple(
        Card(fill=fill, randomisations=times[0], depth=depth)
        for fill in BASELINES
        if fill in fills
        for depth in depths
    )
    return Attributing(written, attributions_named(term), cards)


def _layers(said: Mapping[str, Sequence[Any]], how: How) -> list[int]:
    """Return the layers that are named, each once."""
    return sorted({*said[how]})


def _unlayered(said: Mapping[str, Sequence[Any]], times: object) -> Iterator[Problem]:
    """Yield what is no layer, and that nothing is drawn of which layers are named."""
    for how in HOWS[1:]:
        wrong = [one for one in said[how] if not count_of(one)]
        if wrong:
            what = f"{listed(map(str, wrong))} is no layer."
            yield Problem(how, what, "Layers are counted from the last that has parameters, 1.")
        if said[how] and times == 0:
            yield Problem(how, "no network is drawn, of which layers are named.", "Say how many.")


def _explaining(written: str, term: Term, said: dict[str, tuple[object, ...]]) -> Method:
    from evenhand.probes.explaining import explaining

    given = tuple((name, value) for name, value in said.items() if value)
    params: Any = (*term.params, *given)
    return explaining(written, Term(term.name, term.args, params, term.cutoff))


_METHODS = {
    ATTACK: _attacking,
    CORRUPT: _corrupting,
    CERTIFY: _certifying,
    ATTRIBUTE: _attributing,
    EXPLAIN: _explaining,
}


def kind_of(written: str) -> str | None:
    """Return the kind of the rows that a probe writes, however wrong the rest of it is.

    >>> kind_of("attribute.gradientt(steps="), kind_of("pgd(eps=0.1)"), kind_of("atack.pgd")
    ('attributions', 'perturbed', None)
    """
    text = written.strip()
    if text.startswith((ATTRIBUTE, EXPLAIN)):
        return Attributing.kind
    if text.startswith(PREFIXES) or text.partition("(")[0].isidentifier():
        return Method.kind
    return None


def _certificate(written: object) -> Certificate:
    from evenhand.probes.certify.registry import certificate_named

    term = written if isinstance(written, Term) else parse(str(written).removeprefix(CERTIFY))
    return certificate_named(term)


def _threats(norms: Sequence[object], every: Sequence[object]) -> tuple[Variant, ...]:
    found: dict[Threat, Variant] = {}
    problems: list[Problem] = []
    for norm, eps in itertools.product(norms, every):
        try:
            threat = Threat(_norm(norm), _number(eps))
        except EvenhandError as error:
            problems += error.problems
            continue
        text = str(eps).replace(" ", "")
        found.setdefault(threat, Variant(f"{threat.norm} {text}", threat))
    if problems:
        raise ModelError(list(dict.fromkeys(problems)))
    return tuple(found.values())


def _norm(written: object) -> Norm:
    for norm in NORMS:
        if norm == str(written).casefold():
            return norm
    what = f"'{written}' is no norm that is known here."
    raise ModelError(Problem("norm", what, f"There are: {', '.join(NORMS)}."))


def _number(written: object) -> float:
    """Return eps as a number: ``8/255`` is a fraction."""
    try:
        return float(Fraction(str(written).replace(" ", "")))
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ModelError(Problem("eps", f"'{written}' is no number.", _EXAMPLE)) from None
