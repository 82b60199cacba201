"""A module and a family as small as the callbacks allow, in a real Trainer."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from PIL import Image
from torch import Tensor, nn

from imprint.evaluation.samples import SampleProtocol
from imprint.types import Concept, Losses, Sampler


class FakeFamily(nn.Module):
    """Draws pictures as bright as its weight, and uses the global generator, which it should not."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.frozen = nn.Dropout(0.5).eval()
        self.drawn: list[tuple[float, bool]] = []
        self.low_side = None

    def generate(
        self, prompts: Sequence[str], seeds: Sequence[int], *, sampler: Sampler, height: int, width: int
    ) -> list[Image.Image]:
        torch.rand(3)
        self.drawn.append((self.weight.item(), self.training or torch.is_grad_enabled()))
        grey = int(self.weight.item() * 10)
        return [Image.new("RGB", (width, height), (grey, seed, 0)) for seed in seeds]


class FakeModule(pl.LightningModule):
    """Its loss in step n is 100 + n. Its weight grows by the rate: 1, then 0.5 from the fourth step.

    The average of its weight is 5 more.
    """

    def __init__(self, *, fail_at: int | None = None, prior: float = math.nan) -> None:
        super().__init__()
        self.model = FakeFamily()
        self.concepts = [Concept("sks", "dog")]
        self.frame = (8, 12)
        self.last_losses: Losses | None = None
        self.noise: list[float] = []
        self._fail_at = fail_at
        self._prior = prior

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        step = self.trainer.global_step + 1
        if step == self._fail_at:
            raise RuntimeError("failed as planned")
        assert self.model.training
        assert not self.model.frozen.training
        self.noise.append(torch.rand(()).item())
        value = torch.tensor(100.0 + step)
        self.last_losses = Losses(
            value, value - (0 if math.isnan(self._prior) else self._prior), torch.tensor(self._prior), value[None]
        )
        return -self.model.weight

    def configure_optimizers(self) -> Any:
        group = {"params": [self.model.weight], "name": "denoiser", "lr": 1.0}
        optimizer = torch.optim.SGD([group])
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0 if step < 3 else 0.5)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    @contextmanager
    def generating(self) -> Iterator[None]:
        with torch.no_grad():
            self.model.weight.add_(5)
            yield
            self.model.weight.sub_(5)


def fit(
    module: FakeModule,
    callbacks: list[pl.Callback],
    loggers: Any = False,
    *,
    steps: int = 6,
    accumulate: int = 1,
    resume: Path | None = None,
    save: Path | None = None,
    progress: bool = False,
) -> pl.Trainer:
    if save:
        from pytorch_lightning.callbacks import ModelCheckpoint

        callbacks = [
            *callbacks,
            ModelCheckpoint(save, filename="at-{step}", every_n_train_steps=2, save_top_k=-1),
        ]
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        max_epochs=-1,
        callbacks=callbacks,
        logger=loggers,
        accumulate_grad_batches=accumulate,
        enable_checkpointing=bool(save),
        enable_model_summary=False,
        enable_progress_bar=progress,
        log_every_n_steps=1,
    )
    data = torch.utils.data.DataLoader(torch.zeros(64, 1), batch_size=1)
    trainer.fit(module, data, ckpt_path=resume)
    return trainer


def protocol(every: int = 0, prompts: Sequence[str] = ("a {identifier} {noun}", "a {noun}")) -> SampleProtocol:
    sampler = Sampler("model", 2, 1.0, "")
    return SampleProtocol(prompts=list(prompts), seeds=[0, 3], every=every, sampler=sampler, batch_size=3)
