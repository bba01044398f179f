"""Explanations of tables beside the bare calls of the model: ``make bench-attributions``.

100,000 examples of 20 numbers. What is timed is the whole probe, as ``evenhand probe`` makes it: a
row for each example and feature. Beside it stand the same number of bare calls of the estimator's
`predict_proba`, on blocks of the same size whose column was moved, and nothing else: no probe can
do with less. Trees are slow to ask, a logistic regression is not, so that beside the second nothing
is cheap. Seconds are of the processor, runs take turns, and medians and quartiles are of the ratios
within a turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from attacks import in_turns, told

from evenhand.models.inputs import Inputs, inputs_of
from evenhand.models.load import model_of
from evenhand.models.told import Told
from evenhand.probes.run import run
from evenhand.probes.written import probe_of

COLUMNS, BLOCK = 20, 8192
LABELS = ("no", "yes")
TOLD = Told(labels=LABELS, low=-20.0, high=20.0)


def table(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return examples and their classes, which hang on half of the columns."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(size, COLUMNS)).astype(np.float32)
    weights = np.where(np.arange(COLUMNS) % 2, rng.normal(size=COLUMNS), 0.0)
    chance = 1 / (1 + np.exp(-(x @ weights + x[:, 0] * x[:, 1])))
    return x, np.where(rng.random(size) < chance, *LABELS[::-1])


def asked(estimator, inputs: Inputs, written: str) -> Callable[[], object]:  # noqa: ANN001
    def work() -> object:
        model = model_of(estimator, TOLD, sample=inputs.x[:100])
        return run(probe_of(written), model, inputs, version="0", believe=True)

    return work


def bare(estimator, x: np.ndarray, calls: int) -> Callable[[], object]:  # noqa: ANN001
    def work() -> None:
        order = np.random.default_rng(1).permutation(len(x))
        for start in range(0, len(x), BLOCK):
            some, other = x[start : start + BLOCK].copy(), x[order[start : start + BLOCK]]
            for call in range(calls):
                column = call % COLUMNS
                kept = some[:, column].copy()
                some[:, column] = other[:, column]
                estimator.predict_proba(some)
                some[:, column] = kept

    return work


def recourse(estimator, x: np.ndarray, labels: np.ndarray) -> None:  # noqa: ANN001
    model = model_of(estimator, TOLD, sample=x[:100])
    inputs = inputs_of(x, model.spec, labels=labels)
    before, start = model.queries, time.process_time()
    rows = run(probe_of("explain.counterfactual"), model, inputs, version="0", believe=True).rows
    took, queries = time.process_time() - start, model.queries - before
    refused = int(rows["recourse"].is_not_null().sum())
    each = 1e3 * took / max(refused, 1)
    print(
        f"  recourse of {refused:,}: {took:.1f} s, {each:.2f} ms "
        f"and {queries / max(refused, 1):,.0f} queries each"
    )


def main() -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.inspection import permutation_importance
    from sklearn.linear_model import LogisticRegression

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=100_000)
    parser.add_argument("--turns", type=int, default=5)
    given = parser.parse_args()
    x, labels = table(given.examples)
    fitted = {
        "trees": HistGradientBoostingClassifier(max_iter=60).fit(x[:20_000], labels[:20_000]),
        "logistic regression": LogisticRegression().fit(x[:20_000], labels[:20_000]),
    }
    for name, estimator in fitted.items():
        spec = model_of(estimator, TOLD, sample=x[:100]).spec
        inputs = inputs_of(x, spec, labels=labels)
        works = {
            "permutation": asked(estimator, inputs, "explain.permutation(repeats=1)"),
            "scikit-learn": lambda estimator=estimator: permutation_importance(
                estimator, x, labels, n_repeats=1, random_state=0
            ),
            "bare, 20 calls": bare(estimator, x, COLUMNS),
            "ale": asked(estimator, inputs, "explain.ale"),
            "bare, 40 calls": bare(estimator, x, 2 * COLUMNS),
        }
        seconds = in_turns(works, given.turns)
        print(
            f"{name}, {given.examples:,} x {COLUMNS}, {given.turns} turns; "
            "processor seconds in the median turn"
        )
        for work, took in seconds.items():
            print(f"  {work:20} {np.median(took):7.3f}")
        told("permutation / bare calls", seconds["permutation"] / seconds["bare, 20 calls"])
        told("permutation / scikit-learn", seconds["permutation"] / seconds["scikit-learn"])
        told("ale / bare calls", seconds["ale"] / seconds["bare, 40 calls"])
        recourse(estimator, x[:10_000], labels[:10_000])


if __name__ == "__main__":
    main()
