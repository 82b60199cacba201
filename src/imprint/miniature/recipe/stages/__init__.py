"""The recipe's stages, in order; each takes the job and leaves its result in the work folder."""

from __future__ import annotations

from collections.abc import Callable

from imprint.miniature.recipe.stages import evaluators, generator, upscaler
from imprint.miniature.recipe.stages.job import Job

STAGES: dict[str, Callable[[Job], None]] = {
    "autoencoder": generator.train_autoencoder,
    "decoder": generator.train_decoder,
    "denoiser": generator.train_denoiser,
    "export": generator.export,
    "flow": generator.train_flow,
    "export_flow": generator.export_flow,
    "upscaler_autoencoder": upscaler.train_upscaler_autoencoder,
    "upscaler": upscaler.train_upscaler,
    "export_upscaler": upscaler.export_upscaler,
    "clip": evaluators.train_clip,
    "instance": evaluators.train_instance,
    "oracle": evaluators.train_oracle,
}
