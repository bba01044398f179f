"""``evenhand doctor``: what this installation can do, and the line that adds what it cannot."""

from __future__ import annotations

import platform
import shutil
from importlib.metadata import PackageNotFoundError, version

import evenhand
from evenhand.cli import flags
from evenhand.cli.output import show

_ENGINE_PACKAGE = {"polars": "polars", "duckdb": "duckdb", "spark": "pyspark"}


def doctor(*, as_json: flags.AsJson = False) -> None:
    """Say what is installed, which engines work, and how to add the rest.

    [bold]Example[/bold]

      evenhand doctor --json
    """
    from rich.table import Table
    from rich.text import Text

    from evenhand.logs.backend import installed
    from evenhand.logs.kinds import kinds
    from evenhand.measures import plugin, registry

    checks: list[dict[str, str | bool]] = [
        _check("evenhand", found=f"{evenhand.__version__} on Python {platform.python_version()}")
    ]
    for engine, package in _ENGINE_PACKAGE.items():
        works = installed(engine)  # type: ignore[arg-type]
        found = f"{package} {version(package)}" if works else "not installed"
        if engine == "spark" and works and shutil.which("java") is None:
            works, found, hint = False, f"{found}, but no Java", "Install Java 17 or newer."
        else:
            hint = "" if works else f"pip install 'evenhand[{engine}]'"
        checks.append(_check(f"engine {engine}", found=found, hint=hint, ok=works))
    for package in ("pyarrow", "pandas"):
        try:
            checks.append(_check(f"{package} tables", found=f"{package} {version(package)}"))
        except PackageNotFoundError:
            extra = "arrow" if package == "pyarrow" else package
            hint = f"pip install 'evenhand[{extra}]'"
            checks.append(_check(f"{package} tables", found="not installed", hint=hint, ok=False))
    checks.append(_check("kinds", found=", ".join(kinds())))
    checks.append(_check("measures", found=f"{len(registry.measures())} found"))
    for one in registry.plugins():
        names = ", ".join(cls.name for cls in one.classes) or "left out"
        found = f"{one.package}: {names}"
        hint = f"{one.reasons}." if one.left_out else ""
        checks.append(_check(f"plug-in {one.name}", found=found, hint=hint, ok=not hint))
    for what, group in plugin.NOT_USED.items():
        for one in plugin.found(group):
            found = f"{one.package}: found, not used by this release"
            hint = f"This release has no {what}s."
            checks.append(_check(f"{what} {one.name}", found=found, hint=hint, ok=False))
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = "[green]ok[/green]" if check["ok"] else "[yellow]--[/yellow]"
        # As Text, because 'evenhand[duckdb]' is not markup.
        table.add_row(mark, *(Text(str(check[key])) for key in ("what", "found", "hint")))
    show(table, {"checks": checks}, as_json=as_json)


def _check(what: str, *, found: str, hint: str = "", ok: bool = True) -> dict[str, str | bool]:
    return {"what": what, "ok": ok, "found": found, "hint": hint}
