"""The LightningModule: a training step from a batch to its losses, the optimiser, the contents of checkpoints."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import pytorch_lightning as pl
import torch
from diffusers.optimization import get_scheduler
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader

from imprint.device_transfer import to_device
from imprint.errors import NonFiniteWeights, UserError
from imprint.libraries.lightning import precision_of
from imprint.methods.adapter_layers import merged
from imprint.models.base import Model, is_text
from imprint.models.finite import not_finite
from imprint.models.residency import is_absent
from imprint.models.sharding import anywhere, collected, is_sharded, own_part, shard
from imprint.models.training_adapter import TrainingAdapter
from imprint.rng import seed_layers
from imprint.seeds import seed_of
from imprint.training.activations import activations_in_memory
from imprint.training.encoding import CaptionCache, LatentCache, encode_captions, encode_low_sides, sample_latents
from imprint.training.host_optimizer import who_updates
from imprint.training.loss_check import LossCheck
from imprint.training.sharded_strategy import ShardedStrategy
from imprint.training.task import TrainingTask
from imprint.training.updates import MovingAverage, clip_within_step
from imprint.types import Batch, Losses

log = logging.getLogger(__name__)


# The prefix of the model's parameters, here and in checkpoints, which keep the one that they had from the first.
OWN, STORED = "model.", "family."
COLLECT = "collect"  # what processes that share weights tell each other, so that all enter `collected`
WITHOUT = "Without its folder checkpoints/ the run begins anew."


class TrainingModule(pl.LightningModule):
    """A model and the task that it learns. A checkpoint holds what trains and nothing else."""

    # A checkpoint has only the trained part of the state; the rest comes from the model's source.
    strict_loading = False
    last_losses: Losses  # of the latest step
    # Called before all processes that share weights are needed, with what for.
    announce: Callable[[str], object] = staticmethod(lambda order: None)

    def __init__(
        self,
        model: Model,
        task: TrainingTask,
        *,
        latents: LatentCache | None = None,
        captions: CaptionCache | None = None,
    ) -> None:
        """`latents` and `captions` may be shared by runs with the same untuned autoencoder and text encoders."""
        super().__init__()
        self.model = model
        self.task = task
        self.concepts = task.concepts
        self.latents = LatentCache() if latents is None else latents
        self.loss_check = LossCheck(task.hparams)
        self._micro_batches: list[Losses] = []
        text_learns = any(
            parameter.requires_grad
            for role, part in model.roles.items()
            if is_text(role)
            for parameter in part.parameters()
        )
        captions = CaptionCache() if captions is None else captions
        self._kept_captions = None if text_learns else captions
        if text_learns:
            log.info("Captions are encoded anew at every step, since what encodes them learns: somewhat slower.")
        self.condition = partial(encode_captions if text_learns else captions.condition, model)
        self.average = self._new_average()

    def configure_model(self) -> None:
        """Called by the trainer when its processes know each other, before weights are on their device."""
        strategy = self.trainer.strategy
        if isinstance(strategy, ShardedStrategy) and not self.is_sharded:
            self._shard(strategy.mesh)

    @property
    def is_sharded(self) -> bool:
        return any(map(is_sharded, self.model.roles.values()))

    def _shard(self, mesh: DeviceMesh) -> None:
        """The parts that are in memory, the autoencoder apart, which is small. What is trained is other parameters by
        the same names from now on; the ones before must not be kept by anything, or they stay in memory."""
        names = {id(parameter): name for name, parameter in self.model.named_parameters()}
        learning = [[names[id(parameter)] for parameter in group.params] for group in self.task.groups]
        self.average = None
        for group in self.task.groups:
            group.params.clear()
        if self.task.teacher is not None:
            self.task.teacher.shard(self.model, mesh)
        for part in self.model.roles.values():
            if not is_absent(part):
                shard(part, mesh, model=self.model)
        parameters = dict(self.model.named_parameters())
        for group, own in zip(self.task.groups, learning, strict=True):
            group.params.extend(parameters[name] for name in own)
        self.average = self._new_average()

    def _new_average(self) -> MovingAverage | None:
        decay = self.task.hparams.ema
        return MovingAverage(self.trained(), decay) if decay else None

    def train_with(self, adapter: TrainingAdapter) -> None:
        """The adapter is in effect while this trains, in the untuned model that teaches, too."""
        self.model.train_with(adapter)
        if self.task.teacher is not None:
            self.task.teacher.put_around(adapter)

    def trained(self) -> list[nn.Parameter]:
        return [parameter for group in self.task.groups for parameter in group.params]

    def training_step(self, batch: Batch, batch_index: int) -> Tensor:
        self.task.method.before_step(self.model, seed=self.task.seed, step=self.global_step)
        with activations_in_memory(self.model) if self.task.offload_activations else nullcontext():
            losses = self.losses(batch)
        self._micro_batches.append(Losses(*(value.detach() for value in losses)))
        return losses.total

    def losses(self, batch: Batch) -> Losses:
        """Depends on the weights, the batch and the seed; on nothing else."""
        task, process = self.task, self.model.process
        seed_layers(seed_of(task.seed, "layers", *batch.ids), self.device)
        latents_BCHW = sample_latents(self.model, batch, self.latents, seed=task.seed, device=self.device)
        noise_BCHW = to_device(task.objective.sample_noise(task.seed, batch.ids, latents_BCHW.shape[1:]), self.device)
        times = task.objective.sample_timesteps(task.seed, batch.ids, process, latents_BCHW.shape[1:])
        t_B = to_device(times, self.device)
        noisy_BCHW = process.add_noise(latents_BCHW, noise_BCHW, t_B)
        target_BCHW = process.target(latents_BCHW, noise_BCHW, t_B)
        beside = {
            **self.model.encode_geometry(batch.geometry),
            **encode_low_sides(self.model, batch, self.latents, seed=task.seed, device=self.device),
        }
        if task.teacher is not None:
            target_BCHW = task.teacher.correct(self.model, target_BCHW, noisy_BCHW, t_B, batch, beside=beside)
        conditioning = {**self.condition(batch.captions), **beside}
        return task.objective.losses(
            self.model.denoise(noisy_BCHW, t_B, conditioning),
            target_BCHW,
            process=process,
            t_B=t_B,
            is_prior_B=batch.prior_mask(self.device),
            prior_weight=task.prior_weight,
            weights_BHW=batch.weights_BHW,
        )

    def configure_optimizers(self) -> Any:
        hparams = self.task.hparams
        optimizer = self.task.make_optimizer(
            [{"name": group.name, "params": group.params, "lr": group.lr} for group in self.task.groups]
        )
        rate = get_scheduler(
            hparams.rate.name,
            optimizer,
            num_warmup_steps=hparams.rate.warmup,
            num_training_steps=hparams.steps,
            num_cycles=hparams.rate.cycles,
            power=hparams.rate.power,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": rate, "interval": "step"}}

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        self._gather_losses()
        # A parameter without a gradient gets neither weight decay nor moments, so it stays as it is.
        for group in self.task.groups:
            if not group.window.holds(self.global_step):
                for parameter in group.params:
                    parameter.grad = None
        for parameter in self.task.method.skipped_parameters(self.model, seed=self.task.seed, step=self.global_step):
            parameter.grad = None
        seed_layers(
            seed_of(self.task.seed, "update", self.global_step), self.device
        )  # for optimisers that round by chance

    def configure_gradient_clipping(
        self, optimizer: Optimizer, gradient_clip_val: Any = None, gradient_clip_algorithm: str | None = None
    ) -> None:
        precision = self.task.hparams.precision
        updating = who_updates(optimizer)
        in_float32 = precision in ("32", "bf16-mixed")
        if gradient_clip_val and in_float32 and type(updating) is AdamW and updating.defaults["fused"]:
            clip_within_step(updating, self.trained(), gradient_clip_val)
        elif gradient_clip_val and precision in ("bf16-mixed", "bf16"):
            # The trainer clips no fused optimiser in mixed precision, but only float16 has scaled gradients.
            nn.utils.clip_grad_norm_(self.trained(), gradient_clip_val)
        else:
            self.clip_gradients(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def _gather_losses(self) -> None:
        """Sets `last_losses` to the mean over the step's passes and processes; per sample, those of this process."""
        parts, self._micro_batches = self._micro_batches, []
        means = torch.stack([torch.stack([part.total, part.instance, part.prior]) for part in parts]).mean(dim=0)
        total, instance, prior = self.trainer.strategy.reduce(means, reduce_op="mean").unbind()
        self.last_losses = Losses(total, instance, prior, torch.cat([part.per_sample_B for part in parts]))

    def train_dataloader(self) -> DataLoader:
        """Called when the model is on its device and a checkpoint, if there is one, has been read. Text encoders that
        processes share encode all captions at once: later, not all processes would lack the same ones."""
        if self._kept_captions is not None and self.is_sharded:
            with precision_of(self.trainer):
                self._kept_captions.condition(self.model, self.task.feed.captions())
        return self.task.feed.loader(self.model, self.latents, trainer=self.trainer, device=self.device)

    def on_train_end(self) -> None:
        self.loss_check.settle()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.loss_check.settle()
        self._check_weights()
        names = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {_renamed(name, OWN, STORED): state[name] for name in state if name in names}
        if self.average is not None:
            checkpoint["average"] = self.average.state_dict(self.trained())

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        state = checkpoint["state_dict"]
        checkpoint["state_dict"] = {_renamed(name, STORED, OWN): value for name, value in state.items()}
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        if lacking := trained - checkpoint["state_dict"].keys():  # of these, nothing would be loaded, without a word
            raise UserError(
                f"The checkpoint of this run lacks {len(lacking)} of {len(trained)} tensors that it trains, among them "
                f"{min(lacking)}: another release has written it, or it is damaged. {WITHOUT}"
            )
        self._check_checkpoint(checkpoint)
        if self.average is not None:
            try:
                self.average.load_state_dict(checkpoint["average"], self.trained())
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise UserError(f"The checkpoint of this run has no moving average that fits. {WITHOUT}") from error

    def _check_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """What the libraries would fail over later, or not at all."""
        here = dict(self.named_parameters())
        stored = {name: weight for name, weight in checkpoint["state_dict"].items() if name in here}
        if misfits := [name for name, weight in stored.items() if weight.shape != here[name].shape]:
            raise UserError(f"The checkpoint of this run has another shape of {misfits[0]}. {WITHOUT}")
        if spoilt := not_finite(stored):
            raise UserError(f"In the checkpoint of this run, {spoilt} is no number, or infinite. {WITHOUT}")
        groups = [len(group.params) for group in self.task.groups]
        for state in checkpoint["optimizer_states"]:
            known = state.get("param_groups")
            if not isinstance(known, list) or [len(group.get("params", ())) for group in known] != groups:
                raise UserError(f"The checkpoint of this run has an optimiser of other weights. {WITHOUT}")

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The averaged weights in place of the learning ones, if an average is kept: for generating and saving."""
        self.loss_check.settle()
        if self.average is None:
            yield
            return
        with self.average.in_place_of(self.trained()):
            yield

    @contextmanager
    def generating(self) -> Iterator[None]:
        """For generating pictures with the present weights: averaged, and adapters merged where weights stay."""
        with self.model.residency.needed(), self.averaged(), merged(self.model.resting_roles.values()):
            yield

    @property
    def frame(self) -> tuple[int, int]:
        """(height, width) of generated pictures."""
        return (self.task.feed.resolution, self.task.feed.resolution)

    @contextmanager
    def collected(self) -> Iterator[None]:
        """What learns as it is saved: averaged, and whole; where processes share it, on the first one."""
        with torch.no_grad(), self.averaged():
            self._check_weights()
            with collected(self.model) if self.is_sharded else nullcontext():
                yield

    def save_result(self, folder: Any) -> None:
        self.announce(COLLECT)
        with self.collected():
            self.task.method.save(self.model, folder)

    def _check_weights(self) -> None:
        """The loss of a step says nothing of the weights behind it, and no other step follows the last."""
        for group in self.task.groups:
            own = {str(number): own_part(parameter) for number, parameter in enumerate(group.params)}
            if anywhere(not_finite(own) is not None, group.params):
                raise NonFiniteWeights(
                    f"After step {self.global_step}, weights of {group.name} are no numbers, or infinite. They are not "
                    "kept; a checkpoint that is there is of an earlier step and good. Lower the learning rate, or "
                    "train with hparams.precision=32."
                )


def _renamed(name: str, prefix: str, other: str) -> str:
    return other + name.removeprefix(prefix) if name.startswith(prefix) else name
