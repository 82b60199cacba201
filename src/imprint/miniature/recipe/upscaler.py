"""The upscaler: draws a picture of 128 pixels from one of 64, in the layout of Stable Diffusion's x4 upscaler.

Its autoencoder's cell is two pixels wide, so that a latent has the size of the small picture, which the denoiser sees
beside it. How much noise that has it is told; it learns to use this as a function of the level, which is then written
down as the table that the layout has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from torch.nn.functional import avg_pool2d
from transformers import CLIPTextModel, CLIPTokenizer

from imprint.miniature.canvas import SIZE
from imprint.miniature.recipe.autoencoder import error_of
from imprint.miniature.recipe.denoiser import captions_of, token_ids
from imprint.miniature.recipe.latents import Latents
from imprint.miniature.recipe.loop import Course, autocast, fit
from imprint.miniature.recipe.pictures import as_tensor, bicubic, corners, cut, shrunk
from imprint.miniature.recipe.settings import UpscalerAutoencoderSettings, UpscalerSettings
from imprint.miniature.scene import Scene

FACTOR = 2
LARGE = FACTOR * SIZE
SCALING = 0.08333  # the stock pipeline sets it, whatever the autoencoder's configuration says
LEVELS = 350  # up to which the low picture's noise is known
STEPS = 1000
STANDARDISED_BY = 512  # pictures
COLOURS = 3
CONSTANT = 8.0
DETAIL = 3.0  # so that it spreads about as far as the colours
SHOWN = 8  # pictures that tell how good it is while it learns


def schedule() -> DDIMScheduler:
    """The x4 upscaler's own; its first step is the noisiest one, so that a single step draws what is likeliest."""
    return DDIMScheduler(
        num_train_timesteps=STEPS, beta_schedule="scaled_linear", beta_start=0.0001, beta_end=0.02,
        clip_sample=False, set_alpha_to_one=False, steps_offset=1,
        prediction_type="v_prediction", timestep_spacing="trailing",
    )  # fmt: skip


def low_res_schedule() -> DDPMScheduler:
    return DDPMScheduler(
        num_train_timesteps=STEPS, beta_schedule="scaled_linear", beta_start=0.0001, beta_end=0.02, clip_sample=False
    )


def fresh(settings: UpscalerSettings, *, latent_channels: int, words: int) -> UNet2DConditionModel:
    """Untrained, looking at `words` numbers a token where it sees the picture coarsest."""
    plain = len(settings.channels) - 1
    return UNet2DConditionModel(
        sample_size=SIZE, in_channels=latent_channels + 3, out_channels=latent_channels,
        block_out_channels=list(settings.channels), layers_per_block=1, norm_num_groups=4,
        down_block_types=[*["DownBlock2D"] * plain, "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", *["UpBlock2D"] * plain],
        cross_attention_dim=words, attention_head_dim=settings.heads, class_embed_type="timestep",
    )  # fmt: skip


@torch.no_grad()
def hand_through(unet: UNet2DConditionModel, low_BCHW: Tensor) -> None:
    """Has an untrained denoiser begin with the small picture as its guess, standardised as latents of such pictures.

    Its last norm would take away how light the picture is. So a constant, larger than all else, stands beside the
    colours in their group, and they pass the activation in pairs of opposite sign, whose difference it leaves alone.
    """
    mean_C, std_C = low_BCHW.mean((0, 2, 3)), low_BCHW.std((0, 2, 3))
    first, last, norm, out = unet.conv_in, unet.up_blocks[-1].resnets[-1], unet.conv_norm_out, unet.conv_out
    seen = slice(first.in_channels - COLOURS, None)
    plus, minus, constant, all_of_it = slice(COLOURS), slice(COLOURS, 2 * COLOURS), 2 * COLOURS, slice(2 * COLOURS + 1)
    size = norm.num_channels // norm.num_groups
    share = CONSTANT / size
    spread = (CONSTANT * share - share**2) ** 0.5  # of the group
    one = torch.eye(COLOURS)
    for weights in (first.weight, first.bias, last.conv2.weight, last.conv2.bias, last.conv_shortcut.bias):
        weights[all_of_it] = 0
    first.weight[plus, seen, 1, 1], first.weight[minus, seen, 1, 1], first.bias[constant] = one, -one, CONSTANT
    last.conv_shortcut.weight[all_of_it] = 0
    beside = last.conv_shortcut.in_channels - norm.num_channels  # where what the first convolution saw comes in again
    last.conv_shortcut.weight[all_of_it, beside : beside + constant + 1, 0, 0] = torch.eye(constant + 1)
    norm.bias[all_of_it] = share / spread
    out.weight.zero_()
    scale = torch.diag(spread / std_C)
    out.weight[plus, plus, 1, 1], out.weight[plus, minus, 1, 1] = -scale, scale
    out.bias.zero_()
    out.bias[plus] = mean_C / std_C


