"""How much each level of noise counts: the published weightings, by their formulas."""

import math

import torch

from imprint.models.process import Diffusion, Flow
from imprint.objectives.weighting import CosMap, SigmaSqrt

SHARES = torch.tensor([0.1, 0.5, 0.9])


def test_on_a_flow_they_are_the_published_formulas() -> None:
    """Of the share s of noise (arXiv 2403.03206)."""
    flow = Flow(1000)
    torch.testing.assert_close(SigmaSqrt().weights(flow, SHARES), SHARES**-2)
    torch.testing.assert_close(CosMap().weights(flow, SHARES), 2 / (math.pi * (1 - 2 * SHARES + 2 * SHARES**2)))


def test_on_a_table_of_noise_they_go_by_the_weights_of_latent_and_noise() -> None:
    alphas = torch.tensor([0.99, 0.5, 0.01])
    table, t = Diffusion(alphas, "epsilon"), torch.arange(3)
    torch.testing.assert_close(SigmaSqrt().weights(table, t), 1 / (1 - alphas))
    torch.testing.assert_close(CosMap().weights(table, t), torch.full((3,), 2 / math.pi))
