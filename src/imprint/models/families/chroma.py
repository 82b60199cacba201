"""Chroma (lodestones, 2025): FLUX.1 schnell, made smaller, and guided as models usually are. A small network makes of
the time what modulates its blocks (`distilled_guidance_layer`), and T5 alone reads the caption.

T5 does not see padding, and the transformer sees the first token of it alone: so its author has trained it. diffusers'
pipeline adds that mask to the scores of attention, as numbers, by which padding still counts (its issue 13619).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, ChromaTransformer2DModel
from pydantic import PositiveInt
from torch import Tensor, nn
from transformers import T5EncoderModel, T5TokenizerFast

from imprint.device_transfer import to_device
from imprint.kinds import of_kind
from imprint.libraries.diffusers import compute_anew_with_masks
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_flux import CHROMA
from imprint.models.families.flux import LAYERS as FLUX_LAYERS
from imprint.models.families.misfits import wrong_channels, wrong_text_widths
from imprint.models.families.packing import AXES, PATCH, packed, places, unpacked
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT
from imprint.models.schedulers import even_levels
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

TEXT_WIDTHS = (("text_encoder", "d_model", "joint_attention_dim"),)
# Its blocks have no layers of modulation, and adapters leave the network in their place as it is.
LAYERS: Mapping[str, Sequence[str]] = {kind: names for kind, names in FLUX_LAYERS.items() if kind != "modulation"}


class Chroma(PipelineModel):
    text_encoder: T5EncoderModel
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS}
    shared_inputs = frozenset({"img_ids", "txt_ids"})

    @property
    def architecture(self) -> str:
        return "chroma"

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        ids_BL, mask_BL = self.tokens(TEXT, texts)
        seen_BL = torch.arange(ids_BL.shape[1]) <= mask_BL.sum(dim=1, keepdim=True)
        longest = int(seen_BL.sum(dim=1).max())
        ids_BL, mask_BL, seen_BL = (
            to_device(value_BL[:, :longest], self.text_encoder.device) for value_BL in (ids_BL, mask_BL, seen_BL)
        )
        tokens_BLD = self.roles[TEXT](ids_BL, attention_mask=mask_BL).last_hidden_state
        return {"tokens": tokens_BLD, "tokens_mask": seen_BL}

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        return even_levels(steps)

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype, device = dtype_of(denoiser), noisy_BCHW.device
        height, width = noisy_BCHW.shape[2:]
        image_BND, tokens_BLD, seen_BL = packed(noisy_BCHW), conditioning["tokens"], conditioning["tokens_mask"]
        mask = torch.cat([seen_BL, seen_BL.new_ones(image_BND.shape[:2])], dim=1)
        velocity_BND: Tensor = denoiser(
            image_BND.to(dtype),
            encoder_hidden_states=tokens_BLD.to(dtype),
            attention_mask=None if seen_BL.all() else mask,  # without one, attention is faster
            timestep=t_B,
            img_ids=places(height // PATCH, width // PATCH, device),
            txt_ids=torch.zeros(tokens_BLD.shape[1], AXES, device=device),
            return_dict=False,
        )[0]
        return unpacked(velocity_BND.float(), height, width)

    def enable_gradient_checkpointing(self, *, every: int = 1) -> None:
        super().enable_gradient_checkpointing(every=every)
        compute_anew_with_masks(self.transformer, every=every)


def _misfits(configs: Configs) -> Iterator[str]:
    yield from wrong_channels(configs, patch=PATCH)
    yield from wrong_text_widths(configs, TEXT_WIDTHS)


Chroma.layout = Layout(
    title="Chroma",
    pipeline="ChromaPipeline",
    parts=(
        Part("transformer", DENOISER, ChromaTransformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKL),
        Part("text_encoder", TEXT, T5EncoderModel),
    ),
    tokenizers={"t5": TokenizerPart("tokenizer", TEXT, T5TokenizerFast)},
    absent=("feature_extractor", "image_encoder"),
    settings={},
    misfits=_misfits,
    kohya={DENOISER: "lora_unet"},
    original_in_kohya=True,
    original=None,
    network=NetworkFormat(
        names=CHROMA,
        bases={"": "lodestones/Chroma1-HD"},
        parts={"vae": "vae.", "text_encoder": "text_encoders.t5xxl.transformer."},
    ),
    comfyui="kohya",
    multiple=16,
    predictions=FLOW,
    patch=PATCH,
)


@of_kind("model/chroma")
@dataclass(kw_only=True, eq=False)
class ChromaSource(PipelineSource):
    """Of Chroma1, and what descends from it. `text_tokens` is how many tokens of a caption T5 reads."""

    model = Chroma

    text_tokens: PositiveInt

    def load(self) -> PipelineModel:
        model = super().load()
        model.limit_tokens(TEXT, self.text_tokens)
        return model
