"""Reasons not to believe an attack: what it would have found, had it been able to.

An attacked accuracy is an upper bound, and a model whose gradients mislead makes it a bad one. Each
flag compares the attacks of a set with something that must not do better. All of them run in full
on a seeded sample: an attack that saw only what others left says nothing here. The verdict belongs
to the set of attacks, not to the model.

Sources: Athalye, Carlini and Wagner 2018; Carlini et al. 2019; Croce and Hein 2020; Pintor et
al. 2022.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.models.logits import with_logits
from evenhand.models.model import Codes, Floats, Model
from evenhand.models.spec import Label
from evenhand.probes.attack.attack import Attack, Progress, as_given, silent
from evenhand.probes.attack.fgsm import FGSM
from evenhand.probes.attack.square import Square
from evenhand.probes.loss import CROSS_ENTROPY, Aim
from evenhand.probes.threat import Threat

Verdict = Literal["reliable", "not reliable"]

Marks: TypeAlias = NDArray[np.bool_]

SAMPLE = 200
"""Examples on which the attacks run in full."""

_POINTS, _EXAMPLES = 0.002, 3
"""What may be found beyond the set before a flag is raised: 0.2 points, and 3 examples."""

_ZERO = 0.05
"""Share of examples whose gradient may be exactly 0."""

_DRAWS = 50
_QUERIES = 1000
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
    checks = _Checks(attack, model, sample, np.asarray(labels)[some], threat, rng, progress)
    whole, counted = checks.whole(), checks.counted()
    everybody = np.ones(len(some), dtype=bool)
    flags = (*whole, *(one.flag(everybody) for one in counted))
    by_group: dict[Label, tuple[Flag, ...]] = {}
    if groups is not None:
        theirs = [groups[i] for i in some]
        for group in sorted({*theirs}, key=str):
            members = np.array([one == group for one in theirs])
            by_group[group] = (*whole, *(one.flag(members) for one in counted))
    return Trust(str(attack), len(some), flags, by_group)


@dataclass(frozen=True)
class _Count:
    """A flag that counts examples, before it is known among whom.

    Attributes:
        name: Of the flag.
        words: What it tells, with ``{count}``, ``{of}`` and ``{limit}``.
        found: Examples that speak for it; none where it cannot be judged.
        less: Examples to be taken off.
        among: Examples that are counted at all.
        share: Share of them that is still borne.
        why_not: Why it cannot be judged.

    """

    name: str
    words: str
    found: Marks | None
    less: Marks | None = None
    among: Marks | None = None
    share: float = _POINTS
    why_not: str = ""

    def flag(self, members: Marks) -> Flag:
        """Return the flag among some of the examples."""
        if self.found is None:
            return Flag(self.name, None, f"not judged: {self.why_not}.")
        count = int((self.found & members).sum())
        if self.less is not None:
            count -= int((self.less & members).sum())
        of = int(members.sum() if self.among is None else (self.among & members).sum())
        limit = max(self.share * of, _EXAMPLES)
        text = self.words.format(count=max(count, 0), of=of, limit=f"{limit:g}")
        return Flag(self.name, count > limit, text, max(count, 0), of, limit)


@dataclass
class _Checks:
    """The sample, and what the checks share."""

    attack: Attack
    model: Model
    x: Floats
    labels: Codes
    threat: Threat
    rng: np.random.Generator
    progress: Progress

    def whole(self) -> tuple[Flag, ...]:
        """Return the flags that belong to the model's answers, whoever they are about."""
        if "scores" not in self.model.offers:
            same = all(
                np.array_equal(self.model.predict(self.x), self.model.predict(self.x))
                for _ in range(2)
            )
            words = "not judged: there are no scores."
            return _random(self.model, "of its decisions", changed=not same), Flag(
                "probabilities", None, words
            )
        scores = [self._scores() for _ in range(3)]
        away = max(float(np.abs(one - scores[0]).max()) for one in scores[1:])
        changed = away > _NOISE * max(float(np.abs(scores[0]).max()), _NOISE)
        return _random(self.model, f"by {away:.2g}", changed=changed), _probabilities(
            self.model, scores[0]
        )

    def counted(self) -> tuple[_Count, ...]:
        """Return the flags that count examples."""
        members = self.attack.members(self.model)
        broken = {str(one): self._broken(one, place / 8) for place, one in enumerate(members)}
        white = [broken[str(one)] for one in members if one.needs == "vjp"]
        black = [broken[str(one)] for one in members if one.needs != "vjp"]
        found = np.logical_or.reduce([*broken.values()])
        left = np.flatnonzero(~found)
        return (
            self._zero(white=bool(white)),
            *self._beaten(white, black),
            self._effort(left),
            self._unbounded(left),
            self._noise(left),
        )

    def _scores(self) -> NDArray[np.float64]:
        return self.model.numpy(self.model.scores(self.model.array(self.x))).astype(np.float64)

    def _broken(
        self,
        attack: Attack,
        share: float,
        some: NDArray[np.int64] | None = None,
        threat: Threat | None = None,
    ) -> Marks:
        """Return which examples an attack breaks, of all or of some."""
        marks = np.zeros(len(self.x), dtype=bool)
        chosen = np.arange(len(self.x)) if some is None else some
        if chosen.size:
            self.progress(f"judging {self.attack}: {attack}", share)
            got = attack.run(
                self.model, self.x[chosen], self.labels[chosen], threat or self.threat, self.rng
            )
            marks[chosen] = got.broken
        return marks

    def _zero(self, *, white: bool) -> _Count:
        words = "the gradient of the cross-entropy is exactly 0 for {count} of {of} examples"
        words += " (more than {limit} raise this)."
        if not white:
            return _Count("zero_gradients", words, None, why_not=_NO_GRADIENTS)
        model = with_logits(self.model)
        aim = Aim.away(model, self.labels)
        _, slope = model.vjp(
            model.array(self.x), lambda scores, some: CROSS_ENTROPY.slope(scores, aim[some])
        )
        flat = np.abs(model.numpy(slope)).reshape(len(self.x), -1).max(axis=1)
        right = self.model.predict(self.x) == self.labels
        return _Count("zero_gradients", words, (flat == 0) & right, among=right, share=_ZERO)

    def _beaten(self, white: list[Marks], black: list[Marks]) -> tuple[_Count, _Count]:
        """Return whether attacks with gradients are beaten by some without, or by one step."""
        more = "{count} of {of} examples more than attacks with gradients and many steps"
        more += " (more than {limit} raise this)."
        if not white:
            return (
                _Count("black_box", more, None, why_not=_NO_GRADIENTS),
                _Count("one_step", more, None, why_not=_NO_GRADIENTS),
            )
        many = np.logical_or.reduce(white)
        blind = black or [self._broken(Square(queries=_QUERIES), 0.5)]
        of_one = _Count("one_step", more, None, why_not="the set has one step alone")
        if not isinstance(self.attack, FGSM):
            of_one = _Count(
                "one_step", f"a single step breaks {more}", self._broken(FGSM(), 0.55), many
            )
        blinder = np.logical_or.reduce(blind)
        words = f"attacks without gradients break {more}"
        return _Count("black_box", words, blinder, many), of_one

    def _effort(self, left: NDArray[np.int64]) -> _Count:
        words = "with about twice the effort {count} of {of} examples more are broken"
        words += " (more than {limit} raise this)."
        found = self._broken(self.attack.stronger(), 0.6, left)
        return _Count("effort", words, found)

    def _unbounded(self, left: NDArray[np.int64]) -> _Count:
        words = "with no bound at all {count} of {of} examples still resist"
        words += " (more than {limit} raise this)."
        found = self._broken(self.attack, 0.8, left, self.threat.widest(self.model.spec))
        resist = np.zeros(len(self.x), dtype=bool)
        resist[left] = ~found[left]
        return _Count("unbounded", words, resist)

    def _noise(self, left: NDArray[np.int64]) -> _Count:
        words = f"{_DRAWS} random changes break {{count}} of {{of}} examples more"
        words += " (more than {limit} raise this)."
        found = np.zeros(len(self.x), dtype=bool)
        if left.size:
            streams, x = self.rng.spawn(len(left)), self.x[left]
            self.progress(f"judging {self.attack}: random changes", 0.9)
            for _ in range(_DRAWS):
                near = self.threat.start(x, self.model.spec, streams)
                found[left] |= self.model.predict(near) != self.labels[left]
        return _Count("noise", words, found)


_NO_GRADIENTS = "no attack of the set uses gradients"


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
