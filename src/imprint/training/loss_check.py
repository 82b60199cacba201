"""Stops a training whose loss is not a number, without a wait for the device in every step."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from imprint.device_transfer import PendingScalar
from imprint.errors import NonFiniteLoss
from imprint.training.hparams import HParams


class LossCheck:
    """Raises NonFiniteLoss at once if the loss is available, as on a CPU; else at the next check, or before the weights
    are saved or used. So no step waits for its device, and the weights of a failed step are never kept."""

    def __init__(self, hparams: HParams) -> None:
        self._hparams = hparams
        self._unread: _Unread | None = None

    def check(self, loss: Tensor, *, step: int, pictures: Sequence[str]) -> None:
        self.settle()
        self._unread = _Unread(PendingScalar(loss), step, pictures)
        if self._unread.loss.is_available:
            self.settle()

    def settle(self) -> None:
        """Waits for the latest loss, and checks it."""
        unread, self._unread = self._unread, None
        if unread is None or math.isfinite(value := unread.loss.read()):
            return
        raise NonFiniteLoss(
            f"The loss of step {unread.step} is {value} (pictures: {', '.join(sorted(set(unread.pictures)))}). Nothing "
            f"of this step was kept; a checkpoint of an earlier one is good. {_remedies(self._hparams)}."
        )


def _remedies(hparams: HParams) -> str:
    """What is not done already."""
    found = ["Lower method.lr"]
    if hparams.clip is None:
        found.append("set hparams.clip=1.0")
    if hparams.precision != "32":
        found.append("train with hparams.precision=32")
    return " or ".join([", ".join(found[:-1]), found[-1]]) if len(found) > 1 else found[0]


class _Unread(NamedTuple):
    loss: PendingScalar
    step: int
    pictures: Sequence[str]
