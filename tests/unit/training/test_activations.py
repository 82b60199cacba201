"""What is kept for the backward pass leaves the device, and comes back the same."""

import weakref
from typing import Any

import pytest
import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from imprint.training import activations
from imprint.training.activations import activations_in_memory


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 8), nn.Sigmoid())


def gradients(layers: nn.Module, inputs: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(layers(inputs).square().sum(), list(layers.parameters())))


@pytest.fixture
def as_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """No tensor is where it is to be kept."""
    monkeypatch.setattr(activations, "IN_MEMORY", set())


@pytest.mark.usefixtures("as_on_a_gpu")
def test_gradients_are_the_same() -> None:
    layers, inputs = network(), torch.randn(4, 8)
    expected = gradients(layers, inputs)
    with activations_in_memory(layers):
        found = gradients(layers, inputs)
    assert all(map(torch.equal, found, expected))


@pytest.mark.usefixtures("as_on_a_gpu")
def test_nothing_but_weights_is_left_on_the_device() -> None:
    layers, inputs = network(), torch.randn(4, 8)
    outputs: list[Any] = []
    for layer in layers:
        layer.register_forward_hook(lambda layer, given, output: outputs.append(weakref.ref(output.untyped_storage())))
    loss = layers(inputs).sum()
    assert any(output() is not None for output in outputs[:-1])  # as it is without
    del loss
    outputs.clear()
    with activations_in_memory(layers):
        loss = layers(inputs).sum()
    assert all(output() is None for output in outputs)
    loss.backward()


@pytest.mark.usefixtures("as_on_a_gpu")
def test_weights_are_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = network()
    copied: list[torch.Size] = []
    empty_like = torch.empty_like

    def noted(tensor: torch.Tensor, **told: Any) -> torch.Tensor:
        copied.append(tensor.shape)
        return empty_like(tensor, **told)

    monkeypatch.setattr(torch, "empty_like", noted)
    with activations_in_memory(layers):
        layers(torch.randn(4, 8)).sum()
    assert copied
    assert torch.Size((8, 8)) not in copied


def test_on_a_cpu_nothing_is_copied() -> None:
    layers, inputs = network(), torch.randn(4, 8)
    kept: list[int] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        kept.append(tensor.data_ptr())
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        layers(inputs)
    copies: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "empty_like", lambda *given, **told: copies.append(given))
        with activations_in_memory(layers):
            layers(inputs)
    assert kept
    assert not copies
