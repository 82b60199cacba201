"""Settings that take less memory, in the order of what they cost, and which of them make a plan fit."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import torch
import yaml

from imprint.config import conf_folder
from imprint.construct import Constructor
from imprint.errors import UserError
from imprint.models.facts import ModelInfo
from imprint.models.source import PipelineSource
from imprint.planning import memory_settings, quantised_base
from imprint.planning.memory.estimate import Estimate, Unknown, estimate
from imprint.planning.parts import Parts, Plan
from imprint.training.optimizers import sharing_problems
from imprint.training.trainer import TrainerSettings

SMALLER = 0.99  # of the memory: what saves less than the rest of it is not worth a setting
MOST = 8  # devices of a node that are asked to share
FEW_BLOCKS = 4  # of the denoiser, that are on the device at a time
LEAST_SIDE = 512  # pixels below which no picture is made smaller


class Saving(NamedTuple):
    """A setting to type, and what it changes. None: it is set already, or is of no use here."""

    overrides: Callable[[Parts], Sequence[str]]
    change: Callable[[Parts, ModelInfo], Parts | None]


class Advice(NamedTuple):
    overrides: Sequence[str]
    estimate: Estimate
    fits: bool
    devices: int  # that share it


def cheapest_that_fits(plan: Plan, device: torch.device, room: int) -> Advice | None:
    """None where nothing is known that takes less."""
    found = _cheapest(plan, device, room, SAVINGS)
    if found is None or found.fits or found.devices == plan.parts.trainer.world_size:
        return found
    alone = _cheapest(plan, device, room, [own for own in SAVINGS if own not in SHARED])  # which excludes some others
    return alone if alone is not None and alone.fits else found


def _cheapest(plan: Plan, device: torch.device, room: int, savings: Sequence[Saving]) -> Advice | None:
    chosen: list[Saving] = []
    best = estimate(plan, device)
    for saving in savings:
        if isinstance(best, Unknown) or best.peak <= room:
            break
        tried = _estimated(plan, device, [*chosen, saving])
        if tried is not None and tried.peak < SMALLER * best.peak:
            chosen.append(saving)
            best = tried
    if isinstance(best, Unknown) or not chosen:
        return None
    if best.peak <= room:
        chosen, best = _without_the_needless(plan, device, room, chosen, best)
    parts = _changed(plan, chosen)
    assert parts is not None
    return Advice(list(_overrides(plan, chosen)), best, best.peak <= room, parts.trainer.world_size)


def _without_the_needless(
    plan: Plan, device: torch.device, room: int, chosen: Sequence[Saving], best: Estimate
) -> tuple[list[Saving], Estimate]:
    """What came first may not be needed beside what came last; the dearest is asked first."""
    left = list(chosen)
    for saving in reversed(chosen[:-1]):
        fewer = [own for own in left if own is not saving]
        tried = _estimated(plan, device, fewer)
        if tried is not None and tried.peak <= room:
            left, best = fewer, tried
    return left, best


def _estimated(plan: Plan, device: torch.device, savings: Sequence[Saving]) -> Estimate | None:
    """None where one of them is of no use, or nothing is known of the result."""
    parts = _changed(plan, savings)
    if parts is None:
        return None
    facts = plan.facts
    side = getattr(parts.model, "resolution", facts.resolution)
    if side != facts.resolution:
        channels, rows, columns = facts.latent_shape
        shape = (channels, rows * side // facts.resolution, columns * side // facts.resolution)
        facts = facts._replace(resolution=side, latent_shape=shape)
    found = estimate(replace(plan, parts=parts, facts=facts), device)
    return None if isinstance(found, Unknown) else found


def _changed(plan: Plan, savings: Sequence[Saving]) -> Parts | None:
    parts: Parts | None = plan.parts
    for saving in savings:
        parts = None if parts is None else saving.change(parts, plan.facts)
    return parts


def _overrides(plan: Plan, savings: Sequence[Saving]) -> Iterator[str]:
    """Of what is said twice, the last."""
    parts, said = plan.parts, dict[str, str]()
    for saving in savings:
        said |= {text.partition("=")[0]: text for text in saving.overrides(parts)}
        parts = saving.change(parts, plan.facts) or parts
    yield from said.values()


def _trainer(name: str, value: Any, text: str) -> Saving:
    def change(parts: Parts, facts: ModelInfo) -> Parts | None:
        own = getattr(parts.trainer, name)
        if own == value or own not in (False, "all", "half"):  # it is set, perhaps to more
            return None
        changed: Any = {name: value}
        trainer = replace(parts.trainer, **changed)
        given = {"method": parts.method, "hparams": parts.hparams, "trainer": trainer}
        refused = [problem for problem in memory_settings.conflicts(given, facts) if problem.key == f"trainer.{name}"]
        return None if refused else replace(parts, trainer=trainer)

    return Saving(lambda parts: [f"trainer.{name}={text}"], change)


def _precision(parts: Parts, facts: ModelInfo) -> Parts | None:
    if parts.hparams.precision != "32":
        return None
    return replace(parts, hparams=replace(parts.hparams, precision="bf16-mixed"))


def _optimizer(choice: str, parts: Parts, facts: ModelInfo) -> Parts | None:
    node = yaml.safe_load((conf_folder() / "optimizer" / f"{choice}.yaml").read_text(encoding="utf-8"))
    constructor = Constructor()
    made = constructor.build(node, "optimizer")
    if constructor.problems or (parts.trainer.shards and any(sharing_problems(made))):  # its library may not be here
        return None
    return replace(parts, optimizer=made)


def _quantised(choice: str, parts: Parts, facts: ModelInfo) -> Parts | None:
    """Where the method leaves the weights alone, and its library is here."""
    if not isinstance(parts.model, PipelineSource):
        return None
    model = replace(parts.model, quantise=choice)
    try:
        refused = list(quantised_base.problems(model, facts, parts.method, parts.trainer))
    except UserError:
        return None
    return None if refused else replace(parts, model=model)


def _share(parts: Parts) -> int:
    """Samples of a device in a step, which as many passes can share."""
    return parts.hparams.batch_size // parts.trainer.world_size


def _accumulation(parts: Parts, facts: ModelInfo) -> Parts | None:
    if parts.trainer.accumulation >= _share(parts):
        return None
    return replace(parts, trainer=replace(parts.trainer, accumulation=_share(parts)))


def _on_shared(count: int) -> Saving:
    """On so many devices of each node, that share the weights, if they are here and can share the batch."""

    def change(parts: Parts, facts: ModelInfo) -> Parts | None:
        trainer = parts.trainer
        more = count > trainer.count or (count == trainer.count and not trainer.shards)
        if not more or count == 1 or count > max(torch.cuda.device_count(), trainer.count):
            return None
        share = parts.hparams.batch_size // (trainer.nodes * count)
        if share * trainer.nodes * count != parts.hparams.batch_size:
            return None
        shared = replace(trainer, strategy=TrainerSettings.SHARDED, devices=count, accumulation=_passes(trainer, share))
        given = {"method": parts.method, "hparams": parts.hparams, "trainer": shared}
        problems = [
            *shared.problems(parts.hparams),
            *memory_settings.conflicts(given, facts),
            *sharing_problems(parts.optimizer),
            *quantised_base.problems(parts.model, facts, parts.method, shared),
        ]
        return None if problems else replace(parts, trainer=shared)

    def overrides(parts: Parts) -> Sequence[str]:
        settings = ["trainer=fsdp", f"trainer.devices={count}"]
        if parts.trainer.accumulation > 1:
            share = parts.hparams.batch_size // (parts.trainer.nodes * count)
            settings.append(f"trainer.accumulation={_passes(parts.trainer, share)}")
        return settings

    return Saving(overrides, change)


def _passes(trainer: TrainerSettings, share: int) -> int:
    """The most passes, of those that a device makes, which a device with so large a share of the batch can make."""
    return next(own for own in range(min(trainer.accumulation, share), 0, -1) if share % own == 0)


def _smaller_pictures(parts: Parts, facts: ModelInfo) -> Parts | None:
    if not isinstance(parts.model, PipelineSource) or parts.model.resolution // 2 < LEAST_SIDE:
        return None
    return replace(parts, model=replace(parts.model, resolution=parts.model.resolution // 2))


SHARED = [_on_shared(count) for count in range(2, MOST + 1)]  # the fewest devices first
SAVINGS: Sequence[Saving] = (
    _trainer("keep_parts", "needed", "needed"),
    Saving(lambda parts: ["hparams.precision=bf16-mixed"], _precision),
    Saving(
        lambda parts: [f"trainer.accumulation={_share(parts)}"], _accumulation
    ),  # the same result, in smaller passes
    _trainer("gradient_checkpointing", "half", "half"),  # a sixth more time
    _trainer("gradient_checkpointing", True, "true"),  # a third
    *SHARED,  # the same result, and every weight goes over the wires
    Saving(lambda parts: ["optimizer=adamw8bit"], partial(_optimizer, "adamw8bit")),
    _trainer("offload_optimizer", True, "true"),  # on a GPU, as the next two of the trainer
    Saving(lambda parts: ["model.quantise=int8"], partial(_quantised, "int8")),
    Saving(lambda parts: ["model.quantise=nf4"], partial(_quantised, "nf4")),
    _trainer("offload_activations", True, "true"),
    _trainer("blocks_on_device", FEW_BLOCKS, str(FEW_BLOCKS)),
    Saving(lambda parts: [f"model.resolution={getattr(parts.model, 'resolution', 0) // 2}"], _smaller_pictures),
)
