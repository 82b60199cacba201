"""Learned words, added to vocabularies whose other tokens stay as they are.

A model has a vocabulary for each of its text encoders. A learned word is new to all of them, and has vectors of its own
in each; its tokens have the same names everywhere.
"""

import copy
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from imprint.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class WordTable(nn.Embedding):
    """The model's embedding table, frozen, followed by learned words, each with parameters of its own.

    So no other vector can change or decay, whatever the optimiser does with its parameters. The table keeps its name in
    the state of the text encoder. Learned vectors are stored in float32 and looked up in the precision of the table.
    """

    embed_scale: Tensor | None

    def __init__(self, vocabulary: nn.Embedding, first: int) -> None:
        """`first` is the id of the first learned token; all ids after it are learned tokens, too."""
        rows, width = vocabulary.weight.shape
        super().__init__(rows, width, _weight=vocabulary.weight, _freeze=True)
        self.first = first
        # Gemma multiplies all vectors by this when it looks them up.
        self.register_buffer("embed_scale", getattr(vocabulary, "embed_scale", None), persistent=False)
        self.vectors = nn.ParameterList()
        self._words: list[tuple[str, float | None]] = []

    def learn(self, word: str, start_ND: Tensor, length: float | None) -> nn.Parameter:
        vectors_ND = nn.Parameter(start_ND.detach().to(self.weight.device, torch.float32, copy=True))
        self.vectors.append(vectors_ND)
        self._words.append((word, length))
        return vectors_ND

    @property
    def words(self) -> dict[str, Tensor]:
        """The vectors of every learned word as in captions, but in float32."""
        return {
            word: vectors_ND if length is None else functional.normalize(vectors_ND, dim=-1) * length
            for (word, length), vectors_ND in zip(self._words, self.vectors, strict=True)
        }

    def forward(self, input: Tensor) -> Tensor:
        learned = input >= self.first
        known_BLD = super().forward(input.masked_fill(learned, 0))
        # Also for captions without a learned word, so that every process has a gradient, if only of zeros.
        new_BLD = functional.embedding((input - self.first).clamp(min=0), torch.cat(list(self.words.values())))
        vectors_BLD = torch.where(learned[..., None], new_BLD.to(known_BLD.dtype), known_BLD)
        return vectors_BLD if self.embed_scale is None else vectors_BLD * self.embed_scale.to(vectors_BLD.dtype)


class Vocabulary(NamedTuple):
    """A tokenizer, and the text encoder whose embedding table holds the vectors of its tokens."""

    tokenizer: "PreTrainedTokenizerBase"
    encoder: "PreTrainedModel"

    @property
    def vectors(self) -> Tensor:
        """The vectors (V, D) of the tokens that the model came with. They never change."""
        table: Tensor = self.encoder.get_input_embeddings().weight
        return table

    def token_vectors(self, text: str) -> Tensor:
        """The vectors (N, D) of a text without learned words, float32."""
        ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
        return self.vectors[ids.to(self.vectors.device)].float()

    def vectors_of_words(self, words: Sequence[str]) -> Tensor:
        """(N, D), one for each word, float32. Each must have a token: `token_id`."""
        ids = torch.tensor([token_id(self.tokenizer, word) for word in words])
        return self.vectors[ids.to(self.vectors.device)].float()

    @property
    def words(self) -> Mapping[str, Tensor]:
        """Every learned word, and its vectors (N, D) as in captions, float32."""
        table = self.encoder.get_input_embeddings()
        return table.words if isinstance(table, WordTable) else {}

    def learn_word(self, word: str, start_ND: Tensor, length: float | None) -> nn.Parameter:
        """As `Model.learn_word`, in this vocabulary."""
        table = self.encoder.get_input_embeddings()
        if not isinstance(table, WordTable):
            table = WordTable(table, first=len(self.tokenizer))
            self.encoder.set_input_embeddings(table)
        if start_ND.ndim != 2 or start_ND.shape[1] != table.embedding_dim:
            shape = " x ".join(map(str, start_ND.shape)) or "a single number"
            width = f"its vectors are {shape}, this model's are {table.embedding_dim} wide"
            raise UserError(f"The word {word} does not fit: {width}. It was learned for another kind of model.")
        if self.tokenizer.add_tokens(tokens_of(word, len(start_ND))) != len(start_ND):
            raise UserError(
                f"The word {word} is not new to this model, or another result has taught it already. Teach one of them "
                "by another name (dataset.identifier), or use them one at a time."
            )
        return table.learn(word, start_ND, length)


