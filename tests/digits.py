"""Small networks on scikit-learn's digits, trained in seconds, and one of them without torch."""

from __future__ import annotations

import functools

import numpy as np

from evenhand.models.function import FunctionModel
from evenhand.models.spec import Spec

SPEC = Spec(labels=tuple(range(10)), shape=(1, 8, 8), layout="CHW")
TEST = 300


@functools.cache
def images():
    """All digits from 0 to 1 in a random order, and what they show; the last 300 are for tests."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    return (x[order] / 16).astype(np.float32).reshape(-1, 1, 8, 8), y[order].astype(np.int64)


def held_out(count=TEST):
    x, y = images()
    return x[-TEST:][:count], y[-TEST:][:count]


@functools.cache
def network(seed=0, eps=0.0, epochs=8):
    """Two convolutions and a layer; trained on seven steps of PGD where eps is above 0."""
    import torch

    x, y = (torch.as_tensor(part[:-TEST]) for part in images())
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 16, 3, padding=1),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Flatten(),
            torch.nn.Linear(256, 10),
        )
        loss = torch.nn.functional.cross_entropy
        optimiser = torch.optim.Adam(net.parameters(), 3e-3)
        for _ in range(epochs):
            for some in torch.randperm(len(x)).split(64):
                near = x[some]
                if eps:
                    near = _attacked(net, near, y[some], eps)
                optimiser.zero_grad()
                loss(net(near), y[some]).backward()
                optimiser.step()
    return net.eval()


def _attacked(net, x, y, eps):
    """Seven steps of PGD in plain torch, which is not what is tested."""
    import torch

    near = (x + torch.empty_like(x).uniform_(-eps, eps)).clip(0, 1)
    for _ in range(7):
        near.requires_grad_()
        loss = torch.nn.functional.cross_entropy(net(near), y, reduction="sum")
        (slope,) = torch.autograd.grad(loss, near)
        near = (near.detach() + eps / 3 * slope.sign()).clip(0, 1)
        near = torch.minimum(torch.maximum(near, x - eps), x + eps)
    return near


def without_torch(net):
    """The same network as a function of NumPy arrays."""
    parts = [value.detach().numpy() for value in net.state_dict().values()]

    def forward(x):
        hidden = x
        for weight, bias in (parts[:2], parts[2:4]):
            wide = np.pad(hidden, ((0, 0), (0, 0), (1, 1), (1, 1)))
            seen = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(2, 3))
            flat = np.einsum("nchwij,ocij->nohw", seen, weight, optimize=True)
            hidden = np.maximum(flat + bias[:, None, None], 0)
        pooled = hidden.reshape(len(x), 16, 4, 2, 4, 2).max(axis=(3, 5))
        return pooled.reshape(len(x), -1) @ parts[4].T + parts[5]

    return FunctionModel(forward, SPEC, "network of NumPy")
