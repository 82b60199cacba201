"""Textual Inversion (arXiv 2208.01618): the network stays as it is and learns a word."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Annotated

import torch
from annotated_types import Ge, Le
from pydantic import NonNegativeInt, PositiveFloat
from torch import Tensor

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.methods.base import Method, from_base
from imprint.methods.word_files import embedding_formats, load_words, loading_lines, write_origin_of_words, write_words
from imprint.models.base import Format, Model, is_text
from imprint.models.facts import ModelInfo
from imprint.models.words import Vocabulary, tokens_of
from imprint.rng import normal
from imprint.types import ALWAYS, Concept, ParamGroup

NOUN, RANDOM = "noun", "random"
PLAIN = re.compile("[a-z0-9]+")
EXAMPLE = "\"dataset.identifier='<toy>'\""  # quoted for a shell and for Hydra


@of_kind("method/textual_inversion")
@dataclass(kw_only=True)
class TextualInversion(Method):
    """Teaches `vectors` vectors that the identifier, a new word, stands for, in each of the model's vocabularies. The
    result is one small file a word.

    start   where they begin: noun (the class noun), random (like the vocabulary's own, sampled with `seed`), or known
            words. The tokens of a noun or of words go to the vectors in turn (round robin), and a vector begins at the
            mean of its own: one vector at the mean of all, as many vectors as tokens each at one of them, and more
            vectors begin over again.
    norm    the length that every vector is held to; null: free
    """

    vectors: Annotated[int, Ge(1), Le(512)]  # no text encoder reads longer prompts
    start: str
    seed: NonNegativeInt
    norm: PositiveFloat | None
    lr: PositiveFloat

    origin: Mapping[str, str] = field(init=False, default_factory=dict)  # what a loaded result was made from

    def __post_init__(self) -> None:
        super().__post_init__()
        self.start = self.start.strip()

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if not self.start.strip():
            yield f"start={self.start!r}: give {NOUN}, {RANDOM} or a word that the model knows."
        if without := [template for template in self.templates if "{identifier}" not in template]:
            yield f"templates={without}: nothing is learned from a caption without {{identifier}}."

    def choose_identifier(self, facts: ModelInfo, noun: str, taken: Collection[str]) -> str:
        """The class noun as a word of its own: <dog>. Of plain letters, which every program takes as they are."""
        name = "-".join(PLAIN.findall(noun.lower())) or "subject"
        candidates = (f"<{name}>" if number == 1 else f"<{name}-{number}>" for number in count(1))
        free = (word for word in candidates if word not in taken)
        return next(word for word in free if facts.why_not_new(word, self.vectors) is None)

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        for concept in concepts:
            yield from self._word_problems(facts, concept)
        tokens = [token for concept in concepts for token in tokens_of(concept.identifier, self.vectors)]
        if twice := sorted({token for token in tokens if tokens.count(token) > 1}):
            words = ", ".join(concept.identifier for concept in concepts)
            yield f"The subjects' words {words} share {', '.join(twice)}. Give words that are not built alike, or auto."
        if self.start not in (NOUN, RANDOM):
            unknown = [word for word in self.start.split() if not facts.has_token(word)]
            if unknown:
                remedy = (
                    f"the model has no token for {', '.join(unknown)}. Give words that are a single token each, {NOUN} "
                    f"or {RANDOM}."
                )
                yield Problem("start", self.start, remedy)

    def changed_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset(filter(is_text, facts.roles))

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        return self.changed_roles(facts)  # words begin at those of the tables

    def tuned_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset()

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        learned = [
            vectors_ND
            for concept in concepts
            for vectors_ND in model.learn_word(
                concept.identifier, self._start(model, concept), length=self.norm
            ).values()
        ]
        return [ParamGroup("words", learned, self.lr, ALWAYS)]

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        return f"{from_base(facts)}\n{loading_lines(concepts, facts)}"

    def save(self, model: Model, folder: Path) -> None:
        write_words(model, folder)

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:
        write_origin_of_words(folder, origin)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        self.origin = load_words(model, folder)

    def formats(self, model: Model) -> Mapping[str, Format]:
        return embedding_formats(model, self.origin)

    def _word_problems(self, facts: ModelInfo, concept: Concept) -> Iterator[str]:
        if fault := facts.why_not_new(concept.identifier, self.vectors):
            remedy = f"{fault} Textual Inversion teaches a new word. Give auto or one in lower case: {EXAMPLE}."
            yield str(Problem(concept.key("identifier"), concept.identifier, remedy))
        if self.start == NOUN and not facts.tokenizer(concept.noun, add_special_tokens=False).input_ids:
            remedy = "the model's tokenizer finds no word in it. Say what the pictures show: dog."
            yield str(Problem(concept.key("class_noun"), concept.noun, remedy))

    def _start(self, model: Model, concept: Concept) -> dict[str, Tensor]:
        return {name: self._start_in(vocabulary, concept) for name, vocabulary in model.vocabularies.items()}

    def _start_in(self, vocabulary: Vocabulary, concept: Concept) -> Tensor:
        if self.start == RANDOM:
            known_VD = vocabulary.vectors.float()
            names = [(self.seed, "word", concept.identifier, index) for index in range(self.vectors)]
            sampled_ND = normal(names, known_VD.shape[1:]).to(known_VD.device)
            return known_VD.mean(dim=0) + sampled_ND * known_VD.std(dim=0)
        if self.start == NOUN:
            return round_robin(vocabulary.token_vectors(concept.noun), self.vectors)
        return round_robin(vocabulary.vectors_of_words(self.start.split()), self.vectors)


def round_robin(tokens_ND: Tensor, groups: int) -> Tensor:
    """The rows shared out in turn, over again if there are too few, and of each group the mean."""
    rounds = -(-groups // len(tokens_ND))
    enough_ND = tokens_ND.repeat(rounds, 1)[: max(groups, len(tokens_ND))]
    return torch.stack([enough_ND[first::groups].mean(dim=0) for first in range(groups)])
