"""What was asked: a measure for the whole log, or a contrast of a measure over groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from evenhand.audits.contrasts import Contrast, contrasts
from evenhand.audits.unmet import proxies_among, unmet
from evenhand.errors import EvenhandError, NotationError, Problem, did_you_mean, listed
from evenhand.logs.log import ITEM, Log
from evenhand.measures.bounds import Bounds, Missing
from evenhand.measures.certificate import CERTIFICATE, CertificateBounds
from evenhand.measures.measure import Measure
from evenhand.measures.registry import measure_named
from evenhand.notation import Term, Value, parse

LARGEST = "largest"
BOUNDS = "bounds"

ALIASES = {
    "demographic_parity_difference": "difference(selection_rate, by={by})",
    "demographic_parity_ratio": "ratio(selection_rate, by={by})",
    "disparate_impact": "ratio(selection_rate, by={by})",
    "equal_opportunity_difference": "difference(true_positive_rate, by={by})",
    "equal_opportunity_ratio": "ratio(true_positive_rate, by={by})",
    "equalized_odds_difference": "largest(difference(true_positive_rate, by={by}), "
    "difference(false_positive_rate, by={by}))",
    "predictive_parity_difference": "difference(positive_predictive_value, by={by})",
    "predictive_equality_difference": "difference(false_positive_rate, by={by})",
}
"""Names of other tools and papers, and what they stand for here."""

ALIASES_OF_ITEMS = {
    "demographic_parity_of_exposure": ("ratio", "exposure"),
    "disparate_treatment_ratio": ("ratio", "exposure_per_relevance"),
    "disparate_impact_ratio": ("ratio", "clicks_per_relevance"),
    "PopRSP": ("relative_std", "recommended_rate"),
    "PopREO": ("relative_std", "relevant_rate"),
}
"""Such names for groups of items, ``name(of=group)``: the contrast and measure they stand for."""


@dataclass(frozen=True, slots=True)
class Question:
    """One figure, or for families one family of figures, that was asked for.

    Attributes:
        key: The notation, printed from what was understood.
        measure: The measure.
        contrast: How groups are compared; None for the log as a whole.
        by: The group attributes compared.
        given: The attributes inside whose strata groups are compared.
        parts: The contrasts of which the largest is asked for; empty for a single one.
        alias: The name that was written, where it stands for something else; else empty.
        unknown_anywhere: Whether rows of unknown group may belong to any group.
        parameters: Other parameters of the contrast, by name.

    """

    key: str
    measure: Measure
    contrast: Contrast | None = None
    by: tuple[str, ...] = ()
    given: tuple[str, ...] = ()
    parts: tuple[Question, ...] = ()
    alias: str = ""
    unknown_anywhere: bool = False
    parameters: tuple[tuple[str, Value], ...] = ()

    @property
    def every(self) -> tuple[Question, ...]:
        """The questions that it is made of: its parts, or itself."""
        return self.parts or (self,)

    @property
    def sets(self) -> tuple[tuple[str, ...], ...]:
        """The sets of groups whose sums answer it."""
        return (self.by, (*self.by, *self.given)) if self.given else (self.by,)


def ask(notations: Iterable[str], log: Log) -> list[Question]:
    """Return the questions that the notations write, checked against the log's roles.

    Raises:
        EvenhandError: With the problems of all notations together.

    """
    questions: list[Question] = []
    problems: list[Problem] = []
    for notation in notations:
        try:
            question = _question(parse(notation), log)
            questions.append(question)
            for part in question.every:
                problems += unmet(part, log)
        except EvenhandError as error:
            problems += error.problems
    if problems:
        raise NotationError(problems)
    return questions


def _question(term: Term, log: Log) -> Question:
    if term.name in ALIASES:
        return _aliased(term, log)
    if term.name in ALIASES_OF_ITEMS:
        return _aliased_of_items(term, log)
    if term.name == LARGEST:
        return _largest(term, log)
    if term.name == BOUNDS:
        return _bounded(term, log)
    contrast = contrasts().get(term.name)
    if contrast is None:
        if any(isinstance(arg, Term) for arg in term.args):
            hint = did_you_mean(term.name, [*contrasts(), BOUNDS])
            raise NotationError(Problem(f"'{term}'", f"there is no contrast '{term.name}'.", hint))
        measure = measure_named(term)
        return Question(str(measure), measure)
    return _contrast(term, contrast, log)


def _contrast(term: Term, contrast: Contrast, log: Log) -> Question:
    example = f"Write {contrast.example}."
    by, given, parameters = _parameters(term, contrast, example, log)
    measure = contrast.measure(log, **parameters)
    if measure is None:
        if len(term.args) != 1 or not isinstance(term.args[0], Term):
            what = f"{contrast.name} takes one measure, here {listed(map(str, term.args))}."
            raise NotationError(Problem(f"'{term}'", what, example))
        measure = _measure(term.args[0])
    elif term.args:
        what = f"{contrast.name} takes no measure, here {listed(map(str, term.args))}."
        raise NotationError(Problem(f"'{term}'", what, example))
    if isinstance(measure, Bounds | CertificateBounds) and not contrast.takes_bounds:
        takes = listed(name for name, one in contrasts().items() if one.takes_bounds)
        what = f"{contrast.name} does not compare bounds."
        raise NotationError(Problem(f"'{term}'", what, f"Those that do: {takes}."))
    of_items = all(name.startswith(ITEM) for name in by) and log.kind.ranked
    shown = tuple(name.removeprefix(ITEM) for name in by) if of_items else by
    over = "of" if of_items else "by"
    written = [(over, _one_or_all(shown)), *([("given", _one_or_all(given))] if given else [])]
    written += [(name, value) for name, value in parameters.items() if value != ""]
    args = () if contrast.brings_measure else (measure.term(),)
    question = Question(
        str(Term(contrast.name, args, tuple(written))),
        measure,
        contrast,
        by,
        given,
        parameters=tuple(parameters.items()),
    )
    wrong = contrast.problem(question)
    if wrong is not None:
        raise NotationError(Problem(f"'{term}'", *wrong))
    return question


def _measure(term: Term) -> Measure:
    """Return the measure that a term writes, in bounds or not."""
    if term.name != BOUNDS:
        return measure_named(term)
    inner, missing = _bounds(term)
    if missing is None:
        return _checked(CertificateBounds(measure_named(inner)), term)
    bounds = Bounds(measure_named(inner), missing)
    if "label" not in bounds.needs:
        what = f"{bounds.measure} reads no label, so none can be missing."
        raise NotationError(Problem(f"'{term}'", what, _BOUNDS_EXAMPLE))
    return _checked(bounds, term)


def _checked(bounds: AnyBounds, term: Term) -> AnyBounds:
    wrong = bounds.problem()
    if wrong:
        raise NotationError(Problem(f"'{term}'", wrong, _BOUNDS_EXAMPLE))
    return bounds


AnyBounds = TypeVar("AnyBounds", Bounds, CertificateBounds)

_BOUNDS_EXAMPLE = (
    "Write bounds(true_positive_rate, missing=worst) or missing=odds(2), alone or inside "
    "difference or pairs; around them rows of unknown group may belong to any. Of attacks and "
    "certificates bounds(robust_accuracy, missing=certificate)."
)


def _bounds(term: Term) -> tuple[Term, Missing | None]:
    """Return what is in bounds, and what is assumed; None where a certificate bounds it."""
    params = dict(term.params)
    missing = params.pop("missing", "worst")
    inner = term.args[0] if len(term.args) == 1 else None
    odds: Value | None = None
    if missing == "worst":
        odds = float("inf")
    elif isinstance(missing, Term) and missing.name == "odds" and len(missing.args) == 1:
        odds = missing.args[0]
    number = isinstance(odds, int | float) and not isinstance(odds, bool)
    number |= missing == CERTIFICATE
    if params or not isinstance(inner, Term) or not number or term.cutoff is not None:
        what = (
            "bounds take one measure or contrast, and missing=worst or missing=odds(gamma); of "
            "attacks missing=certificate."
        )
        raise NotationError(Problem(f"'{term}'", what, _BOUNDS_EXAMPLE))
    if missing == CERTIFICATE:
        return inner, None
    return inner, Missing(float(odds))  # type: ignore[arg-type]


def _bounded(term: Term, log: Log) -> Question:
    inner, missing = _bounds(term)
    if inner.name not in contrasts():
        measure = _measure(term)
        return Question(str(measure), measure)
    if missing is None:
        what = f"a certificate bounds a measure, not {inner.name} of it."
        hint = "Write difference(bounds(robust_accuracy, missing=certificate), by=group)."
        raise NotationError(Problem(f"'{term}'", what, hint))
    contrast = contrasts()[inner.name]
    if len(inner.args) != 1 or not isinstance(inner.args[0], Term) or not contrast.takes_bounds:
        takes = listed(name for name, one in contrasts().items() if one.takes_bounds)
        what = f"bounds of {inner.name} are not defined; they are for {takes} of a measure."
        raise NotationError(Problem(f"'{term}'", what, _BOUNDS_EXAMPLE))
    plain = _question(inner, log)
    measure = plain.measure
    if not proxies_among(plain.by, log):
        measure = _checked(Bounds(measure, missing), term)
    key = Term(BOUNDS, (parse(plain.key),), (("missing", _written(missing)),))
    return replace(plain, key=str(key), measure=measure, unknown_anywhere=True)


def _written(missing: Missing) -> Value:
    return dict(Bounds.written(missing))["missing"]


def _aliased(term: Term, log: Log) -> Question:
    example = f"Write {term.name}(by=group) or {term.name}(by=[group, other])."
    if term.args:
        raise NotationError(Problem(f"'{term}'", f"{term.name} takes only by=.", example))
    params = dict(term.params)
    by = _names(params.pop("by", ()))
    if params or not by or len(set(by)) < len(by) or term.cutoff is not None:
        raise _unreadable(term, params, example)
    written = ALIASES[term.name].format(by=f"[{', '.join(map(repr, by))}]")
    return replace(_question(parse(written), log), alias=term.name)


def _aliased_of_items(term: Term, log: Log) -> Question:
    """Return a ratio over groups of items; other parameters and the cutoff are the measure's."""
    params = dict(term.params)
    of = params.pop("of", None)
    if term.args or of is None or not log.kind.ranked:
        what = f"{term.name} takes of=, the groups of ranked items."
        hint = f"Write {term.name}(of=group) or {term.name}(of=group, browsing=log2)@10."
        raise NotationError(Problem(f"'{term}'", what, hint))
    contrast, name = ALIASES_OF_ITEMS[term.name]
    inner = Term(name, params=tuple(params.items()), cutoff=term.cutoff)
    return replace(_question(Term(contrast, (inner,), (("of", of),)), log), alias=term.name)


