"""A frozen linear layer whose weight is kept as bytes."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional

from imprint.models.quantisation.base import Quantisation


class QuantisedLinear(nn.Linear):
    """Computes in the precision of its input, as the mode of automatic precision has it, with the weight that its bytes
    stand for. That weight is made for each product anew, forward and backward, so that no more than one layer's is in
    memory. What is put around a linear layer is put around this one as well."""

    def __init__(self, linear: nn.Linear, quantisation: Quantisation) -> None:
        """With the bias of `linear`. The bytes are yet to come: those of the weight that `hold` is given."""
        nn.Module.__init__(self)
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.quantisation = quantisation
        for name, count in quantisation.sizes(self.out_features, self.in_features).items():
            self._keep(name, torch.empty(count, dtype=torch.uint8, device="meta"))
        self.register_parameter("bias", linear.bias)
        self.train(linear.training)

    def hold(self, weight_OI: Tensor) -> None:
        """Keeps this weight, where it is."""
        for name, tensor in self.quantisation.pack(weight_OI.detach().float()).items():
            self._keep(name, tensor)

    @property
    def packed(self) -> dict[str, Tensor]:
        return {name: self.get_parameter(name) for name in self.quantisation.sizes(self.out_features, self.in_features)}

    def unpacked(self, dtype: torch.dtype) -> Tensor:
        packed = self.packed
        if any(tensor.is_meta for tensor in packed.values()):
            return torch.empty(self.out_features, self.in_features, dtype=dtype, device="meta")
        return self.quantisation.unpack(packed, self.out_features, self.in_features, dtype)

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        """A copy in float32, for who reads it: writing to it would change nothing."""
        return self.unpacked(torch.float32)

    def dequantised(self) -> nn.Linear:
        """A plain layer with this weight."""
        linear = nn.Linear(self.in_features, self.out_features, bias=False, device="meta")
        linear.weight = nn.Parameter(self.weight, requires_grad=False)
        linear.bias = self.bias
        return linear.train(self.training)

    def _keep(self, name: str, tensor: Tensor) -> None:
        self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))

    def forward(self, x: Tensor) -> Tensor:
        kind = x.device.type
        if torch.is_autocast_enabled(kind) and x.dtype != torch.float64:
            x = x.to(torch.get_autocast_dtype(kind))
        bias = self.bias if self.bias is None else self.bias.to(x.dtype)
        result: Tensor = _Product.apply(x, bias, self)
        return result


class _Product(Function):
    """Between forward and backward it keeps nothing but the layer: the gradient of the input needs the weight alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, bias: Tensor | None, layer: QuantisedLinear) -> Tensor:
        ctx.layer = layer
        return functional.linear(x, layer.unpacked(x.dtype), bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        [gradient] = gradients
        for_input = for_bias = None
        if ctx.needs_input_grad[0]:
            for_input = gradient.matmul(ctx.layer.unpacked(gradient.dtype))
        if ctx.needs_input_grad[1]:
            for_bias = gradient.flatten(0, -2).sum(dim=0)
        return for_input, for_bias, None
