"""The step of `imprint train`, as the program takes it: its stream, its caches, Lightning, and its local files."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from clock import timed, waited
from omegaconf import DictConfig
from pytorch_lightning.callbacks import Callback

from imprint.build import assemble, prepare
from imprint.config import compose, resolved
from imprint.training.trainer import make_trainer


class Turns(Callback):
    """After every `steps` of training, notes how long a step took and lets `other` have its turn."""

    def __init__(self, steps: int, other: Callable[[], None]) -> None:
        self.seconds: list[float] = []  # a step, one value a round
        self.other_seconds: list[float] = []
        self.trained_parameters = 0
        self._steps = steps
        self._other = other
        self._began = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.trained_parameters = sum(part.numel() for part in pl_module.parameters() if part.requires_grad)
        self._began = waited(pl_module.device)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        if trainer.global_step % self._steps:
            return
        self.seconds.append((waited(pl_module.device) - self._began) / self._steps)
        self.other_seconds.append(timed(self._other, pl_module.device) / self._steps)
        self._began = waited(pl_module.device)


def configuration(
    *, model: Path, resolution: int, pictures: Path, class_pictures: Path | None, more: list[str]
) -> DictConfig:
    """What `imprint train` runs with: its defaults, but for what is shown and what is told."""
    prior = ["prior=folder", f"prior.path={class_pictures}"] if class_pictures else ["prior=none"]
    told = ["report=local", "report.progress=off", "samples=none"]
    return compose(
        "train",
        [
            "model=sd",
            f"model.source={model}",
            f"model.resolution={resolution}",
            "dataset=folder",
            f"dataset.path={pictures}",
            "dataset.class_noun=dog",
            "dataset.identifier=sks",
            *prior,
            *told,
            *more,
        ],
    )


def take_turns(cfg: DictConfig, *, steps: int, rounds: int, other: Callable[[], None]) -> Turns:
    """Trains `rounds` times `steps`; nothing of it is kept."""
    turns = Turns(steps, other)
    with tempfile.TemporaryDirectory() as folder:
        cfg = cfg.copy()
        cfg.outputs = folder
        cfg.hparams.steps = steps * rounds
        cfg.trainer.checkpoint_every = steps * rounds + 1
        plan = prepare(cfg)
        parts = plan.parts
        module = assemble(plan)
        loggers, callbacks = parts.report.attach(
            plan.run, config=resolved(cfg), protocol=parts.samples, name=parts.name
        )
        callbacks.append(turns)
        trainer = make_trainer(parts.trainer, parts.hparams, plan.run, loggers=loggers, callbacks=callbacks)
        trainer.fit(module)
    return turns
