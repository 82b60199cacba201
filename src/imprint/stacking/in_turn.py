"""Runs trained one after another in this process, each on weights of its own, with all that they can share."""

import copy
import gc
from collections.abc import Hashable
from typing import NamedTuple

from omegaconf import DictConfig

from imprint.build import Plan
from imprint.build.assemble import attach, lesson_of
from imprint.families.base import Family
from imprint.fitting import carry_out
from imprint.stacking.grouping import network_of
from imprint.training.conditioning import CaptionCache
from imprint.training.latents import LatentCache
from imprint.training.module import Personalisation


class _Kept(NamedTuple):
    network: Hashable
    untuned: Family  # where it was loaded to: a GPU has one model at a time
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

    def _assemble(self, plan: Plan) -> Personalisation:
        kept = self._of(plan)
        family = copy.deepcopy(kept.untuned).to(plan.parts.trainer.own_device)
        lesson = lesson_of(plan, family, attach(plan, family))
        return Personalisation(family, lesson, latents=kept.latents, captions=kept.captions)

    def _of(self, plan: Plan) -> _Kept:
        network = network_of(plan)
        if self._kept is None or self._kept.network != network:
            self._kept = None  # before the next is loaded
            self._kept = _Kept(network, plan.parts.model.load(), LatentCache(), CaptionCache())
        return self._kept
