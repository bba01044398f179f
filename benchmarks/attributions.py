"""Time of attributions beside bare passes and Captum: ``make bench-attributions``.

The network and the images of `attacks`, on the CPU with one thread, or by ``--device cuda`` on a
GPU. Seconds are of the processor, of a GPU of the clock, and runs take turns, so that a busy
machine is busy for all of them; medians and quartiles are of the ratios within a turn.

captum     the same attribution with the same steps, all examples of a batch at once; its integrated
           gradients also with as many points at once as an example has steps, as it takes them
bare       the forward and backward passes of integrated gradients, and nothing else
card       attribution, all of its quality card and the log, as ``evenhand probe`` makes them
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable

import numpy as np
from attacks import SPEC, clock_of, in_turns, made, told

from evenhand.models.answer import BATCH
from evenhand.models.inputs import inputs_of
from evenhand.models.torch import TorchModel
from evenhand.notation import parse
from evenhand.probes.attribute.registry import attributions_named
from evenhand.probes.run import run
from evenhand.probes.written import probe_of

STEPS, IMAGES, TURNS = 32, 256, 10

OURS = {
    "gradient": "gradient",
    "integrated_gradients": f"integrated_gradients(steps={STEPS})",
    "smooth_grad": f"smooth_grad(samples={STEPS})",
    "occlusion": "occlusion(patch=4, stride=2, baseline=low)",
    "kernel_shap": "kernel_shap(samples=64, baseline=low)",
}


def ours(model: TorchModel, x: np.ndarray) -> dict[str, Callable[[], object]]:
    codes = model.predict(x)

    def work(text: str) -> Callable[[], object]:
        (one,) = attributions_named(parse(text))

        def maps() -> object:
            streams = tuple(np.random.default_rng([0, i]) for i in range(len(x)))
            return [
                one.maps(model, x[some], codes[some], streams[some])
                for some in _parts(len(x), model.batch)
            ]

        return maps

    return {name: work(text) for name, text in OURS.items()}


def _parts(count: int, batch: int) -> list[slice]:
    return [slice(start, start + batch) for start in range(0, count, batch)]


def captums(model: TorchModel, x: np.ndarray) -> dict[str, Callable[[], object]]:
    """Return the same attributions by Captum; Shapley values one example after the other."""
    import torch
    from captum import attr

    from evenhand.probes.attribute.coalition import cells_of

    net, inputs = model.module, torch.tensor(x, device=model.device)
    classes = torch.tensor(model.predict(x), device=model.device)
    for parameter in net.parameters():
        parameter.requires_grad = False
    cells = torch.as_tensor(cells_of(SPEC, 4), device=model.device)[None]

    def each(ask: Callable[[object, object], object], batch: int = 0) -> Callable[[], object]:
        return lambda: [
            ask(inputs[some].requires_grad_(), classes[some])
            for some in _parts(len(x), batch or model.batch)
        ]

    def along(size: int) -> Callable[[object, object], object]:
        return lambda some, of: attr.IntegratedGradients(net).attribute(
            some, None, of, n_steps=STEPS, internal_batch_size=size
        )

    return {
        "gradient": each(lambda some, of: attr.Saliency(net).attribute(some, of, abs=False)),
        "integrated_gradients": each(along(model.batch)),
        "integrated_gradients at once": each(along(model.batch * STEPS)),
        "smooth_grad": each(
            lambda some, of: attr.NoiseTunnel(attr.Saliency(net)).attribute(
                some,
                nt_samples=STEPS,
                nt_samples_batch_size=1,
                stdevs=0.15,
                target=of,
                abs=False,
            )
        ),
        "occlusion": each(
            lambda some, of: attr.Occlusion(net).attribute(some, (1, 4, 4), (1, 2, 2), 0, target=of)
        ),
        "kernel_shap": each(
            lambda some, of: attr.KernelShap(net).attribute(
                some,
                0,
                of,
                feature_mask=cells,
                n_samples=64,
                perturbations_per_eval=64,
            ),
            batch=1,
        ),
    }


def bare(model: TorchModel, x: np.ndarray) -> None:
    """Do the passes that integrated gradients need."""
    import torch

    whole = torch.tensor(x, device=model.device)
    classes = torch.tensor(model.predict(x), device=model.device)
    for step in range(STEPS):
        for some in _parts(len(x), model.batch):
            near = (whole[some] * ((step + 0.5) / STEPS)).requires_grad_()
            scores = model.module(near).gather(1, classes[some][:, None]).sum()
            torch.autograd.grad(scores, near)


def carded(model: TorchModel, x: np.ndarray, written: str) -> None:
    labels = [SPEC.labels[code] for code in model.predict(x)]
    inputs = inputs_of(x, SPEC, labels=labels)
    clock = clock_of(model.device.type)
    before, start = model.queries, clock()
    run(probe_of(written), model, inputs, version="0")
    took, asked = clock() - start, model.queries - before
    print(f"  {written:44} {took:6.1f} s   {asked / len(x):7,.0f} queries an image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--cards", type=int, default=1000, help="images with cards; 0 for none")
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--width", type=int, default=1, help="so many times the channels")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    given = parser.parse_args()
    import torch

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    net, x, _ = made(max(given.images, given.cards), given.width)
    model = TorchModel(net, SPEC, device=given.device, batch=given.batch)
    some = x[: given.images]
    works = {f"ours: {name}": work for name, work in ours(model, some).items()}
    works |= {f"captum: {name}": work for name, work in captums(model, some).items()}
    works["bare"] = lambda: bare(model, some)
    seconds = in_turns(works, given.turns, given.device)
    batches = f"{len(some)} images in batches of {model.batch}"
    print(f"{batches}, {STEPS} steps, {given.turns} turns, width {given.width}")
    print(f"seconds in the median turn, on {given.device}")
    for name, took in seconds.items():
        print(f"  {name:40} {np.median(took):7.3f}")
    print("ratios within a turn: median   [quartiles]")
    for name in OURS:
        told(f"{name} / captum", seconds[f"ours: {name}"] / seconds[f"captum: {name}"])
    steep = seconds["ours: integrated_gradients"]
    told("integrated / captum at once", steep / seconds["captum: integrated_gradients at once"])
    told("integrated / bare passes", steep / seconds["bare"])
    if given.cards:
        print(f"cards of {given.cards:,} images, on {given.device}")
        for written in (
            "attribute.gradient",
            f"attribute.integrated_gradients(steps={STEPS}, randomisations=0)",
            f"attribute.integrated_gradients(steps={STEPS})",
        ):
            carded(model, x[: given.cards], written)


if __name__ == "__main__":
    main()
