"""A module of PyTorch as a model: normalisation inside the gradient, nothing of it changed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evenhand.errors import EvenhandError, MissingExtraError, ModelError, Problem, first_line
from evenhand.models import interval
from evenhand.models.answer import VARIABLE as BATCH_VARIABLE
from evenhand.models.answer import at_once, batches, channelwise, check_inputs, check_scores
from evenhand.models.device import VARIABLE as DEVICE_VARIABLE
from evenhand.models.device import device_of, in_full_precision
from evenhand.models.model import Array, Codes, Floats, Offer, Slope, need
from evenhand.models.redrawn import drawn_anew, layers_of
from evenhand.models.spec import Label, Spec
from evenhand.models.whole import whole

if TYPE_CHECKING:
    import torch


@dataclass
class Count:
    """Examples that were asked about: of a model, together with its copies of other parameters."""

    examples: int = 0


class TorchModel:
    """A module as a model.

    It is asked in evaluation mode with frozen parameters; both are put back after every call, so
    that a probe in the middle of training changes nothing. On a GPU it calculates
    `in_full_precision`.

    Attributes:
        module: Takes a batch of inputs, after normalisation; gives scores.
        spec: What it takes and gives.
        name: What reports call it.
        device: Where it is asked, as `device_of` of what is said.
        batch: Examples that it is asked about at once; `at_once` where nothing is said.
        own_labels: None: a module does not name its classes.

    """

    own_labels: tuple[Label, ...] | None = None

    def __init__(
        self,
        module: torch.nn.Module,
        spec: Spec,
        *,
        name: str = "",
        device: str | None = None,
        batch: int | None = None,
    ) -> None:
        try:
            import torch
        except ImportError as error:
            raise MissingExtraError("torch", where="a torch model") from error
        if spec.output == "labels":
            what = "a torch model gives scores, not labels."
            raise ModelError(Problem(name or "torch model", what, "Say output: logits."))
        self._torch = torch
        self.device = device_of(device)
        self.module = module.to(self.device)
        self.spec, self.batch, self._count = spec, batch or at_once(), Count()
        self.name = name or type(module).__name__
        self._layers: tuple[str, ...] | None = None
        floats = [one.dtype for one in module.parameters() if one.dtype.is_floating_point]
        self.dtype = floats[0] if floats else torch.float32
        self._mean, self._std = (self._channelwise(one) for one in (spec.mean, spec.std))

    @property
    def offers(self) -> frozenset[Offer]:
        """All but bounds where those of a layer are not known, or parameters where it has none."""
        found: set[Offer] = {"scores", "vjp", "layers"}
        with self._still():
            if not self._unbounded():
                found.add("bounds")
        if any(True for _ in self.module.parameters()):
            found.add("randomised")
        return frozenset(found)

    @property
    def queries(self) -> int:
        """Examples that it was asked about, and its copies of other parameters."""
        return self._count.examples

    def array(self, x: Floats) -> Array:
        """Return inputs as a tensor on the model's device, of the type of its parameters.

        It is a copy: what an attack does to it is not done to the inputs.
        """
        copied = self._torch.from_numpy(np.array(x, order="C"))
        return copied.to(dtype=self.dtype, device=self.device)

    def numpy(self, x: Array) -> Floats:
        """Return a tensor as an array."""
        found: Floats = x.detach().cpu().numpy()
        return found

    def predict(self, x: Floats) -> Codes:
        """Return classes, as `Model.predict`."""
        check_inputs(x, self.spec, self.name)
        parts = [self.numpy(self.scores(self.array(x[some])).argmax(1)) for some in self._parts(x)]
        return np.concatenate([np.empty(0, np.int64), *parts]).astype(np.int64)

    def scores(self, x: Array) -> Array:
        """Return scores, as `Model.scores`."""
        torch = self._torch
        x = x if torch.is_tensor(x) else self.array(x)
        with self._still(), torch.no_grad():
            found = [self._asked(x[some]) for some in self._parts(x)]
        if not found:
            return self._none()
        return torch.cat(found) if len(found) > 1 else found[0]

    def vjp(self, x: Array, slope: Slope) -> tuple[Array, Array]:
        """Return scores and gradients, as `Model.vjp`."""
        torch = self._torch
        found = []
        with self._still(), torch.enable_grad():
            for some in self._parts(x):
                inputs = x[some].detach()
                inputs.requires_grad = True
                scores = self._asked(inputs)
                if not scores.requires_grad:
                    what = "no gradient reaches its input: it is cut off inside the module."
                    hint = "Look for detach, no_grad, argmax or round; or attack by scores alone."
                    raise ModelError(Problem(self.name, what, hint))
                with torch.no_grad():
                    weights = slope(scores.detach(), some)
                (gradient,) = torch.autograd.grad(scores, inputs, weights)
                self._count.examples += len(inputs)
                found.append((scores.detach(), gradient))
        if not found:
            return self._none(), x
        if len(found) == 1:
            return found[0]
        return torch.cat([one for one, _ in found]), torch.cat([one for _, one in found])

    def margins(self, low: Floats, high: Floats, codes: Codes) -> NDArray[np.float64]:
        """Return how far classes stay ahead in boxes, as `Bounded.margins`."""
        found = [np.empty((0, self.spec.classes))]
        with self._still(), self._torch.no_grad():
            problems = self._unbounded()
            if problems:
                raise ModelError(problems)
            rounding = interval.rounding_of(self.dtype, self.device)
            for some in self._parts(low):
                box = interval.Box(*(self._exact(end[some]) for end in (low, high)))
                if self._mean is not None:
                    mean, std = (one.to(box.low) for one in (self._mean, self._std))
                    box = interval.affine(box, 1 / std, -mean / std, rounding)
                whose = self._torch.as_tensor(codes[some], device=self.device)
                ahead = interval.margins(self.module, box, whose, rounding)
                self._count.examples += 2 * len(whose)
                found.append(np.asarray(self.numpy(ahead), np.float64))
        return np.concatenate(found)

    def _exact(self, x: Any) -> Any:  # noqa: ANN401 - arrays
        return self._torch.from_numpy(np.array(x, np.float64)).to(self.device)

    def _unbounded(self) -> list[Problem]:
        """Return what stands in the way of bounds, in evaluation mode."""
        found = interval.problems(self.module, self.name)
        if self.spec.output == "probabilities":
            hint = "Leave out the softmax at its end, and say output: logits."
            found.append(Problem(self.name, "it gives probabilities; bounds are of logits.", hint))
        return found

    def fingerprint(self) -> str:
        """Return a digest of the parameters and of what the module prints as."""
        digest = hashlib.sha256(f"{self.module}\n{self.spec}".encode())
        for name, value in sorted(self.module.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(value.detach().cpu().numpy()).tobytes())
        return f"sha256:{digest.hexdigest()}"

    def layers(self) -> tuple[str, ...]:
        """Return the layers that have parameters, as `Randomisable.layers`."""
        if self._layers is None:
            lowest = np.full((1, *self.spec.shape), self.spec.low)
            with self._still(), self._torch.no_grad():
                self._layers = layers_of(self.module, lambda: self._answer(self.array(lowest)))
        return self._layers

    def randomised(self, seed: int, layers: Collection[str] | None = None) -> TorchModel:
        """Return a copy with other parameters, as `Randomisable.randomised`."""
        need(self, "randomised", self.name)
        other = TorchModel(
            drawn_anew(self.module, seed, self.name, layers),
            self.spec,
            name=f"{self.name}, parameters drawn anew",
            device=str(self.device),
            batch=self.batch,
        )
        other._count = self._count
        return other

    @contextmanager
    def open(self) -> Iterator[torch.nn.Module]:
        """Give a module of inputs in declared units, as `Layered.open`."""
        with self._still():
            yield whole(self.module, self._asked)

    def raw(self, x: Floats) -> Floats:
        """Return the module's own answer to inputs in evaluation mode; its shape is unchecked.

        Raises:
            ModelError: It gives labels, or fails.

        """
        with self._still(), self._torch.no_grad():
            found = self._answer(self.array(x))
        if not found.dtype.is_floating_point:
            what = f"it gives {found.dtype}, no scores."
            hint = "Return what labels are chosen by; or wrap it in a function of NumPy arrays."
            raise ModelError(Problem(self.name, what, hint))
        return self.numpy(found)

    def _answer(self, x: Any) -> Any:  # noqa: ANN401 - tensors
        self._count.examples += len(x)
        normal = x if self._mean is None else (x - self._mean) / self._std
        try:
            found = self.module(normal)
        except (EvenhandError, self._torch.OutOfMemoryError):
            raise
        except Exception as error:
            what = f"it failed on inputs of shape {tuple(x.shape)}: {first_line(error)}"
            raise ModelError(Problem(self.name, what, self._hint())) from error
        # Models of Hugging Face give their scores under this name.
        found = getattr(found, "logits", found)
        if not self._torch.is_tensor(found):
            what = f"it gives a {type(found).__name__}, no tensor of scores."
            hint = "Wrap it in a module that returns the scores alone."
            raise ModelError(Problem(self.name, what, hint))
        return found

    def _hint(self) -> str:
        if self.spec.layout == "HW":
            height, width = self.spec.shape
            return f"Convolutions want channels: --shape 1x{height}x{width}."
        if self.spec.layout == "HWC":
            return "Convolutions want channels first: --layout CHW, and inputs of that shape."
        return f"Does the spec's shape fit it? Is memory short? {self._fewer()}"

    def _fewer(self) -> str:
        if self.batch == 1:
            return (
                f"It is asked about one at a time already; {DEVICE_VARIABLE}=cpu asks on the CPU."
            )
        return f"{BATCH_VARIABLE}={max(1, self.batch // 4)} asks about fewer examples at once."

    def _asked(self, x: Any) -> Any:  # noqa: ANN401 - tensors
        scores = self._answer(x)
        fits = scores.shape == (len(x), self.spec.classes) and scores.dtype.is_floating_point
        if not (fits and bool(self._torch.isfinite(scores).all())):
            check_scores(self.numpy(scores), len(x), self.spec, self.name)
        return scores

    def _none(self) -> Any:  # noqa: ANN401 - tensors
        """Return the scores of no inputs."""
        return self._torch.empty((0, self.spec.classes), dtype=self.dtype, device=self.device)

    def _parts(self, x: Any) -> Iterator[slice]:  # noqa: ANN401 - tensors and arrays
        yield from batches(len(x), self.batch)

    def _channelwise(self, values: tuple[float, ...]) -> Any:  # noqa: ANN401 - tensors
        if not values:
            return None
        found = self._torch.tensor(values, dtype=self.dtype, device=self.device)
        return channelwise(found, self.spec)

    @contextmanager
    def _still(self) -> Iterator[None]:
        """Keep every part of the module in evaluation mode, and its parameters out of gradients.

        Raises:
            ModelError: The device has too little memory.

        """
        training = [part for part in self.module.modules() if part.training]
        wanted = [one for one in self.module.parameters() if one.requires_grad]
        self.module.eval()
        for one in wanted:
            one.requires_grad = False
        try:
            with in_full_precision(self.device):
                yield
        except self._torch.OutOfMemoryError as error:
            what = f"{self.device} has too little memory for {self.batch:,} examples at once."
            raise ModelError(Problem(self.name, what, self._fewer())) from error
        finally:
            for part in training:
                part.training = True
            for one in wanted:
                one.requires_grad = True
