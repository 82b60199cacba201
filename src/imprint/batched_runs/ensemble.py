"""The network that all points of a group share, with what each of them learns in it."""

from collections.abc import Mapping
from typing import Any

from peft.tuners.lora import LoraLayer
from torch import nn

from imprint.batched_runs.batch_layout import BatchLayout
from imprint.batched_runs.layers import stacked_layer
from imprint.batched_runs.requests import Call, joined, split
from imprint.batched_runs.shared_weights import sharing_copy
from imprint.methods.adapter_layers import NAME
from imprint.models.base import Model
from imprint.models.words import WordTable

LEARNING = (LoraLayer, WordTable)  # the layers in which a point's copy of the network differs from the untuned one


class Ensemble:
    """`families` are copies of `base`, by point, with what each learns in them, which stays theirs."""

    def __init__(self, base: Model, families: Mapping[int, Model]) -> None:
        self._seating = BatchLayout()
        self._model = sharing_copy(base)
        self._learning: dict[tuple[int, str], list[nn.Module]] = {}
        for role, part in self._model.roles.items():
            self._put_together(role, part, {point: model.roles[role] for point, model in families.items()})

    def call(self, calls: Mapping[int, Call]) -> dict[int, Any]:
        """The outputs of one call by each point, all of one kind. Gradients flow into what the points learn."""
        sizes = {point: call.size for point, call in calls.items()}
        first = next(iter(calls.values()))
        arguments, named = joined(list(calls.values()))
        chances = {point: call.chance for point, call in calls.items() if call.chance is not None}
        with self._seating.of(sizes, chances), first.autocast.again():
            output = self._model.roles[first.role](*arguments, **named)
        return dict(zip(calls, split(output, list(sizes.values())), strict=True))

    def is_untuned(self, point: int, role: str) -> bool:
        """Whether what the point learns in a part of the network changes nothing of what it does, as at the start."""
        return all(_adds_nothing(layer) for layer in self._learning.get((point, role), ()))

    def _put_together(self, role: str, part: nn.Module, parts: Mapping[int, nn.Module]) -> None:
        layers: dict[str, dict[int, nn.Module]] = {}
        for point, own in parts.items():
            for name, module in own.named_modules():
                if isinstance(module, LEARNING):
                    layers.setdefault(name, {})[point] = module
                    self._learning.setdefault((point, role), []).append(module)
        for name, learned in layers.items():
            part.set_submodule(name, stacked_layer(part.get_submodule(name), learned, self._seating))
        part.train(any(module.training for module in parts.values()))


def _adds_nothing(layer: nn.Module) -> bool:
    return isinstance(layer, LoraLayer) and not layer.lora_B[NAME].weight.any()
