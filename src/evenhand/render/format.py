"""Formats of a bundle: each module here that defines ``FORMAT`` is one, found by itself."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass

import evenhand.render
from evenhand.audits.evidence.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Format:
    """A way to show a bundle.

    Attributes:
        name: What is written after ``--format``.
        suffix: The usual ending of such a file, with its dot.
        about: One line for help texts.
        render: The text of a bundle in this format.

    """

    name: str
    suffix: str
    about: str
    render: Callable[[Bundle], str]


@functools.cache
def formats() -> dict[str, Format]:
    """Return every format by name, sorted."""
    names = [module.name for module in pkgutil.iter_modules(evenhand.render.__path__)]
    modules = [importlib.import_module(f"evenhand.render.{name}") for name in names]
    found = [vars(module)["FORMAT"] for module in modules if "FORMAT" in vars(module)]
    return {one.name: one for one in sorted(found, key=lambda one: one.name)}
