"""Re-rankers compared, in words and as text: what was chosen, what it holds, what it costs."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from evenhand.audits.tradeoff import BY_SCORE, Choice, Contender, On, Tradeoff
from evenhand.audits.yardstick import ATTAINED, SCORES
from evenhand.render.wording import DASH, MINUS, first
from evenhand.stats.estimate import Outcome, Undefined

CHOOSING, HELD_OUT = "half to choose on", "half held out"

_NAMED = 6
"""Contenders that a sentence names."""


def short(value: float) -> str:
    """Return a number in as many digits as a comparison needs.

    >>> short(0.80646), short(-12.7685), short(-0.0171), short(0)
    ('0.806', '-12.8', '-0.017', '0')
    """
    if value == 0:
        return "0"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"  # noqa: PLR2004 - two digits


def limits(outcome: Outcome) -> str:
    """Return a figure with its interval; that it is undefined where there is none."""
    if isinstance(outcome, Undefined):
        return "undefined"
    if outcome.low == outcome.high:
        return short(outcome.value)
    return f"{short(outcome.value)} [{short(outcome.low)}, {short(outcome.high)}]"


def percent(outcome: Outcome) -> str:
    """Return a share with its interval, in per cent; that it is undefined where there is none."""
    if isinstance(outcome, Undefined):
        return "undefined"
    return f"{outcome.value:.1%} [{100 * outcome.low:.1f}, {100 * outcome.high:.1f}]"


def value_of(outcome: Outcome, unit: str = "") -> str:
    """Return a figure without its interval, or in per cent; a dash where there is none."""
    if isinstance(outcome, Undefined):
        return DASH
    return f"{outcome.value:.1%}" if unit == "%" else short(outcome.value)


def change_of(outcome: Outcome, *, points: bool = False) -> str:
    """Return a change with its sign and its interval, or in points of per cent; else a dash.

    >>> from evenhand.stats.estimate import Estimate
    >>> change_of(Estimate(0.02, -0.011, 0.051, 0.95, "paired"), points=True)
    '+2.0 [−1.1, +5.1]'
    """
    if isinstance(outcome, Undefined):
        return DASH
    every = [outcome.value, outcome.low, outcome.high]
    value, low, high = (
        (f"{100 * each:+.1f}" if points else f"{each:+.3f}").replace("-", MINUS) for each in every
    )
    return "no change" if not any(every) else f"{value} [{low}, {high}]"


def exposure_in_words(found: Tradeoff) -> str:
    """Return what exposure is measured by."""
    if found.yardstick.exposure.startswith("ratio(exposure@"):
        return "mean exposure, least over most exposed group"
    return found.yardstick.exposure


def utility_in_words(found: Tradeoff) -> str:
    """Return what utility is measured by."""
    known = found.yardstick.utility
    return "discounted sum of scores" if known == SCORES else known


def said(found: Tradeoff) -> tuple[str, str]:
    """Return what was chosen, in a few words and in sentences."""
    choice = found.choice
    if choice is None:
        front = first([one.name for one in found.contenders if one.front], _NAMED)
        told = f"Say what exposure must reach, as --at-least 0.8. On the {CHOOSING} none has more "
        return (
            "Nothing was chosen",
            f"{told}of one figure and no less of the other than: {', '.join(front)}.",
        )
    least = f"{choice.at_least:g}"
    if not choice.name:
        if not choice.closest:
            return ("Nothing was chosen", f"No figure is known on the {CHOOSING}.")
        closest = _on(found.of(choice.closest).choosing)
        return (
            f"None reaches {least}",
            f"On the {CHOOSING} {choice.closest} comes closest: {limits(closest[0])}.",
        )
    one = found.of(choice.name)
    exposure, _ = _on(one.choosing)
    told = (
        f"On the {CHOOSING} its exposure is {limits(exposure)}, and of all that reach {least} it "
        "has most utility. "
    )
    if one.name == BY_SCORE:
        told = f"On the {CHOOSING} the order by score reaches {least}: {limits(exposure)}. "
    name = "the order by score" if one.name == BY_SCORE else one.name
    return (f"Chosen: {name}", f"{told}{_kept(one, choice)}")


def _kept(one: Contender, choice: Choice) -> str:
    if one.held_out is None:
        return f"It failed {one.failed}"
    exposure, change = _on(one.held_out)
    least = f"{choice.at_least:g}"
    held = {
        "yes": f"which is surely no less than {least}",
        "no": f"which is surely less than {least}",
        "open": f"so that whether it reaches {least} is open",
    }[choice.held]
    told = f"On the {HELD_OUT}, which the choice has not seen, it is {limits(exposure)}, {held}"
    if one.name == BY_SCORE:
        return f"{told}."
    return f"{told}; utility less that of the order by score is {limits(change)}."


def _on(half: On | None) -> tuple[Outcome, Outcome]:
    if half is None:
        nothing = Undefined("it failed")
        return nothing, nothing
    return half.figures.exposure, half.figures.utility_change


def kept_of(one: Contender) -> str:
    """Return in how many requests of the half held out what is guaranteed is kept."""
    certificate = None if one.held_out is None else one.held_out.certificate
    if certificate is None:
        return DASH
    return f"{int(certificate.kept.sum()):,} of {len(certificate.violated):,}"


def notes(found: Tradeoff) -> list[str]:
    """Return what a reader of the figures must know."""
    what = {
        ATTAINED: "Exposure is the least share over its target among groups; 1 is as targeted.",
    }.get(found.yardstick.exposure, f"Exposure is {found.yardstick.exposure}.")
    worth = f"Utility is {found.yardstick.utility}, less that of the order by score"
    told = [
        f"{what} {worth}, paired by {found.unit}.",
        _targets(found),
        f"Intervals have {100 * found.yardstick.level:g} %.",
    ]
    told += [
        f"{one.name} gives the same lists as {one.like} on the {HELD_OUT}."
        for one in found.contenders
        if one.like
    ]
    told += [f"{name} was not tried: {why}." for name, why in found.left_out.items()]
    return told


def _targets(found: Tradeoff) -> str:
    if isinstance(found.targets, str):
        return "Targets are the shares of each request's own candidates."
    shares = ", ".join(f"{name} {share:.1%}" for name, share in found.targets.items())
    return f"Targets, learnt on the {CHOOSING}: {shares}."


def text(found: Tradeoff, following: str = "") -> RenderableType:
    """Return a comparison for a terminal.

    Args:
        found: The comparison.
        following: The command that writes the lists of what was chosen; empty for none.

    """
    title, sentences = said(found)
    table = Table(box=None, pad_edge=False, header_style="dim")
    choosing, held_out = found.units
    for heading in (
        "",
        "",
        f"held out ({held_out:,})\nexposure",
        "\nutility less by score",
        "\nkept in",
        f"chosen on ({choosing:,})\nexposure",
        "\nutility",
    ):
        table.add_column(heading, overflow="fold")
    chosen = "" if found.choice is None else found.choice.name
    for one in found.contenders:
        mark = "*" if one.name == chosen else "+" if one.front else ""
        table.add_row(*_cells(one, mark), style=None if one.choosing else "dim")
    failures = [f"{one.name} failed: {one.failed}" for one in found.contenders if one.failed]
    legend = f"+ on the Pareto front of the {CHOOSING}" + ("; * chosen" if chosen else "")
    return Group(
        Text(title, style="bold"),
        Text(sentences),
        *(Text(doubt, style="bold") for doubt in found.doubts),
        Padding(table, (1, 0, 1, 0)),
        *(Text(line, style="dim") for line in (legend, *failures, *notes(found))),
        *([Text(f"\n  {following}")] if following else []),
    )


def _cells(one: Contender, mark: str) -> Sequence[Text]:
    choosing, held_out = (_on(half) for half in (one.choosing, one.held_out))
    return [
        Text(mark),
        Text(one.name),
        *(Text(limits(each) if one.held_out else DASH) for each in held_out),
        Text(kept_of(one)),
        *(Text(value_of(outcome)) for outcome in choosing),
    ]
