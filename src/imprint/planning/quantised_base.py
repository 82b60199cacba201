"""A base whose weights are quantised: what it cannot be part of, and how far it is from the one that it stands for."""

import hashlib
import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from pydantic import BaseModel, TypeAdapter

from imprint.errors import Problem, UserError
from imprint.file_contents import Finite, read_json, typed
from imprint.files import write_json
from imprint.libraries.torch import is_out_of_memory
from imprint.locations import cache_folder
from imprint.methods.base import Method
from imprint.models.base import ModelSource
from imprint.models.facts import ModelInfo
from imprint.models.quantisation.error import output_error, weight_error
from imprint.models.quantisation.network import count_weights
from imprint.models.residency import reclaim
from imprint.models.source import PipelineSource
from imprint.planning.parts import Plan
from imprint.training.memory import total_memory
from imprint.training.trainer import TrainerSettings

log = logging.getLogger(__name__)

STRATEGIES = ("auto", "ddp")  # which leave weights that do not learn alone
ROOM = 0.5  # of a device's memory: what the unquantised model may take, in float32, to be compared with
BYTES = 4
REMEDY = "Delete it: it is measured anew."


class Measured(BaseModel):
    """What the cache holds. Without `prediction`, `loss` and `picture`, weights alone were compared."""

    weights: Finite
    worst_layer: Finite
    prediction: Finite | None = None
    loss: Finite | None = None
    picture: Finite | None = None


MEASURED = TypeAdapter(Measured)


def problems(
    model: ModelSource, facts: ModelInfo, method: Method | None, trainer: TrainerSettings
) -> Iterator[Problem | str]:
    """Keys are absolute."""
    if not model.quantised:
        return
    quantisations = set(model.quantised.values())
    [name] = {own.name for own in quantisations}
    if method and (
        tuned := [role for role in facts.roles if role in method.tuned_roles(facts) & model.quantised.keys()]
    ):
        remedy = (
            f"this method changes the weights of {', '.join(tuned)} themselves, which cannot learn in so few bits. "
            "Choose adapters (method=lora) or words (method=textual_inversion), or set it to null."
        )
        yield Problem("model.quantise", name, remedy)
    if trainer.compile:
        remedy = "a compiled network would keep the weights that it makes of quantised ones. Set it to false."
        yield Problem("trainer.compile", True, remedy)
    if trainer.strategy not in STRATEGIES and not trainer.strategy.startswith("ddp_"):
        remedy = f"with model.quantise={name}, take auto or ddp: it would have to divide weights that are no numbers."
        yield Problem("trainer.strategy", trainer.strategy, remedy)
    try:
        kind = trainer.device.type
    except UserError:  # of which the trainer tells
        return
    if any(kind in own.not_on for own in quantisations):
        yield Problem("model.quantise", name, f"a device of the kind {kind} has no such numbers. Choose int8.")


def describe(plan: Plan) -> Iterator[str]:
    """A line for whoever starts the run. What it says is measured at the first run with these weights, quantised so."""
    model = plan.parts.model
    if not model.quantised or not isinstance(model, PipelineSource):
        return
    error = _measured(plan, model)
    roles = [role for role in plan.facts.roles if role in model.quantised]
    line = (
        f"Quantised to {model.quantise}: {', '.join(roles)}. Against the weights as they are: relative error of "
        f"weights {error.weights:.2g}, in the worst layer {error.worst_layer:.2g}"
    )
    if error.prediction is None or error.loss is None or error.picture is None:
        yield f"{line}. The whole model in float32 is too large for this device, so what it predicts was not compared."
    else:
        yield (
            f"{line}; of predictions {error.prediction:.2g}, of the loss {error.loss:+.1%}; a picture differs by "
            f"{error.picture:.2g} of 255 levels in the mean."
        )


def _measured(plan: Plan, model: PipelineSource) -> Measured:
    device = plan.parts.trainer.own_device
    memory = total_memory(device)
    needed = BYTES * sum(count_weights(part) for part in model.meta_model().roles.values())
    whole = memory is None or needed <= ROOM * memory
    content = [model.unquantised().facts().fingerprint, plan.facts.fingerprint, "outputs" if whole else "weights"]
    name = hashlib.sha256(" ".join(content).encode()).hexdigest()[:16]
    file = cache_folder() / "quantisation" / f"{name}.json"
    if (known := _read(file)) is not None:
        return known
    log.info("Comparing the quantised model with the one that it stands for; this is done once.")
    weights = weight_error(model, device)
    found = {"weights": weights.overall, "worst_layer": weights.worst}
    if whole:
        found |= _outputs(model, device)
    measured = Measured(**found)
    try:
        write_json(file, measured.model_dump())
    except (UserError, OSError) as error:
        log.warning("The error of the quantised model is not kept, and measured again: %s", error)
    return measured


def _outputs(model: PipelineSource, device: torch.device) -> dict[str, float]:
    """Nothing where other programs have left too little of the device's memory."""
    try:
        return output_error(model, device)._asdict()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
    reclaim()
    return {}


def _read(file: Path) -> Measured | None:
    try:
        return typed(MEASURED, read_json(file, REMEDY), file, REMEDY)
    except FileNotFoundError:
        return None
    except UserError as error:
        log.warning("%s", error)
        return None
