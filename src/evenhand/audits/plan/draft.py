"""A first plan, written from a guess: with what was guessed and why, and rules to start from."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from evenhand.audits.plan.guess import Guess, Guessed
from evenhand.audits.plan.plan import FORMAT
from evenhand.errors import listed
from evenhand.logs.grammar import Schema, written
from evenhand.notation import Term

_GATED = 2
"""Groups of which the rules speak: each rule more makes every one of them harder to pass."""

_POINTS = "five points: a limit to start from; agree on your own with those who answer for it"
_FIFTHS = "four fifths: the first mark of adverse impact in US selection guidelines; agree on yours"
_SURE = {"given": "given", "likely": "likely", "unsure": "not sure: check"}


@dataclass(frozen=True, slots=True)
class _DraftRule:
    """A rule of a draft: its id, the figure, the limit, and why."""

    id: str
    figure: str
    limit: str
    why: str


def draft(guess: Guess, source: str) -> str:
    """Return the text of a plan.

    Args:
        guess: What the columns mean, without problems.
        source: The log as the plan names it: a path relative to the plan's folder.

    """
    rules = list(_rules(guess))
    figures = dict.fromkeys([*_measures(guess), *(rule.figure for rule in rules)])
    looked = f"the first {guess.sample.rows.height:,} rows"
    if guess.sample.is_whole:
        looked = f"all {guess.sample.rows.height:,} rows"
    lines = [
        *_comment(
            f"Drafted by evenhand init from the columns' values and names in {looked}. Names and "
            "values suggest what a column means; they prove nothing. Read every line.",
            0,
        ),
        f"evenhand: {FORMAT}",
        "# subject: {product: ..., model: ..., version: ..., owner: ...}",
        "log:",
        f"  source: {_scalar(source)}",
        f"  kind: {guess.kind}",
        "roles:",
        *(line for one in guess.roles for line in _role(one, guess.sample.schema)),
        *(line for note in guess.notes for line in _comment(note, 0)),
        *_comment(f"What is independent ({_SURE[guess.unit.sure]}): {guess.unit.why}.", 0),
        *_others(guess.unit, 0),
        f"unit: {_unit(guess.unit)}",
        "groups:",
        *(line for one in guess.groups for line in _group(one)),
        "measures:",
        *(f"  - {_scalar(figure)}" for figure in figures),
        *_bounds(guess),
        "level: 0.95",
        "# Groups of fewer units are not shown, and undecided in rules.",
        "min_units: 30",
        *_gate(rules),
    ]
    return "\n".join(lines) + "\n"


def _gate(rules: list[_DraftRule]) -> Iterator[str]:
    if not rules:
        yield from _comment(
            "No rule is drafted, because no limit suits every scale. Write for example "
            "gate: [{id: gap, rule: 'difference(mean_score, by=sex) <= 10'}].",
            0,
        )
        return
    yield from _comment(
        "What must hold for a release: pass only if it is 95% certain that it does, fail only if "
        "it is that it does not, undecided else. The limits are a start, not a standard.",
        0,
    )
    yield "gate:"
    for place, rule in enumerate(rules):
        # Names such as 'größe' and 'grüße' may leave one id.
        twice = rule.id in [other.id for other in rules[:place]]
        yield f"  - id: {_scalar(f'{rule.id}-{place + 1}' if twice else rule.id)}"
        yield f"    rule: {_scalar(f'{rule.figure} {rule.limit}')}"
        yield "    certainty: 0.95"
        yield f"    why: {_scalar(rule.why)}"


def _role(one: Guessed, schema: Schema) -> Iterator[str]:
    yield from _comment(f"{_SURE[one.sure].capitalize()}. {one.why}.", 2)
    yield from _others(one, 2)
    # A plan takes outer spaces from roles; inside col() they stay.
    text = one.text if one.text == one.text.strip() else written(one.text, schema)
    yield f"  {one.part}: {_scalar(text)}"


def _group(one: Guessed) -> Iterator[str]:
    yield from _comment(f"{_SURE[one.sure].capitalize()}. {one.why}.", 2)
    yield from _others(one, 2)
    name, column = _scalar(one.name), _scalar(one.text)
    if one.bins:
        column = _flow(one.text)
        yield f"  {name}: {{column: {column}, bins: {[*one.bins]}}}"
    else:
        yield f"  {name}: {column}"


def _unit(one: Guessed) -> str:
    if one.sure == "given" and one.text.startswith("["):
        return one.text
    return _scalar(one.text)


def _others(one: Guessed, indent: int) -> Iterator[str]:
    if one.others:
        shown = [*one.others[:_OTHERS], *(["..."] if len(one.others) > _OTHERS else [])]
        yield from _comment(f"Or: {listed(shown)}.", indent)


_OTHERS = 5


def _comment(text: str, indent: int) -> list[str]:
    """Return a text as lines of comment; what YAML does not allow even there is left out."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    start = " " * indent + "# "
    return textwrap.wrap(
        plain, 98, initial_indent=start, subsequent_indent=start, break_on_hyphens=False
    )


def _scalar(text: str) -> str:
    """Return a text as a YAML value, in quotes only where it needs them.

    >>> _scalar("race"), _scalar("score: high"), _scalar("no")
    ('race', '"score: high"', '"no"')
    """
    return text if _reads_as(f"- {text}", text) else _quoted(text)


def _flow(text: str) -> str:
    """Return a text as a YAML value inside braces."""
    return text if _reads_as(f"[{text}]", text) else _quoted(text)


def _reads_as(document: str, text: str) -> bool:
    try:
        return bool(yaml.safe_load(document) == [text])
    except yaml.YAMLError:
        return False


