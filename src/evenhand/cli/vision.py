"""The vision product of the demonstration: a reader of digits, attacked, whose truth has a formula.

Beside what was planted in all images stands what attacks leave of the audited ones, and what no
attack could break: one that is too weak to find as much is told by its flags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evenhand.cli.planted import Product
    from evenhand.models.function import FunctionModel
    from evenhand.probes.run import Probed
    from evenhand.worlds.digits import Digits, DigitWorld

ATTACK = "attack.pgd(steps=10, loss=margin, targets=9)"
WEAK = "attack.fgsm"
"""An attack that leaves more than there is to be left."""

EPS = ("0.02", "0.04", "0.06")
COUNT = 2_400
"""Images that the audit sees."""

_SLICES = [f"variant == 'linf {eps}'" for eps in EPS]

DIGITS: Mapping[str, Any] = {
    "evenhand": 1,
    "subject": {"product": "paper forms", "model": "digit reader", "version": "demo"},
    "log": {"source": "digits.parquet", "kind": "perturbed"},
    "groups": {"thickness": "thickness"},
    "measures": [
        {"measure": "difference(clean_accuracy, by=thickness)", "slices": _SLICES[:1]},
        *(
            {"measure": measure, "slices": _SLICES}
            for measure in (
                "difference(robust_accuracy, by=thickness)",
                "worst(robust_accuracy, by=thickness)",
                "robust_accuracy",
            )
        ),
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


@dataclass(frozen=True)
class Reader:
    """A reader of digits that was attacked.

    Attributes:
        world: Where it comes from.
        model: The model.
        seen: The images that it was attacked on, a sample of all.
        probed: What the attack found.
        file: Its log.

    """

    world: DigitWorld
    model: FunctionModel
    seen: Digits
    probed: Probed
    file: Path

    @property
    def plan(self) -> dict[str, Any]:
        """The plan of its audit."""
        return {**DIGITS, "log": {**DIGITS["log"], "source": str(self.file)}}


def reader(seed: int, folder: Path, *, repaired: bool = False, force: bool = False) -> Reader:
    """Return the reader of digits, attacked on a sample of the images.

    Args:
        seed: Seed of the sample, and of the attack.
        folder: Where the log goes, and pictures of some images.
        repaired: Whether nothing is planted: the scanner shows thin strokes as dark as others, and
            as many of them train the model. The sample is the same.
        force: Write over a log that is there.

    Raises:
        MissingExtraError: scikit-learn, whose digits they are, is not installed.
        OutputError: The log is there already, or cannot be written.

    """
    import numpy as np

    import evenhand
    from evenhand.audits.probing import probe_to
    from evenhand.models.inputs import inputs_of
    from evenhand.probes.written import probe_of
    from evenhand.worlds.digits import THICKNESSES, DigitWorld

    alike = dict.fromkeys(THICKNESSES, 1.0)
    world = DigitWorld(contrast=alike, trained=alike) if repaired else DigitWorld()
    model, seen = world.model(), world.population().sample(COUNT, np.random.default_rng(seed))
    file = folder / ("digits_repaired.parquet" if repaired else "digits.parquet")
    folder.mkdir(parents=True, exist_ok=True)
    probed = probe_to(
        file,
        probe_of(ATTACK, eps=EPS, seed=seed),
        model,
        inputs_of(
            seen.images,
            model.spec,
            labels=seen.labels,
            ids=seen.ids,
            groups={"thickness": seen.thickness.tolist()},
            name="scanned digits",
        ),
        groups=["thickness"],
        version=evenhand.__version__,
        force=force,
    )
    return Reader(world, model, seen, probed, file)


def product_of(found: Reader) -> Product:
    """Return the reader of digits beside what is true of all its images, by the formula."""
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

    contrasts = [f"difference({one}_accuracy, by=thickness)" for one in ("clean", "robust")]
    return Product(
        name="digits",
        title=f"A reader of digits on paper forms: {COUNT:,} of {len(every):,} images, each pixel "
        f"changed by at most {', '.join(EPS[:-1])} or {EPS[-1]} of its range",
        planted="thin strokes come out faint, and few of them trained the model: they are read "
        "almost as well as others, and falsified far more easily.",
        plan=found.plan,
        rows=None,
        truth={
            (contrasts[0], _SLICES[0]): truth("0"),
            **{(contrasts[1], part): truth(eps) for part, eps in zip(_SLICES, EPS, strict=True)},
        },
    )


def attacked(found: Reader, seed: int) -> list[dict[str, Any]]:
    """Return what attacks leave of the thin strokes beside what no attack can break.

    One line for each attack and eps: ``attack``, ``variant``, ``exact`` (the formula's share of the
    audited thin strokes), ``found`` (the attack's), ``missed`` (audited images of any thickness
    that the attack did not break and that can be broken) and ``verdict`` (of its flags).
    """
    import evenhand
    from evenhand.models.inputs import inputs_of
    from evenhand.probes.run import run
    from evenhand.probes.written import probe_of
    from evenhand.worlds.digits import THICKNESSES, robust, shares

    seen = found.seen
    weak = run(
        probe_of(WEAK, eps=EPS, seed=seed),
        found.model,
        inputs_of(seen.images, found.model.spec, labels=seen.labels, ids=seen.ids),
        version=evenhand.__version__,
        judged=True,
    )
    lines = []
    for name, probed in ((WEAK, weak), (ATTACK, found.probed)):
        for eps, trust in zip(EPS, probed.made.flags or (), strict=True):
            rows = probed.rows.filter(probed.rows["variant"] == trust["variant"])
            left = rows["robust"].to_numpy()
            exact = robust(found.model, seen.images, seen.labels, float(eps))
            raised = [flag["name"] for flag in trust["flags"] if flag["raised"]]
            lines.append(
                {
                    "attack": name,
                    "variant": trust["variant"],
                    "exact": shares(exact, seen.thickness)[THICKNESSES[0]],
                    "found": shares(left, seen.thickness)[THICKNESSES[0]],
                    "missed": int((left & ~exact).sum()),
                    "verdict": trust["verdict"],
                    "raised": raised,
                }
            )
    return lines
