"""torchao's AdamW for weights in bfloat16, which is not among its documented classes. Tested with torchao 0.18.0."""

from collections.abc import Callable
from typing import Any

import torch
from torchao.optim import _AdamW


class EagerAdamW(_AdamW):
    """Its update is not compiled. The library compiles it anew for each shape of weights: minutes for a network, and
    a C++ compiler on a CPU."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:  # a forward pass, which may be compiled
            with torch.enable_grad():
                loss = closure()
        with torch.compiler.set_stance("force_eager"):
            super().step()
        return loss
