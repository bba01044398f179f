"""Contrasts: how groups are compared. One file each, found by discovery."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from evenhand.audits.contrasts.contrast import Contrast, Form

__all__ = ["Contrast", "Form", "contrasts", "form_of"]


@functools.cache
def contrasts() -> dict[str, Contrast]:
    """Return every contrast by name, in the order in which help texts show them."""
    found = []
    for module in pkgutil.iter_modules(__path__):
        members = vars(importlib.import_module(f"{__name__}.{module.name}")).values()
        found += [member for member in members if isinstance(member, Contrast)]
    unique = {contrast.name: contrast for contrast in found}
    return dict(sorted(unique.items(), key=lambda item: (item[1].order, item[0])))


def form_of(name: str | None) -> Form | None:
    """Return what kind of figure a contrast of this name gives; None for the log as a whole.

    Evidence of a later release may name one that is not known here: it is taken for a distance.
    """
    if name is None:
        return None
    known = contrasts().get(name)
    return "distance" if known is None else known.form
