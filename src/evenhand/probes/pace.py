"""How long a probe will take, told from a few of its examples before it begins.

Queries alone do not tell it: corrupting an image may take longer than asking about it, and an
attack asks about fewer examples than it may. So the probe is tried on a few examples of two sizes,
which tells what a block costs however small it is, and what each further example costs. Where a try
takes too long, as of attacks of thousands of steps, the model is what takes the time: then its own
pace tells it, of a batch as large as the probe asks. Nothing of this is kept, and no row hangs on
it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evenhand.errors import EvenhandError
from evenhand.models.inputs import Inputs
from evenhand.models.model import Codes, Floats, Model
from evenhand.probes.looked import looked
from evenhand.probes.probe import Probe
from evenhand.probes.work import labels_of

Clock = Callable[[], float]
"""Tells seconds since some moment, as `time.monotonic` does."""

_SHARE = 0.03
"""Of all queries that a probe may ask: so many more does measuring ask."""

_TRIES = (1, 2, 6, 18, 54, 162)
"""Examples of the tries; of one alone to load libraries, since it is answered faster than others.

The last two tell the time: they are the most alike to a block.
"""

_FEWEST = sum(_TRIES[:3])
"""Examples that two tries need."""

_BATCHES = (1, 1, 4, 16, 64, 256)
"""Examples that the model is asked about by itself, until a batch takes `_LONG`."""

_LONG = 0.5
"""Seconds of a batch after which no larger one is asked about."""

_LEAST, _LONGEST, _PART = 1.5, 3.0, 0.015
"""Seconds of a try: a share of the whole, from the least to the longest."""

_SPENT = 0.5
"""Of what checks and flags may ask, about what they do."""

_FLOOR = 0.5
"""Of the model's own pace: what an example takes at least, whatever noise makes of the tries."""


@dataclass(frozen=True)
class Pace:
    """How long a probe takes, by estimate.

    Attributes:
        seconds: Of the whole probe, with its checks and its flags.
        examples: On how many it was measured.
        queries: What the model was asked for that, beside what the probe asks.

    """

    seconds: float
    examples: int
    queries: int


class _Batch(NamedTuple):
    """The largest batch that a model was asked about, and seconds for each of its queries."""

    examples: int
    each: float


class _LongError(Exception):
    """A try takes too long."""


def paced(
    probe: Probe, model: Model, inputs: Inputs, most: int, *, clock: Clock = time.monotonic
) -> Pace | None:
    """Return how long a probe will take, measured on a few examples.

    The model is asked for it: at most three in a hundred of what the probe may ask, beside what a
    block asks whatever its size, such as a background, and within seconds where it answers within
    one.

    Args:
        probe: What is done, as it is among all inputs.
        model: The model; not an endpoint, whose questions may cost something.
        inputs: Examples with labels.
        most: The most that the probe may ask.
        clock: Tells seconds.

    Returns:
        None where nothing was measured: a model that answers at random would go on otherwise than
        without it, there are too few examples, or it fails, which the probe itself will say.

    """
    if model.spec.stochastic or not len(inputs):
        return None
    before = model.queries
    each = 1 + len(probe.method.passes) * probe.method.most(model)
    allowed = int(_SHARE * most)
    sizes = _sizes(allowed, each)
    try:
        batch = _batch(model, inputs.x, allowed - sum(sizes) * each, clock)
        if batch is None:
            return None
        seconds, examples = most * batch.each, batch.examples
        limit = min(max(_LEAST, _PART * seconds), _LONGEST)
        if sizes and each * batch.each < limit:
            tries = _tries(probe, model, inputs, sizes, limit=limit, clock=clock)
            if tries is not None:
                # A batch as large as a block takes no less time than a smaller one.
                least = _FLOOR * batch.each * batch.examples / _BATCHES[-1]
                rest = _SPENT * (most - len(inputs) * each) * batch.each
                seconds = rest + _whole(*tries, len(inputs), probe.method.block, least)
                examples = tries[-1].examples
    except EvenhandError:
        return None
    return Pace(seconds, examples, model.queries - before)


