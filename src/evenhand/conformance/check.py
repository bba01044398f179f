"""All checks of a measure together: every broken promise is told at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from evenhand.conformance import declared, figured, state
from evenhand.conformance.row import kind_of
from evenhand.conformance.subject import Reference, Subject, Trials
from evenhand.errors import EvenhandError, Problem
from evenhand.logs.backend import installed
from evenhand.measures.measure import Measure
from evenhand.measures.registry import also

Check = Callable[[Subject], Iterable[Problem]]

FIGURES: tuple[Check, ...] = (
    figured.reference_problems,
    figured.range_problems,
    figured.interval_problems,
    figured.empty_problems,
    figured.missing_problems,
    figured.kept_problems,
    figured.direction_problems,
    figured.class_problems,
)
"""What figures promise, one log at a time."""

STATES: tuple[Check, ...] = (
    state.term_problems,
    state.merge_problems,
    state.path_problems,
    state.engine_problems,
)
"""What states promise: of parts, on paths and on engines."""


class ConformanceError(EvenhandError):
    """A measure that does not keep what every measure promises."""


def check_measure(
    measure: Measure | type[Measure],
    *,
    reference: Reference,
    trials: Trials | None = None,
    engines: Sequence[str] = ("duckdb",),
) -> None:
    """Raise with everything that is wrong with a measure; options as in `violations`.

    Raises:
        ConformanceError: With every violation.

    """
    found = violations(measure, reference=reference, trials=trials, engines=engines)
    if found:
        raise ConformanceError(found)


def violations(
    measure: Measure | type[Measure],
    *,
    reference: Reference,
    trials: Trials | None = None,
    engines: Sequence[str] = ("duckdb",),
    figures: Sequence[Check] = FIGURES,
    states: Sequence[Check] = STATES,
) -> list[Problem]:
    """Return everything that is wrong with a measure; empty when nothing is.

    Random logs are seeded: the answer is the same every time.

    Args:
        measure: The class, or a value of it with parameters. It need not be installed.
        reference: The figure again, naively: from the rows of a group (`Row`) to a number, None
            where it is undefined. Rows count as often as their weight says.
        trials: The number of rows in its denominator, from the same rows.
        engines: Engines that must count as Polars does; those not installed are passed over.
        figures: The checks of figures.
        states: The checks of states.

    """
    found = [*_guarded(declared.form_problems, measure, "form")]
    if found:
        return found
    chosen = measure() if isinstance(measure, type) else measure
    cls = type(chosen)
    kind = kind_of(chosen)
    found += declared.name_problems(cls)
    if found or kind is None:
        return found
    present = [engine for engine in engines if installed(engine)]  # type: ignore[arg-type]
    subject = Subject(chosen, kind, reference, trials, present)
    with also(cls):
        found += declared.notation_problems(chosen)
        if found:
            # Figures are asked for by notation.
            return [*found, *declared.fact_problems(cls), *declared.example_problems(cls)]
        found += declared.fact_problems(cls)
        found += declared.example_problems(cls)
        for check in (*figures, *states):
            promise = check.__name__.removesuffix("_problems").replace("_", " ")
            raised = [*_guarded(check, subject, promise)]
            # What stops every check is told once.
            found += [one for one in raised if one.what not in {other.what for other in found}]
    return found


def _guarded(
    check: Callable[..., Iterable[Problem]], about: object, promise: str
) -> Iterator[Problem]:
    """Yield the problems of a check; a check that cannot be done is one, whatever stopped it."""
    try:
        yield from check(about)
    except Exception as error:  # noqa: BLE001 - the measure's code may raise anything
        what = f"this cannot be checked, {type(error).__name__}: {error}"
        yield Problem(f"'{getattr(about, 'notation', about)}', {promise}", what)
