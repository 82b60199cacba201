"""DreamBooth as a plain script does it: everything anew at each step.

It imports nothing of imprint, so that its memory is a plain script's too.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import mse_loss
from transformers import CLIPTextModel, CLIPTokenizer


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    model: str  # a pipeline folder
    pictures: str  # a folder of pictures of the subject
    class_pictures: str | None  # a folder of pictures of its class, if there is a prior
    prompt: str
    class_prompt: str
    prior_weight: float
    resolution: int
    batch_size: int  # pictures of the subject, and as many of the class
    lr: float
    betas: tuple[float, float]
    eps: float
    weight_decay: float
    clip: float
    device: str


class PlainLoop:
    """One `step` after another, in float32."""

    def __init__(self, settings: PlainSettings) -> None:
        self.settings = settings
        self.device = torch.device(settings.device)
        self.tokenizer = CLIPTokenizer.from_pretrained(settings.model, subfolder="tokenizer")
        self.noise_schedule = DDPMScheduler.from_pretrained(settings.model, subfolder="scheduler")
        self.text_encoder = self._network(CLIPTextModel, "text_encoder").requires_grad_(False)
        self.vae = self._network(AutoencoderKL, "vae").requires_grad_(False)
        self.unet = self._network(UNet2DConditionModel, "unet").train()
        self.optimizer = torch.optim.AdamW(
            self.unet.parameters(),
            lr=settings.lr,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )
        self.rate = get_scheduler("constant", self.optimizer)
        self._files = sorted(Path(settings.pictures).iterdir())
        self._class_files = sorted(Path(settings.class_pictures).iterdir()) if settings.class_pictures else []
        self._position = 0

    @property
    def trained_parameters(self) -> int:
        return sum(parameter.numel() for parameter in self.unet.parameters())

    def step(self) -> float:
        """The loss, read back as scripts do for their progress bar."""
        pixels_BCHW, captions = self._batch()
        with torch.no_grad():
            latents_BCHW = self.vae.encode(pixels_BCHW).latent_dist.sample() * self.vae.config.scaling_factor
            text_BLD = self.text_encoder(self._tokens(captions))[0]
        noise_BCHW = torch.randn_like(latents_BCHW)
        t_B = torch.randint(self.noise_schedule.config.num_train_timesteps, (len(captions),), device=self.device)
        noisy_BCHW = self.noise_schedule.add_noise(latents_BCHW, noise_BCHW, t_B)
        prediction_BCHW = self.unet(noisy_BCHW, t_B, text_BLD).sample
        loss = self._loss(prediction_BCHW, self._target(latents_BCHW, noise_BCHW, t_B))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.unet.parameters(), self.settings.clip)
        self.optimizer.step()
        self.rate.step()
        self.optimizer.zero_grad()
        return float(loss.detach())

    def _batch(self) -> tuple[Tensor, list[str]]:
        size = self.settings.batch_size
        positions = range(self._position, self._position + size)
        self._position += size
        files = [self._files[position % len(self._files)] for position in positions]
        captions = [self.settings.prompt] * size
        if self._class_files:
            files += [self._class_files[position % len(self._class_files)] for position in positions]
            captions += [self.settings.class_prompt] * size
        return torch.stack([self._pixels(file) for file in files]).to(self.device), captions

    def _pixels(self, file: Path) -> Tensor:
        side = self.settings.resolution
        with Image.open(file) as picture:
            fitted = ImageOps.fit(picture.convert("RGB"), (side, side))
        pixels_HWC = torch.from_numpy(np.array(fitted, dtype=np.float32))
        return pixels_HWC.permute(2, 0, 1) / 127.5 - 1.0

    def _tokens(self, captions: list[str]) -> Tensor:
        tokens_BL: Tensor = self.tokenizer(
            captions, truncation=True, padding="max_length", max_length=self.tokenizer.model_max_length,
            return_tensors="pt",
        ).input_ids  # fmt: skip
        return tokens_BL.to(self.device)

    def _target(self, latents_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        if self.noise_schedule.config.prediction_type == "epsilon":
            return noise_BCHW
        velocity_BCHW: Tensor = self.noise_schedule.get_velocity(latents_BCHW, noise_BCHW, t_B)
        return velocity_BCHW

    def _loss(self, prediction_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
        size = self.settings.batch_size
        loss = mse_loss(prediction_BCHW[:size], target_BCHW[:size])
        if self._class_files:
            loss = loss + self.settings.prior_weight * mse_loss(prediction_BCHW[size:], target_BCHW[size:])
        return loss

    def _network(self, kind: Any, part: str) -> Any:
        return kind.from_pretrained(self.settings.model, subfolder=part).float().to(self.device)
