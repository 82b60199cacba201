"""What every model family offers to the methods, the objective and the samplers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from imprint.schedule import NoiseSchedule, Prediction
from imprint.types import Conditioning, Moments, Sampler

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Facts(NamedTuple):
    """What is known of a model before its weights are loaded."""

    fingerprint: str  # of everything that makes the model's output: weights, vocabulary, schedule
    roles: tuple[str, ...]  # the parts a method may train: "denoiser", "text"
    prediction: Prediction
    has_zero_terminal_snr: bool
    timesteps: int
    resolution: int  # pixels on a side that the model was made for
    pixel_multiple: int  # both sides of a picture must be a multiple of this
    tokenizer: "PreTrainedTokenizerBase"  # that of all who ask: it must not be taught words
    adapter_kinds: Mapping[str, tuple[str, ...]]  # role -> the kinds of layers that adapters can wrap


class Outline(NamedTuple):
    """The shape of a model, without its weights."""

    roles: Mapping[str, nn.Module]  # on the device "meta"
    adapter_name: Callable[[str, str], str]  # as `Family.adapter_name`
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]]  # as `Family.adapter_targets`
    width: int  # of a word's vectors


class Format(NamedTuple):
    """A way to write the whole model."""

    name: str  # what a file or folder of this format is usually called
    write: Callable[[Path, torch.dtype], None]


class ModelSource(ABC):
    """Where a model comes from: what a `model` configuration constructs. Cheap until `load` is called."""

    not_in_identity: ClassVar[frozenset[str]]  # settings that do not change a result by themselves
    sampler: Sampler  # how this model is usually sampled
    encoders: Mapping[str, Any]  # by role: what judges pictures of this model's world in place of a profile's encoders

    @abstractmethod
    def facts(self) -> Facts:
        """Raises ModelNotFound or UserError, with the remedy, when the model cannot be loaded."""

    @abstractmethod
    def outline(self) -> Outline:
        """Without reading weights. Raises as `facts`."""

    @abstractmethod
    def elsewhere(self, source: str) -> "ModelSource":
        """Another model of this family, that of `source`, sampled in the same way."""

    @abstractmethod
    def load(self) -> "Family":
        """The model in float32 on the CPU, everything frozen, in evaluation mode."""


class Family(nn.Module, ABC):
    """A text-to-image model. It knows nothing of methods, data or losses."""

    schedule: NoiseSchedule
    roles: Mapping[str, nn.Module]
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]]  # role -> kind of layer -> how their names end
    sampler: Sampler  # how this model is usually sampled

    @property
    @abstractmethod
    def architecture(self) -> str:
        """What files that are made for this model call it, for instance stable-diffusion-v1."""

    @abstractmethod
    def adapter_name(self, role: str, name: str) -> str:
        """What the library's adapter files call a layer of a role, or the weight of a LoRA on it, by peft's name."""

    @property
    @abstractmethod
    def formats(self) -> Mapping[str, Format]:
        """The formats in which other programs open this model."""

    @abstractmethod
    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        """(channels, rows, columns) of the latent of a picture of `height` x `width` pixels."""

    @abstractmethod
    def encode(self, pixels_BCHW: Tensor) -> Moments:
        """The latent distribution of pictures in [-1, 1], scaled as the denoiser expects it, float32."""

    @abstractmethod
    def decode(self, latents_BCHW: Tensor) -> Tensor:
        """Pictures in [-1, 1], clamped."""

    @abstractmethod
    def condition(self, captions: Sequence[str]) -> Conditioning:
        """Gradients flow into the text encoder where it trains."""

    @abstractmethod
    def denoise(self, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's prediction, float32."""

    @abstractmethod
    def frozen_denoiser(self) -> nn.Module:
        """A frozen copy of the denoiser as it is now, for `denoise_with`."""

    @abstractmethod
    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        """As `denoise`, by another copy of the network."""

    @abstractmethod
    def generate(
        self, prompts: Sequence[str], seeds: Sequence[int], *, sampler: Sampler, height: int, width: int
    ) -> list[Image.Image]:
        """One picture per (prompt, seed), all in one batch. The noise is drawn on the CPU from the seed
        alone, so that a picture does not depend on its batch or device. Deterministic."""

    @abstractmethod
    def enable_gradient_checkpointing(self) -> None:
        """For the parts that gradients pass: less memory, more time."""

    @property
    @abstractmethod
    def vocabulary(self) -> Tensor:
        """The vectors (V, D) of the tokens that the model came with. They never learn."""

    @abstractmethod
    def token_vectors(self, text: str) -> Tensor:
        """(N, D), those of a text without learned words, float32."""

    @abstractmethod
    def learn_word(self, word: str, start_ND: Tensor, *, length: float | None) -> nn.Parameter:
        """Adds a new word (see `words.why_not_new`), which stands for N vectors in captions and prompts. Returned are
        these, float32: a parameter of their own, so that no other word can change. With a `length`, captions see each
        vector stretched to it. Raises UserError if the word is not new, or the vectors are not as wide as its own."""

    @property
    @abstractmethod
    def words(self) -> Mapping[str, Tensor]:
        """Every learned word, and its vectors (N, D) as captions see them, float32."""

    @abstractmethod
    def load_parts(self, folder: Path, roles: Sequence[str]) -> None:
        """Replaces the weights of these parts by those of a pipeline written with `save_pipeline`."""

    @abstractmethod
    def save_pipeline(self, folder: Path) -> None:
        """Writes the whole model in the library's own folder format: parts that differ from the source as
        they are now, the others from the source, all in float32. Adapters must be merged."""
