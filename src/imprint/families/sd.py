"""Stable Diffusion 1.x and 2.x."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from torch import Tensor, nn

from imprint.families.base import Family, Format
from imprint.families.noise import noise_schedule
from imprint.families.sd_captions import Captions
from imprint.families.sd_checkpoint import SCHEDULER_CONFIG, Checkpoint, Parts, latent_factor
from imprint.families.sd_folder import PipelineFolder
from imprint.families.sd_sampling import sample
from imprint.families.sd_saving import final_parts, replace_pipeline, write_file, write_pipeline
from imprint.families.sd_words import learn_word, learned_words, token_vectors
from imprint.schedule import Prediction
from imprint.transfer import sent
from imprint.types import Conditioning, Moments, Sampler

TEXT_ADAPTER_NAMES = {
    ".lora_A.": ".lora_linear_layer.down.",
    ".lora_B.": ".lora_linear_layer.up.",
    ".lora_magnitude_vector": ".lora_magnitude_vector.weight",
}


class StableDiffusion(Family):
    """The text encoder's last layer conditions the denoiser."""

    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {
        "denoiser": {
            "attention": ("to_q", "to_k", "to_v", "to_out.0"),
            "cross_attention": ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"),
            "keys_and_values": ("attn2.to_k", "attn2.to_v"),  # of cross-attention: where the text enters
            "feed_forward": ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
            "convolutions": ("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv"),
        },
        "text": {
            "attention": ("q_proj", "k_proj", "v_proj", "out_proj"),
            "feed_forward": ("fc1", "fc2"),
        },
    }

    def __init__(self, *, checkpoint: Checkpoint, parts: Parts, prediction: Prediction, sampler: Sampler) -> None:
        super().__init__()
        self.checkpoint = checkpoint
        self.tokenizer = checkpoint.tokenizer()
        self.unet, self.vae, self.text_encoder = parts
        self.schedule = noise_schedule(checkpoint.config(SCHEDULER_CONFIG), prediction)
        # No module of its own: a compiled stand-in may be put here without renaming any weight.
        self.roles = {"denoiser": self.unet, "text": self.text_encoder}
        self.sampler = sampler
        length = min(self.tokenizer.model_max_length, self.text_encoder.config.max_position_embeddings)
        self._captions = Captions(self.tokenizer, length)
        _frozen(self)

    @property
    def architecture(self) -> str:
        # the second generation took another text encoder, with another activation
        first = self.text_encoder.config.hidden_act == "quick_gelu"
        return "stable-diffusion-v1" if first else "stable-diffusion-v2"

    def adapter_name(self, role: str, name: str) -> str:
        return adapter_name(role, name)

    @property
    def formats(self) -> Mapping[str, Format]:
        return {
            "single_file": Format("model.safetensors", self._export_file),
            "pipeline": Format("pipeline", self._export_pipeline),
        }

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        factor = latent_factor(self.vae.config)
        return self.vae.config.latent_channels, height // factor, width // factor

    def encode(self, pixels_BCHW: Tensor) -> Moments:
        gaussian = self.vae.encode(pixels_BCHW.to(_dtype(self.vae))).latent_dist
        scale, shift = self._latent_scale()
        return Moments((gaussian.mean.float() - shift) * scale, gaussian.std.float() * scale)

    def decode(self, latents_BCHW: Tensor) -> Tensor:
        scale, shift = self._latent_scale()
        latents_BCHW = latents_BCHW.float() / scale + shift
        pixels_BCHW: Tensor = self.vae.decode(latents_BCHW.to(_dtype(self.vae)), return_dict=False)[0]
        return pixels_BCHW.float().clamp(-1, 1)

    def condition(self, captions: Sequence[str]) -> Conditioning:
        ids_BL, mask_BL = self._captions.tokens(captions)
        device = next(self.text_encoder.parameters()).device
        masked = getattr(self.text_encoder.config, "use_attention_mask", False)
        attention_mask = sent(mask_BL, device) if masked else None
        tokens_BLD = self.roles["text"](sent(ids_BL, device), attention_mask=attention_mask)[0]
        return Conditioning(tokens_BLD, {})

    def denoise(self, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        return self.denoise_with(self.roles["denoiser"], noisy_BCHW, t_B, conditioning)

    def frozen_denoiser(self) -> nn.Module:
        frozen: UNet2DConditionModel = copy.deepcopy(self.unet)
        frozen.disable_gradient_checkpointing()
        return _frozen(frozen)

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = _dtype(denoiser)
        prediction_BCHW: Tensor = denoiser(
            noisy_BCHW.to(dtype),
            t_B,
            encoder_hidden_states=conditioning.tokens_BLD.to(dtype),
            return_dict=False,
        )[0]
        return prediction_BCHW.float()

    def enable_gradient_checkpointing(self) -> None:
        self.unet.enable_gradient_checkpointing()  # whatever learns, its gradient comes from the denoiser
        if _learns(self.text_encoder):
            # transformers gave it another name in version 5
            text_encoder = self.text_encoder
            renamed = getattr(text_encoder, "activation_checkpointing_enable", None)
            (renamed or text_encoder.gradient_checkpointing_enable)({"use_reentrant": False})

    @property
    def vocabulary(self) -> Tensor:
        table: Tensor = self.text_encoder.get_input_embeddings().weight
        return table

    def token_vectors(self, text: str) -> Tensor:
        return token_vectors(self.tokenizer, self.text_encoder, text)

    def learn_word(self, word: str, start_ND: Tensor, *, length: float | None) -> nn.Parameter:
        return learn_word(self.tokenizer, self.text_encoder, word, start_ND, length)

    @property
    def words(self) -> Mapping[str, Tensor]:
        return learned_words(self.text_encoder)

    def generate(
        self, prompts: Sequence[str], seeds: Sequence[int], *, sampler: Sampler, height: int, width: int
    ) -> list[Image.Image]:
        with torch.no_grad(), _evaluating(self):
            return sample(self, prompts, seeds, sampler=sampler, height=height, width=width)

    def save_pipeline(self, folder: Path) -> None:
        write_pipeline(self, final_parts(self), folder)

    def load_parts(self, folder: Path, roles: Sequence[str]) -> None:
        saved = PipelineFolder(str(folder), folder, variant=None, allow_pickle=False)
        saved.check()
        parts = saved.load()
        for role, part in {"denoiser": parts.unet, "text": parts.text_encoder}.items():
            if role in roles:
                self.roles[role].load_state_dict(part.state_dict())

    def _export_file(self, file: Path, dtype: torch.dtype) -> None:
        write_file(self, file, dtype)

    def _export_pipeline(self, folder: Path, dtype: torch.dtype) -> None:
        replace_pipeline(self, folder, dtype)

    def _latent_scale(self) -> tuple[float, float]:
        return self.vae.config.scaling_factor, self.vae.config.shift_factor or 0.0


def adapter_name(role: str, name: str) -> str:
    """See `Family.adapter_name`."""
    if role != "text":
        return f"unet.{name}"
    # transformers before version 5.6 had this prefix inside the model; the files still have it
    name = f"text_encoder.text_model.{name.removeprefix('text_model.')}"
    # by peft's names, the library would not recognise some of the text encoder's adapters, or pass over them
    for ours, theirs in TEXT_ADAPTER_NAMES.items():
        name = name.replace(ours, theirs)
    return name


def _dtype(module: nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype


def _frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False).eval()


def _learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
