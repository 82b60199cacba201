"""Files of learned words, as the stock library and other programs read them.

Of a model with one vocabulary, the word is the name of its vectors in the file; with several, the names are those of
the vocabularies ({clip_l, clip_g}, by the convention of kohya's scripts), and the word itself is noted beside them.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from imprint.errors import Problem, UserError
from imprint.libraries.diffusers import loads_words
from imprint.methods.adapter_layers import add_metadata, write_weights
from imprint.methods.model_spec import spec_of_model, spec_of_origin
from imprint.methods.stored_weights import read_weights
from imprint.models.base import Format, Model
from imprint.models.facts import ModelInfo
from imprint.types import Concept

FILE = "learned_embeds.safetensors"  # where the stock library looks for it in a folder
FRONT_ENDS_KEY = "emb_params"  # what front ends call the vectors of a model with one vocabulary
WORD = "word"  # in the metadata
KIND: Literal["textual-inversion"] = "textual-inversion"
# For pipelines that the stock library has no loader of words for, nor what writes out words of several vectors.
LOADER = """from diffusers.loaders import TextualInversionLoaderMixin

class WithWords(type(pipeline), TextualInversionLoaderMixin):
    def encode_prompt(self, prompt, *arguments, **settings):
        return super().encode_prompt(self.maybe_convert_prompt(prompt, self.tokenizer), *arguments, **settings)

pipeline.__class__ = WithWords
"""


class Word(NamedTuple):
    """A learned word, and its vectors (N, D) by vocabulary; `about` is the file's metadata."""

    word: str
    vectors: Mapping[str, Tensor]
    about: Mapping[str, str]


def write_words(model: Model, folder: Path) -> None:
    """A file a word that the model has learned."""
    words = model.words
    for (word, vectors), name in zip(words.items(), numbered(FILE, len(words)), strict=True):
        write_word(folder / name, word, vectors, spec_of_model(model, KIND))


def write_word(file: Path, word: str, vectors: Mapping[str, Tensor], about: Mapping[str, str]) -> None:
    stored = {name: rows_ND.detach().cpu().contiguous() for name, rows_ND in vectors.items()}
    if len(stored) == 1:
        write_weights(file, {word: next(iter(stored.values()))}, about)
    else:
        write_weights(file, stored, {**about, WORD: word})


def read_words(folder: Path, vocabularies: Sequence[str]) -> list[Word]:
    """Those of all files in the folder, in the order in which they were learned."""
    return [_read(file, vocabularies) for file in _files(folder)]


def write_origin_of_words(folder: Path, origin: Mapping[str, str]) -> None:
    for file in _files(folder):
        stored, about = read_weights(file)
        word = about.get(WORD) or " ".join(stored)
        own = {**origin, "trigger_words": word}
        add_metadata(file, {**own, **spec_of_origin(own)})


def load_words(model: Model, folder: Path) -> Mapping[str, str]:
    """Puts all saved words into a model; returned is what the last of them was made from."""
    about: Mapping[str, str] = {}
    for word in read_words(folder, list(model.vocabularies)):
        for vectors_ND in model.learn_word(word.word, word.vectors, length=None).values():
            vectors_ND.requires_grad_(False)
        about = word.about
    return about


def reading_lines(facts: ModelInfo) -> str:
    """Lines of Python after which `pipeline` reads learned words in prompts; empty where it does so by itself."""
    if loads_words(facts.pipeline):
        return ""
    return LOADER.replace("self.tokenizer", f"self.{_tokenizers(facts)[0]}")


def loading_lines(concepts: Sequence[Concept], facts: ModelInfo) -> str:
    """Lines of Python with which the stock library loads what `write_words` wrote."""
    return reading_lines(facts) + _loading_lines(concepts, facts)


def _tokenizers(facts: ModelInfo) -> list[str]:
    """Where `pipeline` has them."""
    return [tokenizer for _, tokenizer in facts.word_parts.values()]


def _loading_lines(concepts: Sequence[Concept], facts: ModelInfo) -> str:
    names = numbered(FILE, len(concepts))
    if len(facts.word_parts) > 1:
        lines = ["from safetensors.torch import load_file\n"]
        for concept, name in zip(concepts, names, strict=True):
            lines.append(f'vectors = load_file(f"{{folder}}/{name}")')
            lines += [
                f'pipeline.load_textual_inversion(vectors["{vocabulary}"], token={concept.identifier!r}, '
                f"text_encoder=pipeline.{encoder}, tokenizer=pipeline.{tokenizer})"
                for vocabulary, (encoder, tokenizer) in facts.word_parts.items()
            ]
        return "\n".join(lines)
    [tokenizer] = _tokenizers(facts)
    where = "" if tokenizer == "tokenizer" else f", tokenizer=pipeline.{tokenizer}"
    if len(concepts) == 1:
        return f"pipeline.load_textual_inversion(folder{where})"
    return "\n".join(f'pipeline.load_textual_inversion(folder, weight_name="{name}"{where})' for name in names)


def embedding_formats(model: Model, origin: Mapping[str, str]) -> Mapping[str, Format]:
    """One for each learned word."""
    words = model.words
    names = zip(words, numbered("embedding", len(words)), numbered("embedding.safetensors", len(words)), strict=True)
    return {format: Format(name, partial(_write_embedding, model, word, origin)) for word, format, name in names}


def _write_embedding(model: Model, word: str, origin: Mapping[str, str], file: Path, dtype: torch.dtype) -> None:
    """As front ends share it: the file's name, not its content, is the word that they put it under."""
    if file.suffix != ".safetensors":
        raise UserError(str(Problem("out", str(file), "other programs want the name to end in .safetensors.")))
    stored = {name: rows_ND.detach().to("cpu", dtype).contiguous() for name, rows_ND in model.words[word].items()}
    if len(stored) == 1:
        stored = {FRONT_ENDS_KEY: next(iter(stored.values()))}
    write_weights(file, stored, {**origin, **spec_of_model(model, KIND), **spec_of_origin(origin)})


def numbered(name: str, count: int) -> list[str]:
    """A name for each of `count` words; a single one needs no number. The library wants one word a file."""
    stem, dot, suffix = name.partition(".")
    return [name] if count == 1 else [f"{stem}-{number}{dot}{suffix}" for number in range(1, count + 1)]


def _files(folder: Path) -> list[Path]:
    stem, dot, suffix = FILE.partition(".")
    several = sorted(folder.glob(f"{stem}-*{dot}{suffix}"), key=lambda file: (len(file.name), file.name))
    return several or [folder / FILE]


def _read(file: Path, vocabularies: Sequence[str]) -> Word:
    stored, about = read_weights(file)
    if len(vocabularies) == 1 and len(stored) == 1 and WORD not in about:
        [(word, rows_ND)] = stored.items()
        return Word(word, {vocabularies[0]: rows_ND}, about)
    if WORD not in about or stored.keys() != set(vocabularies):
        there, here = ", ".join(sorted(stored)), ", ".join(vocabularies)
        raise UserError(f"{file}: it holds vectors for {there}; this model's vocabularies are {here}.")
    return Word(about[WORD], stored, about)
