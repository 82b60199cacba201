"""Pivotal tuning: first a word is learned, then the network around it (after arXiv 2106.05744)."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated, ClassVar

from annotated_types import Ge, Le
from pydantic import PositiveInt
from torch.nn import Parameter

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.methods.adapters import Adapters
from imprint.methods.base import Added, Method
from imprint.methods.dreambooth import DreamBooth
from imprint.methods.settings import under
from imprint.methods.textual_inversion import TextualInversion
from imprint.methods.word_files import loading_lines, reading_lines
from imprint.models.base import Format, Model, is_text
from imprint.models.facts import MetaModel, ModelInfo
from imprint.types import Concept, ParamGroup, Window

Share = Annotated[float, Ge(0), Le(1)]


@of_kind("method/pivotal")
@dataclass(kw_only=True)
class Pivotal(Method):
    """A word and a network learn in one run, each in its part of the steps. The result is those of both, in a folder.

    words       the new word
    network     adapters, or the denoiser itself (DreamBooth)
    steps       of the run
    inversion   from where to where the word learns, as shares of the steps
    tuning      the same for the network
    """

    rank_key: ClassVar[str] = "network.rank"

    words: TextualInversion
    network: Method
    steps: PositiveInt
    inversion: tuple[Share, Share]
    tuning: tuple[Share, Share]

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if not isinstance(self.network, Adapters | DreamBooth):
            name = type(self.network).__name__
            yield f"network={name}: choose adapters (method@method.network=lora) or method@method.network=dreambooth."
        windows = {"inversion": self._window(self.inversion), "tuning": self._window(self.tuning)}
        for name, window in windows.items():
            assert window.stop is not None
            if window.start >= window.stop:
                value = list(getattr(self, name))
                yield f"{name}={value}: of {self.steps} steps these are none. Give a start and a later end, as [0,0.5]."
        idle = [step for step in range(self.steps) if not any(window.holds(step) for window in windows.values())]
        if idle:
            yield (
                f"tuning={list(self.tuning)}: with inversion={list(self.inversion)} nothing learns in step "
                f"{idle[0] + 1} of {self.steps}. Let one begin where the other ends."
            )

    def choose_identifier(self, facts: ModelInfo, noun: str, taken: Collection[str]) -> str:
        """One name that shows its vectors: <s1><s2>."""
        size = self.words.vectors
        names = ("".join(f"<s{first + index}>" for index in range(size)) for first in count(1, size))
        free = (word for word in names if word not in taken)
        return next(word for word in free if facts.why_not_new(word, size) is None)

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        yield from under("words", self.words.problems(facts, concepts))
        yield from under("network", self.network.problems(facts, concepts))
        if isinstance(self.network, DreamBooth) and any(map(is_text, self.network.roles)):
            remedy = "a text encoder that learns whole has no place for a word. Choose [denoiser], or adapters."
            yield Problem("network.roles", self.network.roles, remedy)

    @property
    def largest_rank(self) -> int:
        return self.network.largest_rank

    def added_to(self, outline: MetaModel) -> Added:
        return self.network.added_to(outline)

    def changed_roles(self, facts: ModelInfo) -> frozenset[str]:
        return self.network.changed_roles(facts) | self.words.changed_roles(facts)

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        return self.network.exact_roles(facts) | self.words.exact_roles(facts)

    def tuned_roles(self, facts: ModelInfo) -> frozenset[str]:
        return self.network.tuned_roles(facts)

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        # in this order, since adapters go into parts in which nothing learns yet
        tuned = self.network.attach(model, concepts)
        words = self.words.attach(model, concepts)
        return [
            *(group._replace(window=self._window(self.inversion)) for group in words),
            *(group._replace(window=self._window(self.tuning)) for group in tuned),
        ]

    def before_step(self, model: Model, *, seed: int, step: int) -> None:
        self.network.before_step(model, seed=seed, step=step)

    def skipped_parameters(self, model: Model, *, seed: int, step: int) -> Iterable[Parameter]:
        return self.network.skipped_parameters(model, seed=seed, step=step)

    @property
    def replaces_weights(self) -> bool:
        return self.network.replaces_weights

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        # a whole pipeline has the word in it
        has_words = isinstance(self.network, DreamBooth)
        words = reading_lines(facts) if has_words else loading_lines(concepts, facts)
        return "\n".join(filter(None, [self.network.loading(concepts, facts), words]))

    def save(self, model: Model, folder: Path) -> None:
        self.network.save(model, folder)
        self.words.save(model, folder)

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:
        self.network.write_origin(folder, origin)
        self.words.write_origin(folder, origin)

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        return self.network.scale_problems(scale)

    @property
    def has_ranks(self) -> bool:
        return self.network.has_ranks

    def choose_rank(self, rank: int) -> None:
        self.network.choose_rank(rank)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        self.network.load(model, folder, scale=scale)
        self.load_words(model, folder)

    def load_words(self, model: Model, folder: Path) -> None:
        self.words.load(model, folder, scale={})

    def formats(self, model: Model) -> Mapping[str, Format]:
        return {**self.network.formats(model), **self.words.formats(model)}

    def _window(self, shares: tuple[Share, Share]) -> Window:
        start, stop = (round(share * self.steps) for share in shares)
        return Window(start, stop)
