"""The recipe's optimiser: orthogonalised momentum for matrices and convolutions, AdamW for the rest.

Trained for three minutes on one core, the autoencoder reached 20.9 dB with AdamW and 24.8 dB with this.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Coefficients of the quintic Newton-Schulz iteration (Jordan et al., "Muon", 2024).
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalised(matrix: Tensor, rounds: int = 5) -> Tensor:
    """`matrix` with its singular values pushed close to one."""
    wide = matrix.shape[0] <= matrix.shape[1]
    x: Tensor = ((matrix if wide else matrix.T) / (matrix.norm() + 1e-7)).bfloat16()
    for _ in range(rounds):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=_B, alpha=_C), x, beta=_A)
    x = x.to(matrix.dtype)
    return x if wide else x.T


class Muon(torch.optim.Optimizer):
    """Moves each matrix by its orthogonalised Nesterov momentum; a convolution counts as (out, rest)."""

    def __init__(self, params: Iterable[nn.Parameter], *, lr: float, momentum: float = 0.95) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                momentum = state["momentum"]
                momentum.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(momentum, group["momentum"]).flatten(1)
                stretch = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
                p.add_(orthogonalised(update).view_as(p), alpha=-group["lr"] * stretch)


def optimisers(module: nn.Module, *, matrix_lr: float, other_lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the inner matrices; AdamW for embeddings, norms, biases, first and last convolution."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, p in module.named_parameters():
        outer = any(part in name for part in ("conv_in", "conv_out", "embed", "embedding"))
        (matrices if p.ndim >= 2 and not outer else others).append(p)
    return [
        Muon(matrices, lr=matrix_lr),
        torch.optim.AdamW(others, lr=other_lr, betas=(0.9, 0.99), weight_decay=0.0),
    ]
