"""Sample pictures of a training, to be looked at: which ones, and at which steps."""

from collections.abc import Iterator, Sequence
from itertools import product

from pydantic import NonNegativeInt, PositiveInt

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.templates import placeholders, prompt_fault, template_fault
from imprint.types import Concept, Sampler, prompts_of


@of_kind("samples/protocol")
class SampleProtocol:
    """Every prompt with every seed, at the start, each `every` steps (0: never in between) and at the end.

    A prompt may contain {identifier} and {noun}: with several subjects there is a picture for each, and
    {name.identifier} means one of them. Without prompts or seeds there are no sample pictures.
    """

    def __init__(
        self,
        *,
        prompts: list[str],
        seeds: list[NonNegativeInt],
        every: NonNegativeInt,
        sampler: Sampler,
        batch_size: PositiveInt | None,
    ) -> None:
        faults = [f"prompts has {fault}" for prompt in prompts if (fault := prompt_fault(prompt))]
        for name, values in (("prompts", prompts), ("seeds", seeds)):
            if len(set(values)) < len(values):
                faults.append(f"{name}={values}: each may be given only once.")
        if faults:
            raise ValueError("\n".join(faults))
        self.prompts = list(prompts)
        self.seeds = list(seeds)
        self.every = every
        self.sampler = sampler
        self.batch_size = batch_size

    def problems(self, concepts: Sequence[Concept]) -> Iterator[Problem]:
        """Prompts that name another subject than these; keys are relative to `samples`."""
        known = placeholders(concept.name for concept in concepts)
        faults = [fault for prompt in self.prompts if (fault := template_fault(prompt, known))]
        if faults:
            yield Problem("prompts", self.prompts, " ".join(faults))

    def due(self, step: int, total: int) -> bool:
        """Whether pictures are wanted after `step` of `total` optimiser steps."""
        if not (self.prompts and self.seeds):
            return False
        return step in (0, total) or (self.every > 0 and step % self.every == 0)

    def asked(self, concepts: Sequence[Concept]) -> list[tuple[str, int]]:
        """The prompt, as the model sees it, and the seed of every picture: all seeds of a prompt, then the next."""
        prompts = [filled for prompt in self.prompts for filled in prompts_of(prompt, concepts)]
        return list(product(prompts, self.seeds))
