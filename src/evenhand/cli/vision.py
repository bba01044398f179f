"""The vision product of the demonstration: a reader of digits, attacked, in noise, and explained.

How often it can be falsified has a closed form, how often noise misleads it is drawn many times.
Beside these stands what audits of a sample find; and what attacks leave beside what no attack could
break, so that one which is too weak is told by its flags and by the formula alike. Of its
explanations one follows the model and one decorates it; the formula and the audit tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evenhand.cli.planted import Product
    from evenhand.models.function import FunctionModel
    from evenhand.models.inputs import Inputs
    from evenhand.probes.run import Probed
    from evenhand.worlds.digits import Digits, DigitWorld

ATTACK = "attack.pgd(steps=10, loss=margin, targets=9)"
WEAK = "attack.fgsm"
"""An attack that leaves more than there is to be left."""

EPS = ("0.02", "0.04", "0.06")
NOISE = {1: 0.08, 4: 0.26}
"""Standard deviation of the noise by its severity, as Hendrycks and Dietterich 2019 set it."""

COUNT = 2_400
"""Images that the audits see."""

_RUNS = 8
"""Times that all images get noise, whose spread tells how well the truth itself is known."""

_ATTACKED = [f"variant == 'linf {eps}'" for eps in EPS]
_NOISY = [f"variant == 'gaussian_noise {severity}'" for severity in NOISE]
_SUBJECT = {"product": "paper forms", "model": "digit reader", "version": "demo"}

ATTACKED: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": _SUBJECT,
    "log": {"source": "digits.parquet", "kind": "perturbed"},
    "groups": {"thickness": "thickness"},
    "measures": [
        # The same in every variant.
        *(
            {"measure": measure, "slices": _ATTACKED[:1]}
            for measure in ("clean_accuracy", "difference(clean_accuracy, by=thickness)")
        ),
        *(
            {"measure": measure, "slices": _ATTACKED}
            for measure in (
                "difference(robust_accuracy, by=thickness)",
                "worst(robust_accuracy, by=thickness)",
                "robust_accuracy",
            )
        ),
        {"measure": "pairs(robust_accuracy, by=thickness)", "slices": _ATTACKED[-1:]},
    ],
    "gate": [
        {
            "id": "read-alike",
            "rule": "difference(clean_accuracy, by=thickness) <= 0.1",
            "why": "strokes of every thickness are read alike",
        },
        {
            "id": "robust-alike",
            "rule": "difference(robust_accuracy, by=thickness) <= 0.1",
            "reliable": True,
            "why": "nobody's digits are easier to falsify",
        },
        {
            "id": "robust-enough",
            "rule": "worst(robust_accuracy, by=thickness) >= 0.6",
            "reliable": True,
        },
    ],
}

NOISY: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": _SUBJECT,
    "log": {"source": "noisy_digits.parquet", "kind": "perturbed"},
    "groups": {"thickness": "thickness"},
    "measures": [
        {"measure": measure, "slices": _NOISY}
        for measure in ("corruption_error", "difference(corruption_error, by=thickness)")
    ],
    "gate": [
        {
            "id": "noise-alike",
            "rule": "difference(corruption_error, by=thickness) <= 0.1",
            "why": "a bad scan spoils strokes of every thickness alike",
        },
    ],
}

EXPLANATIONS = ("gradient_x_input", "edges")
"""An explanation, and decoration: an edge detector, which knows nothing of the model."""

_EXPLAINED = [f"variant == '{name} low'" for name in EXPLANATIONS]
_GAIN = "difference(insertion_gain, by=thickness)"

EXPLAINED: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": _SUBJECT,
    "log": {"source": "explained_digits_*.parquet", "kind": "attributions"},
    "groups": {"thickness": "thickness"},
    "measures": [
        {"measure": measure, "slices": _EXPLAINED}
        for measure in ("faithful_share", "insertion_gain", _GAIN)
    ],
    "gate": [
        {
            "id": "worth-showing",
            "rule": "faithful_share >= 0.9",
            "why": "an explanation that clerks are shown orders pixels better than chance does",
        },
    ],
}


@dataclass(frozen=True)
class Reader:
    """A reader of digits, and the images that audits see.

    Attributes:
        world: Where it comes from.
        model: The model.
        seen: A sample of all images.
        seed: Seed of the sample, and of what is done to it.

    """

    world: DigitWorld
    model: FunctionModel
    seen: Digits
    seed: int

    @property
    def inputs(self) -> Inputs:
        """The images as inputs of a probe."""
        from evenhand.models.inputs import inputs_of

        return inputs_of(
            self.seen.images,
            self.model.spec,
            labels=self.seen.labels,
            ids=self.seen.ids,
            groups={"thickness": self.seen.thickness.tolist()},
            name="scanned digits",
        )

    def attacked(self, folder: Path, *, force: bool = False) -> tuple[Probed, dict[str, Any]]:
        """Return what the attack found, and the plan that audits it.

        Args:
            folder: Where the log goes, and pictures of some images.
            force: Write over files that are there.

        """
        return self._probed(ATTACK, ATTACKED, folder, force=force, eps=EPS)

    def noisy(self, folder: Path, *, force: bool = False) -> tuple[Probed, dict[str, Any]]:
        """Return what noise does, and the plan that audits it; as `attacked`."""
        severities = tuple(NOISE)
        return self._probed(
            "corrupt.gaussian_noise", NOISY, folder, force=force, severity=severities
        )

    def explained(self, folder: Path, *, force: bool = False) -> dict[str, Any]:
        """Return the plan that audits explanations of what is read; as `attacked`."""
        pattern = EXPLAINED["log"]["source"]
        for name in EXPLANATIONS:
            log = {"source": pattern.replace("*", name)}
            # Pixels come into an empty image, of which the formula knows the score.
            written = f"attribute.{name}(fill=low)"
            self._probed(written, {**EXPLAINED, "log": log}, folder, force=force)
        return {**EXPLAINED, "log": {**EXPLAINED["log"], "source": str(folder / pattern)}}

    def _probed(
        self,
        written: str,
        plan: Mapping[str, Any],
        folder: Path,
        *,
        force: bool,
        eps: tuple[str, ...] = (),
        severity: tuple[int, ...] = (),
    ) -> tuple[Probed, dict[str, Any]]:
        import evenhand
        from evenhand.audits.probing import probe_to
        from evenhand.probes.written import probe_of

        folder.mkdir(parents=True, exist_ok=True)
        file = folder / plan["log"]["source"]
        probed = probe_to(
            file,
            probe_of(written, eps=eps, severity=severity, seed=self.seed),
            self.model,
            self.inputs,
            groups=["thickness"],
            version=evenhand.__version__,
            force=force,
        )
        return probed, {**plan, "log": {**plan["log"], "source": str(file)}}


def reader(seed: int, *, repaired: bool = False) -> Reader:
    """Return the reader of digits with a sample of the images.

    Args:
        seed: Seed of the sample, and of what is done to it.
        repaired: Whether nothing is planted: the scanner shows thin strokes as dark as others, and
            as many of them train the model. The sample is the same.

    Raises:
        MissingExtraError: scikit-learn, whose digits they are, is not installed.

    """
    import numpy as np

    from evenhand.worlds.digits import THICKNESSES, DigitWorld

    alike = dict.fromkeys(THICKNESSES, 1.0)
    world = DigitWorld(contrast=alike, trained=alike) if repaired else DigitWorld()
    seen = world.population().sample(COUNT, np.random.default_rng(seed))
    return Reader(world, world.model(), seen, seed)


def falsified(found: Reader, plan: Mapping[str, Any]) -> Product:
    """Return the reader under attack beside what is true of all images, by the closed form."""
    from evenhand.cli.planted import Product
    from evenhand.worlds.digits import robust, shares
    from evenhand.worlds.ranked import MonteCarlo

    every = found.world.population()

    def truth(eps: str) -> dict[str, MonteCarlo]:
        marks = robust(found.model, every.images, every.labels, float(eps))
        # All images are counted: nothing of it is estimated.
        return {
            name: MonteCarlo(share, 0.0, 1)
            for name, share in shares(marks, every.thickness).items()
        }

    clean, attacked = (f"difference({one}_accuracy, by=thickness)" for one in ("clean", "robust"))
    return Product(
        name="digits",
        title=f"A reader of digits on paper forms: {COUNT:,} of {len(every):,} images, each pixel "
        f"changed by at most {', '.join(EPS[:-1])} or {EPS[-1]} of its range",
        planted="thin strokes come out faint, and few of them trained the model: they are read "
        "almost as well as others, and falsified far more easily.",
        plan=plan,
        rows=None,
        truth={
            (clean, _ATTACKED[0]): truth("0"),
            **{(attacked, part): truth(eps) for part, eps in zip(_ATTACKED, EPS, strict=True)},
        },
    )


def misled(found: Reader, plan: Mapping[str, Any]) -> Product:
    """Return the reader in noise beside what is true of all images, drawn many times."""
    from evenhand.cli.planted import Product
    from evenhand.worlds.digits import wrong_under_noise

    every = found.world.population()
    return Product(
        name="noisy_digits",
        title="The same reader and images, with noise as of a bad scan",
        planted="it drowns faint strokes first.",
        plan=plan,
        rows=None,
        truth={
            ("difference(corruption_error, by=thickness)", part): wrong_under_noise(
                found.model, every, deviation, runs=_RUNS
            )
            for part, deviation in zip(_NOISY, NOISE.values(), strict=True)
        },
    )


def decorated(found: Reader, plan: Mapping[str, Any]) -> Product:
    """Return explanations of the reader beside what they are worth of all images, by a formula."""
    import numpy as np

    from evenhand.cli.planted import Product
    from evenhand.probes.attribute.control import edges
    from evenhand.probes.card.card import Card
    from evenhand.worlds.digits import THICKNESSES
    from evenhand.worlds.digits_explained import insertion_gain, parts_of
    from evenhand.worlds.ranked import MonteCarlo

    every = found.world.population()
    parts = parts_of(found.model, every.images, found.model.predict(every.images))
    orders = (parts, edges(every.images, found.model.spec).reshape(parts.shape))

    def truth(by: NDArray[np.float64]) -> dict[str, MonteCarlo]:
        gains = insertion_gain(parts, by, steps=Card().steps)
        # All images are counted: nothing of it is estimated.
        return {
            name: MonteCarlo(float(np.nanmean(gains[every.thickness == name])), 0.0, 1)
            for name in THICKNESSES
        }

    return Product(
        name="explained_digits",
        title="Explanations of what the same reader reads",
        planted="one is the model's own parts; the other is an edge detector, which looks as good.",
        plan=plan,
        rows=None,
        truth={(_GAIN, part): truth(by) for part, by in zip(_EXPLAINED, orders, strict=True)},
    )


def left_by_attacks(found: Reader, probed: Probed) -> list[dict[str, Any]]:
    """Return what attacks leave of the thin strokes beside what no attack can break.

    One line for each attack and eps: ``attack``, ``variant``, ``exact`` (the formula's share of the
    audited thin strokes), ``found`` (the attack's), ``missed`` (audited images of any thickness
    that the attack did not break and that can be broken), ``verdict`` of its flags and the names of
    those ``raised``.

    Args:
        found: The reader.
        probed: What `ATTACK` found.

    """
    import evenhand
    from evenhand.probes.run import run
    from evenhand.probes.written import probe_of
    from evenhand.worlds.digits import THICKNESSES, robust, shares

    seen = found.seen
    wanted = probe_of(WEAK, eps=EPS, seed=found.seed)
    weak = run(wanted, found.model, found.inputs, version=evenhand.__version__, judged=True)
    lines = []
    for name, one in ((WEAK, weak), (ATTACK, probed)):
        for eps, trust in zip(EPS, one.made.flags or (), strict=True):
            left = one.rows.filter(one.rows["variant"] == trust["variant"])["robust"].to_numpy()
            exact = robust(found.model, seen.images, seen.labels, float(eps))
            lines.append(
                {
                    "attack": name,
                    "variant": trust["variant"],
                    "exact": shares(exact, seen.thickness)[THICKNESSES[0]],
                    "found": shares(left, seen.thickness)[THICKNESSES[0]],
                    "missed": int((left & ~exact).sum()),
                    "verdict": trust["verdict"],
                    "raised": [flag["name"] for flag in trust["flags"] if flag["raised"]],
                }
            )
    return lines
