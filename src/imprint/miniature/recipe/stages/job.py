"""What a stage is given, where the package keeps what stages write, and how results lie in the work folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DiffusionPipeline
from torch import nn

from imprint.miniature.recipe import checkpoint
from imprint.miniature.recipe.bundle import write
from imprint.miniature.recipe.loop import Course
from imprint.miniature.recipe.settings import Schedule, Settings

PACKAGE = Path(__file__).parents[2]
WEIGHTS = PACKAGE / "weights"
FLOW_WEIGHTS = PACKAGE / "flow_weights"
UPSCALER_WEIGHTS = PACKAGE / "upscaler_weights"
EVALUATORS = PACKAGE / "evaluators"


@dataclass(frozen=True)
class Job:
    """`continue_from` is a pipeline folder whose weights the stages start from, `continue_evaluators_from` a folder of
    evaluators, of which clip goes on; None starts from nothing."""

    settings: Settings
    work: Path
    minutes: float | None
    continue_from: Path | None
    continue_evaluators_from: Path | None
    out: Path
    flow_out: Path
    upscaler_out: Path
    evaluators: Path
    device: torch.device

    def course(self, name: str, schedule: Schedule) -> Course:
        return Course(
            name=name,
            schedule=schedule,
            work=self.work,
            seed=self.settings.seed,
            minutes=self.minutes,
            checkpoint_every_s=self.settings.checkpoint_every_s,
            device=self.device,
        )


def averaged(job: Job, stage: str, generator: nn.Module) -> dict[str, Any]:
    """Puts the averaged weights of a stage's checkpoint into the networks; returned is the checkpoint."""
    state = checkpoint.load(job.work / f"{stage}.pt")
    assert state is not None, f"the stage {stage} has not run"
    generator.load_state_dict(state["average"])
    return state


def write_pipeline(pipeline: DiffusionPipeline, folder: Path, state: Mapping[str, Any]) -> None:
    write(pipeline, folder)
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    print(f"export: {folder} written, {size:.1f} MB, step {state['budget']['step']}", flush=True)


def stored_autoencoder(folder: Path) -> AutoencoderKL:
    vae: AutoencoderKL = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32)
    return vae
