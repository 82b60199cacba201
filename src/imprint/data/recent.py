"""The pictures seen last, kept so that they need not be decoded again."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor

# Per process that loads pictures. A picture of 512 x 512 takes 0.8 MB, so this holds some 300 of them.
BYTE_LIMIT = 256 * 2**20


class RecentPixels:
    """Tensors by key, at most `limit` bytes of them; the one not used for longest is dropped first.

    Its content is no part of a pickle: another process begins with an empty one.
    """

    def __init__(self, limit: int = BYTE_LIMIT) -> None:
        self.limit = limit
        self._held: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._bytes = 0

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        made = self._held[key] = make()
        self._bytes += made.nbytes
        while self._bytes > self.limit:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return made

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_held": OrderedDict(), "_bytes": 0}