def _largest(term: Term, log: Log) -> Question:
    contrast = contrasts()[LARGEST]
    example = f"Write {contrast.example}."
    parts = [arg for arg in term.args if isinstance(arg, Term) and arg.name == "difference"]
    if len(parts) < 2 or len(parts) < len(term.args) or term.params or term.cutoff:  # noqa: PLR2004
        what = "largest takes two or more differences."
        raise NotationError(Problem(f"'{term}'", what, example))
    questions = tuple(_question(part, log) for part in parts)
    if len({part.by for part in questions}) > 1:
        what = "all parts must compare the same groups."
        raise NotationError(Problem(f"'{term}'", what, example))
    key = f"{LARGEST}({', '.join(part.key for part in questions)})"
    first = questions[0]
    return Question(key, first.measure, contrast, first.by, parts=questions)


def _parameters(
    term: Term, contrast: Contrast, example: str, log: Log
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, Value]]:
    """Return the groups, the strata and the other parameters of a contrast."""
    params = dict(term.params)
    by = _names(params.pop("by", ()))
    of_items = "of" in params and "of" not in contrast.parameters
    if of_items and not log.kind.ranked:
        what = f"of= names attributes of items, and logs of kind '{log.kind.name}' have none."
        raise NotationError(Problem(f"'{term}'", what, "Write by=GROUP to compare rows."))
    if of_items and not by:
        by = tuple(f"{ITEM}{name}" for name in _names(params.pop("of")))
    given = _names(params.pop("given", ())) if contrast.given != "no" else ()
    asked_given = "given" in dict(term.params) and contrast.given != "no"
    others = {name: params.pop(name, value) for name, value in contrast.parameters.items()}
    several = len({*by, *given}) < len(by) + len(given)
    if params or not by or several or term.cutoff is not None:
        raise _unreadable(term, params, example)
    if (contrast.given == "required" or asked_given) and not given:
        what = "given= must name the strata, or several attributes that make them."
        raise NotationError(Problem(f"'{term}'", what, example))
    return by, given, others


def _unreadable(term: Term, params: dict[str, Value], example: str) -> NotationError:
    what = (
        f"{term.name} has no parameter '{listed(params)}'."
        if params
        else "by= must name the group, or several different ones by name."
    )
    return NotationError(Problem(f"'{term}'", what, example))


def _one_or_all(names: tuple[str, ...]) -> Value:
    return names[0] if len(names) == 1 else names


def _names(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, tuple) and all(isinstance(name, str) for name in value):
        return tuple(str(name) for name in value)
    return ()
