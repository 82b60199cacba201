"""Why a transformer and the other parts of a pipeline are of different models, by their configurations."""

from collections.abc import Iterator, Sequence

from imprint.models.checkpoint.layout import Configs

TRANSFORMER = "transformer"


def wrong_channels(configs: Configs, *, patch: int, key: str = "latent_channels") -> Iterator[str]:
    """Of one whose tokens are squares of `patch` x `patch` pixels of a KL autoencoder's latents, the number of whose
    channels is what its configuration has for `key`."""
    channels, latent = configs[TRANSFORMER].get("in_channels"), configs["vae"].get(key, 16) * patch**2
    if channels is not None and channels != latent:
        what = "a token has" if patch > 1 else "a latent has"
        yield f"its denoiser takes {channels} channels, {what} {latent}: this is no text-to-image model."


def wrong_text_widths(configs: Configs, widths: Sequence[tuple[str, str, str]]) -> Iterator[str]:
    """`widths` are those of text encoders: (its part, what its configuration calls it, what the denoiser's does)."""
    for part, width, key in widths:
        if (expected := configs[TRANSFORMER].get(key)) != (given := configs[part].get(width)):
            yield (
                f"its denoiser expects {expected} text features of {part}, which gives {given}. "
                "The parts are of different models."
            )
