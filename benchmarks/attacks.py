"""Time of attacks beside bare passes, Foolbox and ART: ``make bench-attacks``.

A convolutional network (8 and 16 channels, 3 x 3, one layer), trained for a moment on 28 x 28
images made of noise and shapes, on the CPU with one thread, or by ``--device cuda`` on a GPU.
Seconds are of the processor, of a GPU of the clock, and runs take turns, so that a busy machine is
busy for all of them; medians and quartiles are of the ratios within a turn.

bare       the forward and backward passes that the steps of PGD need, and nothing else
pgd, apgd  the same number of steps here, every example alive to the end (eps is too small to win)
foolbox    its LinfPGD, the same steps and step size, where it is installed: in batches as here, and
           all images at once, as it takes them by itself
art        its ProjectedGradientDescentPyTorch, the same steps, step size and batches
auto       all attacks in turn at an eps that breaks about half, beside the sum of its parts, each
           alone on all images and in full
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np

from evenhand.models.answer import BATCH
from evenhand.models.spec import Spec
from evenhand.models.torch import TorchModel
from evenhand.probes.attack.registry import read
from evenhand.probes.threat import Threat

SPEC = Spec(labels=tuple(range(10)), shape=(1, 28, 28), layout="CHW")
STEPS, IMAGES, TURNS = 20, 1000, 20


def made(images: int, width: int = 1):  # noqa: ANN201 - a module of torch
    """Return a network, `width` times as wide, and images that it gets right."""
    import torch

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    shapes = rng.random((10, 1, 28, 28)) > 0.7  # noqa: PLR2004
    labels = rng.integers(0, 10, images)
    x = np.clip(0.6 * shapes[labels] + 0.4 * rng.random((images, 1, 28, 28)), 0, 1)
    x = x.astype(np.float32)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8 * width, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8 * width, 16 * width, 3, padding=1),
        torch.nn.ReLU(),
        torch.nn.MaxPool2d(2),
        torch.nn.Flatten(),
        torch.nn.Linear(784 * width, 10),
    )
    optimiser = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(3):
        for some in torch.arange(images).split(64):
            optimiser.zero_grad()
            scores = net(torch.tensor(x[some]))
            torch.nn.functional.cross_entropy(scores, torch.tensor(labels[some])).backward()
            optimiser.step()
    return net.eval(), x, labels


def clock_of(device: str) -> Callable[[], float]:
    """Return what seconds are read from."""
    if device == "cpu":
        # Of the processor: on a machine that others use too, the clock measures them.
        return time.process_time
    import torch

    def clock() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return clock


def in_turns(
    works: dict[str, Callable[[], object]], turns: int, device: str = "cpu"
) -> dict[str, np.ndarray]:
    """Return the seconds of each work in each turn; the order changes from turn to turn."""
    clock = clock_of(device)
    rng = np.random.default_rng(0)
    seconds = {name: np.zeros(turns) for name in works}
    for work in works.values():
        work()
    for turn in range(turns):
        for name in rng.permutation([*works]):
            start = clock()
            works[name]()
            seconds[name][turn] = clock() - start
    return seconds


def told(name: str, ratios: np.ndarray) -> None:
    low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
    print(f"{name:34} {middle:6.3f}   [{low:.3f}, {high:.3f}]")


def passes(net, x, labels, *, batch: int, device: str) -> None:  # noqa: ANN001 - a module and arrays
    """Do the passes that PGD needs: a gradient for each step, and the looks before and after."""
    import torch

    for parameter in net.parameters():
        parameter.requires_grad_(False)  # noqa: FBT003 - torch's name for it
    whole, classes = torch.tensor(x, device=device), torch.tensor(labels, device=device)
    for step in range(STEPS + 3):
        for some in torch.arange(len(x)).split(batch):
            near = whole[some]
            if step >= STEPS:
                with torch.no_grad():
                    net(near)
                continue
            near.requires_grad_()
            loss = torch.nn.functional.cross_entropy(net(near), classes[some], reduction="sum")
            torch.autograd.grad(loss, near)


def peers(
    net,  # noqa: ANN001 - a module
    x: np.ndarray,
    labels: np.ndarray,
    eps: float,
    *,
    batch: int,
    device: str,
) -> dict[str, Callable[[], object]]:
    """Return the same attack by other libraries, of those that are installed."""
    import torch

    size, works = 2.5 * eps / STEPS, {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import foolbox
        except ImportError:
            print("foolbox is not installed")
        else:
            theirs = foolbox.attacks.LinfPGD(steps=STEPS, abs_stepsize=size)
            wrapped = foolbox.PyTorchModel(net, bounds=(0, 1), device=device)
            images, classes = (torch.tensor(one, device=device) for one in (x, labels))
            works["foolbox"] = lambda: [
                theirs(wrapped, images[some], classes[some], epsilons=eps)
                for some in torch.arange(len(x)).split(batch)
            ]
            works["foolbox at once"] = lambda: theirs(wrapped, images, classes, epsilons=eps)
        try:
            from art.attacks.evasion import ProjectedGradientDescentPyTorch
            from art.estimators.classification import PyTorchClassifier
        except ImportError:
            print("adversarial-robustness-toolbox is not installed")
        else:
            estimator = PyTorchClassifier(
                net,
                torch.nn.CrossEntropyLoss(),
                SPEC.shape,
                len(SPEC.labels),
                clip_values=(0, 1),
                device_type="cpu" if device == "cpu" else "gpu",
            )
            climb = ProjectedGradientDescentPyTorch(
                estimator,
                eps=eps,
                eps_step=size,
                max_iter=STEPS,
                num_random_init=1,
                batch_size=batch,
                verbose=False,
            )
            works["art"] = lambda: climb.generate(x, labels)
    return works


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--auto-images", type=int, default=100)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--width", type=int, default=1, help="so many times the channels")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    net, x, labels = made(given.images, given.width)
    model = TorchModel(net, SPEC, device=given.device, batch=given.batch)
    on = {"batch": model.batch, "device": given.device}
    labels = model.predict(x)  # Every example is right, so that every one is attacked.
    small = Threat("linf", 1e-4)

    def attack(text: str, threat: Threat) -> Callable[[], object]:
        one = read(text)
        return lambda: one.run(model, x, labels, threat, np.random.default_rng(0))

    works = {
        "bare": lambda: passes(net, x, labels, **on),
        "pgd": attack(f"pgd(steps={STEPS})", small),
        "apgd": attack(f"apgd(steps={STEPS})", small),
        **peers(net, x, labels, small.eps, **on),
    }
    seconds = in_turns(works, given.turns, given.device)
    batches = f"{given.images} images in batches of {model.batch}"
    print(f"{batches}, {STEPS} steps, {given.turns} turns, width {given.width}")
    print(f"seconds in the median turn, on {given.device}")
    for name, took in seconds.items():
        print(f"  {name:32} {np.median(took):6.2f}")
    print("ratios within a turn: median   [quartiles]")
    told("pgd / bare passes", seconds["pgd"] / seconds["bare"])
    told("apgd / bare passes", seconds["apgd"] / seconds["bare"])
    for name in ("foolbox", "foolbox at once", "art"):
        if name in seconds:
            told(f"pgd / {name}", seconds["pgd"] / seconds[name])

    whole = read("auto(steps=20, queries=200)")
    parts = [str(member) for member in whole.members(model)]
    x, labels = x[: given.auto_images], labels[: given.auto_images]
    least = read("fmn").run(model, x, labels, Threat("linf", 0.9), np.random.default_rng(0))
    wide = Threat("linf", float(np.nanmedian(least.distance)))
    found = whole.run(model, x, labels, wide, np.random.default_rng(0))
    works = {name: attack(name, wide) for name in (str(whole), *parts)}
    turns = max(3, given.turns // 5)
    seconds = in_turns(works, turns, given.device)
    alone = sum(seconds[name] for name in parts)
    print(f"{whole} on {len(x)} images, {found.broken.mean():.0%} of them broken, {turns} turns")
    for name in (str(whole), *parts):
        print(f"  {name:50} {np.median(seconds[name]):6.2f}")
    told("auto / sum of its parts", seconds[str(whole)] / alone)


if __name__ == "__main__":
    main()
