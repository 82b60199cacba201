"""Which layers of a network are quantised, and how a network has them replaced."""

from collections.abc import Iterator

import torch
from torch import nn

from imprint.libraries.diffusers import names_kept_in_float32
from imprint.models.quantisation.base import Quantisation
from imprint.models.quantisation.layer import QuantisedLinear

LARGE = 10**9  # weights: CLIP's text encoders have 0.7 of it at most, T5 and language models between 2 and 24


def is_large(network: nn.Module) -> bool:
    return count_weights(network) >= LARGE


def count_weights(network: nn.Module) -> int:
    """Quantised ones, too, which are no numbers in memory."""
    layers = [module for module in network.modules() if isinstance(module, QuantisedLinear)]
    packed = {id(tensor) for layer in layers for tensor in layer.packed.values()}
    plain = sum(weight.numel() for weight in network.parameters() if id(weight) not in packed)
    return plain + sum(layer.in_features * layer.out_features for layer in layers)


def quantisable(network: nn.Module) -> Iterator[tuple[str, nn.Linear]]:
    """The linear layers of the blocks that a network repeats, in which nearly all of its weights are. Not what is there
    once (tables, what brings latents, texts and times in, the last projection): that is small, and everything
    passes through it. Nor what the library keeps in float32, which its own quantisers leave alone, too."""
    blocks = tuple(f"{name}." for name, module in network.named_modules() if isinstance(module, nn.ModuleList))
    kept = names_kept_in_float32(network)
    for name, module in network.named_modules():
        # a subclass may be one whose weight is used without it
        if type(module) is nn.Linear and name.startswith(blocks) and kept.isdisjoint(name.split(".")):
            yield name, module


def quantise(network: nn.Module, quantisation: Quantisation, device: torch.device | None) -> None:
    """Layer by layer: each float weight is let go before the next is read, where the library has mapped it from a file.
    The bytes are on the `device` then (None: where the weight was). Of a network without weights, the layers alone."""
    for name, linear in list(quantisable(network)):
        layer = QuantisedLinear(linear, quantisation)
        network.set_submodule(name, layer)
        if not linear.weight.is_meta:
            layer.hold(linear.weight if device is None else linear.weight.to(device))
