"""What a probe is: an attack, how far it may go, and a seed; what it may cost and why it cannot."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from evenhand.errors import EvenhandError, ModelError, NotationError, Problem
from evenhand.models.model import Model, need
from evenhand.notation import Term, Value, parse
from evenhand.probes.attack.attack import PREFIX, Attack
from evenhand.probes.attack.registry import attack_named
from evenhand.probes.threat import NORMS, Norm, Threat

_EXAMPLE = "Write 'attack.pgd(steps=100)' with eps 0.1 or 8/255."


@dataclass(frozen=True)
class Variant:
    """A threat and how it was written, which is what its rows are known by.

    Attributes:
        threat: The norm, and eps in the units of the inputs' range.
        name: Such as ``linf 8/255``.

    """

    threat: Threat
    name: str


@dataclass(frozen=True)
class Probe:
    """What is done to every source example.

    Attributes:
        attack: Looks for changed examples that the model gets wrong.
        variants: How far it may go, one row of the log each; all different.
        seed: Where every random number comes from.

    """

    attack: Attack
    variants: tuple[Variant, ...]
    seed: int = 1

    def check(self, model: Model) -> None:
        """Check that a model can be probed so.

        Raises:
            ModelError: With everything that stops it: what the attack needs and what could be done
                instead, and each eps that is not in the units of the model's range.

        """
        problems: list[Problem] = []
        try:
            if self.attack.needs is not None:
                need(model, self.attack.needs, str(self.attack), _INSTEAD[self.attack.needs])
        except ModelError as error:
            problems += error.problems
        for variant in self.variants:
            try:
                variant.threat.check(model.spec)
            except EvenhandError as error:
                problems += error.problems
        if problems:
            raise ModelError(problems)

    def most(self, model: Model, examples: int) -> int:
        """Return the most queries that so many examples can cost, with a look at each before.

        A query is one example in one forward pass; a gradient costs two.
        """
        return examples * len(self.variants) * (1 + self.attack.most(model))


_INSTEAD = {
    "vjp": "Without gradients: attack.square, which asks for scores alone.",
    "scores": "It would take an attack by decisions.",
}


def probe_of(
    written: str,
    *,
    eps: Sequence[str | float] | str | float = (),
    norm: Sequence[str] | str = (),
    seed: int = 1,
) -> Probe:
    """Return the probe that is written, such as ``attack.pgd(eps=0.1, steps=100)``.

    Args:
        written: The attack with its parameters; ``eps`` and ``norm`` may stand among them.
        eps: How far, in the units of the inputs' range: numbers, or text such as ``8/255``.
        norm: ``linf`` (default) or ``l2``.
        seed: Where every random number comes from, from 0.

    Raises:
        NotationError: There is no such attack or parameter, or eps is said twice or not at all.
        ModelError: A norm or an eps is none.

    """
    term = parse(written.strip().removeprefix(PREFIX))
    params = dict(term.params)
    inside: dict[str, tuple[object, ...]] = {
        name: _several(params.pop(name)) for name in ("eps", "norm") if name in params
    }
    beside = {"eps": _several(eps), "norm": _several(norm)}
    twice = [name for name in inside if beside[name]]
    if twice:
        what = f"{twice[0]} is said in it and beside it."
        raise NotationError(Problem(f"'{written}'", what, "Say it once."))
    said = {**beside, **inside}
    if not said["eps"]:
        hint = "Say --eps 0.1 or --eps 8/255, in the units of the inputs' range."
        raise NotationError(Problem(f"'{written}'", "how far may it go? There is no eps.", hint))
    if isinstance(seed, bool) or seed < 0:
        raise ModelError(Problem("seed", f"{seed} is no whole number from 0."))
    attack = attack_named(Term(term.name, term.args, tuple(params.items()), term.cutoff))
    return Probe(attack, _variants(said["norm"] or ("linf",), said["eps"]), seed)


def _variants(norms: Sequence[object], every: Sequence[object]) -> tuple[Variant, ...]:
    found: dict[Threat, Variant] = {}
    problems: list[Problem] = []
    for norm, eps in itertools.product(norms, every):
        try:
            threat = Threat(_norm(norm), _number(eps))
        except EvenhandError as error:
            problems += error.problems
            continue
        text = str(eps).replace(" ", "")
        found.setdefault(threat, Variant(threat, f"{threat.norm} {text}"))
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


def _several(value: Value | Sequence[str | float]) -> tuple[object, ...]:
    return (value,) if isinstance(value, str | int | float | Term) else tuple(value)
