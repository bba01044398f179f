"""Measures of other packages: an entry point is loaded, or left out with the reason.

What somebody else's package does wrong is told by ``evenhand doctor``; it never stops the rest.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points

from evenhand.measures.measure import Keyed, Measure, Sums

MEASURES = "evenhand.measures"
"""Entry-point group whose modules or classes join the registry."""

NOT_USED = {"probe": "evenhand.probes", "mitigation": "evenhand.mitigations"}
"""Entry-point groups with a name and no room yet: found and reported, never loaded."""


@dataclass(frozen=True)
class Plugin:
    """An installed entry point: the measures it brings, and what of it is left out.

    Attributes:
        name: The name of the entry point.
        package: The package that declares it, with its version.
        classes: Its measures.
        left_out: Why it is left out, or what of it is, by the name that is missing for it.

    """

    name: str
    package: str
    classes: tuple[type[Measure], ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def reasons(self) -> str:
        """Everything that is left out, and why; empty when nothing is."""
        return "; ".join(reason for _, reason in self.left_out)


def found(group: str) -> list[Plugin]:
    """Return the installed entry points of a group without loading them."""
    return [Plugin(point.name, _package(point)) for point in _points(group)]


def loaded(ours: Mapping[str, type[Measure]]) -> tuple[Plugin, ...]:
    """Return the measures that other packages bring, without those that clash.

    A name that two packages claim is left out of both: a figure must not depend on which package
    was installed first.

    Args:
        ours: The measures of this package, whose names nobody else can have.

    """
    plugins = [_load(point) for point in _points(MEASURES)]
    claims: dict[str, dict[type[Measure], str]] = {}
    for plugin in plugins:
        for cls in plugin.classes:
            claims.setdefault(cls.name, {})[cls] = plugin.package
    return tuple(_without_clashes(plugin, ours, claims) for plugin in plugins)


def flaws(cls: type[Measure]) -> list[str]:
    """Return why a class cannot be asked for as a measure, whatever its figures are."""
    wrong = []
    name: object = cls.name
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        wrong.append(f"the name {name!r} cannot be written in notation")
    lacking = sorted(getattr(cls, "__abstractmethods__", ()))
    if lacking:
        wrong.append(f"it does not define {', '.join(lacking)}")
    if not issubclass(cls, Sums | Keyed):
        wrong.append("it is neither Sums nor Keyed, so no state has its sums")
    if not _is_texts(cls.needs):
        wrong.append(f"needs is {cls.needs!r}, not a tuple of roles")
    if not _is_texts(cls.tags):
        wrong.append(f"tags is {cls.tags!r}, not a tuple of pillars")
    if cls.better not in {"higher", "lower", None}:
        wrong.append(f"better is {cls.better!r}, not 'higher', 'lower' or None")
    if cls.reads not in {"classes", "numbers"}:
        wrong.append(f"reads is {cls.reads!r}, not 'classes' or 'numbers'")
    return wrong


def members(thing: object) -> list[type[Measure]]:
    """Return the measures that a module has, or the class itself."""
    inside = [thing] if inspect.isclass(thing) else getattr(thing, "__dict__", {}).values()
    return [
        one
        for one in inside
        if inspect.isclass(one) and issubclass(one, Measure) and vars(one).get("listed")
    ]


def _points(group: str) -> list[EntryPoint]:
    return sorted(entry_points(group=group), key=lambda point: (_package(point), point.name))


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def _load(point: EntryPoint) -> Plugin:
    plugin = Plugin(point.name, _package(point))
    try:
        classes = members(point.load())
        wrong = [(cls, flaws(cls)) for cls in classes]
    # Whatever another package's code does on import, the rest must go on.
    except (Exception, SystemExit) as error:  # noqa: BLE001
        reason = f"'{point.value}' does not load, {type(error).__name__}: {error}"
        return replace(plugin, left_out=((point.name, reason),))
    if not classes:
        reason = f"'{point.value}' has no class decorated with evenhand.measures.measure"
        return replace(plugin, left_out=((point.name, reason),))
    return replace(
        plugin,
        classes=tuple(cls for cls, found in wrong if not found),
        left_out=tuple(
            (str(cls.name), f"'{cls.__name__}' is no measure: {', and '.join(found)}")
            for cls, found in wrong
            if found
        ),
    )


def _without_clashes(
    plugin: Plugin,
    ours: Mapping[str, type[Measure]],
    claims: Mapping[str, Mapping[type[Measure], str]],
) -> Plugin:
    kept, left_out = [], [*plugin.left_out]
    for cls in plugin.classes:
        claimed = claims[cls.name]
        if cls.name in ours:
            # A module may import a measure of ours to build on it.
            if ours[cls.name] is not cls:
                left_out.append((cls.name, f"Evenhand has a measure '{cls.name}' of its own"))
        elif len(claimed) > 1:
            packages = " and ".join(sorted(claimed.values()))
            left_out.append((cls.name, f"'{cls.name}' is claimed twice, by {packages}"))
        else:
            kept.append(cls)
    return replace(plugin, classes=tuple(kept), left_out=tuple(left_out))


def _is_texts(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and all(isinstance(one, str) for one in value)


def owners(plugins: Iterable[Plugin]) -> dict[str, str]:
    """Return the package of every measure that another package brings."""
    return {cls.name: plugin.package for plugin in plugins for cls in plugin.classes}
