"""Diffusers' schedulers: the noise that a checkpoint was trained with, and the samplers for it."""

import inspect
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import diffusers
import numpy as np
import torch
from diffusers.schedulers.scheduling_utils import SchedulerMixin
from torch import Tensor

from imprint.errors import Problem, UserError
from imprint.libraries.diffusers import needed_packages, schedulers
from imprint.models.process import Diffusion, Flow, NoiseProcess, Prediction, Shift, alphas_from_betas
from imprint.suggestions import nearest

AS_THE_CHECKPOINT = "model"
DIFFUSION_SAMPLERS = sorted(
    {*schedulers(), "LCMScheduler", "TCDScheduler", "SASolverScheduler"}
    - {"EDMEulerScheduler"}  # made for another kind of noise
)
# Schedulers of diffusion that also sample flow, by a setting of theirs.
USING_FLOW_SIGMAS = (
    "DPMSolverMultistepScheduler",
    "DPMSolverSinglestepScheduler",
    "UniPCMultistepScheduler",
    "DEISMultistepScheduler",
    "SASolverScheduler",
)
FLOW_SAMPLERS = sorted(
    {"FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler", "FlowMatchLCMScheduler", *USING_FLOW_SIGMAS}
)
# In place of a checkpoint's own scheduler that cannot sample flow, as of models tuned from ones that predict noise. The
# library's pipelines of Stable Diffusion can use it, which they cannot with schedulers of flow alone.
FLOW_FALLBACK = "UniPCMultistepScheduler"
STORED_PREDICTIONS: Mapping[str, Prediction] = {
    "epsilon": "epsilon",
    "v_prediction": "v_prediction",
    "flow_prediction": "flow",
}


def stored_prediction(config: Mapping[str, Any]) -> Prediction | None:
    """The prediction type in a checkpoint's scheduler configuration; None for an unknown one."""
    if str(config.get("_class_name", "")).startswith("FlowMatch"):
        return "flow"
    return STORED_PREDICTIONS.get(config.get("prediction_type", "epsilon"))


def checked_process(config: Mapping[str, Any], sampler: str, prediction: Prediction, *, patch: int) -> NoiseProcess:
    """As `noise_process`. Raises UserError where there is no such sampler for this scheduler configuration."""
    return _checked_process(json.dumps(config), sampler, prediction, patch)


@lru_cache(maxsize=4)
def _checked_process(config: str, sampler: str, prediction: Prediction, patch: int) -> NoiseProcess:
    """Cached, since the points of a sweep mostly have the same model."""
    scheduler = json.loads(config)
    build_scheduler(scheduler, sampler, prediction)
    return noise_process(scheduler, prediction, patch=patch)


def noise_process(config: Mapping[str, Any], prediction: Prediction, *, patch: int) -> NoiseProcess:
    """The forward process that a checkpoint's scheduler configuration describes. `patch` latent pixels on a side are
    one of the tokens that a schedule may go by."""
    scheduler: Any = build_scheduler(config, AS_THE_CHECKPOINT, prediction)
    if prediction == "flow":
        return Flow(scheduler.config.num_train_timesteps, _shift(scheduler.config, patch))
    return Diffusion(alphas_from_betas(scheduler.betas), prediction)


def build_scheduler(config: Mapping[str, Any], name: str, prediction: Prediction, **settings: object) -> SchedulerMixin:
    """The scheduler class `name` ("model": the checkpoint's own) with the checkpoint's noise, and `settings`.

    The library's pipelines of models that predict noise or v require these values of `clip_sample` and `steps_offset`;
    old checkpoints have wrong ones.
    """
    known = FLOW_SAMPLERS if prediction == "flow" else DIFFUSION_SAMPLERS
    wanted = config["_class_name"] if name == AS_THE_CHECKPOINT else name
    if name == AS_THE_CHECKPOINT and prediction == "flow" and wanted not in known:
        wanted = FLOW_FALLBACK
    if wanted not in known:
        remedy = (
            f"no such scheduler for a model that predicts {prediction}; {nearest(wanted, [AS_THE_CHECKPOINT, *known])}"
        )
        raise UserError(str(Problem("sampler.scheduler", name, remedy)))
    try:
        return getattr(diffusers, wanted).from_config({**config, **_needed(wanted, prediction, config), **settings})
    except ImportError as error:
        packages = ", ".join(needed_packages(wanted))
        remedy = f"it needs the packages {packages}. Install the one that is missing."
        raise UserError(str(Problem("sampler.scheduler", name, remedy))) from error


