"""Examples that speak against a set of attacks, each kind found by the least that shows it.

What the set breaks is found by its attacks in turn, as they run: those with gradients first, the
others on what is left. Every comparison asks only about examples that are left then, since an
example that the set breaks can never be one that it missed. Comparisons are cut short: fewer looks,
steps and targets, and more effort for those alone that came nearest to being broken.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from evenhand.models.logits import with_logits
from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.attack.attack import Attack
from evenhand.probes.attack.fgsm import FGSM
from evenhand.probes.attack.noise import Noise
from evenhand.probes.attack.square import Square
from evenhand.probes.loss import CROSS_ENTROPY, MARGIN, Aim
from evenhand.probes.method import Progress
from evenhand.probes.threat import Threat

Marks: TypeAlias = NDArray[np.bool_]

_POINTS, _EXAMPLES = 0.002, 3
"""What may be found beyond the set before a flag is raised: 0.2 points, and 3 examples."""

_ZERO = 0.05
"""Share of examples whose gradient may be exactly 0."""

_DRAWS = 50
"""Random changes of each example."""

_NEAREST = 50
"""Examples that more effort is spent on."""

_BLIND: dict[str, Any] = {"queries": 1000}
"""At most this of attacks without gradients, beside others that use them."""

_MORE: dict[str, Any] = {"targets": 3}
"""At most this of what effort is doubled for: classes beyond the third are seldom the nearest."""

_UNBOUND: dict[str, Any] = {"steps": 20, "restarts": 1, "targets": 3, "queries": 200, "stop": True}
"""At most this where nothing bounds the change: then the first steps break a sound model."""


@dataclass(frozen=True)
class Count:
    """A flag that counts examples, before it is known among whom.

    Attributes:
        name: Of the flag.
        words: What it tells, with ``{count}``, ``{of}`` and ``{limit}``.
        found: Examples that speak for it, shape (n,); none where it cannot be judged.
        among: Examples that are counted at all, shape (n,); none for all.
        share: Share of them that is still borne.
        why_not: Why it cannot be judged.

    """

    name: str
    words: str
    found: Marks | None
    among: Marks | None = None
    share: float = _POINTS
    why_not: str = ""

    def within(self, members: Marks) -> tuple[int, int, float]:
        """Return how many members speak for it, of how many, and the number that is borne."""
        if self.found is None:
            raise ValueError(f"{self.name} was not judged: {self.why_not}")
        of = int(members.sum() if self.among is None else (self.among & members).sum())
        return int((self.found & members).sum()), of, max(self.share * of, _EXAMPLES)


class Runs(NamedTuple):
    """What is run for the flags of a set of attacks, so that its cost can be told beforehand.

    Attributes:
        white: The members that use gradients, as they are.
        black: Those that use none; cut short where there are white ones, and one in their place
            where there are none.
        own: Whether the black ones are of the set.
        one: A single step; none where the set is one, or uses no gradients.
        doubled: The member of the set that more effort is spent on.
        more: The same with more effort.
        unbound: The members, cut short.

    """

    white: tuple[Attack, ...]
    black: tuple[Attack, ...]
    own: bool
    one: Attack | None
    doubled: Attack
    more: Attack
    unbound: tuple[Attack, ...]

    @classmethod
    def of(cls, attack: Attack, model: Model) -> Runs:
        """Return what is run where an attack on a model is judged."""
        members = attack.members(model)
        white = tuple(one for one in members if one.needs == "vjp")
        own = tuple(one for one in members if one.needs != "vjp")
        black = own
        if white:
            black = tuple(cut(one, _BLIND) for one in own) or (Square(**_BLIND),)
        # The dearest one with gradients is also the strongest of those that there are; of others
        # the first that looks where it has found something.
        searching = tuple(one for one in members if not isinstance(one, Noise)) or members
        doubled = max(white or searching[:1], key=lambda one: one.most(model))
        return cls(
            white,
            black,
            bool(own),
            FGSM() if white and not isinstance(attack, FGSM) else None,
            doubled,
            cut(doubled, _MORE).stronger(),
            tuple(cut(one, _UNBOUND) for one in members),
        )

    def most(self, model: Model) -> int:
        """Return the most queries that an example can cost: runs, changes and gradients."""
        one = () if self.one is None else (self.one,)
        runs = (*self.white, *self.black, *one, self.more, *self.unbound)
        found: int = sum(run.most(model) for run in runs)
        return found + _DRAWS + _GRADIENT + _PLACED


_GRADIENT = 3
"""Queries for one gradient, and whether the model is right."""

_PLACED = 1
"""Queries for how near an example came to being broken."""


def cut(attack: Attack, most: dict[str, Any]) -> Attack:
    """Return an attack with numbers of at most so much, and yes or no as it is said.

    >>> str(cut(Square(), {"queries": 1000, "steps": 3}))
    'attack.square(queries=1000)'
    """
    known = {field.name: getattr(attack, field.name) for field in dataclasses.fields(attack)}
    given = {
        name: value if isinstance(value, bool) else min(known[name], value)
        for name, value in most.items()
        if name in known
    }
    return dataclasses.replace(attack, **given)


@dataclass
class Evidence:
    """A sample, and what an attack makes of it.

    Attributes:
        attack: The set of attacks.
        model: The model, whose scores may be probabilities.
        x: The sample as the model sees it, shape (n, *spec.shape).
        labels: Places of true classes, shape (n,).
        threat: How far examples may be changed.
        rng: Where every random number comes from.
        progress: Told what is being done.

    """

    attack: Attack
    model: Model
    x: Floats
    labels: Codes
    threat: Threat
    rng: np.random.Generator
    progress: Progress

    def counted(self) -> tuple[Count, ...]:
        """Return the flags that count examples."""
        runs = Runs.of(self.attack, self.model)
        self._reached = self.x.copy()
        everything = np.arange(len(self.x))
        seen = self._break(runs.white, everything, 0.0, doubled=runs.doubled)
        after = everything[~seen]
        blind = self._break(runs.black, after, 0.4, doubled=runs.doubled)
        left = np.flatnonzero(~(seen | blind)) if runs.own else after
        return (
            self._zero(runs),
            self._blind(runs, blind),
            self._one_step(runs, after),
            self._effort(runs, left),
            self._unbounded(runs, left),
            self._noise(left),
        )

    def _break(
        self,
        attacks: Iterable[Attack],
        some: NDArray[np.int64],
        share: float,
        *,
        threat: Threat | None = None,
        doubled: Attack | None = None,
    ) -> Marks:
        """Return which of some examples attacks break, one after the other, shape (n,)."""
        marks, left = np.zeros(len(self.x), dtype=bool), some
        for attack in attacks:
            if not left.size:
                break
            self.progress(f"judging {self.attack}: {attack}", share)
            x, labels = self.x[left], self.labels[left]
            got = attack.run(self.model, x, labels, threat or self.threat, self.rng)
            if attack == doubled:
                self._reached[left] = got.examples
            marks[left[got.broken]] = True
            left = left[~got.broken]
        return marks

    def _zero(self, runs: Runs) -> Count:
        words = "the gradient of the cross-entropy is exactly 0 for {count} of {of} examples"
        words += _LIMIT
        if not runs.white:
            return Count("zero_gradients", words, None, why_not=_NO_GRADIENTS)
        model = with_logits(self.model)
        aim = Aim.away(model, self.labels)
        _, slope = model.vjp(
            model.array(self.x), lambda scores, some: CROSS_ENTROPY.slope(scores, aim[some])
        )
        flat = np.abs(model.numpy(slope)).reshape(len(self.x), -1).max(axis=1)
        right = self.model.predict(self.x) == self.labels
        return Count("zero_gradients", words, (flat == 0) & right, among=right, share=_ZERO)

    @staticmethod
    def _blind(runs: Runs, blind: Marks) -> Count:
        if not runs.white:
            return Count("black_box", "", None, why_not=_NO_GRADIENTS)
        words = f"without gradients ({_named(runs.black)}) {_BEYOND}"
        return Count("black_box", words, blind)

    def _one_step(self, runs: Runs, after: NDArray[np.int64]) -> Count:
        if runs.one is None:
            why_not = "the set has one step alone" if runs.white else _NO_GRADIENTS
            return Count("one_step", "", None, why_not=why_not)
        words = f"by a single step {_BEYOND}"
        return Count("one_step", words, self._break((runs.one,), after, 0.55))

    def _effort(self, runs: Runs, left: NDArray[np.int64]) -> Count:
        words = f"with about twice the effort ({runs.more}) {{count}} of {{of}} examples more are"
        words += f" broken{_LIMIT}"
        return Count("effort", words, self._break((runs.more,), self._nearest(left), 0.6))

    def _nearest(self, left: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return those that came nearest to being broken: what more effort would break."""
        if len(left) <= _NEAREST:
            return left
        if "scores" not in self.model.offers:
            return np.sort(self.rng.choice(left, _NEAREST, replace=False))
        model = with_logits(self.model)
        scores = model.scores(model.array(self._reached[left]))
        margin = model.numpy(MARGIN.value(scores, Aim.away(model, self.labels[left])))
        return np.sort(left[np.argsort(-margin, kind="stable")[:_NEAREST]])

    def _unbounded(self, runs: Runs, left: NDArray[np.int64]) -> Count:
        words = f"with no bound at all {{count}} of {{of}} examples still resist{_LIMIT}"
        widest = self.threat.widest(self.model.spec)
        resist = np.zeros(len(self.x), dtype=bool)
        resist[left] = True
        resist &= ~self._break(runs.unbound, left, 0.8, threat=widest)
        return Count("unbounded", words, resist)

    def _noise(self, left: NDArray[np.int64]) -> Count:
        words = f"{_DRAWS} random changes break {{count}} of {{of}} examples more{_LIMIT}"
        found = np.zeros(len(self.x), dtype=bool)
        if left.size:
            streams, x = self.rng.spawn(len(left)), self.x[left]
            self.progress(f"judging {self.attack}: random changes", 0.9)
            for _ in range(_DRAWS):
                near = self.threat.start(x, self.model.spec, streams)
                found[left] |= self.model.predict(near) != self.labels[left]
        return Count("noise", words, found)


_LIMIT = " (more than {limit} raise this)."

_BEYOND = "{count} of {of} examples are broken that gradients and many steps miss" + _LIMIT

_NO_GRADIENTS = "no attack of the set uses gradients"


def _named(attacks: Sequence[Attack]) -> str:
    return ", ".join(map(str, attacks))
