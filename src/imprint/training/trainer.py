"""Where a training runs: devices, processes, memory. None of these settings changes the result beyond rounding."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

import pytorch_lightning as pl
import torch
from pydantic import NonNegativeInt, PositiveInt
from pytorch_lightning.callbacks import Callback, ProgressBar
from pytorch_lightning.loggers import Logger
from pytorch_lightning.strategies import StrategyRegistry

from imprint.data.loader import micro_batch_size
from imprint.errors import ConfigError, Problem, UserError
from imprint.kinds import of_kind
from imprint.runs import Run
from imprint.training.callbacks import AtomicCheckpoints, AverageUpdate, FiniteLoss, LastCheckpoint
from imprint.training.hparams import HParams
from imprint.training.memory import AUTO, stated_memory
from imprint.training.sharded_strategy import ShardedStrategy

ALL_THAT_IT_NEEDS: Final = "auto"  # devices


@of_kind("trainer/lightning")
@dataclass(frozen=True, kw_only=True)
class TrainerSettings:
    accelerator: Literal["auto", "cpu", "cuda", "mps"]
    devices: PositiveInt | Literal["auto"]  # of each node; auto: as many as it needs, which the plan says
    nodes: PositiveInt
    strategy: str  # fsdp, or one of Lightning's names
    accumulation: PositiveInt  # backward passes that make up one step of each device
    workers: NonNegativeInt  # processes that load pictures, for each device
    cache: bool  # keep what the autoencoder makes of the pictures
    keep_parts: Literal["all", "needed"]  # of the model in memory; a part that is not needed leaves
    gradient_checkpointing: bool | Literal["half"]  # of the denoiser's blocks: none, all, or every other one
    blocks_on_device: Literal["all"] | PositiveInt  # of the denoiser; the others wait in the machine's memory
    offload_optimizer: bool  # its state is in the machine's memory, and it computes there
    offload_activations: bool  # what the backward pass needs is in the machine's memory meanwhile
    channels_last: bool  # of the network's kernels, where they do not learn
    compile: bool
    checkpoint_every: PositiveInt  # steps
    save_every: NonNegativeInt  # steps; 0: the result is saved at the end alone

    memory: str | None  # that the plan is for: auto, or a size such as 24GB; null: no estimate is made

    SHARDED: ClassVar[str] = "fsdp"  # the strategy that is imprint's own, not Lightning's of this name

    former_defaults: ClassVar[Mapping[str, Any]] = {
        "keep_parts": "all",
        "memory": "auto",
        "blocks_on_device": "all",
        "offload_optimizer": False,
        "offload_activations": False,
    }

    def __post_init__(self) -> None:
        if self.memory not in (None, AUTO):
            stated_memory(self.memory)

    @property
    def world_size(self) -> int:
        return self.count * self.nodes

    @property
    def count(self) -> int:
        """Devices of each node. While a plan has not said how many it needs, one."""
        return 1 if self.devices == ALL_THAT_IT_NEEDS else self.devices

    @property
    def shards(self) -> bool:
        """Whether devices share the weights of the denoiser and the text encoders, not just the batch."""
        return self.strategy == self.SHARDED

    @property
    def device(self) -> torch.device:
        """The kind of device, as chosen by the settings or found on this machine."""
        return available_device(self.accelerator)

    @property
    def own_device(self) -> torch.device:
        """This process's."""
        return process_device(self.accelerator)

    @property
    def offloads(self) -> bool:
        """Whether something can lie in the machine's memory instead of the device's."""
        return has_own_memory(self.device)

    @property
    def recomputed(self) -> int | None:
        """Every so-manyth block of the denoiser is computed anew for its gradients; None: no block is."""
        return {False: None, True: 1, "half": 2}[self.gradient_checkpointing]

    def problems(self, hparams: HParams) -> Iterator[Problem | str]:
        """The settings that this machine cannot run; keys are absolute."""
        try:
            device = self.device
        except UserError as error:
            yield f"trainer.{error}"
            return
        if device.type == "cuda" and self.count > torch.cuda.device_count():
            yield Problem("trainer.devices", self.devices, f"this machine has {torch.cuda.device_count()}.")
        if self.strategy not in ("auto", self.SHARDED, *StrategyRegistry.available_strategies()):
            remedy = "Lightning has no strategy of this name. For one device take auto, for several ddp or fsdp."
            yield Problem("trainer.strategy", self.strategy, remedy)
        if self.shards:
            yield from self._problems_of_sharing(hparams, device)
        if hparams.precision == "16-mixed" and device.type == "cpu":
            yield Problem("hparams.precision", "16-mixed", "needs a GPU. On a CPU use 32, or bf16-mixed.")
        try:
            micro_batch_size(batch_size=hparams.batch_size, world_size=self.world_size, accumulation=self.accumulation)
        except ConfigError as error:
            yield from error.problems

    def _problems_of_sharing(self, hparams: HParams, device: torch.device) -> Iterator[Problem]:
        if device.type == "mps":
            yield Problem("trainer.strategy", self.strategy, "devices of this kind cannot share weights. Take auto.")
        if self.compile:
            remedy = "a network whose weights devices share cannot be compiled (trainer=fsdp). Set it to false."
            yield Problem("trainer.compile", True, remedy)
        if self.channels_last:
            remedy = "weights that devices share have one memory layout (trainer=fsdp). Set it to false."
            yield Problem("trainer.channels_last", True, remedy)
        if hparams.precision == "16-mixed" and device.type != "cpu":  # where it is refused by itself
            remedy = "gradients that devices share are not scaled (trainer=fsdp). Take bf16-mixed, or 32."
            yield Problem("hparams.precision", "16-mixed", remedy)


