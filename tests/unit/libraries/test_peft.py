"""What is assumed of peft's layers."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from peft import LoHaConfig, LoKrConfig, LoraConfig, inject_adapter_in_model
from peft.tuners import lora
from torch import nn

from imprint.libraries.peft import adapters_in_float32, is_single_plain_lora, own_weights, use_layers

NAME = "default"


class Own(lora.Linear):
    """A layer of our own kind."""


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4)
        self.convolution = nn.Conv2d(6, 4, 3)


def adapted(config: Any, target: str = "linear", *, names: Sequence[str] = (NAME,)) -> Any:
    """The layer with an adapter of each name."""
    config.target_modules = {target}
    network = Network()
    for name in names:
        inject_adapter_in_model(config, network, name)
    return network.get_submodule(target)


def low_rank(names: Sequence[str] = (NAME,), **settings: Any) -> Any:
    config = LoraConfig(r=2, lora_alpha=3, init_lora_weights=False, **settings)
    use_layers(config, {nn.Linear: Own})
    return adapted(config, names=names)


def test_a_layer_of_our_own_kind_is_used() -> None:
    layer = low_rank()
    assert type(layer) is Own, "peft no longer asks LoraConfig._register_custom_module"
    assert is_single_plain_lora(layer, NAME)


def test_a_plain_layer_adds_the_product_of_its_matrices() -> None:
    layer, x = low_rank(), torch.randn(5, 6)
    added = layer.lora_B[NAME].weight @ layer.lora_A[NAME].weight * layer.scaling[NAME]
    assert layer.scaling[NAME] == 1.5
    torch.testing.assert_close(layer(x), layer.base_layer(x) + x @ added.T)


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"lora_dropout": 0.5}])
def test_variants_and_dropout_are_not_plain(settings: dict[str, Any]) -> None:
    assert not is_single_plain_lora(low_rank(**settings), NAME)


def test_what_is_merged_disabled_or_one_of_several_is_not_plain() -> None:
    merged, disabled, several = low_rank(), low_rank(), low_rank([NAME, "second"])
    merged.merge()
    disabled.enable_adapters(False)
    assert not [layer for layer in (merged, disabled, several) if is_single_plain_lora(layer, NAME)]


@pytest.mark.parametrize("target", ["linear", "convolution"])
@pytest.mark.parametrize(
    ("config", "names"),
    [
        (LoHaConfig(r=2), {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}),
        (LoKrConfig(r=1, decompose_both=True), {"lokr_w1", "lokr_w2_a", "lokr_w2_b"}),
    ],
)
def test_an_adapters_weights_have_the_names_that_files_have(config: Any, names: set[str], target: str) -> None:
    layer = adapted(config, target)
    found = own_weights(layer, NAME)
    assert set(found) == names
    assert all(isinstance(weight, nn.Parameter) for weight in found.values())
    assert layer.scaling[NAME] > 0


def test_a_layer_without_the_adapter_has_no_weights_of_it() -> None:
    assert own_weights(adapted(LoHaConfig(r=2)), "another") == {}
    assert own_weights(nn.Linear(2, 2), NAME) == {}


@pytest.mark.parametrize("config", [LoraConfig(target_modules=["0"], r=2), LoHaConfig(target_modules=["0"], r=2)])
def test_adapters_of_layers_of_less_precision_begin_as_those_of_others(config: Any) -> None:
    def weights(dtype: torch.dtype) -> dict[str, torch.Tensor]:
        model = nn.Sequential(nn.Linear(3, 3, dtype=dtype))
        torch.manual_seed(0)
        with adapters_in_float32():
            inject_adapter_in_model(config, model, NAME)
        return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}

    wide, narrow = weights(torch.float32), weights(torch.bfloat16)
    assert wide.keys() == narrow.keys()
    assert any(weight.any() for weight in wide.values())
    for name, weight in wide.items():
        assert narrow[name].dtype == torch.float32
        assert torch.equal(weight, narrow[name]), name
