"""Lightning's strategy for weights that devices share, with checkpoints that do not depend on it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import Optimizer

from imprint.models.sharding import gathered, part_like
from imprint.training.checkpoints import read_checkpoint


class ShardedStrategy(ModelParallelStrategy):
    """Every process has a part of all weights, gradients and moments, and a share of each batch.

    A checkpoint is the one file that any other trainer writes: the first process gathers it, a tensor at a time, in
    main memory. So a run goes on with another number of devices, or without this strategy.
    """

    def __init__(self, world_size: int) -> None:
        super().__init__(data_parallel_size=world_size, tensor_parallel_size=1, save_distributed_checkpoint=False)

    @property
    def mesh(self) -> DeviceMesh:
        """The processes, as the weights are laid out on them."""
        return self.device_mesh["data_parallel"]

    @property
    def lightning_restore_optimizer(self) -> bool:
        return True

    def setup(self, trainer: pl.Trainer) -> None:
        """As Lightning's own, which also fills weights on the device "meta": here these belong to parts that are
        absent, and stay so."""
        assert self.accelerator is not None
        self.accelerator.setup(trainer)
        self.model_to_device()
        self.barrier()
        self.setup_optimizers(trainer)
        self.setup_precision_plugin()

    @torch.no_grad()
    def lightning_module_state_dict(self) -> dict[str, Any]:
        """What learns; on the first process alone."""
        learning = {name: weight for name, weight in self._module.named_parameters() if weight.requires_grad}
        return self._on_first({name: gathered(weight) for name, weight in learning.items()})

    @torch.no_grad()
    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        here = dict(self._module.named_parameters())
        for name, stored in checkpoint["state_dict"].items():
            if name in here:
                here[name].copy_(part_like(stored, here[name]))

    @torch.no_grad()
    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        state = optimizer.state_dict()
        whole = {number: _each(own, gathered) for number, own in state["state"].items()}
        return self._on_first({**state, "state": whole})

    @torch.no_grad()
    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            weights = [weight for group in optimizer.param_groups for weight in group["params"]]
            parts = {number: _parts(own, weights[number]) for number, own in state["state"].items()}
            optimizer.load_state_dict({**state, "state": parts})

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Each process reads of the file what it takes a part of."""
        return read_checkpoint(Path(self.broadcast(checkpoint_path)), "cpu", mapped=True)

    @property
    def _module(self) -> pl.LightningModule:
        assert self.lightning_module is not None
        return self.lightning_module

    def _on_first(self, state: dict[str, Any]) -> dict[str, Any]:
        return state if self.is_global_zero else {}


def _each(state: Mapping[str, Any], change: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    return {key: change(value) if isinstance(value, Tensor) else value for key, value in state.items()}


def _parts(state: Mapping[str, Any], weight: Tensor) -> dict[str, Any]:
    """Of what an optimiser knows of a weight, this process's part, in memory of its own. What has the weight's shape is
    shared as the weight is."""

    def part(value: Tensor) -> Tensor:
        return part_like(value, weight).clone() if value.shape == weight.shape else value

    return _each(state, part)