def _batch(model: Model, x: Floats, allowed: int, clock: Clock) -> _Batch | None:
    """Return the pace of a model by itself; None where nothing may be asked."""
    found, spent = None, 0
    for size in _BATCHES:
        some = x[:size]
        more = len(some) * (3 if "vjp" in model.offers else 1)
        if len(some) < size or spent + more > allowed:
            break
        began = clock()
        _ask(model, some)
        took = clock() - began
        spent += more
        found = _Batch(size, took / more)
        if took > _LONG:
            break
    return found


def _ask(model: Model, x: Floats) -> None:
    """Ask about a batch in each way that probes do, and wait for the answers."""
    if "scores" not in model.offers:
        model.predict(x)
        return
    array = model.array(x)
    model.numpy(model.scores(array))
    if "vjp" in model.offers:
        model.numpy(model.vjp(array, lambda scores, _: scores * 0 + 1)[1])


def _sizes(allowed: int, each: int) -> tuple[int, ...]:
    """Return the examples of the tries that may be made; none where they would not be two.

    Args:
        allowed: Queries that may be asked, of which some are left to ask about batches.
        each: Queries of an example at most.

    >>> _sizes(3000, 100), _sizes(900, 100), _sizes(800, 100)
    ((1, 2, 6), (1, 2, 6), ())
    """
    left = min(3 * sum(_BATCHES), allowed // 3)
    examples = max((allowed - left) // each, min(allowed // each, _FEWEST))
    sizes = tuple(n for at, n in enumerate(_TRIES) if sum(_TRIES[: at + 1]) <= examples)
    return sizes if sum(sizes) >= _FEWEST else ()


class _Try(NamedTuple):
    """How long a try took, on how many examples, and what was asked."""

    examples: int
    seconds: float
    queries: int


def _tries(
    probe: Probe,
    model: Model,
    inputs: Inputs,
    sizes: tuple[int, ...],
    *,
    limit: float,
    clock: Clock,
) -> tuple[_Try, _Try] | None:
    """Return the last two tries that are not too long, the larger last; None where one is."""
    found: list[_Try] = []
    for size in sizes:
        places = np.linspace(0, len(inputs) - 1, size).astype(int)
        before = model.queries
        try:
            took = _once(probe, model, inputs.take(places), limit, clock)
        except _LongError:
            break
        found.append(_Try(size, took, model.queries - before))
        if len(found) > _TWO and took * _NEXT > limit:
            break
    return (found[-2], found[-1]) if len(found) > _TWO else None


_TWO, _NEXT = 2, 3
"""Tries, and how many times as long the next one may take."""


def _whole(small: _Try, large: _Try, examples: int, block: int, least: float) -> float:
    """Return the seconds of all rows: of a straight line through two tries, block after block.

    Args:
        small: A try.
        large: One on more examples.
        examples: All of them.
        block: How many are in a block.
        least: Seconds of a query at least.

    >>> small, large = _Try(2, 1.2, 0), _Try(6, 1.6, 0)
    >>> round(_whole(small, large, 300, 256, 0.0), 9)  # twice a second, and each a tenth
    32.0
    """
    more = (large.seconds - small.seconds) / (large.examples - small.examples)
    each = max(more, least * large.queries / large.examples)
    each = min(each, large.seconds / large.examples)
    blocks = -(-examples // block)
    return blocks * (large.seconds - each * large.examples) + examples * each


def _once(probe: Probe, model: Model, examples: Inputs, limit: float, clock: Clock) -> float:
    """Return the seconds of the rows of some examples.

    Raises:
        _LongError: They are more than the limit.

    """
    began = clock()

    def tell(_what: str, _share: float) -> None:
        if clock() - began > limit:
            raise _LongError

    prediction, known = _look(probe, model, examples)
    for one in probe.method.passes:
        probe.method.rows(
            model,
            known,
            one,
            labels=labels_of(examples),
            prediction=prediction,
            seed=probe.seed,
            progress=tell,
        )
        tell(one.name, 1.0)
    return clock() - began


def _look(probe: Probe, model: Model, examples: Inputs) -> tuple[Codes, Inputs]:
    """Return what the model says of examples as they are, and them with it, as `Work` does."""
    if not (probe.method.of_tables and "scores" in model.offers):
        return model.predict(examples.x), examples
    scores = np.asarray(model.numpy(model.scores(model.array(examples.x))))
    return scores.argmax(axis=1), looked(examples, scores)
