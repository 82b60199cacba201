"""Textual Inversion (arXiv 2208.01618): the network stays as it is and learns a word."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path

import torch
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from safetensors.torch import load_file
from torch import Tensor

from imprint.draws import normal
from imprint.errors import Problem, UserError
from imprint.families.base import Facts, Family, Format
from imprint.families.words import is_token, tokens_of, why_not_new
from imprint.kinds import of_kind
from imprint.methods.adapter_layers import add_metadata, read_metadata, write_weights
from imprint.methods.base import Method
from imprint.methods.usage import FROM_BASE
from imprint.types import ALWAYS, Concept, ParamGroup

FILE = "learned_embeds.safetensors"  # where the stock library looks for it in a folder
FRONT_ENDS_KEY = "emb_params"
NOUN, RANDOM = "noun", "random"
PLAIN = re.compile("[a-z0-9]+")
EXAMPLE = "\"dataset.identifier='<toy>'\""  # quoted for a shell and for Hydra


@of_kind("method/textual_inversion")
@dataclass(kw_only=True)
class TextualInversion(Method):
    """Teaches `vectors` vectors that the identifier, a new word, stands for. The result is one small file a word.

    start   where they begin: noun (the class noun), random (like the vocabulary's own, drawn from `seed`), or known
            words. The tokens of a noun or of words are dealt out to the vectors in turn, and a vector begins at the
            mean of its own: one vector at the mean of all, as many vectors as tokens each at one of them, and more
            vectors begin over again.
    norm    the length that every vector is held to; null: free
    """

    vectors: PositiveInt
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

    def choose_identifier(self, facts: Facts, noun: str, taken: Collection[str]) -> str:
        """The class noun as a word of its own: <dog>. Of plain letters, which every program takes as they are."""
        name = "-".join(PLAIN.findall(noun.lower())) or "subject"
        candidates = (f"<{name}>" if number == 1 else f"<{name}-{number}>" for number in count(1))
        free = (word for word in candidates if word not in taken)
        return next(word for word in free if why_not_new(facts.tokenizer, word, self.vectors) is None)

    def problems(self, facts: Facts, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        for concept in concepts:
            yield from self._word_problems(facts, concept)
        tokens = [token for concept in concepts for token in tokens_of(concept.identifier, self.vectors)]
        if twice := sorted({token for token in tokens if tokens.count(token) > 1}):
            words = ", ".join(concept.identifier for concept in concepts)
            yield f"The subjects' words {words} share {', '.join(twice)}. Give words that are not built alike, or auto."
        if self.start not in (NOUN, RANDOM):
            unknown = [word for word in self.start.split() if not is_token(facts.tokenizer, word)]
            if unknown:
                remedy = (
                    f"the model has no token for {', '.join(unknown)}. Give words that are a single token each, {NOUN} "
                    f"or {RANDOM}."
                )
                yield Problem("start", self.start, remedy)

    def attach(self, family: Family, concepts: Sequence[Concept]) -> list[ParamGroup]:
        learned = [
            family.learn_word(concept.identifier, self._start(family, concept), length=self.norm)
            for concept in concepts
        ]
        return [ParamGroup("words", learned, self.lr, ALWAYS)]

    def loading(self, concepts: Sequence[Concept]) -> str:
        return f"{FROM_BASE}\n{load_words(concepts)}"

    def save(self, family: Family, folder: Path) -> None:
        for (word, rows_ND), name in zip(family.words.items(), _numbered(FILE, len(family.words)), strict=True):
            write_weights(folder / name, {word: _stored(rows_ND)}, {})

    def sign(self, folder: Path, origin: Mapping[str, str]) -> None:
        for file in _files(folder):
            add_metadata(file, {**origin, "trigger_words": " ".join(load_file(file))})

    def load(self, family: Family, folder: Path, *, scale: Mapping[str, float]) -> None:
        for file in _files(folder):
            for word, rows_ND in load_file(file).items():
                family.learn_word(word, rows_ND, length=None).requires_grad_(False)
            self.origin = read_metadata(file)

    def formats(self, family: Family) -> Mapping[str, Format]:
        return embedding_formats(family, self.origin)

    def _word_problems(self, facts: Facts, concept: Concept) -> Iterator[str]:
        if fault := why_not_new(facts.tokenizer, concept.identifier, self.vectors):
            remedy = f"{fault} Textual Inversion teaches a new word. Give auto or one in lower case: {EXAMPLE}."
            yield str(Problem(concept.key("identifier"), concept.identifier, remedy))
        if self.start == NOUN and not facts.tokenizer(concept.noun, add_special_tokens=False).input_ids:
            remedy = "the model's tokenizer finds no word in it. Say what the pictures show: dog."
            yield str(Problem(concept.key("class_noun"), concept.noun, remedy))

    def _start(self, family: Family, concept: Concept) -> Tensor:
        if self.start == RANDOM:
            known_VD = family.vocabulary.float()
            names = [(self.seed, "word", concept.identifier, index) for index in range(self.vectors)]
            drawn_ND = normal(names, known_VD.shape[1:]).to(known_VD.device)
            return known_VD.mean(dim=0) + drawn_ND * known_VD.std(dim=0)
        tokens_ND = family.token_vectors(concept.noun if self.start == NOUN else self.start)
        return dealt(tokens_ND, self.vectors)


def embedding_formats(family: Family, origin: Mapping[str, str]) -> Mapping[str, Format]:
    """One for each learned word."""
    words = family.words
    names = zip(words, _numbered("embedding", len(words)), _numbered("embedding.safetensors", len(words)), strict=True)
    return {format: Format(name, partial(_write_embedding, family, word, origin)) for word, format, name in names}


def _write_embedding(family: Family, word: str, origin: Mapping[str, str], file: Path, dtype: torch.dtype) -> None:
    """As front ends share it: the file's name, not its content, is the word that they put it under."""
    if file.suffix != ".safetensors":
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    write_weights(file, {FRONT_ENDS_KEY: _stored(family.words[word].to(dtype))}, origin)


def load_words(concepts: Sequence[Concept]) -> str:
    """Lines with which the stock library loads what `save` wrote."""
    if len(concepts) == 1:
        return "pipeline.load_textual_inversion(folder)"
    names = _numbered(FILE, len(concepts))
    return "\n".join(f'pipeline.load_textual_inversion(folder, weight_name="{name}")' for name in names)


def _numbered(name: str, count: int) -> list[str]:
    """A name for each of `count` words; a single one needs no number. The library wants one word a file."""
    stem, dot, suffix = name.partition(".")
    return [name] if count == 1 else [f"{stem}-{number}{dot}{suffix}" for number in range(1, count + 1)]


def _files(folder: Path) -> list[Path]:
    """Those of all words, in the order in which they were learned."""
    stem, dot, suffix = FILE.partition(".")
    numbered = sorted(folder.glob(f"{stem}-*{dot}{suffix}"), key=lambda file: (len(file.name), file.name))
    return numbered or [folder / FILE]


def dealt(tokens_ND: Tensor, hands: int) -> Tensor:
    """The rows dealt out in turn, over again if there are too few, and of each hand the mean."""
    rounds = -(-hands // len(tokens_ND))
    enough_ND = tokens_ND.repeat(rounds, 1)[: max(hands, len(tokens_ND))]
    return torch.stack([enough_ND[first::hands].mean(dim=0) for first in range(hands)])


def _stored(rows_ND: Tensor) -> Tensor:
    return rows_ND.detach().cpu().contiguous()
