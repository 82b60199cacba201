"""No step waits for its device: the next one is asked for while it still computes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import pytest
import pytorch_lightning as pl
import torch
from lessons import CPU, batches
from silent_device import SILENT, NoWaiting, Waited, fit, kept_latents, silent_device
from small_runs import METHODS, configure
from torch import Tensor

from imprint.batched_runs.batched_training import BatchedTraining
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.memory_budget import MemoryBudget
from imprint.batched_runs.pass_scheduler import PassScheduler, StopSignal
from imprint.planning.assemble import attach, task_of
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare
from imprint.reporting.reporter import StepRecorder
from imprint.training.callbacks import AverageUpdate, FiniteLoss
from imprint.training.encoding import LatentCache
from imprint.training.module import TrainingModule

WAYS = {
    **{method: [f"method={method}"] for method in METHODS},
    "text, dropout": ["method=lora", "method.roles=[denoiser,text]", "method.dropout=0.1"],
    "untuned prior": ["method=lora", "prior=base_prediction"],
    "class pictures": ["method=dreambooth", "prior=folder"],
    "average, min-SNR": ["method=lora", "hparams.ema=0.9", "objective=min_snr", "objective.noise_offset=0.1"],
    "masks": ["method=lora", "dataset.masks=require"],
    "pixels": ["method=lora", "trainer.cache=false"],
    "parts": ["method=lora", "trainer.accumulation=2"],
}
GRIDS = {
    "LoRA": [["method=lora", f"method.rank={rank}", f"seed={rank}"] for rank in (2, 3, 4)],
    "dropout": [["method=lora", f"method.dropout={share}", "method.targets=convolutions"] for share in (0.1, 0.2)],
    "text": [["method=lora", "method.roles=[denoiser,text]", f"method.text_rank={rank}"] for rank in (2, 3)],
    "pivotal": [["method=pivotal", f"method.network.rank={rank}"] for rank in (2, 3)],
    "words": [["method=textual_inversion", f"method.vectors={count}"] for count in (1, 2)],
}
# torch's fused optimisers know which devices they are for; its plain ones compute the same.
SETTINGS = ["dataset.identifier=auto", "hparams.batch_size=2", "optimizer.fused=false"]


def settings(way: Sequence[str], pictures: Path) -> list[str]:
    """`pictures` are those of the class, too."""
    return [*SETTINGS, *way, *([f"prior.path={pictures}"] if "prior=folder" in way else [])]


@pytest.mark.parametrize("way", WAYS)
def test_a_run_alone(way: str, tiny_sd: Path, masked_pictures: Path, tmp_path: Path) -> None:
    cfg = configure(tiny_sd, masked_pictures, tmp_path, *settings(WAYS[way], masked_pictures))
    latents, plan = kept_latents(cfg), prepare(cfg)
    with silent_device():
        callbacks = [FiniteLoss(), AverageUpdate(), StepRecorder(every=100, listeners=[])]
        fit(alone(plan, latents), steps=3, accumulation=plan.parts.trainer.accumulation, callbacks=callbacks)


@pytest.mark.parametrize("asks", [Tensor.item, bool, Tensor.tolist, Tensor.cpu, torch.ones(3).to])
def test_who_would_wait_is_found_out(
    asks: Callable[[Tensor], object], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    class Asking(pl.Callback):
        def on_before_backward(self, trainer: pl.Trainer, module: pl.LightningModule, loss: Tensor) -> None:
            asks(loss)

    cfg = configure(tiny_sd, pictures, tmp_path, *SETTINGS, "method=lora")
    latents, plan = kept_latents(cfg), prepare(cfg)
    with silent_device(), pytest.raises((Waited, RuntimeError), match=r"item\(\)|from meta to cpu|from cpu to meta"):
        fit(alone(plan, latents), steps=3, accumulation=1, callbacks=[Asking()])


@pytest.mark.parametrize("stacked", GRIDS)
def test_runs_side_by_side(stacked: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    cfgs = [configure(tiny_sd, pictures, tmp_path, *SETTINGS, *point) for point in GRIDS[stacked]]
    latents, plans = kept_latents(cfgs[0]), [prepare(cfg) for cfg in cfgs]
    steps: list[int] = []

    def live(point: int, plan: Plan, coroutine: Coroutine) -> None:
        module = training._assemble(point, plan, coroutine).to(SILENT)
        for step, batch in zip(range(3), batches(module), strict=False):
            with NoWaiting():
                loss = module.losses(batch).total
                module.loss_check.check(loss, step=step, pictures=batch.keys)
                module.backward(loss)
            steps.append(step)

    with silent_device():
        training = BatchedTraining(list(zip(plans, cfgs, strict=True)))
        training._latents = latents
        coroutines = {point: Coroutine(str(point), partial(live, point, plan)) for point, plan in enumerate(plans)}
        scheduler = PassScheduler(coroutines, training._ensemble, MemoryBudget(CPU), first_size=len(plans))
        with NoWaiting():
            scheduler.run(StopSignal())
    assert [coroutine.error for coroutine in coroutines.values()] == [None] * len(plans)
    assert sorted(steps) == sorted([0, 1, 2] * len(plans))


def alone(plan: Plan, latents: LatentCache) -> TrainingModule:
    model = plan.parts.model.load().to(SILENT)
    return TrainingModule(model, task_of(plan, model, attach(plan, model)), latents=latents)
