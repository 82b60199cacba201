"""Models of known sizes, with random weights where speed is all that is asked of them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from imprint.locations import locate

MINIATURE = "pkg://imprint.miniature/weights"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What a Stable Diffusion pipeline's computation depends on."""

    resolution: int
    unet_channels: tuple[int, ...]
    attention_levels: int  # of the UNet's, from the first on
    layers: int  # of each level, in UNet and autoencoder
    heads: int
    vae_channels: tuple[int, ...]
    latent_channels: int
    groups: int  # of the group norms
    text_width: int
    text_layers: int
    text_heads: int
    tokens: int


LAYOUTS = {
    # As the recipe of the built-in miniature has it.
    "mini": Layout(
        resolution=64,
        unet_channels=(96, 144),
        attention_levels=2,
        layers=1,
        heads=4,
        vae_channels=(16, 32, 72, 112),
        latent_channels=16,
        groups=8,
        text_width=128,
        text_layers=3,
        text_heads=4,
        tokens=32,
    ),
    # Stable Diffusion 1.5's, at a quarter of its width.
    "mid": Layout(
        resolution=128,
        unet_channels=(80, 160, 320, 320),
        attention_levels=3,
        layers=2,
        heads=8,
        vae_channels=(32, 64, 128, 128),
        latent_channels=4,
        groups=16,
        text_width=192,
        text_layers=12,
        text_heads=3,
        tokens=77,
    ),
    # Too small to measure anything by: for trying the benchmark itself.
    "tiny": Layout(
        resolution=32,
        unet_channels=(8, 16),
        attention_levels=1,
        layers=1,
        heads=2,
        vae_channels=(8, 8),
        latent_channels=4,
        groups=4,
        text_width=16,
        text_layers=1,
        text_heads=2,
        tokens=24,
    ),
}


def model_of(size: str, folder: Path) -> tuple[Path, str]:
    """A pipeline folder of that size, and what its weights are. Written to `folder` unless it exists elsewhere."""
    if size == "mini" and (locate(MINIATURE) / "model_index.json").is_file():
        return locate(MINIATURE), "the built-in miniature"
    torch.manual_seed(0)
    pipeline = _pipeline(LAYOUTS[size])
    pipeline.save_pretrained(folder)
    return folder, "random"


def _pipeline(layout: Layout) -> StableDiffusionPipeline:
    tokenizer = _byte_tokenizer(layout.tokens)
    levels = len(layout.unet_channels)
    attends = [level < layout.attention_levels for level in range(levels)]
    return StableDiffusionPipeline(
        AutoencoderKL(
            block_out_channels=layout.vae_channels,
            down_block_types=("DownEncoderBlock2D",) * len(layout.vae_channels),
            up_block_types=("UpDecoderBlock2D",) * len(layout.vae_channels),
            layers_per_block=layout.layers,
            latent_channels=layout.latent_channels,
            norm_num_groups=layout.groups,
            sample_size=layout.resolution,
        ),
        CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=layout.text_width,
                intermediate_size=4 * layout.text_width,
                num_hidden_layers=layout.text_layers,
                num_attention_heads=layout.text_heads,
                max_position_embeddings=layout.tokens,
                projection_dim=layout.text_width,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        ),
        tokenizer,
        UNet2DConditionModel(
            sample_size=layout.resolution // 2 ** (len(layout.vae_channels) - 1),
            in_channels=layout.latent_channels,
            out_channels=layout.latent_channels,
            block_out_channels=layout.unet_channels,
            down_block_types=tuple("CrossAttnDownBlock2D" if attends[i] else "DownBlock2D" for i in range(levels)),
            up_block_types=tuple("CrossAttnUpBlock2D" if attends[-1 - i] else "UpBlock2D" for i in range(levels)),
            layers_per_block=layout.layers,
            attention_head_dim=layout.heads,
            cross_attention_dim=layout.text_width,
            norm_num_groups=layout.groups,
        ),
        DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False),
        None,
        None,
        requires_safety_checker=False,
    )


def _byte_tokenizer(tokens: int) -> CLIPTokenizer:
    """A vocabulary of letters. The text's length in tokens is padded, so the words cost the same."""
    letters = sorted(ByteLevel.alphabet())
    vocabulary = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)}, merges=[], model_max_length=tokens
    )
