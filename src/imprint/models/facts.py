"""What is known of a model before its weights are loaded."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from torch import nn

from imprint.models.checkpoint.layer_names import LayerNames
from imprint.models.low_side import Upscaling
from imprint.models.process import NoiseProcess, Prediction
from imprint.models.words import token_id, why_not_new

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class ModelInfo(NamedTuple):
    """What is known of a model before its weights are loaded."""

    fingerprint: str  # of everything that the model's output depends on: weights, vocabulary, noise schedule
    roles: tuple[str, ...]  # the parts a method may train: "denoiser", "text", "text_2"
    process: NoiseProcess
    resolution: int  # pixels on a side that the model was made for
    latent_shape: tuple[int, int, int]  # (channels, rows, columns) of a picture of this resolution
    pixel_multiple: int  # both sides of a picture must be a multiple of this
    pixel_bytes: int  # of memory that a pixel takes at least, while the autoencoder works on its picture
    tokenizers: Mapping[str, "PreTrainedTokenizerBase"]  # by vocabulary; shared, so no words may be added to them
    pipeline: str  # the library's class of its pipelines
    lacking: tuple[str, ...]  # components that such a pipeline usually has, and this model has not
    lower_case: bool  # whether it reads texts in lower case alone
    word_parts: Mapping[str, tuple[str, str]]  # by vocabulary: what the stock pipeline calls text encoder and tokenizer
    adapter_kinds: Mapping[str, tuple[str, ...]]  # role -> the kinds of layers that adapters can wrap
    upscaling: Upscaling | None  # None: it draws from prompts alone

    @property
    def prediction(self) -> Prediction:
        return self.process.prediction

    @property
    def has_zero_terminal_snr(self) -> bool:
        return self.process.has_zero_terminal_snr

    @property
    def timesteps(self) -> int:
        return self.process.length

    @property
    def tokenizer(self) -> "PreTrainedTokenizerBase":
        """The first text encoder's."""
        return next(iter(self.tokenizers.values()))

    def has_token(self, word: str) -> bool:
        """Whether every vocabulary has a token for the word, be it one that stands within longer words only."""
        return all(token_id(tokenizer, word) is not None for tokenizer in self.tokenizers.values())

    def why_not_new(self, word: str, vectors: int) -> str | None:
        """Why `word` cannot become a new word of as many vectors, if it cannot."""
        if self.lower_case and word != word.lower():
            return "this model reads texts in lower case."
        faults = (why_not_new(tokenizer, word, vectors) for tokenizer in self.tokenizers.values())
        return next((fault for fault in faults if fault), None)


class MetaModel(NamedTuple):
    """The shape of a model, without its weights."""

    roles: Mapping[str, nn.Module]  # on the device "meta"
    names: LayerNames
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]]  # as `Family.adapter_targets`
    widths: Mapping[str, int]  # of a word's vectors, by vocabulary
