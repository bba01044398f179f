"""What a probe is: a method and a seed; what it may cost, and why it cannot be."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evenhand.errors import ModelError
from evenhand.models.inputs import Inputs
from evenhand.models.model import Model
from evenhand.probes.method import Method, Variant


@dataclass(frozen=True)
class Probe:
    """What is done to every source example.

    Attributes:
        method: Attacks, corrupts or certifies it.
        seed: Where every random number comes from.

    """

    method: Method
    seed: int = 1

    @property
    def variants(self) -> tuple[Variant, ...]:
        """What is done, one row of the log each."""
        return self.method.variants

    def among(self, inputs: Inputs) -> Probe:
        """Return the probe as it is for these examples, of which some methods must know all."""
        return replace(self, method=self.method.among(inputs, self.seed))

    def check(self, model: Model) -> None:
        """Check that a model can be probed so.

        Raises:
            ModelError: With everything that stops it, and what could be done instead.

        """
        problems = self.method.problems(model)
        if problems:
            raise ModelError(problems)

    def most(self, model: Model, examples: int) -> int:
        """Return the most queries that so many examples can cost, with a look at each before.

        A query is one example in one forward pass; a gradient costs two.
        """
        return examples * (1 + len(self.method.passes) * self.method.most(model))
