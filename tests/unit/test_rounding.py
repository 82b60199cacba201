"""The bounds of `rounding.py` are those of the models that the tests train, and no wider than they need be."""

import torch
from rounding import LAYERS, LONGEST, SINGLE, counted, near, near_tensors, near_weights

from imprint.models.base import Model


def test_the_tiny_models_have_these_sums(tiny_model: Model) -> None:
    assert counted(tiny_model) == (LAYERS, LONGEST)


def test_a_thousandth_is_no_rounding() -> None:
    assert near([1.0, 1.0, 0.0]) == [1.0, 1.0 + SINGLE, 1e-12]
    assert near([1.0, 1.0]) != [1.0, 1.001]
    whole = [torch.randn(100), 0.01 * torch.randn(10)]
    assert near_tensors([whole[0], whole[1] * (1 + 1e-5)], whole)
    assert not near_tensors([whole[0], whole[1] * 1.01], whole)
    assert not near_tensors([whole[0], torch.zeros(10)], whole)
    start, way = torch.randn(1000), torch.randn(1000).sign() * 6e-3
    theirs = {"weight": start + way}
    assert near_weights({"weight": start + way * 1.003}, theirs, rate=1e-3, steps=6)
    assert not near_weights({"weight": start + way * 1.01}, theirs, rate=1e-3, steps=6)
