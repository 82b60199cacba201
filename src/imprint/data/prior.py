"""What keeps the model's idea of the class: where prior samples come from, and what their target is."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

from pydantic import NonNegativeFloat, PositiveInt

from imprint.data.pictures import PictureSet
from imprint.data.reading import open_files, open_folder
from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.locations import cache_folder
from imprint.models.base import Model
from imprint.models.facts import ModelInfo
from imprint.pictures.generate import generate_missing, generate_with
from imprint.pictures.store import PictureStore, Recipe, key_of
from imprint.seeds import seed_of
from imprint.templates import template_fault
from imprint.types import Concept, Sampler

Samples = Literal["none", "own", "instance"]


class Prior(ABC):
    """`weight` multiplies the prior's loss; `prompt` is the caption of every prior sample."""

    samples: Samples  # no prior samples; pictures of its own; the instance's pictures under the class prompt
    uses_base_prediction = False  # the target of a prior sample is what the untuned model predicts
    not_in_identity: ClassVar[frozenset[str]] = frozenset()  # settings that do not change a result by themselves

    def __init__(self, *, weight: NonNegativeFloat, prompt: str) -> None:
        if fault := template_fault(prompt, known=("noun",)):
            raise ValueError(f"prompt={fault}")
        self.weight = weight
        self.template = prompt

    def prompt(self, concept: Concept) -> str:
        return self.template.format(noun=concept.noun)

    def problems(self, concepts: Sequence[Concept]) -> Iterator[Problem]:
        """What makes this prior impossible for these subjects; keys are relative to `prior`."""
        return iter(())

    @abstractmethod
    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        """The prior's own pictures, if it has any. `model` is untuned and on its device."""

    def draws(self, facts: ModelInfo, concept: Concept, *, precision: str) -> bool:
        """Whether `pictures` would draw some with the model, since they are not there yet."""
        return self.samples == "own"

    def photographs(self) -> Sequence[PictureSet]:
        """Pictures of the class that were not generated for it."""
        return ()

    def identity(self) -> Mapping[str, object]:
        """What this prior's settings do not say of its content."""
        return {}


@of_kind("prior/none")
class NoPrior(Prior):
    """The subject's pictures alone."""

    samples: Samples = "none"

    def __init__(self) -> None:
        super().__init__(weight=0.0, prompt="")

    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        return None


@of_kind("prior/generated")
class GeneratedPrior(Prior):
    """Pictures of the class that the untuned model generates: DreamBooth's prior preservation. They are kept for all
    runs that ask for the same ones. Picture i depends on its own seed, not on how many are asked for."""

    samples: Samples = "own"
    not_in_identity = frozenset({"batch_size"})

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

    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        store = self.store(facts, self.prompt(concept), precision=precision)
        label = f"Class pictures ({self.prompt(concept)!r})"
        generate_missing(store, generate_with(model), batch_size=self.batch_size, label=label, counts_failures=False)
        return open_files([drawn.file for drawn in store.outcomes()])

    def draws(self, facts: ModelInfo, concept: Concept, *, precision: str) -> bool:
        return bool(self.store(facts, self.prompt(concept), precision=precision).missing())

    def store(self, facts: ModelInfo, prompt: str, *, precision: str) -> PictureStore:
        size = facts.resolution
        common = {
            "model": facts.fingerprint,
            "prompt": prompt,
            "seed": self.seed,
            "size": size,
            "precision": precision,
            **self.sampler.hashed(),
        }
        seeds = [seed_of(self.seed, "class image", index) for index in range(self.count)]
        recipes = [
            Recipe(f"{index:05d}.png", prompt, seed, self.sampler, (size, size), {}) for index, seed in enumerate(seeds)
        ]
        return PictureStore(cache_folder() / "class_images" / key_of(common, 16), recipes, common)


@of_kind("prior/folder")
class FolderPrior(Prior):
    """Real pictures of the class, given as a folder; for subjects of several classes, a folder for each by its name."""

    samples: Samples = "own"
    not_in_identity = frozenset({"path", "bad_pictures", "background"})

    def __init__(
        self,
        *,
        weight: NonNegativeFloat,
        prompt: str,
        path: str | dict[str, str],
        bad_pictures: Literal["strict", "skip"],
        background: str,
    ) -> None:
        super().__init__(weight=weight, prompt=prompt)
        self.path = path
        self.bad_pictures: Literal["strict", "skip"] = bad_pictures
        self.background = background

    def problems(self, concepts: Sequence[Concept]) -> Iterator[Problem]:
        names = [concept.name for concept in concepts]
        if isinstance(self.path, str):
            if len({concept.noun for concept in concepts}) > 1:
                remedy = f"the subjects are of several classes. Give a folder for each: {{{names[0]}: ..., ...}}."
                yield Problem("path", self.path, remedy)
        elif sorted(self.path) != sorted(names):
            asked = f"a folder for each of {', '.join(names)}" if any(names) else "one folder: there is one subject"
            yield Problem("path", self.path, f"give {asked}.")

    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        return self._open(concept.name)

    def draws(self, facts: ModelInfo, concept: Concept, *, precision: str) -> bool:
        return False

    def photographs(self) -> Sequence[PictureSet]:
        return [self._open(name) for name in ([""] if isinstance(self.path, str) else self.path)]

    def identity(self) -> Mapping[str, object]:
        if isinstance(self.path, str):
            return {"content": self._open("").fingerprint}
        return {"content": {name: self._open(name).fingerprint for name in self.path}}

    def _open(self, name: str) -> PictureSet:
        path, key = (self.path, "prior.path") if isinstance(self.path, str) else (self.path[name], f"prior.path.{name}")
        return open_folder(path, key=key, bad_pictures=self.bad_pictures, background=self.background)


@of_kind("prior/base_prediction")
class BasePrediction(Prior):
    """No class pictures: on the class prompt, the tuned model shall predict what the untuned one predicts for the same
    noisy picture of the subject."""

    samples: Samples = "instance"
    uses_base_prediction = True

    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        return None
