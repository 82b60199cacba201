"""A loss that is not a number must not outlive its step."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from imprint.device_transfer import PendingScalar
from imprint.errors import NonFiniteLoss


class LossCheck:
    """Raises NonFiniteLoss at once if the loss is there, as on a CPU; else before the next one is seen, or before
    anybody looks at the weights or keeps them. So no step waits for its device, and nothing comes of a wrong one."""

    def __init__(self) -> None:
        self._unread: _Unread | None = None

    def see(self, loss: Tensor, *, step: int, pictures: Sequence[str]) -> None:
        self.settle()
        self._unread = _Unread(PendingScalar(loss), step, pictures)
        if self._unread.loss.is_there:
            self.settle()

    def settle(self) -> None:
        """Waits for the loss that was seen last."""
        unread, self._unread = self._unread, None
        if unread is None or math.isfinite(value := unread.loss.read()):
            return
        raise NonFiniteLoss(
            f"The loss of step {unread.step} is {value} (pictures: {', '.join(sorted(set(unread.pictures)))}). Nothing "
            "of this step was kept; the last checkpoint is good. Lower method.lr, set hparams.clip=1.0, or train with "
            "hparams.precision=32."
        )


class _Unread(NamedTuple):
    loss: PendingScalar
    step: int
    pictures: Sequence[str]
