"""What keeps the model's idea of the class: where prior samples come from, and what their target is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from imprint.data.class_images import ClassImages
from imprint.data.dataset import open_folder
from imprint.data.pictures import PictureSet
from imprint.families.base import Facts, Family
from imprint.templates import template_fault
from imprint.types import Concept, Sampler

Samples = Literal["none", "own", "instance"]


class Prior(ABC):
    """`weight` multiplies the prior's loss; `prompt` is the caption of every prior sample."""

    samples: Samples  # no prior samples; pictures of its own; the instance's pictures under the class prompt
    uses_base_prediction = False  # the target of a prior sample is what the untuned model predicts
    locators: ClassVar[frozenset[str]] = frozenset()  # settings that do not change a result by themselves

    def __init__(self, *, weight: NonNegativeFloat, prompt: str) -> None:
        if fault := template_fault(prompt, known=("noun",)):
            raise ValueError(f"prompt={fault}")
        self.weight = weight
        self.template = prompt

    def prompt(self, concept: Concept) -> str:
        return self.template.format(noun=concept.noun)

    @abstractmethod
    def pictures(self, family: Family, facts: Facts, concept: Concept, *, precision: str) -> PictureSet | None:
        """The prior's own pictures, if it has any. `family` is untuned and on its device."""

    def identity(self) -> Mapping[str, object]:
        """What this prior's settings do not say of its content."""
        return {}


class NoPrior(Prior):
    """The subject's pictures alone."""

    samples: Samples = "none"

    def __init__(self) -> None:
        super().__init__(weight=0.0, prompt="")

    def pictures(self, family: Family, facts: Facts, concept: Concept, *, precision: str) -> PictureSet | None:
        return None


class GeneratedPrior(Prior):
    """Pictures of the class that the untuned model draws: DreamBooth's prior preservation."""

    samples: Samples = "own"
    locators = frozenset({"batch_size"})

    def __init__(
        self,
        *,
        weight: NonNegativeFloat,
        prompt: str,
        count: PositiveInt,
        seed: int,
        batch_size: PositiveInt,
        sampler: Sampler,
    ) -> None:
        super().__init__(weight=weight, prompt=prompt)
        self.count = count
        self.seed = seed
        self.batch_size = batch_size
        self.sampler = sampler

    def pictures(self, family: Family, facts: Facts, concept: Concept, *, precision: str) -> PictureSet | None:
        images = ClassImages(
            facts=facts,
            prompt=self.prompt(concept),
            seed=self.seed,
            sampler=self.sampler,
            precision=precision,
        )
        return images.draw(family, count=self.count, batch_size=self.batch_size)


class FolderPrior(Prior):
    """Real pictures of the class, given as a folder."""

    samples: Samples = "own"
    locators = frozenset({"path", "bad_pictures", "background"})

    def __init__(
        self,
        *,
        weight: NonNegativeFloat,
        prompt: str,
        path: str,
        bad_pictures: Literal["strict", "skip"],
        background: str,
    ) -> None:
        super().__init__(weight=weight, prompt=prompt)
        self.path = path
        self.bad_pictures: Literal["strict", "skip"] = bad_pictures
        self.background = background

    def pictures(self, family: Family, facts: Facts, concept: Concept, *, precision: str) -> PictureSet | None:
        return self._open()

    def identity(self) -> Mapping[str, object]:
        return {"content": self._open().fingerprint}

    def _open(self) -> PictureSet:
        return open_folder(self.path, key="prior.path", bad_pictures=self.bad_pictures, background=self.background)


class BasePrediction(Prior):
    """No class pictures: on the class prompt, the tuned model shall predict what the untuned one predicts for the same
    noisy picture of the subject."""

    samples: Samples = "instance"
    uses_base_prediction = True

    def pictures(self, family: Family, facts: Facts, concept: Concept, *, precision: str) -> PictureSet | None:
        return None
