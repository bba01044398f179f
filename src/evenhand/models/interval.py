"""Interval bounds: what scores can be where an input lies anywhere in a box.

Every layer takes a box to one that holds all its answers; where it is linear the box is exact for
each number by itself. Bounds are of the model as it computes, not of the formula that it stands
for: they are made in double precision, and at every layer they are widened by more than its own
rounding. A sum of k products, in whatever order, is off by at most k u / (1 - k u) sum |w_i x_i|
with the unit u of rounding (Higham 2002, section 3.1). Four times that of k + 2 terms is taken: it
covers what is rounded here too, and leaves room for kernels of convolutions that transform their
inputs, of which no such bound holds. Underflow, of scores as small as 1e-38, is not counted.

Source: Gowal et al. 2018, interval bound propagation; the last layer is merged into the margins.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from array_api_compat import array_namespace

from evenhand.errors import Problem, listed
from evenhand.models.model import Array

if TYPE_CHECKING:
    import torch


class Box(NamedTuple):
    """Least and greatest values, of one shape, float64."""

    low: Array
    high: Array

    @property
    def centre(self) -> Array:
        """The middle."""
        return (self.low + self.high) / 2

    @property
    def half(self) -> Array:
        """Half the sides, at least 0."""
        return (self.high - self.low) / 2

    @property
    def size(self) -> Array:
        """The largest absolute values."""
        xp = array_namespace(self.low)
        return xp.maximum(xp.abs(self.low), xp.abs(self.high))


@dataclass(frozen=True)
class Rounding:
    """How a model rounds.

    Attributes:
        unit: Half the distance from 1 to the next number: 2^-24 for float32.
        factors: What a product may be off by, as a share of it, where its factors are rounded to
            fewer digits first: TF32 of GPUs, bfloat16 where that was allowed.

    """

    unit: float
    factors: float = 0.0

    def of(self, terms: int) -> float:
        """Return what a sum of products may be off by, as a share of the sum of their sizes."""
        return 4 * (terms + 2) * self.unit + self.factors


@dataclass(frozen=True)
class Layer:
    """How a layer takes a box to the next.

    Attributes:
        through: Takes the layer, a box and how the model rounds.
        refuses: Gives what cannot be bounded about a layer of this kind, or nothing.

    """

    through: Callable[[Any, Box, Rounding], Box]
    refuses: Callable[[Any], str] = lambda _: ""


def problems(module: torch.nn.Module, who: str) -> list[Problem]:
    """Return a problem for each layer of a module in evaluation mode that cannot be bounded.

    Code in ``forward()`` is not read, so that a module is a sequence of layers that are known.
    """
    found = []
    kinds = sorted({str(one.dtype) for one in module.parameters()})
    if len(kinds) > 1 or not {*kinds} <= {*_UNITS}:
        what = f"its parameters are {listed(kinds)}; bounds are known of float32, or of float64."
        found.append(Problem(who, what))
    for name, part in _flat(module):
        why = _refused(part)
        if why:
            at = f"layer {name} ({type(part).__name__})" if name else type(part).__name__
            found.append(Problem(f"{who}, {at}", why, _HINT))
    return found


_HINT = (
    "Interval bounds know nn.Sequential of Linear, Conv2d, BatchNorm, ReLU, LeakyReLU, Tanh, "
    "Sigmoid, AvgPool2d, MaxPool2d, Flatten, Dropout and Identity."
)


def bounds(module: torch.nn.Module, box: Box, rounding: Rounding) -> Box:
    """Return bounds of what a module computes anywhere in boxes.

    Args:
        module: One without `problems`, in evaluation mode.
        box: Of its input, shape (n, ...).
        rounding: Its own.

    """
    return _through([part for _, part in _flat(module)], box, rounding)


def margins(module: torch.nn.Module, box: Box, codes: Array, rounding: Rounding) -> Array:
    """Return lower bounds of how far a class stays ahead of every other, anywhere in boxes.

    Args:
        module: One without `problems`, in evaluation mode, which gives (n, classes).
        box: Of its input, shape (n, ...).
        codes: The class of each, shape (n,).
        rounding: Its own.

    Returns:
        Of score[codes] - score[j], shape (n, classes); infinite at j = codes.

    """
    import torch

    parts = [part for _, part in _flat(module) if type(part).__name__ not in _SAME]
    if parts and isinstance(parts[-1], torch.nn.Linear):
        before = _through(parts[:-1], box, rounding)
        return linear_margins(*_weights(parts[-1], before.low), before, codes, rounding)
    found = _through(parts, box, rounding)
    places = torch.arange(len(codes), device=codes.device)
    ahead = found.low[places, codes][:, None] - found.high
    ahead[places, codes] = math.inf
    return ahead


def linear_margins(weight: Array, bias: Array, box: Box, codes: Array, rounding: Rounding) -> Array:
    """Return lower bounds as `margins`, of a linear layer: exact, but for rounding.

    A margin is least where each number of the input stands at one end: it is that of the centre
    less half the sides times |w_codes - w_j|.

    Args:
        weight: Shape (classes, features), float64.
        bias: Shape (classes,), float64.
        box: Of its input, shape (n, features).
        codes: The class of each, shape (n,).
        rounding: That of the model.

    """
    xp = array_namespace(weight)
    places = xp.arange(len(codes), device=codes.device)
    scores = box.centre @ weight.T + bias
    off = rounding.of(weight.shape[1]) * (box.size @ xp.abs(weight).T + xp.abs(bias))
    found = scores[places, codes][:, None] - scores - (off[places, codes][:, None] + off)
    for code in sorted({*codes.tolist()}):
        some = codes == code
        found[some] -= box.half[some] @ xp.abs(weight[code] - weight).T
    found[places, codes] = math.inf
    return found


def rounding_of(dtype: torch.dtype, device: torch.device) -> Rounding:
    """Return how a module rounds where it runs."""
    import torch

    allowed = torch.get_float32_matmul_precision()
    if dtype == torch.float64 or (device.type == "cpu" and allowed == "highest"):
        return Rounding(_UNITS[str(dtype)])
    return Rounding(_UNITS[str(dtype)], 2.0**-6 if allowed == "medium" else 2.0**-8)


_UNITS = {"torch.float32": 2.0**-24, "torch.float64": 2.0**-53}


def affine(box: Box, scale: Array, shift: Array, rounding: Rounding) -> Box:
    """Take boxes through a product and a sum for each number."""
    xp = array_namespace(box.low)
    ends = box.low * scale + shift, box.high * scale + shift
    off = Rounding(rounding.unit).of(2) * (box.size * xp.abs(scale) + xp.abs(shift))
    return Box(xp.minimum(*ends) - off, xp.maximum(*ends) + off)


def _flat(module: Any, name: str = "") -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a module
    """Yield the layers of nested sequences in order, each with its name; others as they are."""
    import torch

    kind, plain = type(module), torch.nn.Sequential
    # A class of its own may well gather layers, as long as it runs them as a sequence does.
    same = all(getattr(kind, one, None) is getattr(plain, one) for one in _RUNS)
    if not (isinstance(module, plain) and same and not _changed(module)):
        yield name, module
        return
    # All of them: named_children leaves out what stands there twice.
    for inner, part in module._modules.items():  # noqa: SLF001
        yield from _flat(part, f"{name}.{inner}".lstrip("."))


_RUNS = ("forward", "__call__", "__iter__")


def _refused(part: Any) -> str:  # noqa: ANN401 - a module
    """Return what cannot be bounded about a layer; empty where it can."""
    kind = type(part)
    known = _LAYERS.get(kind.__name__) if kind.__module__.startswith("torch.nn.modules.") else None
    if known is None and [*part.children()]:
        return "its forward() is code, whose bounds are not known."
    if known is None:
        return "bounds of it are not known."
    if part.training:
        return "it stays in training mode, in which its answers hang on the batch or on chance."
    return "it has hooks, or a forward() of its own." if _changed(part) else known.refuses(part)


def _changed(part: Any) -> bool:  # noqa: ANN401 - a module
    # torch keeps the hooks of a module under these names alone.
    hooks = part._forward_hooks or part._forward_pre_hooks  # noqa: SLF001
    return bool(hooks) or "forward" in vars(part)


def _through(parts: list[Any], box: Box, rounding: Rounding) -> Box:
    for part in parts:
        box = _LAYERS[type(part).__name__].through(part, box, rounding)
    return box


def _weights(part: Any, like: Array) -> tuple[Array, Array]:  # noqa: ANN401 - a module
    """Return weight and bias of a layer as float64, where the boxes are."""
    weight = part.weight.detach().to(like)
    bias = weight.new_zeros(len(weight)) if part.bias is None else part.bias.detach().to(like)
    return weight, bias


def _linear(part: Any, box: Box, rounding: Rounding) -> Box:  # noqa: ANN401 - a module
    """Take the centre through a layer as it is, and half the sides with |w|."""
    import torch

    weight, bias = _weights(part, box.low)

    def asked(x: Array, weight: Array, bias: Array) -> Array:
        given = {"weight": weight} if part.bias is None else {"weight": weight, "bias": bias}
        return torch.func.functional_call(part, given, (x,))

    off = rounding.of(weight[0].numel())
    centre = asked(box.centre, weight, bias)
    half = asked(box.half + off * box.size, weight.abs(), off * bias.abs())
    return Box(centre - half, centre + half)


def _batch_norm(part: Any, box: Box, rounding: Rounding) -> Box:  # noqa: ANN401 - a module
    mean, var = part.running_mean.to(box.low), part.running_var.to(box.low)
    scale, shift = 1 / (var + part.eps).sqrt(), mean.new_zeros(len(mean))
    if part.affine:
        weight, shift = _weights(part, box.low)
        scale = scale * weight
    scale, shift, mean = (
        one.reshape(1, -1, *(1 for _ in box.low.shape[2:])) for one in (scale, shift, mean)
    )
    # In two steps, so that what is rounded of the mean is counted by itself.
    return affine(affine(box, mean.new_ones(1), -mean, rounding), scale, shift, rounding)


def _ends(part: Any, box: Box, rounding: Rounding) -> Box:  # noqa: ANN401 - a module
    """Take both ends through a layer that never falls and rounds nothing."""
    del rounding
    # Clones, since a layer may work in place.
    return Box(part(box.low.clone()), part(box.high.clone()))


def _rounded(part: Any, box: Box, rounding: Rounding) -> Box:  # noqa: ANN401 - a module
    """Take both ends through a function that never falls, which is rounded to some units."""
    low, high = _ends(part, box, rounding)
    off = 16 * rounding.unit
    return Box(low - off * low.abs().clip(1), high + off * high.abs().clip(1))


def _average(part: Any, box: Box, rounding: Rounding) -> Box:  # noqa: ANN401 - a module
    low, high = _ends(part, box, rounding)
    kernel = part.kernel_size
    off = rounding.of(kernel**2 if isinstance(kernel, int) else math.prod(kernel)) * part(box.size)
    return Box(low - off, high + off)


def _identity(part: Any, box: Box, rounding: Rounding) -> Box:  # noqa: ANN401 - a module
    del part, rounding
    return box


def _no_statistics(part: Any) -> str:  # noqa: ANN401 - a module
    kept = part.running_mean is not None and part.running_var is not None
    return "" if kept else "it has no running statistics, so that answers hang on the batch."


def _falls(part: Any) -> str:  # noqa: ANN401 - a module
    return "" if part.negative_slope >= 0 else "its slope below 0 is negative, so that it falls."


def _gives_places(part: Any) -> str:  # noqa: ANN401 - a module
    return "it gives places beside values." if part.return_indices else ""


def _turns(part: Any) -> str:  # noqa: ANN401 - a module
    divisor = part.divisor_override
    return "" if divisor is None or divisor > 0 else "it divides by a negative number."


_SAME = frozenset({"Identity", "Dropout"})
_LAYERS: dict[str, Layer] = {
    "Linear": Layer(_linear),
    "Conv2d": Layer(_linear),
    "BatchNorm1d": Layer(_batch_norm, _no_statistics),
    "BatchNorm2d": Layer(_batch_norm, _no_statistics),
    "ReLU": Layer(_ends),
    "LeakyReLU": Layer(_rounded, _falls),
    "Tanh": Layer(_rounded),
    "Sigmoid": Layer(_rounded),
    "Flatten": Layer(_ends),
    "AvgPool2d": Layer(_average, _turns),
    "MaxPool2d": Layer(_ends, _gives_places),
    **{name: Layer(_identity) for name in _SAME},
}
