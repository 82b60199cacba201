"""A point's gradients are those that it has alone."""

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from families import FAMILIES
from lessons import assembled, batches
from omegaconf import DictConfig
from rounding import near_tensors
from small_runs import configure
from torch import Tensor

from imprint.batched_runs.batched_module import BatchedTrainingModule
from imprint.batched_runs.batched_training import BatchedTraining
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.memory_budget import MemoryBudget
from imprint.batched_runs.pass_scheduler import PassScheduler, StopSignal
from imprint.planning.parts import Plan
from imprint.planning.prepare import prepare

GRIDS: dict[str, Sequence[Sequence[str]]] = {  # of Stable Diffusion; those of other families by their names
    "rates, ranks, seeds": [
        ["method=lora", "method.rank=2"],
        ["method=lora", "method.rank=4", "method.alpha=3", "seed=7"],
        ["method=lora", "method.rank=1", "method.use_rslora=true", "method.init=kaiming"],
    ],
    "targets, text": [
        ["method=lora", "method.targets=[attention,feed_forward]", "method.roles=[denoiser,text]", "method.rank=2"],
        ["method=lora", "method.targets=attention", "method.roles=[denoiser,text]", "method.text_rank=3"],
        ["method=lora", "method.targets=[convolutions,cross_attention]", "method.init=kaiming", "seed=3"],
        ["method=lora", "method.targets=convolutions", "method.rank=2"],
    ],
    "words": [
        ["method=textual_inversion", "dataset.identifier='<new>'", "method.vectors=2"],
        ["method=textual_inversion", "dataset.identifier='<new>'", "method.start=random", "method.norm=0.4"],
        ["method=textual_inversion", "dataset.identifier='<other>'", "method.start=cat", "seed=4"],
    ],
    "pivotal": [
        ["method=pivotal", "dataset.identifier=auto", "method.network.roles=[denoiser,text]"],
        ["method=pivotal", "dataset.identifier=auto", "method.words.vectors=3", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.rank=2"],
    ],
    "dropout": [
        ["method=lora", "method.roles=[denoiser,text]", "method.dropout=0.1"],
        ["method=lora", "method.roles=[denoiser,text]", "method.dropout=0.5", "method.text_rank=3", "seed=2"],
        ["method=lora", "method.targets=[attention,convolutions]", "method.rank=2", "method.dropout=0.5"],
        ["method=lora", "method.targets=convolutions", "method.rank=3"],
        [
            "method=pivotal",
            "dataset.identifier=auto",
            "method.network.roles=[denoiser,text]",
            "method.network.dropout=0.5",
        ],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "method.network.dropout=0.1", "seed=3"],
    ],
    "priors, objectives, masks": [
        ["method=lora", "prior=generated", "prior.count=3", "hparams.batch_size=1"],
        ["method=lora", "prior=base_prediction", "prior.weight=0.3", "hparams.batch_size=1"],
        ["method=lora", "objective=min_snr", "objective.noise_offset=0.1", "dataset.masks=require"],
        ["method=lora", "dataset.crop=random", "dataset.flip=true", "dataset.caption_dropout=0.5"],
    ],
}
GRIDS |= {choice: family.grid for choice, family in FAMILIES.items() if family.grid}
# In the precision of a run, too; whether the sums are the right ones, doubles show.
SINGLE = ("rates, ranks, seeds", "targets, text", "priors, objectives, masks")


@pytest.mark.parametrize(
    ("grid", "dtype"),
    [
        *((grid, torch.float64) for grid in GRIDS),
        *(pytest.param(grid, torch.float32, marks=pytest.mark.numeric) for grid in SINGLE),
    ],
)
def test_they_are_the_same(
    grid: str,
    dtype: torch.dtype,
    tiny_folder: Callable[[str], Path],
    masked_pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tiny_folder(grid if grid in FAMILIES else "sd")
    if dtype == torch.float64:  # losses, predictions and some layers are in float32 otherwise
        monkeypatch.setattr(Tensor, "float", Tensor.double)
        monkeypatch.setattr(Tensor, "to", _staying_double(Tensor.to))
    cfgs = [configure(model, masked_pictures, tmp_path, "hparams.batch_size=2", *point) for point in GRIDS[grid]]
    alone = [_gradients(assembled(cfg), dtype) for cfg in cfgs]
    found: list[list[Tensor]] = []
    ended = _in_one_batch(cfgs, lambda module: found.append(_gradients(module, dtype)))
    assert ended == [None] * len(cfgs)
    for mine, stacked in zip(alone, found, strict=True):
        assert any(gradient.abs().max() > 0 for gradient in mine)
        assert {gradient.dtype for gradient in (*mine, *stacked)} == {dtype}
        assert near_tensors(stacked, mine)


def _staying_double(to: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`Tensor.to`, but a double stays one where a layer of a library asks for a single, as normalisations do."""

    def convert(tensor: Tensor, *given: Any, **named: Any) -> Tensor:
        by_library = sys._getframe(1).f_globals["__name__"].startswith(("diffusers.", "transformers."))
        if by_library and tensor.dtype == torch.float64 and given == (torch.float32,):
            return tensor
        return to(tensor, *given, **named)

    return convert


def _in_one_batch(
    cfgs: Sequence[DictConfig], work: Callable[[BatchedTrainingModule], None]
) -> list[BaseException | None]:
    """Does `work` with the module of every point, without trainers; what ended each early."""
    plans = [prepare(cfg) for cfg in cfgs]
    training = BatchedTraining(list(zip(plans, cfgs, strict=True)))

    def live(point: int, plan: Plan, coroutine: Coroutine) -> None:
        work(training._assemble(point, plan, coroutine))

    coroutines = {point: Coroutine(str(point), partial(live, point, plan)) for point, plan in enumerate(plans)}
    PassScheduler(coroutines, training._ensemble, MemoryBudget(torch.device("cpu")), first_size=len(cfgs)).run(
        StopSignal()
    )
    return [coroutine.error for coroutine in coroutines.values()]


def _gradients(module: Any, dtype: torch.dtype) -> list[Tensor]:
    """Of the first batch. The second matrices begin at zero, where the gradients of the first ones are nothing: so all
    that learns is moved."""
    module.to(dtype)
    if module.task.teacher is not None:
        module.task.teacher.to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.trained():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator).to(dtype))
    module.backward(module.losses(next(batches(module))).total)
    return [parameter.grad.clone() for parameter in module.trained()]
