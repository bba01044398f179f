"""The fast gradient sign method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from evenhand.models.model import Model, Offer
from evenhand.probes.attack.attack import Attack, Found, Task
from evenhand.probes.attack.pgd import PGD
from evenhand.probes.loss import LOSSES, LossName
from evenhand.probes.method import Progress
from evenhand.probes.parameter import refuse


@dataclass(frozen=True)
class FGSM(Attack):
    """One step of length eps along the gradient of a loss at the input: the weakest attack here.

    What it does not break says little; what it breaks that others do not says that those fail.

    Source: Goodfellow, Shlens and Szegedy 2015.

    Attributes:
        loss: ``ce``, ``margin`` or ``dlr``.

    """

    name: ClassVar[str] = "fgsm"
    needs: ClassVar[Offer | None] = "vjp"

    loss: LossName = "ce"

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        wrong = self.loss not in LOSSES
        refuse(self.name, [(wrong, f"loss={self.loss} is none of {', '.join(LOSSES)}.")])

    def _step(self) -> PGD:
        return PGD(steps=1, step=1.0, loss=self.loss, start=False)

    def most(self, model: Model) -> int:
        """Return the most queries that one example can cost."""
        return self._step().most(model)

    def notes(self, model: Model) -> tuple[str, ...]:
        """Return whether another loss took the place of the one that was asked for."""
        return self._step().notes(model)

    def stronger(self) -> PGD:
        """Return projected gradient descent on the same loss."""
        return PGD(steps=20, loss=self.loss)

    def search(self, task: Task, progress: Progress) -> Found:
        """Return the candidate for each input."""
        return self._step().search(task, progress)
