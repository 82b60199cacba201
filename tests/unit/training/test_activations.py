"""What is kept for the backward pass leaves the device, and comes back the same."""

import weakref
from collections.abc import Callable
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


@pytest.mark.usefixtures("as_on_a_gpu")
@pytest.mark.parametrize(
    "laid_out",
    [
        lambda values: values.chunk(2, dim=-1)[1],
        lambda values: values.transpose(0, 1),
        lambda values: values[:, :1].expand(6, 8),
        lambda values: values[:0],
        lambda values: values.flatten().unfold(0, 4, 2),
    ],
)
def test_what_comes_back_is_laid_out_as_it_was(laid_out: Callable[[torch.Tensor], torch.Tensor]) -> None:
    seen: list[torch.Tensor] = []

    class Keeper(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, values: torch.Tensor) -> torch.Tensor:
            context.save_for_backward(values)
            return values.sum()

        @staticmethod
        def backward(context: Any, *gradients: torch.Tensor) -> torch.Tensor:
            [values] = context.saved_tensors
            seen.append(values)
            return torch.zeros_like(values)

    values = laid_out(torch.arange(48.0).reshape(6, 8).requires_grad_() * 1)
    with activations_in_memory(nn.Identity()):
        total = Keeper.apply(values)
    total.backward()
    assert torch.equal(seen[0], values)
    assert seen[0].stride() == values.stride()


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
