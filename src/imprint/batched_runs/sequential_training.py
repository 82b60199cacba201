"""Runs trained one after another in this process, each on its own copy of weights that are loaded once."""

import copy
import gc
from collections.abc import Hashable
from typing import NamedTuple

from omegaconf import DictConfig

from imprint.batched_runs.grouping import network_key
from imprint.fitting import carry_out
from imprint.models.base import Model
from imprint.planning.assemble import assemble, attach, task_of
from imprint.planning.parts import Plan
from imprint.training.encoding import CaptionCache, LatentCache
from imprint.training.module import TrainingModule


class _Shared(NamedTuple):
    key: Hashable
    untuned: Model  # on the CPU, where it was loaded: a GPU has one model at a time
    latents: LatentCache
    captions: CaptionCache


class SequentialTraining:
    """Keeps one network at a time as it was loaded, and the latents and text embeddings that it computed untuned."""

    def __init__(self) -> None:
        self._shared: _Shared | None = None

    def train(self, plan: Plan, cfg: DictConfig) -> BaseException | None:
        """What ended it early, or None. `cfg` is what `plan` was prepared from. Raises KeyboardInterrupt when asked to
        stop; the run then continues from its checkpoint."""
        try:
            carry_out(plan, cfg, self._assemble)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            return error
        finally:
            gc.collect()  # trainer and network refer to each other: both would stay in memory beside the next one's
        return None

    def _assemble(self, plan: Plan) -> TrainingModule:
        trainer = plan.parts.trainer
        if trainer.keep_parts != "all" or trainer.blocks_on_device != "all":
            # what leaves is read again for each run: nothing is shared
            self._shared = None
            return assemble(plan)
        shared = self._shared_by(plan)
        model = copy.deepcopy(shared.untuned).to(plan.parts.trainer.own_device)
        task = task_of(plan, model, attach(plan, model))
        return TrainingModule(model, task, latents=shared.latents, captions=shared.captions)

    def _shared_by(self, plan: Plan) -> _Shared:
        key = network_key(plan)
        if self._shared is None or self._shared.key != key:
            self._shared = None  # frees its memory before the next one is loaded
            self._shared = _Shared(key, plan.parts.model.load(), LatentCache(), CaptionCache())
        return self._shared