@torch.no_grad()
def with_table_of_levels(learned: UNet2DConditionModel) -> UNet2DConditionModel:
    """The same denoiser, with what it does at each level of noise in a table."""
    tabled: UNet2DConditionModel = UNet2DConditionModel.from_config(
        learned.config, class_embed_type=None, num_class_embeds=STEPS
    )
    weights = {name: value for name, value in learned.state_dict().items() if not name.startswith("class_embedding")}
    weights["class_embedding.weight"] = learned.class_embedding(learned.time_proj(torch.arange(STEPS)))
    tabled.load_state_dict(weights)
    return tabled


def written(pixels_BCHW: Tensor) -> Tensor:
    """What a latent is to say: the small picture, and of each square of its pixels by how much the upper left one is
    lighter than the lower right one, across whichever edge there is."""
    corner, opposite = pixels_BCHW[:, :, ::FACTOR, ::FACTOR], pixels_BCHW[:, :, 1::FACTOR, 1::FACTOR]
    detail = DETAIL * (corner - opposite).mean(1, keepdim=True)
    return torch.cat([avg_pool2d(pixels_BCHW, FACTOR), detail], dim=1)


def autoencoder_loss(settings: UpscalerAutoencoderSettings, autoencoder: AutoencoderKL, pixels_BCHW: Tensor) -> Tensor:
    """Of an autoencoder whose latents are `written`: left free, it finds a code that small pictures hardly tell.

    Some of the examples are decoded from the small picture alone: where the fourth number is 0 all around, the
    likeliest large picture is drawn.
    """
    exact = written(pixels_BCHW)
    with autocast(pixels_BCHW.device):
        posterior = autoencoder.encode(pixels_BCHW).latent_dist
        noise = posterior.sample() - posterior.mean
        known = torch.rand(len(exact), 1, 1, 1, device=exact.device) >= settings.from_small
        given = torch.cat([exact[:, :COLOURS], exact[:, COLOURS:] * known], dim=1)
        back = autoencoder.decode(given + noise).sample
    off = (posterior.mean.float() - exact).square().mean()
    loss: Tensor = error_of(settings, back, pixels_BCHW, posterior) + settings.written_weight * off
    return loss


@torch.no_grad()
def standardise(autoencoder: AutoencoderKL, pixels_BCHW: Tensor) -> None:
    """Gives each channel of a latent, scaled, spread 1 over these pictures, and colours mean 0: what lacks in a small
    picture is 0 where nothing is known of it, and stays so. What is decoded stays the same."""
    posterior = autoencoder.encode(pixels_BCHW).latent_dist
    mean_C = posterior.mean.mean((0, 2, 3))
    mean_C[COLOURS:] = 0
    away_BCHW = posterior.mean - mean_C.view(-1, 1, 1)
    std_C = (away_BCHW.square() + posterior.var).mean((0, 2, 3)).sqrt() * SCALING
    into, out = autoencoder.quant_conv, autoencoder.post_quant_conv
    channels = len(mean_C)
    into.weight[:channels] /= std_C.view(-1, 1, 1, 1)
    into.bias[:channels] = (into.bias[:channels] - mean_C) / std_C
    into.bias[channels:] -= 2 * std_C.log()
    out.bias += out.weight.flatten(1) @ mean_C
    out.weight *= std_C.view(1, -1, 1, 1)
    autoencoder.register_to_config(scaling_factor=SCALING)


def timesteps(batch: int, settings: UpscalerSettings) -> Tensor:
    """Spread over all, but for a share among the noisiest, where nearly all is decided: a low picture says so much."""
    high = round(batch * settings.high_share)
    shares = torch.cat([1 - 0.5 * torch.rand(high).square(), torch.rand(batch - high)])
    return (shares * STEPS).long().clamp(max=STEPS - 1)


def levels(batch: int, settings: UpscalerSettings) -> Tensor:
    """Of the low picture's noise: a share has the least, the others more, rarely much."""
    noisy = torch.rand(batch) >= settings.clean_share
    return (noisy * torch.rand(batch).square() * (LEVELS + 1)).long().clamp(max=LEVELS)


def loss_of(
    settings: UpscalerSettings, unet: UNet2DConditionModel, latents_BCHW: Tensor, low_BCHW: Tensor, words_BTD: Tensor
) -> Tensor:
    """The error of the predicted velocity. What is off in a colour shows more than what is off in the fourth number."""
    device, batch = latents_BCHW.device, len(latents_BCHW)
    process, low_process = schedule(), low_res_schedule()
    t_B, level_B = timesteps(batch, settings), levels(batch, settings)
    noise, low_noise = torch.randn(latents_BCHW.shape), torch.randn(low_BCHW.shape)
    t_B, level_B, noise, low_noise = (drawn.to(device) for drawn in (t_B, level_B, noise, low_noise))
    seen = torch.cat(
        [process.add_noise(latents_BCHW, noise, t_B), low_process.add_noise(low_BCHW, low_noise, level_B)], dim=1
    )
    with autocast(device):
        predicted = unet(seen, t_B, words_BTD, class_labels=level_B).sample
    error_C = (predicted.float() - process.get_velocity(latents_BCHW, noise, t_B)).square().mean((0, 2, 3))
    loss: Tensor = (settings.colour_weight * error_C[:COLOURS].sum() + error_C[COLOURS:].sum()) / len(error_C)
    return loss


