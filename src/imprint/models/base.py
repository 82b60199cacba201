"""The interface of every model family: to methods, objectives and the sampler."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch
from PIL import Image
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.models.block_swap import BlockSwap
from imprint.models.checkpoint.layer_names import LayerNames
from imprint.models.facts import MetaModel, ModelInfo
from imprint.models.loading import Loading, place
from imprint.models.low_side import LowSide, Upscaling
from imprint.models.process import NoiseProcess, Shift
from imprint.models.quantisation.base import Quantisation
from imprint.models.residency import Residency, all_present
from imprint.models.roles import DENOISER, TEXT
from imprint.models.training_adapter import TrainingAdapter
from imprint.models.words import Vocabulary
from imprint.types import Beginning, Conditioning, Geometry, LowRes, Moments, Sampler, Tiles

if TYPE_CHECKING:
    pass


class Format(NamedTuple):
    """A way to write the whole model."""

    name: str  # the usual name of a file or folder in this format
    write: Callable[[Path, torch.dtype], None]


class Drawing(NamedTuple):
    """What `Model.generate` is asked for."""

    prompts: Sequence[str]
    seeds: Sequence[int]
    sampler: Sampler
    height: int
    width: int
    low_res: LowRes | None


class ModelSource(ABC):
    """Where a model comes from: what a `model` configuration constructs. Cheap until `load` is called."""

    not_in_identity: ClassVar[frozenset[str]]  # settings that do not change a result by themselves
    sampler: Sampler  # how this model is usually sampled
    parts_can_leave: ClassVar[bool] = False  # the memory while others train (see `Residency`)
    encoders: Mapping[str, Any]  # by role, used in place of a profile's encoders to score this model's pictures
    times: Any  # at which this model learns where the objective names none: an `objectives.times.Times`

    @abstractmethod
    def facts(self) -> ModelInfo:
        """Raises ModelNotFound or UserError, with the remedy, when the model cannot be loaded."""

    @abstractmethod
    def meta_model(self) -> MetaModel:
        """Without reading weights. Raises as `facts`."""

    def forgets_its_few_steps(self) -> bool:
        """Whether it was distilled to draw in few steps, which training on it undoes."""
        return False

    def training_adapter_file(self) -> Path | None:
        """A LoRA that is in effect while this model trains, and not when it draws. Raises UserError where it is
        missing."""
        return None

    def low_side(self) -> LowSide | None:
        """Of an upscaler, how the low side of its training pictures is made. Raises UserError where what makes it is
        missing."""
        return None

    @abstractmethod
    def with_source(self, source: str) -> "ModelSource":
        """Another model of this family, that of `source`, sampled in the same way."""

    @abstractmethod
    def load(self) -> "Model":
        """The model in float32 on the CPU, everything frozen, in evaluation mode."""

    @property
    def quantised(self) -> Mapping[str, Quantisation]:
        """How the weights of parts are quantised as they are loaded, by role."""
        return {}

    def unquantised(self) -> "ModelSource":
        """The same model with its weights as they are."""
        return self

    def load_as(self, loading: Loading) -> "Model":
        """As `load`, with no more in memory on the way than `loading` asks for, as far as this source can."""
        model = self.load()
        if loading.device is not None:
            place(model, loading.device)
        return model

    def load_without_weights(self) -> "Model":
        """As `load`, with weights that may be anything: for what a result consists of beside them."""
        return self.load()


class Model(nn.Module, ABC):
    """A text-to-image model. It knows nothing of methods, data or losses."""

    process: NoiseProcess
    roles: Mapping[str, nn.Module]
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]]  # role -> kind of layer -> how their names end
    names: LayerNames  # of the layers in files of adapters
    sampler: Sampler  # how this model is usually sampled
    shared_inputs: frozenset[str] = frozenset()  # keywords of the denoiser's that say nothing of a single sample
    residency: Residency  # which parts are in memory
    block_swap: BlockSwap | None = None  # where the denoiser's blocks come and go
    upscaling: Upscaling | None = None  # of a model that enlarges pictures
    low_side: LowSide | None = None  # of the same
    # Entered while pictures are drawn: where processes share the networks, it has the others draw along.
    accompanied: Callable[[Drawing], AbstractContextManager[object]] = nullcontext

    def __init__(self) -> None:
        super().__init__()
        self.residency = all_present()

    @property
    @abstractmethod
    def architecture(self) -> str:
        """The name of this model in the metadata of files made for it, for instance stable-diffusion-v1."""

    @property
    def adapter_facts(self) -> Mapping[str, str]:
        """The metadata about the model in files of adapters by kohya's scripts."""
        return {}

    @property
    @abstractmethod
    def formats(self) -> Mapping[str, Format]:
        """The formats in which other programs open this model."""

    @property
    @abstractmethod
    def pixel_multiple(self) -> int:
        """What both sides of a picture must be a multiple of."""

    @property
    def largest_side(self) -> int | None:
        """Pixels on a side of the largest picture that the denoiser has places for; None: there is no such limit."""
        return None

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
    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        """The denoiser's conditioning on captions. Gradients flow into the text encoders where they train.

        Some models distinguish an empty text from no text at all: with `empty_is_unconditional`, as in training and for
        negative prompts, an empty text means no text.
        """

    def encode_negative(self, texts: Sequence[str]) -> Conditioning:
        """The same on negative prompts."""
        return self.encode_text(texts, empty_is_unconditional=True)

    def encode_geometry(self, geometry: Sequence[Geometry]) -> Conditioning:
        """The denoiser's conditioning on the sizes and crops of pictures, beside their captions."""
        return {}

    def encode_low_res(self, low_BCHW: Tensor, noise_BCHW: Tensor, level: int) -> Conditioning:
        """An upscaler's conditioning on the pictures that it enlarges, in [-1, 1], with noise of this level."""
        raise NotImplementedError

    @abstractmethod
    def denoise(self, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        """The denoiser's prediction, float32."""

    @abstractmethod
    def frozen_denoiser(self) -> nn.Module:
        """A frozen network with the weights of the denoiser, which it shares, and none of what is put around its layers
        from now on: for `denoise_with`."""

    @abstractmethod
    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        """As `denoise`, by another copy of the network."""

    def draws_twice(self, guidance: float) -> bool:
        """Whether the sampler has to predict for the negative prompt, too."""
        return guidance > 1

    def encode_guidance(self, guidance: float, count: int) -> Conditioning:
        """The denoiser's conditioning on the strength of guidance while drawing `count` pictures, if it has one."""
        return {}

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        """The shares of noise at which the library's pipeline draws, before they are shifted; None: its scheduler's."""
        return None

    def drawing_shift(self, latent_shape: Sequence[int], steps: int) -> Shift | None:
        """How far the library's pipeline shifts them, for latents of this shape in as many steps."""
        return self.process.shift

    def guided(self, positive_BCHW: Tensor, negative_BCHW: Tensor, guidance: float) -> Tensor:
        """Classifier-free guidance: from the negative prompt's prediction to the positive one's, and beyond."""
        return negative_BCHW + guidance * (positive_BCHW - negative_BCHW)

    @abstractmethod
    def scheduler(self, name: str, **settings: object) -> Any:
        """The library's scheduler of that name ("model": the checkpoint's own), with this model's noise."""

    @abstractmethod
    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        sampler: Sampler,
        height: int,
        width: int,
        beginning: Beginning | None = None,
        tiles: Tiles | None = None,
        low_res: LowRes | None = None,
    ) -> list[Image.Image]:
        """One picture per (prompt, seed), all in one batch; from noise, or from a beginning; those of an upscaler show
        `low_res`. The noise is sampled on the CPU from the seed alone, so that a picture does not depend on its batch
        or device. Deterministic. In tiles, pictures are drawn one after another."""

    @abstractmethod
    def train_with(self, adapter: TrainingAdapter) -> None:
        """The adapter is in effect in the denoiser from now on, but for pictures, which are drawn without it."""

    @abstractmethod
    def enable_gradient_checkpointing(self, *, every: int = 1) -> None:
        """For the parts that gradients pass through: less memory, more time. Of the denoiser's blocks, every so-manyth
        is computed anew."""

    @abstractmethod
    def cast_frozen(self, dtype: torch.dtype) -> None:
        """Casts frozen weights to this precision, except in parts that need a higher one."""

    @property
    @abstractmethod
    def vocabularies(self) -> Mapping[str, Vocabulary]:
        """By name. Files of learned words use these names where there are several."""

    def learn_word(self, word: str, start: Mapping[str, Tensor], *, length: float | None) -> dict[str, nn.Parameter]:
        """Adds a new word (see `words.why_not_new`), which stands for N vectors in captions and prompts; `start` holds
        their initial values by vocabulary, (N, D) each. Returns them as float32 parameters of their own, so that no
        other word can change. With a `length`, each vector is scaled to it in captions. Raises UserError if the word is
        not new, or the vectors are not as wide as the model's own."""
        if start.keys() != self.vocabularies.keys():
            given, wanted = (", ".join(names) for names in (start, self.vocabularies))
            raise UserError(f"The word {word} has vectors for {given}, this model wants them for {wanted}.")
        return {
            name: vocabulary.learn_word(word, start[name], length) for name, vocabulary in self.vocabularies.items()
        }

    @property
    def words(self) -> dict[str, dict[str, Tensor]]:
        """Every learned word, and its vectors (N, D) by vocabulary, scaled as in captions, float32."""
        found: dict[str, dict[str, Tensor]] = {}
        for name, vocabulary in self.vocabularies.items():
            for word, vectors_ND in vocabulary.words.items():
                found.setdefault(word, {})[name] = vectors_ND
        return found

    @property
    def resting_roles(self) -> Mapping[str, nn.Module]:
        """The parts whose weights stay where they are."""
        return {role: part for role, part in self.roles.items() if role != DENOISER or self.block_swap is None}

    @abstractmethod
    def load_parts(self, folder: Path, roles: Sequence[str]) -> None:
        """Loads the weights of these parts from a pipeline written by `save_pipeline`."""

    @abstractmethod
    def save_pipeline(self, folder: Path) -> None:
        """Writes the whole model in the library's own folder format: parts that differ from the source as
        they are now, the others from the source, all in float32. Adapters must be merged."""


def is_text(role: str) -> bool:
    return role != DENOISER


def strength_of(scale: Mapping[str, float], role: str) -> float:
    """The strength of a role. That of `text` holds for all text encoders without a strength of their own."""
    usual = scale.get(TEXT, 1.0) if is_text(role) else 1.0
    return scale.get(role, usual)
