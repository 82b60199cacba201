"""The sizes of models that are measured."""

from dataclasses import dataclass


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
    # Stable Diffusion 1.5's own.
    "full": Layout(
        resolution=512,
        unet_channels=(320, 640, 1280, 1280),
        attention_levels=3,
        layers=2,
        heads=8,
        vae_channels=(128, 256, 512, 512),
        latent_channels=4,
        groups=32,
        text_width=768,
        text_layers=12,
        text_heads=12,
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