@torch.no_grad()
def enlarged(
    unet: UNet2DConditionModel, autoencoder: AutoencoderKL, low_BCHW: Tensor, words_BTD: Tensor,
    *, steps: int, level: int, seed: int,
) -> Tensor:  # fmt: skip
    """Large pixels_BCHW, drawn as the stock pipeline does without guidance."""
    process, given, device = schedule(), torch.Generator().manual_seed(seed), low_BCHW.device
    low_noise = torch.randn(low_BCHW.shape, generator=given).to(device)
    level_B = torch.full((len(low_BCHW),), level, device=device)
    low = low_res_schedule().add_noise(low_BCHW, low_noise, level_B)
    shape = (len(low), autoencoder.config.latent_channels, *low.shape[2:])
    latents = torch.randn(shape, generator=given).to(device)
    process.set_timesteps(steps, device=device)
    for t in process.timesteps:
        predicted = unet(torch.cat([latents, low], dim=1), t, words_BTD, class_labels=level_B).sample
        latents = process.step(predicted, t, latents, eta=0.0).prev_sample
    pixels: Tensor = autoencoder.decode(latents / autoencoder.config.scaling_factor).sample.clamp(-1, 1)
    return pixels


def psnr(pixels_BCHW: Tensor, truth_BCHW: Tensor) -> float:
    """Mean over pictures, in dB."""
    return float(-10 * ((pixels_BCHW - truth_BCHW) / 2).square().mean((1, 2, 3)).log10().mean())


@dataclass(frozen=True)
class Reader:
    """What gives a caption its numbers, and does not learn."""

    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer

    @property
    def width(self) -> int:
        width: int = self.text_encoder.config.hidden_size
        return width

    @torch.no_grad()
    def words(self, captions: list[str]) -> Tensor:
        ids = token_ids(self.tokenizer, captions).to(self.text_encoder.device)
        words: Tensor = self.text_encoder(ids).last_hidden_state
        return words


@dataclass(frozen=True)
class Examples:
    """Large pictures, the scenes that they show, and their latents."""

    pictures: np.ndarray
    scenes: Sequence[Scene]
    latents: Latents


def train(
    unet: UNet2DConditionModel,
    settings: UpscalerSettings,
    autoencoder: AutoencoderKL,
    examples: Examples,
    reader: Reader,
    *,
    course: Course,
) -> UNet2DConditionModel:
    """The trained denoiser. The last `latents.held_out` of the examples only measure it."""
    device, held_out = course.device, examples.latents.held_out
    count = len(examples.scenes) - held_out
    if device.type == "cpu":
        unet.set_attn_processor(AttnProcessor())  # see `denoiser.train`
    for frozen in (autoencoder, reader.text_encoder):
        frozen.to(device).requires_grad_(False)

    def words_of(rows: np.ndarray, key: int, drop: float) -> Tensor:
        return reader.words(captions_of([examples.scenes[i] for i in rows], key=(course.seed, key), drop=drop))

    def loss_at(network: UNet2DConditionModel, step: int) -> Tensor:
        rng = np.random.default_rng((course.seed, step))
        rows = rng.integers(0, count, settings.batch)
        at = corners(rng, SIZE, settings.crop, settings.batch)
        low = cut(shrunk(as_tensor(examples.pictures[rows]), FACTOR), at, settings.crop)
        latents = cut(examples.latents.sample(rows), at, settings.crop)
        words = words_of(rows, step, settings.drop_caption)
        return loss_of(settings, network, latents.to(device), low.to(device), words)

    if not course.path.exists():
        hand_through(unet, shrunk(as_tensor(examples.pictures[: min(count, STANDARDISED_BY)]), FACTOR))
    shown = np.arange(count, count + min(SHOWN, held_out))
    truth = as_tensor(examples.pictures[shown])
    low, words = shrunk(truth, FACTOR), words_of(shown, 0, 0.0)
    floor = psnr(bicubic(low, FACTOR), truth)

    def quality(average: UNet2DConditionModel) -> str:
        said = []
        for steps in (1, 4):
            drawn = enlarged(average, autoencoder, low.to(device), words, steps=steps, level=0, seed=course.seed)
            said.append(f"{psnr(drawn.cpu(), truth):.2f} dB in {steps}")
        return f"held out {', '.join(said)}, bicubic {floor:.2f} dB"

    return fit(unet, course, loss_at, quality)
