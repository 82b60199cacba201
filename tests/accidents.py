"""Parts of a run to which something happens while it trains."""

import os
import signal

import torch

from imprint.data.pictures import PictureSet
from imprint.data.prior import NoPrior
from imprint.models.base import Model
from imprint.models.facts import ModelInfo
from imprint.types import Concept


class Unpackable(Exception):
    """Can be packed, and not be unpacked in another process."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(reason)


class Killed(NoPrior):
    """As the system does when memory is short."""

    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        os.kill(os.getpid(), signal.SIGKILL)
        return None


class Failing(NoPrior):
    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        raise Unpackable(reason="it rained")


class Counting(NoPrior):
    """Notes how many threads it has."""

    def pictures(self, model: Model, facts: ModelInfo, concept: Concept, *, precision: str) -> PictureSet | None:
        with open(os.environ["ACCIDENTS_THREADS"], "a", encoding="utf-8") as file:
            file.write(f"{torch.get_num_threads()}\n")
        return None
