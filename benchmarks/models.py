"""Models of known sizes, with random weights where speed is all that is asked of them."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from layouts import LAYOUTS, Layout
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from imprint.locations import locate

MINIATURE = "pkg://imprint.miniature/weights"


def model_of(size: str, folder: Path) -> tuple[Path, str]:
    """A pipeline folder of that size in float32, written to `folder`, and what its weights are.

    The miniature's own weights are float16, and some of the peer's scripts would train in what they find.
    """
    has_miniature = size == "mini" and (locate(MINIATURE) / "model_index.json").is_file()
    torch.manual_seed(0)
    pipeline = (
        StableDiffusionPipeline.from_pretrained(locate(MINIATURE), dtype=torch.float32)
        if has_miniature
        else _pipeline(LAYOUTS[size])
    )
    pipeline.save_pretrained(folder)
    return folder, "the built-in miniature" if has_miniature else "random"


def _pipeline(layout: Layout) -> StableDiffusionPipeline:
    tokenizer = byte_tokenizer(layout.tokens)
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
        DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        None,
        None,
        requires_safety_checker=False,
    )


def byte_tokenizer(tokens: int) -> CLIPTokenizer:
    """A vocabulary of letters, and of one word, for a learned word to begin at. The text's length in tokens is padded,
    so the words cost the same."""
    letters = sorted(ByteLevel.alphabet())
    ends = [letter + "</w>" for letter in letters]
    vocabulary = [*letters, *ends, "do", "dog</w>", "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)},
        merges=[("d", "o"), ("do", "g</w>")],
        model_max_length=tokens,
    )
