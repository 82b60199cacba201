"""The memory that a training needs, phase by phase: what a rehearsal measured, and what follows from the settings.

| of each phase | bytes |
|---|---|
| parts of the model | of each part that is there, its weights in the type that they have then, and its buffers |
| what learns | its own weights: float32, but where the precision is bf16 |
| gradients | 4 a number; on several devices that share gradients, 4 more for what they exchange |
| optimiser | what it keeps for a few numbers and for many, as tried on weights of these sizes |
| moving average | 4 a number, where there is one |
| untuned model | copies of what learns in the denoiser's own weights, where the prior asks the untuned model |
| computation | the most that is there beside all this: activations, and results in passing |

During a step there are the gradients of the step before, until the loss is known; during the way back those that are
made. Devices that share weights hold their shares of a part, of what learns in it and of what belongs to that, and two
of its blocks beside that, whole. What the trainer leaves in the machine's memory is not counted.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import torch

from imprint.models.base import is_text
from imprint.models.checkpoint.layout import AUTOENCODER
from imprint.models.roles import DENOISER
from imprint.planning.memory.rehearsal import Rehearsal, rehearse
from imprint.planning.parts import Plan
from imprint.planning.residence import encodes_each_step, leaving, shares
from imprint.training.optimizers import state_size
from imprint.training.trainer import has_own_memory

# What a phase consists of.
WEIGHTS, LEARNING, GRADIENTS, STATE, AVERAGE, TEACHER, COMPUTATION = (
    *("weights", "what learns", "gradients", "optimiser", "moving average", "untuned model", "computation"),
)


class Phase(NamedTuple):
    """A stretch of a run."""

    name: str
    bytes: Mapping[str, int]  # by what it consists of

    @property
    def total(self) -> int:
        return sum(self.bytes.values())


class Estimate(NamedTuple):
    """On each device."""

    phases: tuple[Phase, ...]

    @property
    def largest(self) -> Phase:
        return max(self.phases, key=lambda phase: phase.total)

    @property
    def peak(self) -> int:
        return self.largest.total


class Unknown(NamedTuple):
    """No estimate, and why."""

    reason: str


def estimate(plan: Plan, device: torch.device) -> Estimate | Unknown:
    """As on a device of this kind, whether there is one here or not."""
    if not plan.parts.model.parts_can_leave:
        return Unknown("what this model's parts are is not known")
    try:
        return Estimate(tuple(_phases(plan, rehearse(plan, device), device)))
    except Exception as error:  # the user's own parts, or a library's, may need numbers where there are none
        return Unknown(f"it cannot be rehearsed: {type(error).__name__}: {error}")


def _phases(plan: Plan, found: Rehearsal, device: torch.device) -> Iterator[Phase]:
    parts, trainer, gone = plan.parts, plan.parts.trainer, leaving(plan)
    share = shares(plan)[DENOISER]  # of whatever learns, too
    learning = round(sum(found.learning.values()) * share)
    exchanged = trainer.world_size > 1 and not trainer.shards
    state_leaves = trainer.offload_optimizer and has_own_memory(device)
    lasting = {
        LEARNING: learning,
        AVERAGE: learning if parts.hparams.ema else 0,
        TEACHER: round(found.teacher * share),
    }
    dtype = torch.bfloat16 if parts.hparams.precision == "bf16" else torch.float32
    settled = {
        **lasting,
        GRADIENTS: learning * (2 if exchanged else 1),
        STATE: 0 if state_leaves else round(state_size(parts.optimizer, found.shapes, dtype) * share),
    }
    # What an upscaler's low sides pass through comes and goes, unless every step makes low sides.
    each_step = found.low_side if encodes_each_step(plan) else 0
    at_first = found.low_side - each_step
    staying = {role: size for role, size in _there(plan, found, device).items() if role not in gone}
    if found.class_pictures:
        yield Phase("drawing class pictures", {WEIGHTS: found.exact, COMPUTATION: found.class_pictures})
    if gone:
        texts = sum(size for role, size in found.loaded.items() if is_text(role) and role != AUTOENCODER)
        yield Phase("encoding captions", {WEIGHTS: texts, COMPUTATION: found.texts})
        kept = sum(size for role, size in staying.items() if role not in (DENOISER, AUTOENCODER))
        weights = found.loaded[AUTOENCODER] + kept + at_first
        yield Phase("encoding pictures", {WEIGHTS: weights, COMPUTATION: found.pictures})
        read = sum(found.loaded[role] for role in staying)
        yield Phase("loading", {WEIGHTS: read})
    else:
        waiting = sum(found.blocks) - _coming(plan, found) if _swaps(plan, device) else 0
        yield Phase("loading", {WEIGHTS: sum(found.loaded.values()) - waiting})
        encoding = max(found.texts, found.pictures)
        yield Phase("encoding", {WEIGHTS: sum(staying.values()) + at_first, **lasting, COMPUTATION: encoding})
    weights = sum(staying.values()) + each_step
    yield Phase("training", {WEIGHTS: weights, **settled, COMPUTATION: _computation(plan, found, learning)})
    if found.samples:
        back = sum(found.loaded[role] for role in gone)
        drawing = found.samples + found.adapter_merge
        weights = sum(staying.values()) + back + found.low_side
        yield Phase("drawing samples", {WEIGHTS: weights, **settled, COMPUTATION: drawing})


def _there(plan: Plan, found: Rehearsal, device: torch.device) -> dict[str, int]:
    """Of each part, what a device holds of the weights that do not learn while it computes with them."""
    sizes = {role: round(size * shares(plan)[role]) for role, size in found.frozen.items()}
    if plan.parts.trainer.shards:
        sizes[DENOISER] += sum(sorted(found.blocks)[-2:])
    if _swaps(plan, device):
        sizes[DENOISER] += _coming(plan, found) - sum(found.blocks)
    return sizes


def _swaps(plan: Plan, device: torch.device) -> bool:
    return plan.parts.trainer.blocks_on_device != "all" and has_own_memory(device)


def _coming(plan: Plan, found: Rehearsal) -> int:
    """The most of blocks that are there at a time: neighbours, as a pass goes from one to the next."""
    limit = plan.parts.trainer.blocks_on_device
    assert limit != "all"
    return max(sum(found.blocks[first : first + limit]) for first in range(len(found.blocks)))


def _computation(plan: Plan, found: Rehearsal, learning: int) -> int:
    """Beside the gradients of a whole step, which are there when the first pass begins. A further pass of the step adds
    its own to them."""
    step = found.step
    on_the_way_back = step.backward_alone if plan.parts.trainer.accumulation > 1 else step.backward - learning
    return max(step.forward, on_the_way_back)
