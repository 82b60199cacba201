"""Numbers on their way between this program and its device, while both go on."""

import torch
from torch import Tensor

WORKS_ON = {"cuda"}  # kinds of device that go on while numbers come and go; others may read what is not there yet


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`, which need not have done what it was asked for before."""
    if device.type not in WORKS_ON or tensor.device.type != "cpu":
        return tensor.to(device)
    # What may move in memory would be copied by this program, and only when its turn has come.
    return tensor.pin_memory().to(device, non_blocking=True)


class PendingScalar:
    """A number that a device has yet to compute."""

    def __init__(self, number: Tensor) -> None:
        comes_later = number.device.type in WORKS_ON
        self._number = number.detach().to("cpu", non_blocking=comes_later)
        self._arrival = torch.cuda.Event() if comes_later else None
        if self._arrival is not None:
            self._arrival.record(torch.cuda.current_stream(number.device))

    @property
    def is_there(self) -> bool:
        return self._arrival is None or self._arrival.query()

    def read(self) -> float:
        """Waits until it is there."""
        if self._arrival is not None:
            self._arrival.synchronize()
        return float(self._number)