def _shift(config: Mapping[str, Any], patch: int) -> Shift | None:
    if config.get("use_dynamic_shifting"):
        return Shift(
            base=float(config.get("base_shift") or 0.5),
            maximum=float(config.get("max_shift") or 1.15),
            base_tokens=int(config.get("base_image_seq_len") or 256),
            max_tokens=int(config.get("max_image_seq_len") or 4096),
            exponential=config.get("time_shift_type", "exponential") == "exponential",
            patch=patch,
        )
    factor = float(config.get("shift") or config.get("flow_shift") or 1.0)
    return None if factor == 1 else Shift.constant(factor)


def with_timesteps(
    scheduler: Any,
    steps: int,
    *,
    shift: Shift | None,
    latent_shape: Sequence[int],
    sigmas: Sequence[float] | None,
    device: torch.device,
) -> Any:
    """The scheduler, ready to draw latents of this shape. `sigmas` are its noise levels before they are shifted, for
    the schedulers that take them; null: its own."""
    takes = inspect.signature(scheduler.set_timesteps).parameters
    given: dict[str, Any] = {}
    if shift is not None and scheduler.config.get("use_dynamic_shifting"):
        if "mu" in takes:
            given["mu"] = shift.strength(latent_shape)
        else:  # knows a constant factor only
            factor = shift.factor(latent_shape)
            constant = {**scheduler.config, "use_dynamic_shifting": False, "shift": factor, "flow_shift": factor}
            scheduler = type(scheduler).from_config(constant)
    if sigmas is not None and "sigmas" in takes:
        given["sigmas"] = np.asarray(sigmas)
    scheduler.set_timesteps(steps, device=device, **given)
    return scheduler


def even_levels(steps: int) -> list[float]:
    """Shares of noise before they are shifted, from all of it in equal steps to the last but nothing."""
    return [float(share) for share in np.linspace(1, 1 / steps, steps)]


def draws_from_one_seed(scheduler: SchedulerMixin) -> bool:
    """Whether the scheduler generates the noise of a whole batch from one seed in its configuration."""
    return "noise_sampler_seed" in scheduler.config


def first_noise(scheduler: Any, noise_BCHW: Tensor) -> Tensor:
    """Standard normal noise, scaled for the scheduler's first step; schedulers of flows do not scale it."""
    return noise_BCHW * getattr(scheduler, "init_noise_sigma", 1.0)


def scaled_input(scheduler: Any, noisy_BCHW: Tensor, timestep: Tensor) -> Tensor:
    """The network's input for a latent; schedulers of flows do not scale it."""
    scale = getattr(scheduler, "scale_model_input", None)
    return noisy_BCHW if scale is None else scale(noisy_BCHW, timestep)


def noised(scheduler: Any, clean_BCHW: Tensor, noise_BCHW: Tensor, timestep: Tensor) -> Tensor:
    """Latents with as much noise as there is at a step, in the scheduler's own scale."""
    timestep_B = timestep.reshape(1).repeat(len(clean_BCHW))
    if hasattr(scheduler, "scale_noise"):
        noisy_BCHW: Tensor = scheduler.scale_noise(clean_BCHW, timestep_B, noise_BCHW)
    else:
        noisy_BCHW = scheduler.add_noise(clean_BCHW, noise_BCHW, timestep_B)
    return noisy_BCHW


def extra_arguments(scheduler: Any, generators: Sequence[torch.Generator]) -> dict[str, Any]:
    """Further arguments of its steps: the generators, where its steps add noise."""
    takes = inspect.signature(scheduler.step).parameters
    offered = {"eta": 0.0, "generator": list(generators)}
    return {name: value for name, value in offered.items() if name in takes}


def _needed(scheduler: str, prediction: Prediction, config: Mapping[str, Any]) -> dict[str, object]:
    if prediction != "flow":
        return {"prediction_type": prediction, "clip_sample": False, "steps_offset": 1}
    if scheduler in USING_FLOW_SIGMAS:
        # another name of the same setting, which would otherwise be left out without a word
        shift = {"flow_shift": config["shift"]} if config.get("shift") else {}
        return {"prediction_type": "flow_prediction", "use_flow_sigmas": True, **shift}
    return {}
