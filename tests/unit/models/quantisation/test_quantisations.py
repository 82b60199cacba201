"""Every way to keep weights in fewer bits, whatever its name: what it makes of a weight, and the layer that uses it."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from imprint.models.quantisation.base import Quantisation, known_quantisations, quantisation
from imprint.models.quantisation.layer import QuantisedLinear

BITS = {"nf4": 4.2, "int8": 8.1, "float8": 8.1}  # of a weight of a wide layer, with the scales
ERROR = {"nf4": 0.1, "int8": 0.01, "float8": 0.03}  # of normally distributed weights, as their types have it
SHAPES = [(64, 64), (33, 17), (30, 32), (1, 1), (5, 200)]  # rows that are no whole blocks, and fewer weights than one

every = pytest.mark.parametrize("name", known_quantisations())


def chosen(name: str) -> Quantisation:
    found = quantisation(name)
    assert found is not None
    if found.package is not None:
        pytest.importorskip(found.package)
    return found


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)) * 0.02


def layer_of(name: str, *, rows: int = 24, columns: int = 40, bias: bool = True) -> tuple[nn.Linear, QuantisedLinear]:
    linear = nn.Linear(columns, rows, bias=bias).requires_grad_(False)
    linear.weight.copy_(normal(rows, columns))
    layer = QuantisedLinear(linear, chosen(name))
    layer.hold(linear.weight)
    return linear, layer


@every
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_weight_is_found_again_within_the_error_of_its_type(name: str, shape: tuple[int, int]) -> None:
    own, weight = chosen(name), normal(*shape)
    packed = own.pack(weight)
    assert {key: len(tensor) for key, tensor in packed.items()} == own.sizes(*shape)
    assert all(tensor.dtype == torch.uint8 and tensor.ndim == 1 for tensor in packed.values())
    again = own.unpack(packed, *shape, torch.float32)
    assert again.shape == weight.shape
    assert (again - weight).norm() <= ERROR[name] * weight.norm() * (2 if weight.numel() < 1000 else 1)
    torch.testing.assert_close(own.unpack(packed, *shape, torch.bfloat16).float(), again, rtol=2**-8, atol=0)


@every
def test_a_weight_of_the_usual_size_takes_as_many_bits_as_its_type(name: str) -> None:
    assert 8 * chosen(name).bytes_of(3072, 3072) / 3072**2 < BITS[name]


@every
def test_a_row_of_zeros_stays_one(name: str) -> None:
    own, weight = chosen(name), normal(4, 64)
    weight[2] = 0
    assert not own.unpack(own.pack(weight), 4, 64, torch.float32)[2].any()


@every
def test_what_is_packed_is_packed_alike_again(name: str) -> None:
    """A base that is read again, as parts that leave are, is the same one."""
    own, weight = chosen(name), normal(48, 80)
    first, second = own.pack(weight), own.pack(weight.clone())
    assert all(torch.equal(first[key], second[key]) for key in first)


@every
@pytest.mark.parametrize("bias", [True, False])
def test_the_layer_computes_with_the_weight_that_its_bytes_stand_for(name: str, bias: bool) -> None:
    linear, layer = layer_of(name, bias=bias)
    x = normal(2, 3, 40).requires_grad_()
    result = layer(x)
    assert torch.equal(result, functional.linear(x, layer.weight, linear.bias))
    gradient = normal(*result.shape)
    [ours] = torch.autograd.grad(result, x, gradient)
    [plain] = torch.autograd.grad(layer.dequantised()(x), x, gradient)
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-9)


@every
def test_between_the_passes_it_keeps_no_weight(name: str) -> None:
    kept: list[int] = []
    _, layer = layer_of(name, rows=64, columns=64)
    x = normal(1, 64).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(
        lambda saved: kept.append(saved.numel()) or saved, lambda saved: saved
    ):
        layer(x).sum().backward()
    assert sum(kept) < 64 * 64
    assert x.grad is not None
    assert x.grad.any()


@every
def test_it_computes_in_the_precision_around_it(name: str) -> None:
    linear, layer = layer_of(name)
    x = normal(3, 40)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert layer(x).dtype == linear(x).dtype == torch.bfloat16
    assert layer(x).dtype == torch.float32
    layer.to(torch.bfloat16)
    assert torch.equal(layer.weight, layer_of(name)[1].weight), "casting a network casts no bytes"
    assert layer(x.bfloat16()).dtype == torch.bfloat16


@every
def test_its_bias_may_learn(name: str) -> None:
    _, layer = layer_of(name)
    assert layer.bias is not None
    layer.bias.requires_grad_(True)
    layer(normal(2, 5, 40)).sum().backward()
    assert layer.bias.grad is not None
    torch.testing.assert_close(layer.bias.grad, torch.full((24,), 10.0))


@every
def test_a_copy_may_share_its_bytes(name: str) -> None:
    _, layer = layer_of(name)
    shared = copy.deepcopy(layer, {id(tensor): tensor for tensor in layer.packed.values()})
    assert all(shared.packed[key] is tensor for key, tensor in layer.packed.items())
    own = copy.deepcopy(layer)
    assert all(own.packed[key] is not tensor for key, tensor in layer.packed.items())
    assert torch.equal(own.weight, layer.weight)


def test_int8_is_that_of_bitsandbytes() -> None:
    functional_8bit = pytest.importorskip("bitsandbytes.functional")
    weight = normal(48, 80)
    codes, scales, _ = functional_8bit.int8_vectorwise_quant(weight)
    packed = chosen("int8").pack(weight)
    assert torch.equal(packed["codes"].view(torch.int8).view(48, 80), codes)
    assert torch.allclose(packed["scales"].view(torch.float32) * 127, scales)


def test_nf4_is_as_near_as_the_layer_of_bitsandbytes() -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    linear, layer = layer_of("nf4", rows=64, columns=128, bias=False)
    theirs = bitsandbytes.nn.Linear4bit(128, 64, bias=False, quant_type="nf4", compute_dtype=torch.float32)
    theirs.load_state_dict(linear.state_dict())
    theirs.to("cpu")
    there = bitsandbytes.functional.dequantize_4bit(theirs.weight.data, theirs.weight.quant_state)
    assert torch.equal(layer.weight, there.view(64, 128).float())
