"""Transfers between CPU and device that do not block the program: pinned memory, and scalars that are read later."""

import torch
from torch import Tensor

ASYNCHRONOUS = {"cuda"}  # kinds of device with ordered transfers; others may read data that has not arrived


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """`tensor` on `device`, without waiting for the device's earlier work."""
    if device.type not in ASYNCHRONOUS or tensor.device.type != "cpu":
        return tensor.to(device)
    # From memory that is not pinned, the copy would block until the device has done its earlier work.
    return tensor.pin_memory().to(device, non_blocking=True)


class PendingScalar:
    """A scalar that a device may still have to compute."""

    def __init__(self, number: Tensor) -> None:
        is_asynchronous = number.device.type in ASYNCHRONOUS
        self._number = number.detach().to("cpu", non_blocking=is_asynchronous)
        self._arrival = torch.cuda.Event() if is_asynchronous else None
        if self._arrival is not None:
            self._arrival.record(torch.cuda.current_stream(number.device))

    @property
    def is_available(self) -> bool:
        return self._arrival is None or self._arrival.query()

    def read(self) -> float:
        """Waits until it is available."""
        if self._arrival is not None:
            self._arrival.synchronize()
        return float(self._number)
