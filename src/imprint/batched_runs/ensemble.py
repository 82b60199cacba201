"""The network that the points of a group share: copies of a model over the same weights, and all copies as one."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from peft.tuners.lora import LoraLayer
from torch import nn

from imprint.batched_runs.batch_layout import BatchLayout
from imprint.batched_runs.batching import concatenated, split
from imprint.batched_runs.layers import stacked_layer
from imprint.batched_runs.requests import Call
from imprint.methods.adapter_layers import NAME
from imprint.models.base import Model
from imprint.models.quantisation.layer import QuantisedLinear
from imprint.models.words import WordTable

LEARNING = (LoraLayer, WordTable)  # the layers in which a point's copy of the network differs from the untuned one
# Layers that are their weights and settings, whatever mode they are in. Adapters are put around them, never into them.
PLAIN = (nn.Linear, nn.Conv2d, nn.Embedding, nn.GroupNorm, nn.LayerNorm, nn.SiLU, nn.Identity, QuantisedLinear)


def sharing_copy(model: Model) -> Model:
    """Shares the weights, and layers that hold nothing but weights. The copy's own are the layers that can be replaced
    or have modes, and its vocabulary's words."""
    return copy.deepcopy(model, {id(part): part for part in _shared(model)})


def _shared(model: Model) -> Iterator[Any]:
    yield from model.parameters()
    yield from model.buffers()
    # no method reaches what has no role, and nothing with one in it
    roles = {id(part) for part in model.roles.values()}
    yield from (part for part in model.children() if roles.isdisjoint(map(id, part.modules())))
    yield from (module for module in model.modules() if type(module) in PLAIN)


def share_weights(model: Model, base: Model) -> None:
    """Weights of `model` that lie in the same memory as one of `base` become that one, so that a change of type reaches
    both."""
    shared = {weight.data_ptr(): weight for weight in base.parameters()}
    for name, weight in list(model.named_parameters(remove_duplicate=False)):
        known = shared.get(weight.data_ptr())
        if known is not None and known is not weight and known.shape == weight.shape:
            parent, _, own = name.rpartition(".")
            model.get_submodule(parent).register_parameter(own, known)


class Ensemble:
    """`models` are copies of `base`, by point, with what each learns in them, which stays theirs."""

    def __init__(self, base: Model, models: Mapping[int, Model]) -> None:
        self._layout = BatchLayout()
        self._model = sharing_copy(base)
        self._learning: dict[tuple[int, str], list[nn.Module]] = {}
        for role, part in self._model.roles.items():
            self._stack_layers(role, part, {point: model.roles[role] for point, model in models.items()})

    def call(self, calls: Mapping[int, Call]) -> dict[int, Any]:
        """The outputs of one call by each point, all of one kind. Gradients flow into what the points learn."""
        sizes = {point: call.size for point, call in calls.items()}
        first = next(iter(calls.values()))
        arguments, keywords = concatenated(list(calls.values()))
        rng_states = {point: call.rng_state for point, call in calls.items() if call.rng_state is not None}
        with self._layout.during(sizes, rng_states), first.autocast.context():
            output = self._model.roles[first.role](*arguments, **keywords)
        return dict(zip(calls, split(output, list(sizes.values())), strict=True))

    def is_untuned(self, point: int, role: str) -> bool:
        """Whether what the point learns in a part of the network changes nothing of what it does, as at the start."""
        return all(_adds_nothing(layer) for layer in self._learning.get((point, role), ()))

    def _stack_layers(self, role: str, part: nn.Module, parts: Mapping[int, nn.Module]) -> None:
        layers: dict[str, dict[int, nn.Module]] = {}
        for point, own in parts.items():
            for name, module in own.named_modules(remove_duplicate=False):  # T5's table of words has two names
                if isinstance(module, LEARNING):
                    layers.setdefault(name, {})[point] = module
                    self._learning.setdefault((point, role), []).append(module)
        for name, learned in layers.items():
            part.set_submodule(name, stacked_layer(part.get_submodule(name), learned, self._layout))
        part.train(any(module.training for module in parts.values()))


def _adds_nothing(layer: nn.Module) -> bool:
    return isinstance(layer, LoraLayer) and not layer.lora_B[NAME].weight.any()
