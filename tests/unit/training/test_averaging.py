"""The average of what trains."""

import pytest
import torch
from torch.nn import Parameter

from imprint.training.updates import MovingAverage


def test_the_learning_weights_come_back_even_after_an_error() -> None:
    weights = [Parameter(torch.zeros(3))]
    average = MovingAverage(weights, decay=0.5)
    for value in (1.0, 3.0):
        weights[0].data.fill_(value)
        average.update(weights)
    with pytest.raises(RuntimeError, match="while drawing"), average.in_place_of(weights):
        assert 1.0 < float(weights[0][0]) < 3.0
        raise RuntimeError("while drawing")
    assert weights[0].tolist() == [3.0] * 3


def test_a_restored_average_goes_on_as_the_one_before() -> None:
    weights = [Parameter(torch.zeros(2))]
    one, other = MovingAverage(weights, decay=0.9), MovingAverage(weights, decay=0.9)
    for value in range(5):
        weights[0].data.fill_(float(value))
        one.update(weights)
    other.load_state_dict(one.state_dict(weights), weights)
    found = []
    for average in (one, other):
        weights[0].data.fill_(9.0)
        average.update(weights)
        with average.in_place_of(weights):
            found.append(weights[0].tolist())
    assert found[0] == found[1]
    assert found[0] != [9.0, 9.0]
