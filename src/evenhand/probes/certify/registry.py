"""Finding certificates by walking their package, and reading them: ``certify.smoothing``."""

from __future__ import annotations

import functools

import evenhand.probes.certify
from evenhand.notation import Term, parse
from evenhand.probes.certify.certificate import PREFIX, Certificate
from evenhand.probes.named import classes_in, made


@functools.cache
def certificates() -> dict[str, type[Certificate]]:
    """Return every certificate by name, sorted."""
    # An abstract class is what mypy takes for no value of a type.
    return classes_in(evenhand.probes.certify, Certificate, "certificate")  # type: ignore[type-abstract]


def read(text: str) -> Certificate:
    """Return the certificate that a text writes, with or without ``certify.`` in front.

    Raises:
        NotationError: There is no such certificate, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    return certificate_named(parse(text.strip().removeprefix(PREFIX)))


def certificate_named(term: Term) -> Certificate:
    """Return the certificate that a term writes, whose name is without ``certify.``.

    Raises:
        NotationError: There is no such certificate, or it has no such parameter.
        ModelError: A parameter is out of range.

    """
    return made(term, certificates(), prefix=PREFIX, what="certificate", hint=_found)


def _found(key: str) -> str:
    if key in {"eps", "radius"}:
        return "It is what a certificate finds out."
    return "Every certificate has a norm of its own." if key == "norm" else ""
