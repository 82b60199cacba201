"""Words that Stable Diffusion learns, beside a vocabulary that stays as it is."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from imprint.errors import UserError
from imprint.families.words import tokens_of

if TYPE_CHECKING:
    from transformers import CLIPTextModel, CLIPTokenizer


class WordTable(nn.Embedding):
    """The model's table of vectors, frozen, and learned words that follow it: each has parameters of its own.

    So no other vector can learn or decay, whatever the optimiser does with what it is given. The table keeps its name
    in the state of the text encoder. Learned vectors stay in float32 and are seen in the precision of the table.
    """

    def __init__(self, vocabulary: nn.Embedding, first: int) -> None:
        """`first` is the id of the first learned token; all later ones are learned, too."""
        rows, width = vocabulary.weight.shape
        super().__init__(rows, width, _weight=vocabulary.weight, _freeze=True)
        self.first = first
        self.vectors = nn.ParameterList()
        self._words: list[tuple[str, float | None]] = []

    def learn(self, word: str, start_ND: Tensor, length: float | None) -> nn.Parameter:
        vectors_ND = nn.Parameter(start_ND.detach().to(self.weight.device, torch.float32, copy=True))
        self.vectors.append(vectors_ND)
        self._words.append((word, length))
        return vectors_ND

    @property
    def words(self) -> dict[str, Tensor]:
        """The vectors of every learned word as a caption sees them, but in float32."""
        return {
            word: vectors_ND if length is None else functional.normalize(vectors_ND, dim=-1) * length
            for (word, length), vectors_ND in zip(self._words, self.vectors, strict=True)
        }

    def forward(self, input: Tensor) -> Tensor:
        learned = input >= self.first
        known_BLD = super().forward(input.masked_fill(learned, 0))
        # Also for captions without a learned word: every process then has a gradient, if only of zeros.
        new_BLD = functional.embedding((input - self.first).clamp(min=0), torch.cat(list(self.words.values())))
        return torch.where(learned[..., None], new_BLD.to(known_BLD.dtype), known_BLD)


def learn_word(
    tokenizer: "CLIPTokenizer", text_encoder: "CLIPTextModel", word: str, start_ND: Tensor, length: float | None
) -> nn.Parameter:
    """See `Family.learn_word`."""
    table = text_encoder.get_input_embeddings()
    if not isinstance(table, WordTable):
        table = WordTable(table, first=len(tokenizer))
        text_encoder.set_input_embeddings(table)
    if start_ND.ndim != 2 or start_ND.shape[1] != table.embedding_dim:
        width = f"its vectors are {start_ND.shape[-1]} wide, this model's are {table.embedding_dim}"
        raise UserError(f"The word {word} does not fit: {width}. It was learned for another kind of model.")
    added = tokenizer.add_tokens(tokens_of(word, len(start_ND)))
    if added != len(start_ND):
        raise UserError(
            f"The word {word} is not new to this model, or another result has taught it already. Teach one of them by "
            "another name (dataset.identifier), or use them one at a time."
        )
    return table.learn(word, start_ND, length)


def learned_words(text_encoder: "CLIPTextModel") -> Mapping[str, Tensor]:
    """See `Family.words`."""
    table = text_encoder.get_input_embeddings()
    return table.words if isinstance(table, WordTable) else {}


def token_vectors(tokenizer: "CLIPTokenizer", text_encoder: "CLIPTextModel", text: str) -> Tensor:
    """See `Family.token_vectors`."""
    table_VD: Tensor = text_encoder.get_input_embeddings().weight
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids[0]
    return table_VD[ids.to(table_VD.device)].float()


def state_without_words(network: nn.Module) -> dict[str, Tensor]:
    """The state as it would be if no word had been learned."""
    tables = (module for module in network.modules() if isinstance(module, WordTable))
    learned = {id(parameter) for table in tables for parameter in table.vectors}
    names = {name for name, parameter in network.named_parameters() if id(parameter) in learned}
    return {name: weight for name, weight in network.state_dict().items() if name not in names}


def write_words(source: "CLIPTextModel", target: "CLIPTextModel") -> None:
    """The words that `source` learned become rows of the table of `target`, a model without learned words."""
    table = source.get_input_embeddings()
    if not isinstance(table, WordTable):
        return
    learned_ND = torch.cat(list(table.words.values())).detach().cpu()
    last = table.first + len(learned_ND)
    if last > target.get_input_embeddings().num_embeddings:
        target.resize_token_embeddings(last, mean_resizing=False)
    table_VD = target.get_input_embeddings().weight
    table_VD.data = torch.cat([table_VD[: table.first], learned_ND, table_VD[last:]]).detach()
