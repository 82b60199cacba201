"""Clipping within the optimiser's step is torch's clipping before it."""

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from imprint.training.clipping import clip_within_step


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_weights_and_gradients_are_those_of_clipping_before(size: float) -> None:
    torch.manual_seed(0)
    mine = [nn.Parameter(torch.randn(5, 7)) for _ in range(3)]
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in mine]
    own, other = AdamW(mine, lr=0.1, fused=True), AdamW(theirs, lr=0.1, fused=True)
    for _ in range(4):
        for one, another in zip(mine, theirs, strict=True):
            one.grad = size * torch.randn(5, 7)
            another.grad = one.grad.clone()
        clip_within_step(own, mine, 1.0)
        own.step()
        nn.utils.clip_grad_norm_(theirs, 1.0)
        other.step()
        for one, another in zip(mine, theirs, strict=True):
            assert one.grad is not None
            assert another.grad is not None
            torch.testing.assert_close(one, another, rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(one.grad, another.grad, rtol=1e-5, atol=1e-7)
