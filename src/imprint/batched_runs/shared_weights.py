"""One network's weights under several module trees: what is put into one tree is not in the others."""

import copy
from collections.abc import Iterator
from typing import Any

from torch import nn

from imprint.models.base import Model

# Layers that are their weights and settings, whatever mode they are in. Adapters are put around them, never into them.
PLAIN = (nn.Linear, nn.Conv2d, nn.Embedding, nn.GroupNorm, nn.LayerNorm, nn.SiLU, nn.Identity)


def sharing_copy(model: Model) -> Model:
    """All but the weights, and what is nothing but weights, is the copy's own: its layers as far as they can be
    replaced or have modes, its vocabulary's words."""
    return copy.deepcopy(model, {id(part): part for part in _common(model)})


def _common(model: Model) -> Iterator[Any]:
    yield from model.parameters()
    yield from model.buffers()
    # no method reaches what has no role
    yield from (part for part in model.children() if all(part is not role for role in model.roles.values()))
    yield from (module for module in model.modules() if type(module) in PLAIN)


def share_weights(model: Model, base: Model) -> None:
    """Weights of `model` that lie where one of `base` lies become that one, so that a change of type reaches both."""
    there = {weight.data_ptr(): weight for weight in base.parameters()}
    for name, weight in list(model.named_parameters(remove_duplicate=False)):
        known = there.get(weight.data_ptr())
        if known is not None and known is not weight and known.shape == weight.shape:
            above, _, own = name.rpartition(".")
            model.get_submodule(above).register_parameter(own, known)
