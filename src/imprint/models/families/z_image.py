"""Z-Image (Alibaba, 2025): a transformer over one stream of image and text tokens, trained as a flow.

A language model, Qwen 3, reads the caption as a user's message in its chat; the states before its last layer are the
text tokens, as many as there are. The base model draws with guidance; Turbo is distilled to draw in few steps without.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from pydantic import PositiveInt
from torch import Tensor, nn
from transformers import Qwen2Tokenizer, Qwen3Model

from imprint.device_transfer import to_device
from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, Layout, NetworkFormat, Part, TokenizerPart
from imprint.models.checkpoint.original_z_image import Z_IMAGE
from imprint.models.families.added_guidance import AddedGuidance
from imprint.models.families.chat import Chat
from imprint.models.families.misfits import wrong_channels, wrong_text_widths
from imprint.models.families.packing import PATCH
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import FLOW
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

TEXT_WIDTHS = (("text_encoder", "hidden_size", "cap_feat_dim"),)
BLOCKS = (("noise_refiner", 2), ("layers", 30))  # that time modulates, and how many there are
LAYERS: Mapping[str, Sequence[str]] = {  # of the blocks, and of those before them that refine picture and text apart
    "attention": ("attention.to_q", "attention.to_k", "attention.to_v", "attention.to_out.0"),
    "feed_forward": ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
    # by full names, since that of an activation ends alike
    "modulation": tuple(f"{blocks}.{index}.adaLN_modulation.0" for blocks, count in BLOCKS for index in range(count)),
}


class ZImage(AddedGuidance):
    transformer: ZImageTransformer2DModel
    text_encoder: Qwen3Model
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS}
    architecture = "z-image"

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        ids_BL, mask_BL = self.tokens(TEXT, texts)
        device = next(self.text_encoder.parameters()).device
        read = self.roles[TEXT](
            to_device(ids_BL, device),
            attention_mask=to_device(mask_BL, device),
            output_hidden_states=True,
            use_cache=False,
        )
        # the last layer conditions nothing; its zero lets every trained weight have a gradient
        unused_B11 = read.last_hidden_state[:, :1, :1] * 0
        # the mask stays where lengths are known without waiting for the device
        return {"tokens": read.hidden_states[-2] + unused_B11, "tokens_mask": mask_BL.bool()}

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        return torch.linspace(1, 1 / steps, steps, dtype=torch.float64).tolist()

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        """The network takes and returns lists of samples, counts time towards the picture, and predicts that way."""
        dtype = dtype_of(denoiser)
        lengths = conditioning["tokens_mask"].sum(dim=1).tolist()
        tokens_BLD = conditioning["tokens"].to(dtype)
        backwards: list[Tensor] = denoiser(
            list(noisy_BCHW.to(dtype).unsqueeze(2)),  # a video of one frame
            1 - t_B,
            [tokens_LD[:length] for tokens_LD, length in zip(tokens_BLD, lengths, strict=True)],
            return_dict=False,
        )[0]
        return -torch.stack(backwards).squeeze(2).float()


def _misfits(configs: Configs) -> Iterator[str]:
    yield from wrong_channels(configs, patch=1)
    yield from wrong_text_widths(configs, TEXT_WIDTHS)


LAYOUT = Layout(
    title="Z-Image",
    pipeline="ZImagePipeline",
    parts=(
        Part("transformer", DENOISER, ZImageTransformer2DModel),
        Part("vae", AUTOENCODER, AutoencoderKL),
        Part("text_encoder", TEXT, Qwen3Model),
    ),
    tokenizers={
        "qwen3": TokenizerPart(
            "tokenizer",
            TEXT,
            Qwen2Tokenizer,
            wrapped=Chat(begins_answer=True, settings={"enable_thinking": True}),
            padded=False,
        )
    },
    absent=(),
    settings={},
    misfits=_misfits,
    kohya={},
    original_in_kohya=False,
    original=None,
    network=NetworkFormat(
        names=Z_IMAGE,
        bases={"": "Tongyi-MAI/Z-Image"},
        parts={"vae": "vae.", "text_encoder": "text_encoders.qwen3_4b.transformer."},
    ),
    comfyui="library",
    multiple=16,
    predictions=FLOW,
    patch=PATCH,
)
ZImage.layout = LAYOUT


@of_kind("model/z_image")
@dataclass(kw_only=True, eq=False)
class ZImageSource(PipelineSource):
    """Of Z-Image, Turbo, and what descends from them. `text_tokens` is how many tokens of a caption are read, with the
    chat around it."""

    model = ZImage

    text_tokens: PositiveInt

    def load(self) -> PipelineModel:
        model = super().load()
        model.limit_tokens(TEXT, self.text_tokens)
        return model
