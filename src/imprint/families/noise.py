"""Diffusers' schedulers: the noise a checkpoint was trained with, and the ways to sample it."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import diffusers
from diffusers.schedulers.scheduling_utils import KarrasDiffusionSchedulers, SchedulerMixin

from imprint.errors import Problem, UserError
from imprint.schedule import NoiseSchedule, Prediction, alphas_from_betas
from imprint.suggestions import nearest

AS_THE_CHECKPOINT = "model"
SAMPLERS = sorted(
    {*KarrasDiffusionSchedulers.__members__, "LCMScheduler", "TCDScheduler", "SASolverScheduler"}
    - {"EDMEulerScheduler"}  # made for another kind of noise
)


class NoiseFacts(NamedTuple):
    """What is asked of a checkpoint's noise before anything of it is loaded."""

    has_zero_terminal_snr: bool
    timesteps: int


def noise_facts(config: Mapping[str, Any], sampler: str, prediction: Prediction) -> NoiseFacts:
    """Raises UserError where there is no such sampler for this scheduler configuration."""
    return _noise_facts(json.dumps(config), sampler, prediction)


@lru_cache(maxsize=4)
def _noise_facts(config: str, sampler: str, prediction: Prediction) -> NoiseFacts:
    """Asked of every point of a sweep, often of all the same."""
    scheduler = json.loads(config)
    build_scheduler(scheduler, sampler, prediction)
    schedule = noise_schedule(scheduler, prediction)
    return NoiseFacts(schedule.has_zero_terminal_snr, schedule.length)


def noise_schedule(config: Mapping[str, Any], prediction: Prediction) -> NoiseSchedule:
    """The forward process that a checkpoint's scheduler configuration describes."""
    scheduler = build_scheduler(config, AS_THE_CHECKPOINT, prediction)
    return NoiseSchedule(alphas_from_betas(scheduler.betas), prediction)


def build_scheduler(config: Mapping[str, Any], name: str, prediction: Prediction, **settings: object) -> SchedulerMixin:
    """The scheduler class `name` ("model": the checkpoint's own) with the checkpoint's noise, and `settings`.

    `clip_sample` and `steps_offset` are what Stable Diffusion needs and its pipeline insists on; old
    checkpoints have them wrong.
    """
    wanted = config["_class_name"] if name == AS_THE_CHECKPOINT else name
    if wanted not in SAMPLERS:
        remedy = f"no such scheduler for Stable Diffusion; {nearest(wanted, [AS_THE_CHECKPOINT, *SAMPLERS])}"
        raise UserError(str(Problem("sampler.scheduler", name, remedy)))
    needed = {"prediction_type": prediction, "clip_sample": False, "steps_offset": 1}
    try:
        return getattr(diffusers, wanted).from_config({**config, **needed, **settings})
    except ImportError as error:
        packages = ", ".join(getattr(diffusers, wanted)._backends)
        remedy = f"it needs the packages {packages}. Install the one that is missing."
        raise UserError(str(Problem("sampler.scheduler", name, remedy))) from error


def draws_from_one_seed(scheduler: SchedulerMixin) -> bool:
    """Whether the noise of a whole batch comes from one seed in the scheduler's configuration."""
    return "noise_sampler_seed" in scheduler.config
