"""What models with a UNet have in common: Stable Diffusion and Stable Diffusion XL."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from imprint.models.checkpoint.single_file import INPAINTING, INPAINTING_CHANNELS
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.types import Conditioning

DENOISER_LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("to_q", "to_k", "to_v", "to_out.0"),
    "cross_attention": ("attn2.to_q", "attn2.to_k", "attn2.to_v", "attn2.to_out.0"),
    "keys_and_values": ("attn2.to_k", "attn2.to_v"),  # of cross-attention, through which the text enters
    "feed_forward": ("ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
    "convolutions": ("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv"),
}
CLIP_LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("q_proj", "k_proj", "v_proj", "out_proj"),
    "feed_forward": ("fc1", "fc2"),
}
CLIP_PREFIX = "text_model."  # see `Part.stored_prefix`


class UNetModel(PipelineModel):
    """`tokens` of the conditioning go to cross-attention, the rest is added to the embedding of the timestep."""

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = dtype_of(denoiser)
        more = {name: value.to(dtype) for name, value in conditioning.items() if name != "tokens"}
        prediction_BCHW: Tensor = denoiser(
            noisy_BCHW.to(dtype),
            self.process.timestep_of(t_B),
            encoder_hidden_states=conditioning["tokens"].to(dtype),
            **({"added_cond_kwargs": more} if more else {}),
            return_dict=False,
        )[0]
        return prediction_BCHW.float()


def wrong_channels(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> str | None:
    """Why a UNet is not a text-to-image network, if it is not, by its configuration and the autoencoder's."""
    channels, latent_channels = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if channels == INPAINTING_CHANNELS:
        return INPAINTING
    if channels != latent_channels:
        return f"its denoiser takes {channels} channels, a latent has {latent_channels}: no text-to-image."
    return None


def wrong_width(unet: Mapping[str, Any], given: int) -> str | None:
    """What is wrong where a UNet does not expect as many text features as its text encoders give."""
    if (expected := unet.get("cross_attention_dim")) == given:
        return None
    return (
        f"its denoiser expects {expected} text features, its text encoder gives {given}. "
        "The parts are of different models."
    )
