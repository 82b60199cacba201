"""A frozen linear layer with a low-rank adapter beside it, in as few operations as there are products.

Imported when adapters are attached, and not before: importing peft is slow.
"""

from typing import Any

import torch
from peft.tuners import lora
from torch import Tensor
from torch.nn import functional

from imprint.libraries.peft import is_single_plain_lora
from imprint.methods.adapter_layers import NAME


class LowRankLinear(lora.Linear):
    """peft's layer, which stays responsible for everything but the usual case: one adapter, on its own, neither merged
    nor with dropout, nor a variant such as DoRA."""

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if args or kwargs or not is_single_plain_lora(self, NAME):
            unusual: Tensor = super().forward(x, *args, **kwargs)
            return unusual
        first_RI, second_OR = self.lora_A[NAME].weight, self.lora_B[NAME].weight
        if x.dtype != first_RI.dtype and not torch.is_autocast_enabled(x.device.type):
            wide: Tensor = super().forward(x)
            return wide
        x_BI = x.reshape(-1, x.shape[-1])
        result_BO: Tensor = self.base_layer(x_BI)  # which may be a layer whose weight is quantised
        inner_BR, scale = functional.linear(x_BI, first_RI), self.scaling[NAME]
        if scale != 1:
            inner_BR = inner_BR * scale
        result_BO.addmm_(inner_BR, second_OR.t().to(result_BO.dtype))
        return result_BO.view(*x.shape[:-1], -1)
