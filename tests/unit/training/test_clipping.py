"""Clipping within the optimiser's step is torch's clipping before it."""

import pytest
import torch
from torch import nn
from torch.optim import AdamW

from imprint.training.updates import clip_within_step

WORST = 3 * 5 * 7 * torch.finfo(torch.float32).eps  # a norm of so many numbers, whatever the order of its sum


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
            torch.testing.assert_close(one, another, rtol=WORST, atol=0.1 * WORST)
            torch.testing.assert_close(one.grad, another.grad, rtol=WORST, atol=0)
