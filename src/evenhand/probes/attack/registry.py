"""Finding attacks by walking their package, and reading them from ``attack.pgd(steps=100)``."""

from __future__ import annotations

import functools

import evenhand.probes.attack
from evenhand.notation import Term, parse
from evenhand.probes.attack.attack import PREFIX, Attack
from evenhand.probes.named import classes_in, made


@functools.cache
def attacks() -> dict[str, type[Attack]]:
    """Return every attack by name, sorted."""
    # An abstract class is what mypy takes for no value of a type.
    return classes_in(evenhand.probes.attack, Attack, "attack")  # type: ignore[type-abstract]


def read(text: str) -> Attack:
    """Return the attack that a text writes, with or without ``attack.`` in front.

    Raises:
        NotationError: There is no such attack, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    return attack_named(parse(text.strip().removeprefix(PREFIX)))


def attack_named(term: Term) -> Attack:
    """Return the attack that a term writes, whose name is without ``attack.``.

    Raises:
        NotationError: There is no such attack, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    return made(term, attacks(), prefix=PREFIX, what="attack", hint=_threatened)


def _threatened(key: str) -> str:
    return "It belongs to the threat, which is given beside the attack." * (key in {"eps", "norm"})
