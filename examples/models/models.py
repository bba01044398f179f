"""Models to be probed, trained in seconds when they are loaded: the same every time.

evenhand probe attack.auto --model models:mnist ...
"""  # noqa: INP001 - a folder of examples is no package

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from inputs import CENSUS, CREDIT, NUMBERS, TEXT, TRAINED, census, credit
from inputs import adult as read_adult
from inputs import digits as read_digits
from inputs import mnist as read_mnist
from inputs import people as read_people

if TYPE_CHECKING:
    import torch
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline

_BATCH = 64


def digits() -> torch.nn.Module:
    """Return a convolutional network that reads scikit-learn's digits, shape (1, 8, 8)."""
    x, y = read_digits()
    return _network(x[:1000, None], y[:1000], channels=(8, 16), epochs=10)


def mnist() -> torch.nn.Module:
    """Return a convolutional network that reads handwritten numbers, shape (1, 28, 28)."""
    seen = read_mnist()[:TRAINED]
    images = np.stack([np.frombuffer(one, np.uint8) for one in seen["pixels"]])
    x = (images / 255).astype(np.float32).reshape(-1, 1, 28, 28)
    return _network(x, seen["label"].to_numpy(), channels=(8, 16), epochs=4)


def adult() -> HistGradientBoostingClassifier:
    """Return trees that say whether a person earns more than 50,000 dollars, from five numbers."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    seen = read_adult("train")
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    return model.fit(seen.select(NUMBERS).to_numpy(), seen["income_gt_50k"].to_numpy())


def people() -> Pipeline:
    """Return trees that say the same from eleven columns as they are written, sex and race too."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    seen = read_people("train")
    coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = make_column_transformer((coded, [*TEXT]), remainder="passthrough")
    trees = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    table = seen.select(*NUMBERS, *TEXT).to_pandas()
    return make_pipeline(encoder, trees).fit(table, seen["income_gt_50k"].to_numpy())


def acs() -> HistGradientBoostingClassifier:
    """Return trees that say whether a person of the census of 2018 earns more than 50,000."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    seen = census().filter("learnt")
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    return model.fit(seen.select(*CENSUS).to_numpy(), seen["label_income_gt_50k"].to_numpy())


def hmda() -> LogisticRegression:
    """Return a logistic regression that says whether an application for a mortgage is approved.

    It is not shown who applied.
    """
    from sklearn.linear_model import LogisticRegression

    seen = credit().filter("learnt")
    model = LogisticRegression(C=100.0, max_iter=2_000)
    return model.fit(seen.select(*CREDIT).to_numpy(), seen["approved"].to_numpy())


def _network(
    x: np.ndarray, y: np.ndarray, *, channels: tuple[int, int], epochs: int
) -> torch.nn.Module:
    """Return two convolutions, a pool and a layer, trained on images from 0 to 1."""
    import torch

    with torch.random.fork_rng():
        torch.manual_seed(0)
        size = x.shape[-1] // 2
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, channels[0], 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(channels[0], channels[1], 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(channels[1] * size * size, 10),
        )
        examples, labels = torch.as_tensor(x), torch.as_tensor(y.astype(np.int64))
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        for _ in range(epochs):
            for some in torch.randperm(len(x)).split(_BATCH):
                optimiser.zero_grad()
                torch.nn.functional.cross_entropy(net(examples[some]), labels[some]).backward()
                optimiser.step()
    return net.eval()
