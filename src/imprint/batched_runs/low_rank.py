"""The product of a frozen linear layer and the low-rank adapters of several points, forward and backward.

Shape suffixes besides those of types.py: K points, N rows of a point, R rank, I and O channels before and after.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

Scale = Tensor | float  # factor of the adapters: of each (K, 1, 1), or of all


def with_low_rank(
    x: Tensor, base: nn.Linear, first_KRI: Tensor, second_KOR: Tensor, *, scale: Scale, dropped: Tensor | None
) -> Tensor:
    """The output of `base`, whose weights do not learn, plus scale * x first^T second^T. The samples of `x` are
    ordered by point, the same number for each. `dropped`, if given, takes the place of `x` in the second term."""
    tensors = [x, base.weight, base.bias, first_KRI, second_KOR, dropped]
    kind = x.device.type
    if torch.is_autocast_enabled(kind) and x.dtype != torch.float64:
        dtype = torch.get_autocast_dtype(kind)
        tensors = [tensor if tensor is None else tensor.to(dtype) for tensor in tensors]
    result: Tensor = _WithLowRank.apply(*tensors, scale)
    return result


class _WithLowRank(Function):
    """All tensors are of one type. Written by hand because autograd's own version reads the activations more
    often, and leaves each gradient in a memory layout of its own."""

    @staticmethod
    def forward(ctx: Any, *given: Any) -> Tensor:
        x, weight_OI, bias_O, first_KRI, second_KOR, dropped, scale = given
        x_KNI = x.reshape(len(first_KRI), -1, x.shape[-1])
        input_KNI = x_KNI if dropped is None else dropped.reshape(x_KNI.shape)
        result_KNO = functional.linear(x_KNI, weight_OI, bias_O)
        inner_KNR = _scaled(torch.bmm(input_KNI, first_KRI.transpose(1, 2)), scale)
        result_KNO.baddbmm_(inner_KNR, second_KOR.transpose(1, 2))
        ctx.save_for_backward(input_KNI, weight_OI, first_KRI, second_KOR, inner_KNR)
        ctx.shape, ctx.scale, ctx.is_dropped = x.shape, scale, dropped is not None
        return result_KNO.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        input_KNI, weight_OI, first_KRI, second_KOR, inner_KNR = ctx.saved_tensors
        grad_KNO = gradients[0].reshape(*input_KNI.shape[:2], -1)
        grad_inner_KNR = _scaled(torch.bmm(grad_KNO, second_KOR), ctx.scale)
        grad_first_KRI = torch.bmm(grad_inner_KNR.transpose(1, 2), input_KNI)
        grad_second_KOR = torch.bmm(grad_KNO.transpose(1, 2), inner_KNR)
        grad_x = grad_dropped = None
        if ctx.needs_input_grad[0]:
            grad_x_KNI = torch.mm(grad_KNO.flatten(0, 1), weight_OI).view_as(input_KNI)
            if ctx.is_dropped:
                grad_dropped = torch.bmm(grad_inner_KNR, first_KRI).view(ctx.shape)
            else:
                grad_x_KNI.baddbmm_(grad_inner_KNR, first_KRI)
            grad_x = grad_x_KNI.view(ctx.shape)
        return grad_x, None, None, grad_first_KRI, grad_second_KOR, grad_dropped, None


def _scaled(inner_KNR: Tensor, scale: Scale) -> Tensor:
    """In place."""
    return inner_KNR if isinstance(scale, float) and scale == 1.0 else inner_KNR.mul_(scale)