def _quoted(text: str) -> str:
    dumped: str = yaml.safe_dump(text, default_style='"', width=float("inf"), allow_unicode=True)
    return dumped.strip()


def _notation(contrast: str, measure: str, *names: str) -> str:
    by = names[0] if len(names) == 1 else names
    return str(Term(contrast, (Term(measure),), (("by", by),)))


def _bounds(guess: Guess) -> Iterator[str]:
    """Yield the sets that error rates lie in where labels are missing, with what they assume."""
    if guess.unlabelled is None or not _decides(guess):
        return
    yield from _comment(
        f"As {guess.unlabelled.about}: a set in which the gap lies if the odds of a missing "
        "label are within a factor of 2 of those of the labels seen; say how far they may be. "
        "It has no rule, because its width does not shrink with more rows.",
        2,
    )
    for one in guess.groups:
        by = one.name
        bounds = Term("bounds", (Term("true_positive_rate"),), (("missing", Term("odds", (2,))),))
        yield f"  - {_scalar(str(Term('difference', (bounds,), (('by', by),))))}"


_AMONG = {0: "negative_predictive_value", 1: "positive_predictive_value"}
"""Measures that need labels only where the prediction has a value."""


def _parts(guess: Guess) -> set[str]:
    """Return the roles that measures can use: not a label that is missing for some rows."""
    parts = {one.part for one in guess.roles}
    other = parts & {"prediction", "score"}
    lost = guess.kind == "decisions" and guess.unlabelled is not None and bool(other)
    return parts - {"label"} if lost else parts


def _decides(guess: Guess) -> bool:
    return guess.kind == "decisions" and guess.role("prediction") is not None


def _measures(guess: Guess) -> Iterator[str]:
    """Yield the figures that suit the roles: the whole log's first, then those by group."""
    names = [one.name for one in guess.groups]
    for plain, contrast, measure in _suited(guess):
        if plain:
            yield measure
        for name in names:
            yield _notation(contrast, measure, name)
    pair = names[:_GATED]
    if len(pair) > 1:
        for _, contrast, measure in [*_suited(guess)][:1]:
            yield _notation(contrast, measure, *pair)


def _suited(guess: Guess) -> list[tuple[bool, str, str]]:
    """Return measures that suit the roles: whether the whole log's is shown, contrast, measure."""
    parts = _parts(guess)
    if guess.kind == "regression":
        return [
            (True, "difference", "mean_error"),
            (True, "worst", "mae"),
            (True, "worst", "r2"),
        ]
    found: list[tuple[bool, str, str]] = []
    if parts >= {"label", "prediction"}:
        found += [
            (True, "difference", "true_positive_rate"),
            (True, "difference", "false_positive_rate"),
            (True, "worst", "accuracy"),
        ]
    if "prediction" in parts:
        found += [(True, "difference", "selection_rate"), (False, "ratio", "selection_rate")]
    if guess.unlabelled is not None and _decides(guess):
        found += [(True, "difference", _AMONG[value]) for value in guess.unlabelled.among]
    if parts >= {"label", "score"}:
        found += [(True, "difference", "auc")]
        if _is_probability(guess):
            found += [(False, "difference", "calibration_in_the_large")]
    elif "score" in parts:
        found += [(True, "difference", "mean_score")]
    if "label" in parts:
        found += [(True, "difference", "base_rate")]
    return found


def _is_probability(guess: Guess) -> bool:
    score = guess.role("score")
    column = guess.sample.columns.get(score.text) if score else None
    return column is not None and 0 <= column.low <= column.high <= 1


def _rules(guess: Guess) -> Iterator[_DraftRule]:
    parts = _parts(guess)
    for group in guess.groups[:_GATED]:
        by, name = group.name, _slug(group.name)
        if guess.kind == "regression":
            limit = _tenth(guess)
            if limit is not None:
                why = "a tenth of the standard deviation of what was true: a limit to start from"
                figure = _notation("difference", "mean_error", by)
                yield _DraftRule(f"mean-error-{name}", figure, f"<= {limit:g}", why)
        elif parts >= {"label", "prediction"}:
            for short, measure in (("tpr", "true_positive_rate"), ("fpr", "false_positive_rate")):
                figure = _notation("difference", measure, by)
                yield _DraftRule(f"{short}-{name}", figure, "<= 0.05", _POINTS)
        elif "prediction" in parts:
            figure = _notation("ratio", "selection_rate", by)
            yield _DraftRule(f"selection-{name}", figure, ">= 0.8", _FIFTHS)
        elif parts >= {"label", "score"}:
            figure = _notation("difference", "auc", by)
            yield _DraftRule(f"auc-{name}", figure, "<= 0.05", _POINTS)
        elif "label" in parts:
            figure = _notation("difference", "base_rate", by)
            yield _DraftRule(f"base-rate-{name}", figure, "<= 0.05", _POINTS)
        elif _is_probability(guess):
            figure = _notation("difference", "mean_score", by)
            yield _DraftRule(f"mean-score-{name}", figure, "<= 0.05", _POINTS)


def _slug(name: str) -> str:
    """Return a name as part of a rule's id, which has only plain letters and digits.

    >>> _slug("Alter (Jahre)")
    'alter-jahre'
    """
    folded = "".join(one if one.isascii() and one.isalnum() else " " for one in name.lower())
    return "-".join(folded.split()) or "group"


def _tenth(guess: Guess) -> float | None:
    """Return a tenth of the label's standard deviation, in one digit."""
    label = guess.role("label")
    if label is None or label.text not in guess.sample.columns:
        return None
    spread = guess.sample.rows[label.text].cast(float).fill_nan(None).std()
    return float(f"{spread / 10:.1g}") if isinstance(spread, float) and spread > 0 else None
