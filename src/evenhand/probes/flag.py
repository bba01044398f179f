"""Reasons not to believe an attack: what it would have found, had it been able to.

An attacked accuracy is an upper bound, and a model whose gradients mislead makes it a bad one. Each
flag compares the attacks of a set, on a seeded sample, with something that must not do better. The
verdict belongs to the set of attacks, not to the model.

Sources: Athalye, Carlini and Wagner 2018; Carlini et al. 2019; Croce and Hein 2020; Pintor et
al. 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Label
from evenhand.probes.attack.attack import Attack, as_given
from evenhand.probes.evidence import Count, Evidence, Marks, Runs
from evenhand.probes.method import Progress, silent
from evenhand.probes.threat import Threat

Verdict = Literal["reliable", "not reliable"]

SAMPLE = 200
"""Examples that the flags are judged on."""

_ALIKE = 4
"""Queries for each example to see whether it is answered alike."""

_NOISE = 1e-4
_ROUNDING = 1e-3


@dataclass(frozen=True)
class Flag:
    """A reason not to believe a set of attacks.

    Attributes:
        name: What is compared, such as ``black_box``.
        raised: Whether it is one; none where it could not be judged.
        text: What was found, in words.
        count: How many examples speak for it; none where it is no count.
        of: Of how many.
        limit: More than so many raise it.

    """

    name: str
    raised: bool | None
    text: str
    count: int | None = None
    of: int | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Trust:
    """What is thought of a set of attacks.

    Attributes:
        attacks: The set, as it is printed.
        examples: How many the flags were judged on.
        flags: All of them, raised or not.
        groups: The same flags among the examples of each group.

    """

    attacks: str
    examples: int
    flags: tuple[Flag, ...]
    groups: Mapping[Label, tuple[Flag, ...]] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Whether no flag is raised."""
        return verdict(self.flags)

    def as_json(self) -> dict[str, Any]:
        """Return what logs keep of it."""
        return {
            "attacks": self.attacks,
            "examples": self.examples,
            "verdict": self.verdict,
            "flags": [dict(vars(flag)) for flag in self.flags],
            "groups": [
                {
                    "group": group,
                    "verdict": verdict(flags),
                    "raised": [flag.name for flag in flags if flag.raised],
                }
                for group, flags in self.groups.items()
            ],
        }


def verdict(flags: Sequence[Flag]) -> Verdict:
    """Return ``reliable`` where no flag is raised."""
    return "not reliable" if any(flag.raised for flag in flags) else "reliable"


def judge(
    attack: Attack,
    model: Model,
    x: Floats,
    labels: Codes,
    threat: Threat,
    *,
    rng: np.random.Generator,
    groups: Sequence[Label] | None = None,
    size: int = SAMPLE,
    progress: Progress = silent,
) -> Trust:
    """Return what is to be thought of an attack on a model.

    Args:
        attack: The attack; of one that is made of several, all of them are the set.
        model: The model.
        x: Inputs in the units of its spec, shape (n, *spec.shape), n at least 1.
        labels: Places of their true classes in `Spec.labels`, shape (n,).
        threat: How far they may be changed.
        rng: Where the sample and every attack come from.
        groups: Each input's group; flags are judged within each of them too.
        size: Examples in the sample.
        progress: Told what is being done.

    Raises:
        ModelError: The model does not offer what the attack needs.

    """
    some = np.sort(rng.choice(len(x), min(size, len(x)), replace=False))
    sample = as_given(model, np.asarray(x)[some])
    whole = _answers(model, sample)
    evidence = Evidence(attack, model, sample, np.asarray(labels)[some], threat, rng, progress)
    counted = evidence.counted()

    def within(members: Marks) -> tuple[Flag, ...]:
        return (*whole, *(_flag(one, members) for one in counted))

    by_group: dict[Label, tuple[Flag, ...]] = {}
    if groups is not None:
        theirs = [groups[i] for i in some]
        for group in sorted({*theirs}, key=str):
            by_group[group] = within(np.array([one == group for one in theirs]))
    flags = within(np.ones(len(some), dtype=bool))
    return Trust(str(attack), len(some), flags, by_group)


def most_judged(attack: Attack, model: Model) -> int:
    """Return the most queries that `judge` takes for each example of its sample."""
    return _ALIKE + Runs.of(attack, model).most(model)


def _flag(count: Count, members: Marks) -> Flag:
    """Return a flag among some of the examples."""
    if count.found is None:
        return Flag(count.name, None, f"not judged: {count.why_not}.")
    found, of, limit = count.within(members)
    text = count.words.format(count=found, of=of, limit=f"{limit:g}")
    return Flag(count.name, found > limit, text, found, of, limit)


def _answers(model: Model, x: Floats) -> tuple[Flag, Flag]:
    """Return the flags that belong to a model's answers, whoever they are about."""
    if "scores" not in model.offers:
        same = all(np.array_equal(model.predict(x), model.predict(x)) for _ in range(_ALIKE // 2))
        words = "not judged: there are no scores."
        return _random(model, "of its decisions", changed=not same), Flag(
            "probabilities", None, words
        )
    scores = [_scores(model, x) for _ in range(_ALIKE - 1)]
    away = max(float(np.abs(one - scores[0]).max()) for one in scores[1:])
    changed = away > _NOISE * max(float(np.abs(scores[0]).max()), _NOISE)
    return _random(model, f"by {away:.2g}", changed=changed), _probabilities(model, scores[0])


def _scores(model: Model, x: Floats) -> NDArray[np.float64]:
    return model.numpy(model.scores(model.array(x))).astype(np.float64)


def _random(model: Model, how: str, *, changed: bool) -> Flag:
    if changed:
        text = f"the same inputs are answered differently, {how}: average over draws."
    elif model.spec.stochastic:
        text = "the spec says that the same input may be answered differently."
    else:
        text = "the same inputs are answered alike."
    return Flag("random_output", changed or model.spec.stochastic, text)


def _probabilities(model: Model, scores: NDArray[np.float64]) -> Flag:
    """Return whether scores that are declared as something else are probabilities.

    Their slope vanishes where they saturate. Declared ones are turned into logits.
    """
    if model.spec.output == "probabilities":
        text = "probabilities are declared: their logarithms are attacked."
        return Flag("probabilities", raised=False, text=text)
    sums = np.abs(scores.sum(axis=1) - 1).max()
    looks = bool(scores.min() >= 0 and sums < _ROUNDING)
    text = f"scores are declared as {model.spec.output}"
    text += (
        ", and every row lies between 0 and 1 and adds up to 1: say output probabilities."
        if looks
        else " and are no probabilities."
    )
    return Flag("probabilities", looks, text)
