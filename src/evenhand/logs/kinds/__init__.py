"""Product kinds, one role file each; a file that defines ``KIND`` is found by itself."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from evenhand.errors import Problem, RoleError, did_you_mean
from evenhand.logs.role import Kind


@functools.cache
def kinds() -> dict[str, Kind]:
    """Return every product kind by name."""
    modules = [
        importlib.import_module(f"{__name__}.{m.name}") for m in pkgutil.iter_modules(__path__)
    ]
    return {module.KIND.name: module.KIND for module in modules}


def kind_named(name: str) -> Kind:
    """Return the kind of this name.

    Raises:
        RoleError: There is no such kind.

    """
    known = kinds()
    if name not in known:
        raise RoleError(
            Problem("kind", f"there is no kind '{name}'.", did_you_mean(name, [*known]))
        )
    return known[name]
