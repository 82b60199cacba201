"""The networks of the real models by the names of their parts, on the device "meta", without weights."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

_DENOISER = {
    1: {"attention_head_dim": 8, "cross_attention_dim": 768},
    2: {"attention_head_dim": [5, 10, 20, 20], "cross_attention_dim": 1024, "use_linear_projection": True},
}
_TEXT = {
    1: {"hidden_size": 768, "num_hidden_layers": 12, "hidden_act": "quick_gelu"},
    2: {"hidden_size": 1024, "num_hidden_layers": 23, "hidden_act": "gelu", "num_attention_heads": 16},
}


def full_size_sd(generation: int) -> dict[str, torch.nn.Module]:
    with torch.device("meta"):
        return {
            "unet": UNet2DConditionModel(**_DENOISER[generation]),
            "vae": _autoencoder(),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**_TEXT[generation])),
        }


def full_size_sdxl() -> dict[str, torch.nn.Module]:
    """The base model's."""
    with torch.device("meta"):
        return {
            "unet": UNet2DConditionModel(
                sample_size=128,
                block_out_channels=(320, 640, 1280),
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
                attention_head_dim=[5, 10, 20],
                transformer_layers_per_block=[1, 2, 10],
                use_linear_projection=True,
                cross_attention_dim=2048,
                addition_embed_type="text_time",
                addition_time_embed_dim=256,
                projection_class_embeddings_input_dim=2816,
            ),
            "vae": _autoencoder(),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**_TEXT[1])),
            "text_encoder_2": CLIPTextModelWithProjection(
                CLIPTextConfig(
                    hidden_size=1280,
                    intermediate_size=5120,
                    num_hidden_layers=32,
                    num_attention_heads=20,
                    hidden_act="gelu",
                    projection_dim=1280,
                )
            ),
        }


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
    )