def state_without_words(network: nn.Module) -> dict[str, Tensor]:
    """The state dict without the learned words."""
    tables = (module for module in network.modules() if isinstance(module, WordTable))
    learned = {id(parameter) for table in tables for parameter in table.vectors}
    names = {name for name, parameter in network.named_parameters(remove_duplicate=False) if id(parameter) in learned}
    return {name: weight for name, weight in network.state_dict().items() if name not in names}


def write_words(source: "PreTrainedModel", target: "PreTrainedModel") -> None:
    """Writes the words that `source` learned as rows of the embedding table of `target`, which has learned none."""
    table = source.get_input_embeddings()
    if not isinstance(table, WordTable):
        return
    learned_ND = torch.cat(list(table.words.values())).detach().cpu()
    last = table.first + len(learned_ND)
    if last > target.get_input_embeddings().num_embeddings:
        target.resize_token_embeddings(last, mean_resizing=False)
    target.set_input_embeddings(target.get_input_embeddings())  # T5's table has two names, which must stay one
    table_VD = target.get_input_embeddings().weight
    table_VD.data = torch.cat([table_VD[: table.first], learned_ND, table_VD[last:]]).detach()
    target.tie_weights()  # the head of a language model may be the same table


def tokens_of(word: str, vectors: int) -> list[str]:
    """One token per vector, named as diffusers does it, where `word` in a prompt then stands for all of them."""
    return [word, *(f"{word}_{index}" for index in range(1, vectors))]


def why_not_new(tokenizer: "PreTrainedTokenizerBase", word: str, vectors: int) -> str | None:
    """Why `word` cannot become a new word of as many vectors, if it cannot."""
    if len(word.split()) != 1:
        return "it is not one word."
    vocabulary = tokenizer.get_vocab()
    known = [token for token in tokens_of(word, vectors) if token in vocabulary or is_token(tokenizer, token)]
    if known:
        return f"the model knows {' and '.join(known)} already."
    if not _is_found_again(tokenizer, len(tokenizer), word, vectors):
        # In prompts the library would silently find only the first of its vectors.
        return "the model's tokenizer writes it in another way."
    return None


@lru_cache(maxsize=16)
def _is_found_again(tokenizer: "PreTrainedTokenizerBase", size: int, word: str, vectors: int) -> bool:
    """Whether the tokenizer would find the word in prompts once it is added. Cached, since this copies a vocabulary.
    `size` is part of the key, since a tokenizer changes only by words that are added."""
    extended = copy.deepcopy(tokenizer)
    extended.add_tokens(tokens_of(word, vectors))
    return word in extended.tokenize(f"a {word} b")


def is_token(tokenizer: "PreTrainedTokenizerBase", word: str) -> bool:
    """Whether the word is one token in a caption."""
    return len(tokenizer(word, add_special_tokens=False).input_ids) == 1


def token_id(tokenizer: "PreTrainedTokenizerBase", word: str) -> int | None:
    """The token of a word that is one in a caption; else the vocabulary's entry of this name, which stands within words
    only: CLIP has `ktn`, but no `ktn</w>`. None where there is neither."""
    ids: list[int] = tokenizer(word, add_special_tokens=False).input_ids
    return ids[0] if len(ids) == 1 else tokenizer.get_vocab().get(word)
