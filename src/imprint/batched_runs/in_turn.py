"""Runs trained one after another in this process, each on weights of its own, with all that they can share."""

import copy
import gc
from collections.abc import Hashable
from typing import NamedTuple

from omegaconf import DictConfig

from imprint.batched_runs.grouping import network_of
from imprint.fitting import carry_out
from imprint.models.base import Model
from imprint.planning.assemble import attach, task_of
from imprint.planning.parts import Plan
from imprint.training.conditioning import CaptionCache
from imprint.training.latents import LatentCache
from imprint.training.module import TrainingModule


class _Kept(NamedTuple):
    network: Hashable
    untuned: Model  # where it was loaded to: a GPU has one model at a time
    latents: LatentCache
    captions: CaptionCache


class InTurn:
    """Of one network at a time: its weights as they were loaded, and what it made of pictures and captions before any
    of it learned."""

    def __init__(self) -> None:
        self._kept: _Kept | None = None

    def train(self, plan: Plan, cfg: DictConfig) -> BaseException | None:
        """What ended it early, or None. `cfg` is what `plan` was prepared from. Raises KeyboardInterrupt when asked to
        stop; the run then goes on from its checkpoint."""
        try:
            carry_out(plan, cfg, self._assemble)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return error
        finally:
            gc.collect()  # trainer and network hold each other: both would stay beside the next one's
        return None

    def _assemble(self, plan: Plan) -> TrainingModule:
        kept = self._of(plan)
        model = copy.deepcopy(kept.untuned).to(plan.parts.trainer.own_device)
        task = task_of(plan, model, attach(plan, model))
        return TrainingModule(model, task, latents=kept.latents, captions=kept.captions)

    def _of(self, plan: Plan) -> _Kept:
        network = network_of(plan)
        if self._kept is None or self._kept.network != network:
            self._kept = None  # before the next is loaded
            self._kept = _Kept(network, plan.parts.model.load(), LatentCache(), CaptionCache())
        return self._kept
