"""A Stable Diffusion checkpoint on the disk, in whichever of its forms."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.errors import Problem, UserError
from imprint.families.quiet import quiet
from imprint.hashing import fingerprint

PART_CONFIGS = ("unet/config.json", "vae/config.json", "text_encoder/config.json")
SCHEDULER_CONFIG = "scheduler/scheduler_config.json"
PIPELINE_CONFIG = "model_index.json"
PIPELINE = "StableDiffusionPipeline"
CLASSES: Mapping[str, Any] = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
}
INPAINTING_CHANNELS = 9


def latent_factor(vae_config: Mapping[str, Any]) -> int:
    """Pixels to a latent pixel."""
    return int(2 ** (len(vae_config["block_out_channels"]) - 1))


def pixel_multiple(vae_config: Mapping[str, Any]) -> int:
    """What a picture's sides must be multiples of. Stable Diffusion's pipeline insists on 8."""
    return max(8, latent_factor(vae_config))


class Parts(NamedTuple):
    """The networks of a checkpoint."""

    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel


class Checkpoint(ABC):
    """Configurations, tokenizer and scheduler lie in the folder `configs`, in diffusers' layout.

    Creating one touches nothing; `check` must have passed before anything else is asked. Whatever is wrong is
    raised as a UserError.
    """

    def __init__(self, source: str, configs: Path) -> None:
        self.source = source
        self.configs = configs

    @abstractmethod
    def weight_files(self) -> Mapping[str, Path]:
        """The files with the weights, by names that do not depend on where they lie."""

    @abstractmethod
    def read_parts(self) -> Parts:
        """As `load`, with the libraries' remarks."""

    def load(self) -> Parts:
        """The networks in float32."""
        with quiet():
            return self.read_parts()

    def check(self) -> None:
        """Raises everything that makes this no usable Stable Diffusion checkpoint."""
        if not (self.configs / PIPELINE_CONFIG).is_file():
            raise self.refusal(
                f"{self.configs} is no pipeline in diffusers' layout (no {PIPELINE_CONFIG}). Give the folder "
                "that holds unet, vae, text_encoder, tokenizer and scheduler, or a single .safetensors file."
            )
        self._check_classes()
        needed = (*PART_CONFIGS, SCHEDULER_CONFIG)
        missing = [name for name in needed if not (self.configs / name).is_file()]
        if not self._tokenizer_files():
            missing.append("tokenizer/")
        if missing:
            raise self.refusal(f"{self.configs} lacks {', '.join(missing)}. Give a complete pipeline folder.")
        if misfits := list(self._misfits()):
            raise self.refusal(*misfits)

    def config(self, name: str) -> dict[str, Any]:
        """The content of a JSON file among the configurations."""
        path = self.configs / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self.refusal(f"{path} is not readable JSON ({error}). Get the file again.") from error
        if not isinstance(content, dict):
            raise self.refusal(f"{path} is no configuration. Get the file again.")
        return content

    def tokenizer(self) -> CLIPTokenizer:
        """A new one, which may be taught words."""
        return self._tokenizer_by(_read_tokenizer)

    def common_tokenizer(self) -> CLIPTokenizer:
        """The same object for all who ask while its files stay what they are. It must not be taught anything."""
        content = fingerprint(self._tokenizer_files())
        return self._tokenizer_by(lambda folder: _common_tokenizer(folder, content))

    def _tokenizer_by(self, read: Callable[[Path], CLIPTokenizer]) -> CLIPTokenizer:
        folder = self.configs / "tokenizer"
        try:
            return read(folder)
        except Exception as error:  # the library lets through whatever its parsers raise
            raise self.refusal(f"the tokenizer in {folder} cannot be read ({error}).") from error

    def files(self) -> dict[str, Path]:
        """Everything that makes the model's output, by names that do not depend on where it lies."""
        configs = {name: self.configs / name for name in (*PART_CONFIGS, SCHEDULER_CONFIG)}
        return {**configs, **self._tokenizer_files(), **self.weight_files()}

    def refusal(self, *remedies: str) -> UserError:
        return UserError("\n".join(str(Problem("model.source", self.source, remedy)) for remedy in remedies))

    def _check_classes(self) -> None:
        index = self.config(PIPELINE_CONFIG)
        if (pipeline := index.get("_class_name")) != PIPELINE:
            raise self.refusal(f"{self.configs} holds a {pipeline}. This family needs a {PIPELINE}.")
        for part, expected in CLASSES.items():
            found = (index.get(part) or [None, None])[1]
            if found != expected.__name__:
                raise self.refusal(f"its {part} is a {found}. This family needs a {expected.__name__}.")

    def _tokenizer_files(self) -> dict[str, Path]:
        folder = self.configs / "tokenizer"
        return {f"tokenizer/{path.name}": path for path in sorted(folder.glob("*")) if path.is_file()}

    def _misfits(self) -> Iterator[str]:
        """What makes the networks' configurations those of another kind of model."""
        unet, vae, text = (self.config(name) for name in PART_CONFIGS)
        channels, latent_channels = unet.get("in_channels", 4), vae.get("latent_channels", 4)
        if channels == INPAINTING_CHANNELS:
            yield "this is an inpainting model (9 input channels). Give the plain text-to-image model."
        elif channels != latent_channels:
            yield f"its denoiser takes {channels} channels, a latent has {latent_channels}: no text-to-image."
        if unet.get("addition_embed_type") is not None:
            yield "this is a Stable Diffusion XL model. This family holds Stable Diffusion 1.x and 2.x."
        elif unet.get("cross_attention_dim") != text.get("hidden_size"):
            yield (
                f"its denoiser expects {unet.get('cross_attention_dim')} text features, "
                f"its text encoder gives {text.get('hidden_size')}. The parts are of different models."
            )


def _read_tokenizer(folder: Path) -> CLIPTokenizer:
    return CLIPTokenizer.from_pretrained(folder, local_files_only=True)


@lru_cache(maxsize=4)
def _common_tokenizer(folder: Path, content: str) -> CLIPTokenizer:
    return _read_tokenizer(folder)
