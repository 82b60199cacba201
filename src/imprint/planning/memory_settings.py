"""Settings that save memory: which cannot be combined, and which change nothing here."""

from collections.abc import Iterator, Mapping
from typing import Any

from imprint.errors import Problem, UserError
from imprint.methods.base import Method
from imprint.models.facts import ModelInfo
from imprint.models.roles import DENOISER
from imprint.planning.parts import Plan
from imprint.training.hparams import HParams
from imprint.training.trainer import TrainerSettings

RECOMPUTE = (
    "what autograd keeps of a block would keep its weights on the device. Set trainer.gradient_checkpointing=true, "
    "which computes each block anew, or trainer.blocks_on_device=all."
)


def conflicts(part: Mapping[str, Any], facts: ModelInfo | None) -> Iterator[Problem]:
    """Keys are absolute. Skips parts that could not be built."""
    method, hparams, trainer = (part.get(name) for name in ("method", "hparams", "trainer"))
    if method and hparams:
        yield from _learning_in_bfloat16(method, hparams)
    if trainer:
        yield from _compiled(trainer)
        yield from _divided(trainer)
        yield from _swapped(trainer)
    if method and trainer and facts:
        yield from _learning_blocks(method, trainer, facts)


def describe(plan: Plan) -> Iterator[str]:
    """A line for whoever starts the run: what has no effect here."""
    trainer = plan.parts.trainer
    idle = [f"trainer.{name}" for name in ("offload_optimizer", "offload_activations") if getattr(trainer, name)]
    idle += ["trainer.blocks_on_device"] if trainer.blocks_on_device != "all" else []
    if idle and not trainer.offloads:
        yield f"{', '.join(idle)}: no effect here, since {trainer.device.type} has no memory but the machine's."


def _learning_in_bfloat16(method: Method, hparams: HParams) -> Iterator[Problem]:
    if hparams.precision == "bf16" and not method.learns_in_bfloat16:
        remedy = (
            "only a network that learns itself (method=dreambooth) has its weights in bfloat16 while it does. What "
            "this method adds is small: take hparams.precision=bf16-mixed, where all else is in bfloat16."
        )
        yield Problem("hparams.precision", hparams.precision, remedy)


def _compiled(trainer: TrainerSettings) -> Iterator[Problem]:
    if not trainer.compile:
        return
    if trainer.blocks_on_device != "all":
        remedy = "a compiled network does not notice who comes and goes. Set it to all, or trainer.compile=false."
        yield Problem("trainer.blocks_on_device", trainer.blocks_on_device, remedy)
    if trainer.offload_activations:
        remedy = "a compiled network decides itself what it keeps. Set it to false, or trainer.compile=false."
        yield Problem("trainer.offload_activations", True, remedy)
    if trainer.gradient_checkpointing == "half":
        remedy = "which blocks they are is not compiled. Set it to true or false, or trainer.compile=false."
        yield Problem("trainer.gradient_checkpointing", "half", remedy)


def _divided(trainer: TrainerSettings) -> Iterator[Problem]:
    whole = trainer.strategy == "auto" or trainer.strategy.startswith("ddp")
    if trainer.offload_optimizer and not whole:
        remedy = (
            f"trainer.strategy={trainer.strategy} divides weights and state between devices itself. Set it to false."
        )
        yield Problem("trainer.offload_optimizer", True, remedy)


def _swapped(trainer: TrainerSettings) -> Iterator[Problem]:
    if trainer.blocks_on_device == "all":
        return
    if trainer.recomputed != 1:
        yield Problem("trainer.blocks_on_device", trainer.blocks_on_device, RECOMPUTE)
    if trainer.world_size > 1:
        remedy = (
            f"there are {trainer.world_size} devices (trainer.devices, trainer.nodes), which compare whole networks "
            "before they begin. Set it to all, or train on one."
        )
        yield Problem("trainer.blocks_on_device", trainer.blocks_on_device, remedy)


def _learning_blocks(method: Method, trainer: TrainerSettings, facts: ModelInfo) -> Iterator[Problem]:
    if trainer.blocks_on_device == "all" or not method.replaces_weights:
        return
    try:
        learns = DENOISER in method.changed_roles(facts)
    except UserError:  # of which the method tells
        return
    if learns:
        remedy = (
            "the blocks learn themselves, with gradients and the optimiser's state, and none could leave. Set it to "
            "all; method=lora learns beside them."
        )
        yield Problem("trainer.blocks_on_device", trainer.blocks_on_device, remedy)