def available_device(accelerator: str) -> torch.device:
    """The fastest kind of device that is here, or the one that is asked for. Raises UserError if it is not here."""
    here = ["cpu"]
    if torch.backends.mps.is_available():
        here.append("mps")
    if torch.cuda.is_available():
        here.append("cuda")
    if accelerator == "auto":
        return torch.device(here[-1])
    if accelerator not in here:
        raise UserError(f"accelerator={accelerator!r}: not on this machine; choose auto or one of {here}.")
    return torch.device(accelerator)


def has_own_memory(device: torch.device) -> bool:
    """Beside the machine's, of which a GPU's on the same chip (MPS) is a part."""
    return device.type == "cuda"


def process_device(accelerator: str) -> torch.device:
    """This process's own, where several share a machine. Raises as `available_device` does."""
    device = available_device(accelerator)
    index = int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", "0")))
    return torch.device("cuda", index) if device.type == "cuda" else device


def make_trainer(
    settings: TrainerSettings,
    hparams: HParams,
    run: Run,
    *,
    loggers: Sequence[Logger],
    callbacks: Sequence[Callback],
) -> pl.Trainer:
    return pl.Trainer(
        accelerator=settings.device.type,
        devices=settings.count,
        num_nodes=settings.nodes,
        strategy=ShardedStrategy(settings.world_size) if settings.shards else settings.strategy,
        precision=hparams.operations,
        max_steps=hparams.steps,
        max_epochs=-1,
        accumulate_grad_batches=settings.accumulation,
        gradient_clip_val=hparams.clip,
        logger=list(loggers),
        callbacks=[
            FiniteLoss(),
            AverageUpdate(),
            *callbacks,
            LastCheckpoint(run, settings.checkpoint_every),
        ],
        plugins=[AtomicCheckpoints()],
        default_root_dir=run.folder,
        use_distributed_sampler=False,  # the stream knows which positions belong to which process
        enable_model_summary=False,
        enable_progress_bar=any(isinstance(callback, ProgressBar) for callback in callbacks),
        log_every_n_steps=1,
    )
