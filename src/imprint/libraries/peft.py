"""Internals of peft's adapter layers. Tested with peft 0.21.2.

Besides what is here, code that computes with adapters reads `lora_A`, `lora_B`, `scaling`, `lora_dropout` and
`use_dora` of a LoRA layer and the `hada_*` and `lokr_*` weights of LoHa and LoKr, each a mapping by the adapter's name.
peft's guide to custom layers and its saved files have these names.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from peft import LoraConfig
    from peft.tuners.lora import LoraLayer


def use_layers(config: "LoraConfig", layers: Mapping[type[nn.Module], type[nn.Module]]) -> None:
    """Makes peft wrap layers of the first type in adapter layers of the second type. Documented, but experimental."""
    config._register_custom_module(dict(layers))


@contextmanager
def adapters_in_float32() -> Iterator[None]:
    """Adapters that are put into layers of less precision stay in the float32 in which they were initialised. peft
    casts them to the layer's type, and back only for its own models: that would round their first weights."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    of_layer: Any = BaseTunerLayer._get_base_layer_device_and_dtype

    def wide(layer: Any, base_layer: nn.Module) -> tuple[torch.device | None, torch.dtype | None]:
        device, dtype = of_layer(layer, base_layer)
        return device, torch.float32 if dtype in (torch.bfloat16, torch.float16) else dtype

    BaseTunerLayer._get_base_layer_device_and_dtype = wide
    try:
        yield
    finally:
        BaseTunerLayer._get_base_layer_device_and_dtype = of_layer


def is_single_plain_lora(layer: "LoraLayer", name: str) -> bool:
    """Whether a layer only adds the product of its one adapter: nothing merged, disabled or dropped, and no variant
    such as DoRA. Each is an attribute of its own; what a later peft adds must be checked here, too."""
    return (
        not layer.merged_adapters
        and not layer.lora_variant
        and not layer.disable_adapters
        and len(layer.lora_A) == 1
        and layer.active_adapters == [name]
        and type(layer.lora_dropout[name]) is nn.Identity
    )


@contextmanager
def switched_off(layers: Iterable[Any]) -> Iterator[None]:
    """Within, adapter layers compute what their base layers do. peft's own switch also freezes the adapters, which must
    stay as they are where an optimiser, and processes that share them, have them by then."""
    before = [(layer, layer._disable_adapters) for layer in layers]
    try:
        for layer, _ in before:
            layer._disable_adapters = True
        yield
    finally:
        for layer, was_off in before:
            layer._disable_adapters = was_off


def own_weights(layer: Any, name: str) -> dict[str, Any]:
    """An adapter's weights on a layer by peft's names for them, whatever its kind."""
    names = getattr(layer, "adapter_layer_names", ())
    return {each: getattr(layer, each)[name] for each in names if name in getattr(layer, each)}


def forget_adapters(part: nn.Module) -> None:
    """Of a part whose adapters are merged, and which may get others. peft keeps in it how it was wrapped, and would
    warn of several adapters. Its own `unload` is for its own models alone."""
    part.__dict__.pop("peft_config", None)
