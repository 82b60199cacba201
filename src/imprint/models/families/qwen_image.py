"""Qwen-Image (Alibaba, 2025): a transformer over image and text tokens, trained as a flow.

A language model that also sees, Qwen2.5-VL, reads the caption inside a fixed request; its last layer's states of the
caption are the text tokens, as many as there are, without padding. It draws for a prompt and a negative one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from annotated_types import Ge, Le
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from torch import Tensor, nn
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

from imprint.device_transfer import to_device
from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_names import SAME
from imprint.models.families.misfits import wrong_channels, wrong_text_widths
from imprint.models.families.packing import PATCH, packed, unpacked
from imprint.models.latents import FRAMES
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

REQUEST = (
    "<|im_start|>system\nDescribe the image by detailing the color, shape, size, texture, quantity, text, spatial "
    "relationships of the objects and background:<|im_end|>\n<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
)
BEFORE_CAPTION = 34  # tokens of the request that the denoiser is not told
TOLD_MORE = ("guidance_embeds", "zero_cond_t", "use_additional_t_cond", "use_layer3d_rope")
TEXT_WIDTHS = (("text_encoder", "hidden_size", "joint_attention_dim"),)
LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
    "text_stream": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    "feed_forward": ("img_mlp.net.0.proj", "img_mlp.net.2", "txt_mlp.net.0.proj", "txt_mlp.net.2"),
    "modulation": ("img_mod.1", "txt_mod.1"),
}


class QwenImage(PipelineModel):
    transformer: QwenImageTransformer2DModel
    text_encoder: Qwen2_5_VLForConditionalGeneration
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS}
    shared_inputs = frozenset({"img_shapes"})
    architecture = "qwen-image"

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.transformer.transformer_blocks[-1].register_forward_hook(_with_text_that_goes_nowhere)

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        ids_BL, mask_BL = self.tokens(TEXT, texts)
        device = next(self.text_encoder.parameters()).device
        read = self.roles[TEXT](to_device(ids_BL, device), attention_mask=to_device(mask_BL, device), use_cache=False)
        # The mask stays where the denoiser can ask it for padding without waiting for the device.
        return {
            "tokens": read.last_hidden_state[:, BEFORE_CAPTION:],
            "tokens_mask": mask_BL[:, BEFORE_CAPTION:].bool(),
        }

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        return torch.linspace(1, 1 / steps, steps, dtype=torch.float64).tolist()

    def guided(self, positive_BCHW: Tensor, negative_BCHW: Tensor, guidance: float) -> Tensor:
        """No token is longer than the prompt's own prediction has it: only its direction is guided."""
        height, width = positive_BCHW.shape[2:]
        prompts_own, beyond = packed(positive_BCHW), packed(super().guided(positive_BCHW, negative_BCHW, guidance))
        length_BN1 = prompts_own.norm(dim=-1, keepdim=True)
        return unpacked(beyond * (length_BN1 / beyond.norm(dim=-1, keepdim=True)), height, width)

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = dtype_of(denoiser)
        height, width = noisy_BCHW.shape[2:]
        mask_BL = conditioning["tokens_mask"]
        velocity_BND: Tensor = denoiser(
            packed(noisy_BCHW).to(dtype),
            encoder_hidden_states=conditioning["tokens"].to(dtype),
            # without one, attention is faster
            encoder_hidden_states_mask=None if mask_BL.all() else to_device(mask_BL, noisy_BCHW.device),
            timestep=t_B,
            img_shapes=[[(1, height // PATCH, width // PATCH)]],
            return_dict=False,
        )[0]
        return unpacked(velocity_BND.float(), height, width)


def _with_text_that_goes_nowhere(block: nn.Module, arguments: Any, output: tuple[Tensor, Tensor]) -> Any:
    """The last block's text tokens do not count. They are added as nothing, so that all that makes them has a gradient,
    if only of zeros: several processes wait for it."""
    text_BLD, image_BND = output
    return (text_BLD, image_BND + 0 * text_BLD[:, :1, :1]) if text_BLD.requires_grad else output


def _request(tokenizer: Any, caption: str) -> str:
    return REQUEST.format(caption)


def _misfits(configs: Configs) -> Iterator[str]:
    encoder = configs["text_encoder"]  # since transformers 4.53 a part of its configuration is the language model's
    configs = {**configs, "text_encoder": {**encoder, **encoder.get("text_config", {})}}
    yield from wrong_channels(configs, patch=PATCH, key="z_dim")
    yield from wrong_text_widths(configs, TEXT_WIDTHS)
    if told := [key for key in TOLD_MORE if configs["transformer"].get(key)]:
        yield f"its denoiser is told more than a text ({', '.join(told)}), as of models that edit or draw in layers."


LAYOUT = Layout(
    title="Qwen-Image",
    pipeline="QwenImagePipeline",
    parts=(
        Part("transformer", DENOISER, QwenImageTransformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKLQwenImage),
        Part("text_encoder", TEXT, Qwen2_5_VLForConditionalGeneration, within="model.language_model"),
    ),
    tokenizers={"qwen2_5_vl": TokenizerPart("tokenizer", TEXT, Qwen2Tokenizer, wrapped=_request, padded=False)},
    absent=(),
    settings={},
    misfits=_misfits,
    kohya={},
    original_in_kohya=False,
    original=None,
    network=NetworkFormat(names=SAME, bases={"": "Qwen/Qwen-Image"}, parts={}),
    comfyui="library",
    multiple=16,
    predictions=FLOW,
    latents=FRAMES,
    patch=PATCH,
)
QwenImage.layout = LAYOUT


@of_kind("model/qwen_image")
@dataclass(kw_only=True, eq=False)
class QwenImageSource(PipelineSource):
    """Of Qwen-Image, and what descends from it.

    `text_tokens` is how many tokens of a caption count, its end of the request among them.
    """

    model = QwenImage

    text_tokens: Annotated[int, Ge(1), Le(1024)]

    def load(self) -> PipelineModel:
        model = super().load()
        model.limit_tokens(TEXT, BEFORE_CAPTION + self.text_tokens)
        return model
