"""What every personalisation method offers."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

from torch.nn import Parameter

from imprint.errors import ConfigError, Problem
from imprint.methods.identifier import choose_identifier
from imprint.methods.settings import template_faults
from imprint.models.base import Format, Model, is_text
from imprint.models.facts import MetaModel, ModelInfo
from imprint.models.roles import TEXT
from imprint.types import Concept, ParamGroup


def from_base(facts: ModelInfo) -> str:
    """For a model card: Python that makes `pipeline` of the model at `base`, whose place the card tells."""
    return pipeline_lines("base", facts)


def pipeline_lines(place: str, facts: ModelInfo) -> str:
    """Python that makes `pipeline` of what is at `place`, an expression. The library refuses to open a pipeline that
    lacks what others of its class have, unless it is told so."""
    without = "".join(f", {name}=None" for name in facts.lacking)
    return f"from diffusers import DiffusionPipeline\n\npipeline = DiffusionPipeline.from_pretrained({place}{without})"


class Added(NamedTuple):
    """What a method puts beside the weights of a model."""

    numbers: int
    usable_rank: int  # the highest that any of the layers could use


@dataclass(kw_only=True)
class Method(ABC):
    """What learns, and which words name it. It knows nothing of a model but its roles.

    A run teaches one concept or several; their identifiers differ.

    templates   captions for pictures that have none of their own, with places for {identifier} and {noun}
    """

    not_in_identity: ClassVar[frozenset[str]] = frozenset()  # settings that do not change a result by themselves

    learns_in_bfloat16: ClassVar[bool] = False  # whether it can: what it adds beside a network is small in float32

    rank_key: ClassVar[str] = "rank"  # of the ranks of what it adds to layers

    templates: list[str]

    @property
    def replaces_weights(self) -> bool:
        """Whether the result is the network itself, not something beside it."""
        return False

    def __post_init__(self) -> None:
        if faults := list(self.faults()):
            raise ValueError("\n".join(faults))

    def faults(self) -> Iterator[str]:
        """What is wrong with the settings whatever the model is, each beginning with its key."""
        yield from template_faults(self.templates)

    def choose_identifier(self, facts: ModelInfo, noun: str, taken: Collection[str]) -> str:
        """The word that dataset.identifier=auto stands for: a rare one that the model has already, and none of
        `taken`."""
        return choose_identifier(facts.tokenizer, taken)

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        """What makes this method impossible on this model; the key of a Problem is relative to `method`."""
        return iter(())

    @property
    def largest_rank(self) -> int:
        """Of what it adds to layers; 0 where that has none."""
        return 0

    def added_to(self, outline: MetaModel) -> Added:
        """What it would add to a model of this shape."""
        return Added(0, 0)

    def changed_roles(self, facts: ModelInfo) -> frozenset[str]:
        """Of the parts that learn, or are given something that does. The others are only computed with."""
        return frozenset(facts.roles)

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        """Of the parts whose weights have to be in float32 when this is attached: because they learn, or because what
        learns begins at them."""
        return frozenset(facts.roles)

    def tuned_roles(self, facts: ModelInfo) -> frozenset[str]:
        """Of the parts whose own weights learn, which therefore cannot be kept in fewer bits."""
        return frozenset(facts.roles)

    @abstractmethod
    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        """Prepares the (frozen) model and returns what trains: exactly these parameters, in float32."""

    def before_step(self, model: Model, *, seed: int, step: int) -> None:  # noqa: B027 - few methods change
        """Called before every pass of a step. What it does follows from its arguments alone, since a step can have
        several passes, on several processes, and be done again after an interruption."""

    def skipped_parameters(self, model: Model, *, seed: int, step: int) -> Iterable[Parameter]:
        """Of what trains, the parameters that this step leaves as they are: without gradient, decay or moments."""
        return ()

    def captions(self, concept: Concept) -> Sequence[str]:
        """The captions of a picture that has none of its own."""
        return [concept.fill(template) for template in self.templates]

    def usage(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        """Python that generates a picture of each concept with a saved result in `folder`, without imprint."""
        return f"{self.loading(concepts, facts)}\n{_generating_lines(self.templates[0], concepts, facts)}"

    @abstractmethod
    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        """The lines among them that make `pipeline`."""

    @abstractmethod
    def save(self, model: Model, folder: Path) -> None:
        """Writes the result in the format that other tools read."""

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        """The strengths that a result of this method cannot have; most results have no strength to choose."""
        for role, strength in scale.items():
            if strength != 1.0:
                yield Problem(
                    scale_key(role), strength, "what this method learns has no strength to choose. Leave it at 1."
                )

    @property
    def has_ranks(self) -> bool:
        """Whether a result holds adapters of several ranks, of which `choose_rank` takes one."""
        return False

    def choose_rank(self, rank: int) -> None:
        """Results are loaded at this rank from now on. Raises ConfigError where they have none such."""
        remedy = f"what {type(self).__name__} learned has no rank to choose. Leave it out."
        raise ConfigError([Problem("rank", rank, remedy)])

    @abstractmethod
    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        """Puts a saved result into an untuned model, with a strength per role (1: as trained)."""

    def load_words(self, model: Model, folder: Path) -> None:  # noqa: B027 - few methods have both
        """Of a saved result that replaces weights, puts the words alone into a model: the weights go there as a
        difference."""

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:  # noqa: B027 - few formats have such a place
        """Notes in the files of a saved result what they were made from, where their format has a place for it."""

    def formats(self, model: Model) -> Mapping[str, Format]:
        """Formats for a model with a result of this method loaded, beside or in place of the model's own. Writing
        one may use the model up."""
        return {}


def strengths_without_use(scale: Mapping[str, float], taught: Sequence[str]) -> Iterator[Problem]:
    """Strengths of parts to which a run taught nothing."""
    for role, strength in scale.items():
        is_taught = role in taught or (role == TEXT and any(map(is_text, taught)))
        if strength != 1.0 and not is_taught:
            remedy = f"this run taught nothing to that part, only to {list(taught)}. Leave it at 1."
            yield Problem(scale_key(role), strength, remedy)


def scale_key(role: str) -> str:
    """What a user gives the strength of a part by."""
    return f"scale.{role}"


def _generating_lines(template: str, concepts: Sequence[Concept], facts: ModelInfo) -> str:
    """Lines that generate a picture of each concept with `pipeline`."""
    upscaling = facts.upscaling
    enlarged = f', image=Image.open("small.png"), noise_level={upscaling.level}' if upscaling else ""
    files = ["out.png"] if len(concepts) == 1 else [f"out-{number}.png" for number in range(1, len(concepts) + 1)]
    lines = (
        f'pipeline(prompt={concept.fill(template)!r}{enlarged}).images[0].save("{file}")'
        for concept, file in zip(concepts, files, strict=True)
    )
    return "\n".join([*(["from PIL import Image", ""] if enlarged else []), *lines])
