"""The Stable Diffusion x4 upscaler: a denoiser that sees the picture to enlarge beside the latent.

Its autoencoder's cell has as many pixels as the factor of the enlargement, so that the low picture has the size of the
latent. That has noise, whose level the network is told in place of a class.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.kinds import of_kind
from imprint.models.checkpoint.layout import AUTOENCODER, Configs, scheduler_config
from imprint.models.checkpoint.recognition import UPSCALER
from imprint.models.checkpoint.single_file import LOW_RES_CHANNELS
from imprint.models.facts import ModelInfo
from imprint.models.families import sd
from imprint.models.families.unet import DENOISER_LAYERS, wrong_width
from imprint.models.low_side import LowResSettings, LowSide, Upscaling, faults, level_problem
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.roles import DENOISER
from imprint.models.schedulers import noise_process
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

LOW_RES_SCHEDULER = "low_res_scheduler"
LEVELS = "max_noise_level"
SCALE = 0.08333  # of the latents: the library's pipeline sets it, whatever the configuration says


class SDUpscaler(sd.StableDiffusion):
    """`low_res` of the conditioning is the low picture with its noise, `level` how much of it there is."""

    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: DENOISER_LAYERS}
    low_side: LowSide

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        config = self.checkpoint.config(scheduler_config(LOW_RES_SCHEDULER))
        self.low_res_process = noise_process(config, "epsilon", patch=1)

    @property
    def architecture(self) -> str:
        return "stable-diffusion-v2-x4-upscaler"

    def encode_low_res(self, low_BCHW: Tensor, noise_BCHW: Tensor, level: int) -> Conditioning:
        level_B = torch.full((len(low_BCHW),), level, device=low_BCHW.device)
        return {"low_res": self.low_res_process.add_noise(low_BCHW, noise_BCHW, level_B), "level": level_B}

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype = dtype_of(denoiser)
        prediction_BCHW: Tensor = denoiser(
            torch.cat([noisy_BCHW.to(dtype), conditioning["low_res"].to(dtype)], dim=1),
            self.process.timestep_of(t_B),
            encoder_hidden_states=conditioning["tokens"].to(dtype),
            class_labels=conditioning["level"],
            return_dict=False,
        )[0]
        return prediction_BCHW.float()


def _misfits(configs: Configs) -> Iterator[str]:
    unet, vae = configs["unet"], configs["vae"]
    seen, latent = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if seen != latent + LOW_RES_CHANNELS:
        yield (
            f"its denoiser takes {seen} channels; that of an upscaler takes the {latent} of a latent and "
            f"{LOW_RES_CHANNELS} of a low picture. For a text-to-image model: model=sd."
        )
    if not unet.get("num_class_embeds"):
        yield "its denoiser is not told how much noise the low picture has (num_class_embeds)."
    if vae.get("scaling_factor") != SCALE:
        yield (
            f"its autoencoder's scaling_factor is {vae.get('scaling_factor')}. The library's pipeline sets {SCALE}: "
            "write that into vae/config.json if it is what the model was trained with."
        )
    if wrong := wrong_width(unet, configs["text_encoder"].get("hidden_size", 0)):
        yield wrong


SDUpscaler.layout = replace(
    sd.LAYOUT,
    title=UPSCALER,
    pipeline="StableDiffusionUpscalePipeline",
    absent=("safety_checker", "feature_extractor", "watermarker"),
    settings={LEVELS: 350},
    misfits=_misfits,
    original=sd.LAYOUT.original
    and sd.LAYOUT.original._replace(usual_configs={"upscale": "stabilityai/stable-diffusion-x4-upscaler"}),
    multiple=16,  # four pixels of a latent of the usual cell: the library rounds low pictures to its cells
    more_schedulers=(LOW_RES_SCHEDULER,),
)


@of_kind("model/sd_upscaler")
@dataclass(kw_only=True, eq=False)
class SDUpscalerSource(PipelineSource):
    """Of the x4 upscaler, and others of its layout. `resolution` is that of the large pictures.

    `low_res` is how the low side of training pictures is made: `from` the photo alone, or through the autoencoder of
    the model at `base`, whose pictures are to be enlarged; `level` is that of the noise on it.
    """

    model = SDUpscaler
    not_in_identity = PipelineSource.not_in_identity | {"low_res"}  # see `LowSide.identity`

    low_res: LowResSettings

    def __post_init__(self) -> None:
        super().__post_init__()
        if wrong := faults(self.low_res):
            raise ValueError("\n".join(wrong))

    def facts(self) -> ModelInfo:
        facts = super().facts()
        if problem := level_problem("model.low_res.level", self._upscaling.level, self._upscaling):
            raise UserError(str(problem))
        return facts._replace(upscaling=self._upscaling)

    def low_side(self) -> LowSide:
        own = LowSide.of_settings(self.low_res, self._upscaling.factor)
        own.check()
        return own

    def load(self) -> PipelineModel:
        return self._with_low_side(super().load())

    def load_without_weights(self) -> PipelineModel:
        return self._with_low_side(super().load_without_weights())

    def _with_low_side(self, model: PipelineModel) -> PipelineModel:
        """Whose autoencoder is not looked for yet: to draw, there is no need for it."""
        model.upscaling = self._upscaling
        model.low_side = LowSide.of_settings(self.low_res, self._upscaling.factor)
        return model

    @property
    def _upscaling(self) -> Upscaling:
        checkpoint = self._checkpoint
        config = checkpoint.config(checkpoint.layout.part(AUTOENCODER).config)
        with checkpoint.using(checkpoint.layout.part(AUTOENCODER).config):
            factor = checkpoint.layout.latents.cell(config)
        largest = checkpoint.setting(LEVELS)
        if not isinstance(largest, int) or largest < 0:
            raise checkpoint.refusal(f"model_index.json says {LEVELS}={largest!r}, no number. Get the file again.")
        return Upscaling(factor, self.low_res["level"], largest)
