"""Checks of answers alone: whether they repeat, depend on the batch, and are what they are said."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from evenhand.models.doubt import Answered, Doubt, NotCheckedError, Sure
from evenhand.models.model import Floats
from evenhand.models.told import are_probabilities

_NARROW = 0.02
"""A share of the declared range that no inputs are within by chance."""

_SAME = 1e-4
"""How far scores may differ, by the largest of them, and still be the same: other orders of sums
differ by less, dropout and batch norm by much more."""

_FEW = 8
"""Inputs below which answers that are alike prove nothing."""


def ranges(told: Answered) -> Iterator[Doubt]:
    """Doubt a range that the inputs leave almost empty."""
    spec, x = told.model.spec, told.x
    least, most = float(x.min()), float(x.max())
    if most - least < _NARROW * (spec.high - spec.low):
        seen = f"inputs go from {least:g} to {most:g}, the range from {spec.low:g} to {spec.high:g}"
        hint = "Were they divided twice, or is the range that of bytes? Say --range LOW HIGH."
        yield Doubt("range", f"{seen}.", "likely", hint)


def repeats(told: Answered) -> Iterator[Doubt]:
    """Doubt that a model is what it is said to be: the same twice, or stochastic."""
    if told.scores is None:
        others = int((told.model.predict(told.x) != told.codes).sum())
    else:
        others = differ(told.asked(told.x), told.scores)
    if told.model.spec.stochastic:
        if not others:
            seen = "it is said to be stochastic, and answered the same twice."
            yield Doubt("repeat", seen, "possible", "Say that it is not, for tighter figures.")
    elif others:
        seen = f"{others:,} of {len(told.x):,} inputs got another answer when they came again."
        hint = "Is a part of it in training mode (dropout)? Else say that it is stochastic."
        yield Doubt("repeat", seen, "certain", hint)


def batch(told: Answered) -> Iterator[Doubt]:
    """Doubt a model whose answer to an input depends on what else is in the batch."""
    if told.model.spec.stochastic:
        raise NotCheckedError("its answers are stochastic")
    count = len(told.x)
    for some in (slice(0, 1), slice(1, min(4, count)), slice(None, None, -1)):
        x = told.x[some]
        if not len(x):
            continue
        if told.scores is None:
            others = int((told.model.predict(x) != told.codes[some]).sum())
        else:
            others = differ(told.asked(x), told.scores[some])
        if others:
            how = "in another order" if some.step else f"in a batch of {len(x)}"
            seen = f"{others:,} of {len(x):,} inputs get another answer {how} than among {count:,}."
            hint = "Does batch norm use the batch, or a part of it stay in training mode?"
            yield Doubt("batch", seen, "certain", hint)
            return


def prediction(told: Answered) -> Iterator[Doubt]:
    """Doubt a model whose class is not that of its largest score."""
    scores = _scores(told)
    best, chosen = scores.max(axis=1), scores[np.arange(len(scores)), told.codes]
    others = int((chosen < best - _SAME * np.abs(scores).max()).sum())
    if others and not told.model.spec.stochastic:
        seen = f"the class of {others:,} of {len(scores):,} inputs is not that of the largest score"
        hint = "Are scores and labels in the same order? Does it decide by another threshold?"
        yield Doubt("prediction", f"{seen}.", "certain", hint)


def output(told: Answered) -> Iterator[Doubt]:
    """Doubt that scores are the logits, probabilities or scores that they are said to be."""
    scores, said = _scores(told), told.model.spec.output
    if len(scores) < 2:  # noqa: PLR2004
        raise NotCheckedError("one input is too few")
    inside = bool((scores >= 0).all() and (scores <= 1).all())
    if said == "probabilities":
        if not are_probabilities(scores):
            sums = scores.sum(axis=1)
            seen = f"rows of probabilities add up to {sums.min():.4g} to {sums.max():.4g}"
            seen += "." if inside else f", with numbers from {scores.min():.4g} to "
            seen += "" if inside else f"{scores.max():.4g}."
            yield Doubt("output", seen, "certain", "Say --output logits, or scores.")
    elif _one_hot(scores):
        # Said by the check of one-hot scores, which knows better what to do.
        return
    elif are_probabilities(scores):
        seen = f"{said} are said, and every row has numbers from 0 to 1 that add up to 1."
        hint = "Return what softmax is taken of; or say --output probabilities."
        yield Doubt("output", seen, "certain", hint)
    elif said == "logits" and inside and len(scores) >= _FEW:
        seen = f"logits are said, and all of {scores.size:,} numbers lie from 0 to 1."
        hint = "Return what the sigmoid is taken of; or say --output scores."
        yield Doubt("output", seen, "likely", hint)


def one_hot(told: Answered) -> Iterator[Doubt]:
    """Doubt scores that are labels in disguise, or say the same of every input."""
    scores = _scores(told)
    if len(scores) < _FEW:
        raise NotCheckedError(f"{len(scores)} inputs are too few")
    if np.ptp(scores, axis=0).max() <= _SAME * np.abs(scores).max():
        seen = f"the scores of {len(scores):,} inputs are all the same."
        yield Doubt("one-hot", seen, "likely", "Does the input reach the model?")
    elif _one_hot(scores):
        seen = "every row of scores has one value at the chosen class and another elsewhere"
        hint = "Labels tell an attack by scores nothing: return scores, or say --output labels."
        sure: Sure = "likely" if told.model.spec.output == "probabilities" else "certain"
        yield Doubt("one-hot", f"{seen}: labels, or chances of 0 and 1.", sure, hint)


def registered(told: Answered) -> Iterator[Doubt]:
    """Doubt a module of torch with parts that it does not know of: they stay in training mode."""
    module = getattr(told.model, "module", None)
    if module is None:
        raise NotCheckedError("it is no module of torch")
    known = {id(part) for part in module.modules()}
    hidden = [
        f"{type(part).__name__}.{name}"
        for part in module.modules()
        for name, value in vars(part).items()
        if not name.startswith("_") and any(id(one) not in known for one in _modules(value))
    ]
    if hidden:
        seen = f"{', '.join(hidden)} holds modules in a list or dict of Python."
        hint = "Neither eval() nor the fingerprint reaches them: use ModuleList or ModuleDict."
        yield Doubt("registered", seen, "certain", hint)


def _modules(value: object) -> list[object]:
    inside = value.values() if isinstance(value, dict) else value
    if not isinstance(inside, list | tuple | type({}.values())):
        return []
    return [one for one in inside if hasattr(one, "named_parameters") and hasattr(one, "eval")]


def _scores(told: Answered) -> Floats:
    if told.scores is None:
        raise NotCheckedError("it gives labels alone")
    return told.scores


def _one_hot(scores: Floats) -> bool:
    """Return whether one number is at the chosen class and another elsewhere, in every row."""
    ordered = np.sort(scores, axis=1)
    low, high = ordered[:, 0], ordered[:, -1]
    flat = bool((ordered[:, :-1] == low[:, None]).all() and (high > low).all())
    # Of two classes that holds of any row: the numbers themselves are the same in all of them.
    return flat and len(np.unique(low)) == 1 and len(np.unique(high)) == 1


def differ(one: Floats, other: Floats) -> int:
    """Return of how many inputs the scores differ, by more than the order of sums makes them."""
    slack = _SAME * max(float(np.abs(other).max(initial=0)), 1e-30)
    return int((np.abs(one - other) > slack).any(axis=1).sum())
