"""A plain training script of our own, for where the peer's are not at hand: everything anew at each step.

    python plain_loop.py SETTINGS      SETTINGS as JSON: the fields of PlainSettings

It opens and decodes the pictures, encodes them with the autoencoder, encodes the captions, runs the UNet forward and
backward, clips, and updates with AdamW. It imports nothing of imprint.
"""

import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from diffusers.optimization import get_scheduler
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from PIL import Image, ImageOps
from torch import Tensor
from torch.nn.functional import mse_loss
from tqdm.auto import tqdm
from transformers import CLIPTextModel, CLIPTokenizer

ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
AT_ONCE = 4  # class pictures


@dataclass(frozen=True, kw_only=True)
class PlainSettings:
    method: str  # dreambooth, lora or textual_inversion
    model: str  # a pipeline folder
    output: str
    pictures: str  # a folder of pictures of the subject
    class_pictures: str | None  # a folder of pictures of its class, if there is a prior
    class_count: int  # so many are drawn into it if it is not there
    prompt: str
    class_prompt: str
    word: str  # that is learned
    noun: str  # where it begins
    resolution: int
    steps: int
    batch_size: int  # pictures of the subject, and as many of the class
    rank: int
    lr: float
    seed: int
    bf16: bool


class PlainLoop:
    """One `step` after another."""

    def __init__(self, settings: PlainSettings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        frozen = torch.bfloat16 if settings.bf16 else torch.float32
        self.tokenizer = CLIPTokenizer.from_pretrained(settings.model, subfolder="tokenizer")
        self.noise_schedule = DDPMScheduler.from_pretrained(settings.model, subfolder="scheduler")
        self.text_encoder = self._network(CLIPTextModel, "text_encoder", frozen)
        self.vae = self._network(AutoencoderKL, "vae", frozen)
        is_whole = settings.method == "dreambooth"
        self.unet = self._network(UNet2DConditionModel, "unet", torch.float32 if is_whole else frozen).train()
        self._word: int | None = None
        self.trained = list(getattr(self, f"_{settings.method}")())
        self.optimizer = torch.optim.AdamW(self.trained, lr=settings.lr, weight_decay=1e-2)
        self.rate = get_scheduler("constant", self.optimizer)
        self._files = sorted(Path(settings.pictures).iterdir())
        self._class_files = sorted(Path(settings.class_pictures).iterdir()) if settings.class_pictures else []
        self._position = 0

    def step(self) -> float:
        """The loss, read back as scripts do for their progress bar."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.settings.bf16):
            loss = self._forward()
        loss.backward()
        if self._word is None:
            torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        before = self.trained[0].detach().clone() if self._word is not None else None
        self.optimizer.step()
        self.rate.step()
        self.optimizer.zero_grad()
        if before is not None:  # every other word is put back
            others = torch.arange(len(before), device=self.device) != self._word
            with torch.no_grad():
                self.trained[0][others] = before[others]
        return float(loss.detach())

    def save(self) -> None:
        output = Path(self.settings.output)
        output.mkdir(parents=True, exist_ok=True)
        if self.settings.method == "dreambooth":
            StableDiffusionPipeline.from_pretrained(
                self.settings.model, unet=self.unet, text_encoder=self.text_encoder, vae=self.vae
            ).save_pretrained(output)
        elif self.settings.method == "lora":
            StableDiffusionPipeline.save_lora_weights(output, unet_lora_layers=get_peft_model_state_dict(self.unet))
        else:
            torch.save({self.settings.word: self.trained[0][self._word].detach().cpu()}, output / "learned_embeds.bin")

    def _forward(self) -> Tensor:
        pixels_BCHW, captions = self._batch()
        with torch.no_grad():
            latents_BCHW = self.vae.encode(pixels_BCHW).latent_dist.sample() * self.vae.config.scaling_factor
        with torch.set_grad_enabled(self._word is not None):
            text_BLD = self.text_encoder(self._tokens(captions))[0]
        noise_BCHW = torch.randn_like(latents_BCHW)
        t_B = torch.randint(self.noise_schedule.config.num_train_timesteps, (len(captions),), device=self.device)
        noisy_BCHW = self.noise_schedule.add_noise(latents_BCHW, noise_BCHW, t_B)
        prediction_BCHW = self.unet(noisy_BCHW, t_B, text_BLD).sample
        return self._loss(prediction_BCHW.float(), self._target(latents_BCHW, noise_BCHW, t_B).float())

    def _dreambooth(self) -> Iterator[torch.nn.Parameter]:
        return self.unet.requires_grad_(True).parameters()  # type: ignore[no-any-return]

    def _lora(self) -> Iterator[torch.nn.Parameter]:
        rank = self.settings.rank
        self.unet.add_adapter(
            LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=ATTENTION)
        )
        for parameter in self.unet.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
                yield parameter

    def _textual_inversion(self) -> Iterator[torch.nn.Parameter]:
        """The whole table, of which all but one row are put back after each update."""
        self.tokenizer.add_tokens([self.settings.word])
        self._word = self.tokenizer.convert_tokens_to_ids(self.settings.word)
        [start] = self.tokenizer.encode(self.settings.noun, add_special_tokens=False)
        self.text_encoder.float().resize_token_embeddings(len(self.tokenizer))
        table = self.text_encoder.get_input_embeddings().weight
        with torch.no_grad():
            table[self._word] = table[start]
        yield table.requires_grad_(True)

    def _batch(self) -> tuple[Tensor, list[str]]:
        size = self.settings.batch_size
        positions = range(self._position, self._position + size)
        self._position += size
        files = [self._files[position % len(self._files)] for position in positions]
        captions = [self.settings.prompt] * size
        if self._class_files:
            files += [self._class_files[position % len(self._class_files)] for position in positions]
            captions += [self.settings.class_prompt] * size
        pixels_BCHW = torch.stack([self._pixels(file) for file in files])
        return pixels_BCHW.to(self.device, self.vae.dtype), captions

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
            loss = loss + mse_loss(prediction_BCHW[size:], target_BCHW[size:])
        return loss

    def _network(self, kind: Any, part: str, dtype: torch.dtype) -> Any:
        network = kind.from_pretrained(self.settings.model, subfolder=part)
        return network.requires_grad_(False).to(self.device, dtype)


def draw_class_pictures(settings: PlainSettings) -> None:
    """If there are none yet."""
    folder = Path(settings.class_pictures) if settings.class_pictures else None
    if folder is None or folder.is_dir():
        return
    folder.mkdir(parents=True)
    pipeline = StableDiffusionPipeline.from_pretrained(
        settings.model, dtype=torch.bfloat16 if settings.bf16 else torch.float32
    ).to("cuda" if torch.cuda.is_available() else "cpu")
    pipeline.set_progress_bar_config(disable=True)
    numbers = itertools.count()
    while (left := settings.class_count - len(list(folder.iterdir()))) > 0:
        for picture in pipeline([settings.class_prompt] * min(AT_ONCE, left)).images:
            picture.save(folder / f"{next(numbers):03}.png")


def main(settings: PlainSettings) -> None:
    draw_class_pictures(settings)
    loop = PlainLoop(settings)
    bar = tqdm(range(settings.steps))
    for _ in bar:
        bar.set_postfix(loss=loop.step())
    loop.save()


if __name__ == "__main__":
    main(PlainSettings(**json.loads(sys.argv[1])))
