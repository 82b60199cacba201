"""One network's weights under several module trees: what is put into one tree is not in the others."""

import copy

from torch import nn

from imprint.families.base import Family


def sharing_copy(family: Family) -> Family:
    """All but the weights is the copy's own: its layers, its vocabulary's words, its modes."""
    weights = (*family.parameters(), *family.buffers())
    return copy.deepcopy(family, {id(weight): weight for weight in weights})


def share_weights(family: Family, base: Family) -> None:
    """Weights of `family` that lie where one of `base` lies become that one, so that a change of type reaches both."""
    there = {weight.data_ptr(): weight for weight in base.parameters()}
    for module in family.modules():
        for name, weight in module.named_parameters(recurse=False):
            known = there.get(weight.data_ptr())
            if known is not None and known is not weight and known.shape == weight.shape:
                module.register_parameter(name, known)


def replace(part: nn.Module, name: str, layer: nn.Module) -> None:
    above, _, own = name.rpartition(".")
    setattr(part.get_submodule(above), own, layer)
