"""Models by their address: an import path, a file, or an endpoint."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from evenhand.errors import (
    EvenhandError,
    MissingExtraError,
    ModelError,
    Problem,
    did_you_mean,
    first_line,
    reason,
)
from evenhand.models.function import FunctionModel, sklearn
from evenhand.models.model import Floats, Model
from evenhand.models.spec import Label
from evenhand.models.told import Told

if TYPE_CHECKING:
    from evenhand.models.http import Way

PICKLED = (".joblib", ".pkl", ".pickle")
_TORCH = (".pt", ".pth", ".bin", ".ckpt")


def load(
    address: str,
    told: Told | None = None,
    *,
    sample: Floats,
    seen: tuple[Label, ...] = (),
    architecture: str | None = None,
    trust_pickle: bool = False,
    way: Way | None = None,
) -> Model:
    """Return the model at an address.

    Args:
        address: ``pkg.mod:name`` (a `Model`, a torch module, an estimator, a function of inputs,
            or a function of no argument that returns one of these), a file (``.onnx``,
            ``.safetensors``, ``.joblib`` or ``.pkl``), or ``http://`` and ``https://``.
        told: What was said of it.
        sample: A few inputs in declared units: it is asked about them where classes or output
            were left to be seen.
        seen: The classes that stand in the inputs.
        architecture: For ``.safetensors``, ``pkg.mod:build``: what returns the module that the
            weights are put in.
        trust_pickle: Read a pickle, which runs whatever code is in it.
        way: How an endpoint is asked: form, limits, and where its answers are kept.

    Raises:
        ModelError: There is none, it is no model, or what was said contradicts it.
        MissingExtraError: A library is not installed.

    """
    told = told or Told()
    if address.startswith(("http://", "https://")):
        return _endpoint(address, told, sample, seen, way)
    suffix = Path(address).suffix.lower()
    if ":" in address and suffix not in {".onnx", ".safetensors", *PICKLED}:
        return model_of(imported(address), told, sample=sample, seen=seen, name=address)
    if suffix not in {".onnx", ".safetensors", *PICKLED, *_TORCH}:
        hint = "Write pkg.mod:name, a file (.onnx, .safetensors), or http(s)://."
        raise ModelError(Problem(f"model '{address}'", "it is no address of a model.", hint))
    if not Path(address).is_file():
        raise ModelError(Problem(f"model '{address}'", "no such file.", _nearby(address)))
    if suffix in _TORCH:
        what = "such a file is a pickle, which runs whatever code is in it."
        hint = "Save the weights as .safetensors, or write a function that loads it: pkg.mod:name."
        raise ModelError(Problem(address, what, hint))
    if suffix == ".onnx":
        from evenhand.models.onnx import OnnxModel

        graph = OnnxModel(address, told.first(sample.shape[1:]))
        return _completed(graph, told, sample, seen)
    if suffix == ".safetensors":
        return _weights(address, architecture, told, sample, seen)
    name = Path(address).name
    return model_of(
        _pickled(address, trust=trust_pickle), told, sample=sample, seen=seen, name=name
    )


def imported_or_unpickled(model: object, *, trust_pickle: bool) -> object:
    """Return the Python object at an address, of those that are one; other things as they are.

    Raises:
        ModelError: There is none, or it is a pickle that nobody trusts.

    """
    if not isinstance(model, str | Path):
        return _built(model, "")
    address = str(model)
    if Path(address).suffix.lower() in PICKLED and Path(address).is_file():
        return _pickled(address, trust=trust_pickle)
    if ":" in address and "://" not in address:
        return _built(imported(address), address)
    return model


def model_of(
    thing: object,
    told: Told | None = None,
    *,
    sample: Floats,
    seen: tuple[Label, ...] = (),
    name: str = "",
) -> Model:
    """Return a Python object as a model, as `load` of an import path.

    Raises:
        ModelError: It is none, or what was said contradicts it.

    """
    told = told or Told()
    found = _built(thing, name)
    if _is_model(found):
        model: Model = found
        told.contradicts(model.spec, name or model.name)
        return model
    spec = told.first(sample.shape[1:])
    if _is_module(found):
        from evenhand.models.torch import TorchModel

        return _completed(TorchModel(found, spec, name=name), told, sample, seen)
    if hasattr(found, "predict_proba") or (
        hasattr(found, "predict") and hasattr(found, "classes_")
    ):
        estimated = sklearn(found, spec, name=name)
        if told.labels is not None:
            told.contradicts(estimated.spec, estimated.name)
        return estimated
    if not callable(found):
        what = f"a {type(found).__name__} is no model."
        hint = "Give a Model, a torch module, an estimator, or a function of inputs."
        raise ModelError(Problem(name or "model", what, hint))
    title = name or getattr(found, "__name__", "function")
    return _completed(FunctionModel(found, spec, title), told, sample, seen)


def imported(path: str) -> Any:  # noqa: ANN401 - whatever stands there
    """Return what an import path names, ``pkg.mod:name``; modules of the current folder count.

    Raises:
        ModelError: There is none.

    """
    module, _, name = path.partition(":")
    if str(Path.cwd()) not in sys.path and "" not in sys.path:
        # As `python -m` does: a user's own module stands beside their data.
        sys.path.append(str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
    except ImportError as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        own = missing is not None and (module == missing or module.startswith(f"{missing}."))
        what = f"there is no module '{missing}'." if own else f"its import fails: {error}."
        hint = f"Modules are looked for where Python does and in {os.fspath(Path.cwd())}."
        raise ModelError(Problem(f"model '{path}'", what, hint if own else "")) from error
    except Exception as error:
        what = f"its import fails: {type(error).__name__}: {first_line(error)}"
        raise ModelError(Problem(f"model '{path}'", what)) from error
    for part in name.split("."):
        if not hasattr(found, part):
            known = [one for one in dir(found) if not one.startswith("_")]
            what = f"{module} has no '{part}'."
            raise ModelError(Problem(f"model '{path}'", what, did_you_mean(part, known)))
        found = getattr(found, part)
    return found


def _built(thing: Any, name: str) -> Any:  # noqa: ANN401 - whatever it is
    """Return what a function of no argument returns, and anything else as it is."""
    if _is_model(thing) or _is_module(thing) or not callable(thing):
        return thing
    if hasattr(thing, "predict") and not isinstance(thing, type):
        return thing
    try:
        wanted = [
            one
            for one in inspect.signature(thing).parameters.values()
            if one.default is one.empty and one.kind not in {one.VAR_POSITIONAL, one.VAR_KEYWORD}
        ]
    except (TypeError, ValueError):
        return thing
    if wanted:
        return thing
    try:
        return thing()
    except EvenhandError:
        raise
    except Exception as error:
        what = f"it fails: {type(error).__name__}: {first_line(error)}"
        hint = "A function without arguments is taken to return the model."
        raise ModelError(Problem(name or "model", what, hint)) from error


def _is_model(thing: object) -> bool:
    members = ("spec", "offers", "predict", "fingerprint")
    return not isinstance(thing, type) and all(hasattr(thing, one) for one in members)


def _is_module(thing: object) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(thing, torch.nn.Module)


class _Ours(Model, Protocol):
    """An adapter of ours, whose answers can be seen before its spec is whole."""

    own_labels: tuple[Label, ...] | None

    def raw(self, x: Floats) -> Any:  # noqa: ANN401 - whatever it gives
        """Return its answers to inputs, unchecked."""


def _completed(model: _Ours, told: Told, sample: Floats, seen: tuple[Label, ...]) -> Model:
    """Give a model the spec that its answers show, where that was not said."""
    if told.labels is None or told.output is None:
        answers = model.raw(sample)
        model.spec = told.completed(model.spec, answers, model.own_labels, seen)
    return model


def _endpoint(
    address: str,
    told: Told,
    sample: Floats,
    seen: tuple[Label, ...],
    way: Way | None,
) -> Model:
    from evenhand.models.http import HttpModel

    model = HttpModel(address, told.first(sample.shape[1:]), way)
    return _completed(model, told, sample, seen)


def _weights(
    path: str, architecture: str | None, told: Told, sample: Floats, seen: tuple[Label, ...]
) -> Model:
    if architecture is None:
        what = "weights alone are no model."
        hint = "Say what they are put in: --architecture pkg.mod:build."
        raise ModelError(Problem(path, what, hint))
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise MissingExtraError("torch", where=path) from error
    module = _built(imported(architecture), architecture)
    if not _is_module(module):
        what = f"it gives a {type(module).__name__}, no torch module."
        raise ModelError(Problem(architecture, what))
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, OSError) as error:
        what = f"it cannot be read: {first_line(error)}."
        raise ModelError(Problem(path, what, "Is the file whole?")) from error
    except RuntimeError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        problems = [Problem(path, line) for line in lines or [first_line(error)]]
        raise ModelError(
            [Problem(path, f"its weights do not fit {architecture}."), *problems]
        ) from error
    return model_of(module, told, sample=sample, seen=seen, name=Path(path).name)


def _pickled(path: str, *, trust: bool) -> Any:  # noqa: ANN401 - whatever was pickled
    if not trust:
        what = "it is a pickle, which runs whatever code is in it."
        hint = "Say --trust-pickle if you know where it comes from; or save the model as .onnx."
        raise ModelError(Problem(path, what, hint))
    try:
        if path.endswith(".joblib"):
            import joblib  # type: ignore[import-untyped]

            return joblib.load(path)
        import pickle

        with Path(path).open("rb") as file:
            return pickle.load(file)  # noqa: S301 - the user said that they trust it
    except ImportError as error:
        what = f"it needs a package that is not here: {error.name or first_line(error)}."
        hint = "Install what it was saved with; joblib comes with scikit-learn."
        raise ModelError(Problem(path, what, hint)) from error
    except OSError as error:
        raise ModelError(Problem(path, f"it cannot be read: {reason(error)}.")) from error
    except Exception as error:
        what = f"it cannot be read: {type(error).__name__}: {first_line(error)}"
        raise ModelError(Problem(path, what, "Was it saved by another version?")) from error


def _nearby(address: str) -> str:
    folder = Path(address).parent
    if not folder.is_dir():
        return f"The folder {folder} does not exist either."
    names = sorted(one.name for one in folder.iterdir() if one.is_file())
    return did_you_mean(Path(address).name, names) if names else ""
