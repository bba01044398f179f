"""Roles that columns seem to play: what was true, what was decided, and the number behind it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Literal

import narwhals as nw
import polars as pl

from evenhand.audits.plan import names
from evenhand.audits.plan.column import Column, Sample, equal_to
from evenhand.audits.plan.people import Guessed, Sure, separates
from evenhand.errors import listed
from evenhand.logs.expression import Expression
from evenhand.logs.grammar import written

Side = Literal["label", "prediction"]

_TWO = 2
_FEW = 10
"""More values than this are a number rather than bands or codes."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A column that may be a label or a prediction, by its name.

    Attributes:
        column: The column.
        side: Which of the two; None where its name does not say.
        strength: How plainly the name says so.
        word: The word that says so.

    """

    column: Column
    side: Side | None
    strength: int
    word: str


def _candidate(column: Column) -> _Candidate:
    name = column.name
    sides: list[tuple[Side, int, str]] = [
        ("prediction", 3, names.PREDICTED.found_in(name)),
        ("label", 3, names.TRUTH.found_in(name)),
        ("prediction", 2, names.GOOD_DECISION.found_in(name)),
        ("prediction", 2, names.BAD_DECISION.found_in(name)),
        ("prediction", 1, names.DECISION.found_in(name)),
        ("label", 2, names.BAD_EVENT.found_in(name)),
        ("label", 2, names.GOOD_EVENT.found_in(name)),
        ("label", 1, names.SCORE.found_in(name)),
    ]
    side, strength, word = next((one for one in sides if one[2]), (None, 0, ""))
    return _Candidate(column, side, strength, word)


def yes_or_no(sample: Sample, taken: Collection[str]) -> list[Column]:
    """Return the columns that may be labels or predictions: of yes and no, else of two values."""
    two = [
        one
        for one in sample.columns.values()
        if one.name not in taken and one.is_binary and not is_about_people(one)
    ]
    return [one for one in two if one.yes()[1] or _candidate(one).strength] or two


def is_about_people(column: Column) -> bool:
    """Return whether a name says who people are, or how the data were split, and no more."""
    who = any(words.found_in(column.name) for words in names.ATTRIBUTES.values())
    return (who or bool(names.NO_GROUP.found_in(column.name))) and not _candidate(column).strength


def decision_roles(sample: Sample, taken: Collection[str]) -> list[Guessed]:
    """Return label, prediction and score of a log of decisions; what cannot be told is left out."""
    binary = yes_or_no(sample, taken)
    known = [_candidate(one) for one in binary]
    labels = _named(known, "label")
    predictions = _named(known, "prediction")
    scores = _scores(sample, taken, binary)
    label = labels[0] if labels else None
    prediction = predictions[0] if predictions else None
    found: dict[str, Guessed] = {}
    if prediction is not None:
        found["prediction"] = _yes(sample, prediction, "prediction", predictions[1:])
    else:
        by_values = _prediction_by_values(sample, taken, scores, binary, label)
        if by_values is not None:
            found["prediction"] = by_values
    if label is None:
        label = _left_over(sample, known, found.get("prediction"), scores)
    if label is not None:
        found["label"] = _yes(sample, label, "label", labels[1:])
    used = {*taken, *(one.column for one in found.values())}
    # A number that parts the outcomes is what they were made from, not what foretold them.
    source = [one for one in scores if label is not None and separates(sample, one, label.column)]
    score = _score(
        sample, [one for one in scores if one.name not in used and one not in source], found
    )
    if score is not None:
        found["score"] = score
    return _facing(sample, found)


def _named(known: Iterable[_Candidate], side: Side) -> list[_Candidate]:
    """Return the candidates of a side, the plainest first; of labels the last column first."""
    found = [one for one in known if one.side == side]
    if side == "label":
        found.reverse()
    return sorted(found, key=lambda one: -one.strength)


def _yes(
    sample: Sample, candidate: _Candidate, part: Side, others: Iterable[_Candidate]
) -> Guessed:
    """Return a column of two values as a role: which of them says yes, and why."""
    column = candidate.column
    value, clear = column.yes()
    text = equal_to(column, value, sample.schema)
    spelt = listed(repr(one) for one in sorted(map(str, column.values)))
    why = f"'{candidate.word}' in its name" if candidate.word else "its values"
    why += f"; two values, {spelt}"
    if not clear:
        why += f", of which '{value}' is taken for yes: check that"
    sure: Sure = "likely" if clear and candidate.strength > 1 else "unsure"
    return Guessed(part, text, column.name, why, sure, tuple(one.column.name for one in others))


def _prediction_by_values(
    sample: Sample,
    taken: Collection[str],
    scores: list[Column],
    binary: list[Column],
    label: _Candidate | None,
) -> Guessed | None:
    """Return a prediction that no name gives: bands, a thresholded score, the only yes or no."""
    banded = _bands(sample, taken)
    if banded is not None:
        return banded
    free = [one for one in binary if label is None or one is not label.column]
    for column in free:
        behind = next((one.name for one in scores if separates(sample, one, column)), None)
        if behind is not None:
            found = _yes(sample, _Candidate(column, None, 0, ""), "prediction", ())
            why = f"a threshold of '{behind}' parts its values, as a decision does"
            return replace(found, why=f"{why}; {found.why}", sure="likely")
    shares = [one for one in scores if one.is_share and _calls_score(one)]
    if shares:
        best = shares[0]
        text = f"{written(best.name, sample.schema)} >= 0.5"
        why = "no column of decisions; 0.5 is only the usual threshold: write the one in use"
        others = tuple(one.name for one in free)
        return Guessed("prediction", text, best.name, why, "unsure", others)
    if label is None and len(free) == 1:
        found = _yes(sample, _Candidate(free[0], None, 0, ""), "prediction", ())
        return replace(found, why=f"the only column of yes or no; {found.why}", sure="unsure")
    return None


def _bands(sample: Sample, taken: Collection[str]) -> Guessed | None:
    """Return decisions of three values or more: bands of a score, or yes, no and the rest."""
    for column in sample.columns.values():
        spellings = column.spellings
        if column.name in taken or column.form != "text" or not _TWO < len(spellings) <= _FEW:
            continue
        name = written(column.name, sample.schema)
        shown = listed(repr(value) for value in column.values)
        least = [one for one in spellings if names.LEAST.found_in(one)]
        if names.BAND.found_in(column.name) and len(least) == 1:
            (value, *more) = spellings[least[0]]
            text = f"{name} != {value!r}" if not more else f"{name} not in {[value, *more]!r}"
            why = f"bands of a score, {shown}; all above the lowest count as yes: check that"
            others = _alike(sample, column)
            return Guessed("prediction", text, column.name, why, "unsure", others)
        candidate = _candidate(column)
        yes = [one for one in spellings if names.YES.found_in(one) and not names.NO.found_in(one)]
        if candidate.side == "prediction" and len(yes) == 1:
            text = equal_to(column, yes[0], sample.schema)
            why = f"'{candidate.word}' in its name; of {shown} all but one count as no: check that"
            return Guessed("prediction", text, column.name, why, "unsure")
    return None


def _alike(sample: Sample, column: Column) -> tuple[str, ...]:
    """Return the other columns with the same values."""
    return tuple(
        one.name
        for one in sample.columns.values()
        if one is not column and {*one.spellings} == {*column.spellings}
    )


def _left_over(
    sample: Sample, known: list[_Candidate], prediction: Guessed | None, scores: list[Column]
) -> _Candidate | None:
    """Return the label that no name gives: a decision beside a prediction, or the only one left."""
    if prediction is None:
        return None
    free = [one for one in known if one.column.name != prediction.column]
    predicted = names.PREDICTED.found_in(prediction.column)
    decided = [
        one for one in free if one.strength and not names.PREDICTED.found_in(one.column.name)
    ]
    if predicted and decided:
        return decided[-1]
    apart = [one for one in scores if separates(sample, one, sample.columns[prediction.column])]
    free = [one for one in free if one.column.yes()[1]]
    return free[0] if len(free) == 1 and (predicted or apart) else None


def _calls_score(column: Column) -> bool:
    name = column.name
    named = names.SCORE.found_in(name) or names.PREDICTED.found_in(name)
    return bool(named) and not names.NO_SCORE.found_in(name)


def _scores(sample: Sample, taken: Collection[str], binary: list[Column]) -> list[Column]:
    """Return the numbers that may be behind a decision, the likeliest first."""
    numbers = [
        one
        for one in sample.columns.values()
        if one.name not in taken and one.is_number and not one.is_binary and one.distinct > 2  # noqa: PLR2004
    ]
    named = [one for one in numbers if _calls_score(one)]
    named.sort(key=lambda one: (not one.is_share, len(one.name)))
    parting = [
        one
        for one in numbers
        if one not in named and any(separates(sample, one, column) for column in binary)
    ]
    shares = [one for one in numbers if one.is_share and one not in [*named, *parting]]
    shares = [one for one in shares if not names.NO_SCORE.found_in(one.name)]
    return [*named, *parting, *(shares if len(shares) == 1 else [])]


def _score(sample: Sample, scores: list[Column], found: dict[str, Guessed]) -> Guessed | None:
    """Return the number behind the decision."""
    decided = found.get("prediction")
    if decided is not None and decided.text.endswith(">= 0.5"):
        best = sample.columns[decided.column]
        why = f"its name, and numbers from {best.low:g} to {best.high:g}"
        return Guessed("score", best.name, best.name, why, "likely")
    binary = None if decided is None else sample.columns[decided.column]
    for one in scores:
        if binary is not None and binary.is_binary and separates(sample, one, binary):
            why = f"a threshold of it parts '{binary.name}'"
            others = tuple(other.name for other in scores if other is not one)
            return Guessed("score", one.name, one.name, why, "likely", others)
    named = [one for one in scores if _calls_score(one) or one.is_share]
    if not named:
        return None
    best = named[0]
    plain = best.is_share or "decile" in names.words(best.name)
    why = "its name, " if _calls_score(best) else "the only column of numbers in [0, 1], "
    why += f"numbers from {best.low:g} to {best.high:g}"
    sure: Sure = "likely" if plain and _calls_score(best) else "unsure"
    return Guessed("score", best.name, best.name, why, sure, tuple(one.name for one in named[1:]))


def _facing(sample: Sample, found: dict[str, Guessed]) -> list[Guessed]:
    """Return the roles with label and prediction facing one way: yes is the same event in both.

    A prediction without a label is turned so that yes is good for the person.
    """
    label, prediction = found.get("label"), found.get("prediction")
    if prediction is not None:
        decided = _direction(sample, prediction)
        true = 0 if label is None else _direction(sample, label)
        if decided < 0 and (label is None or true > 0):
            found["prediction"] = _turned(sample, prediction, "yes is what is good for the person")
        elif decided > 0 and true < 0 and label is not None:
            why = f"yes must mean the same in it and in '{prediction.column}'"
            found["label"] = _turned(sample, label, why)
        elif label is not None:
            found["label"] = _agreeing(sample, label, prediction)
    return [found[part] for part in ("label", "prediction", "score") if part in found]


def _direction(sample: Sample, guessed: Guessed) -> int:
    """Return whether yes is good for the person: 1, or -1 where it is bad, 0 where not known."""
    column = sample.columns[guessed.column]
    if not column.is_binary:
        return 0
    value, name = column.yes()[0], column.name
    if value not in {"yes", "ja", "true", "1", "y", "j"}:
        for vocabulary, sign in _SIGNS:
            if vocabulary.found_in(value):
                return sign
        if names.YES.found_in(value):
            return 1
    return next((sign for vocabulary, sign in _SIGNS if vocabulary.found_in(name)), 0)


_SIGNS = (
    (names.BAD_DECISION, -1),
    (names.BAD_EVENT, -1),
    (names.GOOD_DECISION, 1),
    (names.GOOD_EVENT, 1),
)


def _turned(sample: Sample, guessed: Guessed, why: str) -> Guessed:
    """Return a role of two values with the other one as yes."""
    column = sample.columns[guessed.column]
    yes = column.yes()[0]
    (other,) = [one for one in column.spellings if one != yes]
    text = equal_to(column, other, sample.schema)
    if text == guessed.column:
        return guessed
    return replace(guessed, text=text, why=f"{guessed.why}; turned round, as {why}")


def _agreeing(sample: Sample, label: Guessed, prediction: Guessed) -> Guessed:
    """Return the label, with a warning where the prediction is mostly its opposite."""
    both = [Expression(one.text).lower(sample.schema) for one in (label, prediction)]
    rows = nw.from_native(sample.rows).select(
        label=both[0].cast(nw.Float64), prediction=both[1].cast(nw.Float64)
    )
    together = rows.to_native().drop_nulls().select(pl.corr("label", "prediction")).item()
    if together is not None and together < -0.05:  # noqa: PLR2004 - beyond chance in a log
        warning = f"it mostly says the opposite of '{prediction.column}': check what yes means"
        return replace(label, why=f"{label.why}; {warning}", sure="unsure")
    return label


def regression_roles(sample: Sample, taken: Collection[str]) -> list[Guessed]:
    """Return label and prediction of a log of predicted numbers, or nothing."""
    numbers = [
        one
        for one in sample.columns.values()
        if one.name not in taken and one.is_number and one.distinct > _FEW
    ]
    predicted = [one for one in numbers if names.PREDICTED.found_in(one.name) and not one.is_share]
    for prediction in predicted:
        word = names.PREDICTED.found_in(prediction.name)
        stem = names.words(prediction.name).replace(word, "").strip()
        rest = [one for one in numbers if one not in predicted]
        same = [one for one in rest if stem and names.words(one.name).endswith(stem)]
        named = [one for one in rest if names.TRUTH.found_in(one.name)]
        for label, why in (
            *((one, f"the name of '{prediction.name}' is its, with '{word}'") for one in same),
            *((one, f"'{names.TRUTH.found_in(one.name)}' in its name") for one in named),
        ):
            others = tuple(one.name for one in [*same, *named] if one is not label)
            return [
                Guessed("label", label.name, label.name, why, "likely", others),
                Guessed(
                    "prediction",
                    prediction.name,
                    prediction.name,
                    f"'{word}' in its name, and numbers",
                    "likely",
                    tuple(one.name for one in predicted if one is not prediction),
                ),
            ]
    return []
