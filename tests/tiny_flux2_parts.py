"""What the tiny models of FLUX.2 share: everything but the text encoder."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AutoencoderKLFlux2, FlowMatchEulerDiscreteScheduler, Flux2Transformer2DModel
from tiny import RESOLUTION
from torch import Tensor

WIDTH = 16  # of the text encoder
TEXT_LAYERS = (1, 2, 3)
CHANNELS = 4  # of the autoencoder; a latent's pixel is four of its pixels


def tiny_flux2_parts(*, guidance: bool) -> dict[str, Any]:
    """`guidance`: the denoiser is told it, as of dev, not of klein."""
    transformer = Flux2Transformer2DModel(
        patch_size=1,
        in_channels=4 * CHANNELS,
        num_layers=1,
        num_single_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=len(TEXT_LAYERS) * WIDTH,
        timestep_guidance_channels=16,
        guidance_embeds=guidance,
        axes_dims_rope=(4, 4, 4, 4),
    )
    _listen(transformer)
    return {
        "transformer": transformer,
        "vae": _autoencoder(),
        "scheduler": FlowMatchEulerDiscreteScheduler(
            shift=3.0,
            use_dynamic_shifting=True,
            base_shift=0.5,
            max_shift=1.15,
            base_image_seq_len=256,
            max_image_seq_len=4096,
        ),
    }


def flux2_velocity(
    pipeline: Any, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str], *, guidance: Tensor | None, **drawing: Any
) -> Tensor:
    """What the library's own parts predict."""
    tokens, text_ids = pipeline.encode_prompt(list(captions), device="cpu", **drawing)
    picture_ids = pipeline._prepare_latent_ids(noisy_BCHW)
    velocity = pipeline.transformer(
        hidden_states=pipeline._pack_latents(noisy_BCHW),
        timestep=s_B,
        guidance=guidance,
        encoder_hidden_states=tokens,
        txt_ids=text_ids,
        img_ids=picture_ids,
    ).sample
    unpacked: Tensor = pipeline._unpack_latents_with_ids(velocity, picture_ids)
    return unpacked


def _autoencoder() -> AutoencoderKLFlux2:
    """A cell has 8 x 8 pixels; what its batch normalisation measured is as if it had been trained."""
    autoencoder = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=4,
        sample_size=RESOLUTION,
    )
    autoencoder.bn.running_mean.normal_(std=0.2)
    autoencoder.bn.running_var.uniform_(0.3, 1.5)
    return autoencoder


@torch.no_grad()
def _listen(transformer: Flux2Transformer2DModel) -> None:
    """A random network of this width hardly listens to a text; wider gates, which let it through to the picture, make
    it. The other factors keep what it says of the size of noise, so that rounding stays small."""
    transformer.double_stream_modulation_img.linear.weight.mul_(30)
    transformer.single_stream_modulation.linear.weight.mul_(3)
    transformer.proj_out.weight.mul_(1.5)
