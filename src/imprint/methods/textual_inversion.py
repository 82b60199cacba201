"""Textual Inversion (arXiv 2208.01618): the network stays as it is and learns a word."""

import re
from collections.abc import Iterator, Mapping, Sequence
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
from imprint.families.words import is_token, why_not_new
from imprint.methods.adapter_layers import add_metadata, read_metadata, write_weights
from imprint.methods.base import Method
from imprint.methods.settings import template_faults
from imprint.types import ALWAYS, Concept, ParamGroup

FILE = "learned_embeds.safetensors"  # where the stock library looks for it in a folder
FRONT_ENDS_KEY = "emb_params"
NOUN, RANDOM = "noun", "random"
PLAIN = re.compile("[a-z0-9]+")
EXAMPLE = "\"dataset.identifier='<toy>'\""  # quoted for a shell and for Hydra


class TextualInversion(Method):
    """Teaches `vectors` vectors that the identifier, a new word, stands for. The result is one small file.

    start   where they begin: noun (the class noun), random (like the vocabulary's own, drawn from `seed`), or known
            words. The tokens of a noun or of words are dealt out to the vectors in turn, and a vector begins at the
            mean of its own: one vector at the mean of all, as many vectors as tokens each at one of them, and more
            vectors begin over again.
    norm    the length that every vector is held to; null: free
    """

    def __init__(
        self,
        *,
        vectors: PositiveInt,
        start: str,
        seed: NonNegativeInt,
        norm: PositiveFloat | None,
        lr: PositiveFloat,
        templates: list[str],
    ) -> None:
        faults = list(template_faults(templates))
        if not start.strip():
            faults.append(f"start={start!r}: give {NOUN}, {RANDOM} or a word that the model knows.")
        without = [template for template in templates if "{identifier}" not in template]
        if without:
            faults.append(f"templates={without}: nothing is learned from a caption without {{identifier}}.")
        if faults:
            raise ValueError("\n".join(faults))
        self.vectors = vectors
        self.start = start.strip()
        self.seed = seed
        self.norm = norm
        self.lr = lr
        self._templates = templates
        self.origin: Mapping[str, str] = {}

    def choose_identifier(self, facts: Facts, noun: str) -> str:
        """The class noun as a word of its own: <dog>. Of plain letters, which every program takes as they are."""
        name = "-".join(PLAIN.findall(noun.lower())) or "subject"
        candidates = (f"<{name}>" if number == 1 else f"<{name}-{number}>" for number in count(1))
        return next(word for word in candidates if why_not_new(facts.tokenizer, word, self.vectors) is None)

    def problems(self, facts: Facts, concept: Concept) -> Iterator[Problem | str]:
        if fault := why_not_new(facts.tokenizer, concept.identifier, self.vectors):
            remedy = f"{fault} Textual Inversion teaches a new word. Give auto or one in lower case: {EXAMPLE}."
            yield str(Problem("dataset.identifier", concept.identifier, remedy))
        if self.start == NOUN and not facts.tokenizer(concept.noun, add_special_tokens=False).input_ids:
            remedy = "the model's tokenizer finds no word in it. Say what the pictures show: dog."
            yield str(Problem("dataset.class_noun", concept.noun, remedy))
        if self.start not in (NOUN, RANDOM):
            unknown = [word for word in self.start.split() if not is_token(facts.tokenizer, word)]
            if unknown:
                remedy = (
                    f"the model has no token for {', '.join(unknown)}. Give words that are a single token each, {NOUN} "
                    f"or {RANDOM}."
                )
                yield Problem("start", self.start, remedy)

    def attach(self, family: Family, concept: Concept) -> list[ParamGroup]:
        vectors_ND = family.learn_word(concept.identifier, self._start(family, concept), length=self.norm)
        return [ParamGroup("words", [vectors_ND], self.lr, ALWAYS)]

    def templates(self, concept: Concept) -> Sequence[str]:
        return [concept.fill(template) for template in self._templates]

    def usage(self, concept: Concept) -> str:
        return (
            "from diffusers import DiffusionPipeline\n\n"
            'pipeline = DiffusionPipeline.from_pretrained("the base model, or another of its kind")\n'
            "pipeline.load_textual_inversion(folder)\n"
            f'pipeline({concept.fill(self._templates[0])!r}).images[0].save("out.png")'
        )

    def save(self, family: Family, folder: Path) -> None:
        write_weights(folder / FILE, {word: _stored(rows_ND) for word, rows_ND in family.words.items()}, {})

    def sign(self, folder: Path, origin: Mapping[str, str]) -> None:
        add_metadata(folder / FILE, {**origin, "trigger_words": " ".join(load_file(folder / FILE))})

    def load(self, family: Family, folder: Path, *, scale: Mapping[str, float]) -> None:
        for word, rows_ND in load_file(folder / FILE).items():
            family.learn_word(word, rows_ND, length=None).requires_grad_(False)
        self.origin = read_metadata(folder / FILE)

    def formats(self, family: Family) -> Mapping[str, Format]:
        return {"embedding": Format("embedding.safetensors", partial(self._write_embedding, family))}

    def _write_embedding(self, family: Family, file: Path, dtype: torch.dtype) -> None:
        """As front ends share it: the file's name, not its content, is the word that they put it under."""
        if file.suffix != ".safetensors":
            raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
        [rows_ND] = family.words.values()
        write_weights(file, {FRONT_ENDS_KEY: _stored(rows_ND.to(dtype))}, self.origin)

    def _start(self, family: Family, concept: Concept) -> Tensor:
        if self.start == RANDOM:
            known_VD = family.vocabulary.float()
            names = [(self.seed, "word", concept.identifier, index) for index in range(self.vectors)]
            drawn_ND = normal(names, known_VD.shape[1:]).to(known_VD.device)
            return known_VD.mean(dim=0) + drawn_ND * known_VD.std(dim=0)
        tokens_ND = family.token_vectors(concept.noun if self.start == NOUN else self.start)
        return dealt(tokens_ND, self.vectors)


def dealt(tokens_ND: Tensor, hands: int) -> Tensor:
    """The rows dealt out in turn, over again if there are too few, and of each hand the mean."""
    rounds = -(-hands // len(tokens_ND))
    enough_ND = tokens_ND.repeat(rounds, 1)[: max(hands, len(tokens_ND))]
    return torch.stack([enough_ND[first::hands].mean(dim=0) for first in range(hands)])


def _stored(rows_ND: Tensor) -> Tensor:
    return rows_ND.detach().cpu().contiguous()
