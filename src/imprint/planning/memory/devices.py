"""How many devices a plan asks for, where trainer.devices=auto."""

from collections.abc import Iterator
from dataclasses import replace

import torch

from imprint.planning.memory.estimate import Unknown, estimate
from imprint.planning.memory.room import planned_device, whole_room
from imprint.planning.parts import Plan
from imprint.training.trainer import ALL_THAT_IT_NEEDS

MOST = 8  # devices of a node that is elsewhere, of which nothing else is known


def with_devices(plan: Plan) -> Plan:
    """With the fewest devices on which it fits, where it leaves their number open. They share its batch evenly.
    It goes by what a device has in all, not by what is free, which is another number a moment later."""
    trainer = plan.parts.trainer
    if trainer.devices != ALL_THAT_IT_NEEDS:
        return plan
    candidates = [_on(plan, count) for count in _counts(plan)]
    return next((one for one in candidates[:-1] if _fits(one)), candidates[-1])


def _counts(plan: Plan) -> Iterator[int]:
    trainer = plan.parts.trainer
    share = plan.parts.hparams.batch_size // (trainer.nodes * trainer.accumulation)
    here = torch.cuda.device_count() or MOST
    is_on_gpu = planned_device(trainer).type == "cuda" and whole_room(trainer) is not None
    yield from (count for count in range(1, here + 1 if is_on_gpu else 2) if share % count == 0)


def _on(plan: Plan, count: int) -> Plan:
    trainer = replace(plan.parts.trainer, devices=count)
    return replace(plan, parts=replace(plan.parts, trainer=trainer))


def _fits(plan: Plan) -> bool:
    """What is not known is taken to fit."""
    trainer = plan.parts.trainer
    room, found = whole_room(trainer), estimate(plan, planned_device(trainer))
    return room is None or isinstance(found, Unknown) or found.peak <= room
