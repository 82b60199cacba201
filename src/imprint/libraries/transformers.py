"""Internals of transformers. Tested with transformers 5.23.0."""

from importlib import import_module
from importlib.util import find_spec

from torch import nn

REGISTRIES = ("transformers.utils.output_capturing", "transformers.utils.generic")  # where it is, and where it was


def record_outputs_of(network: nn.Module) -> None:
    """Goes on to return hidden states of layers. What a model can return is registered by the name of its class, which
    torch changes where devices share the model's weights."""
    registry = next(filter(None, map(_registry_in, REGISTRIES)), None)
    for module in network.modules():
        can_record = getattr(module, "_can_record_outputs", None)
        if registry is not None and can_record is not None:
            registry.setdefault(str(type(module)), can_record)


def _registry_in(name: str) -> dict[str, object] | None:
    return getattr(import_module(name), "_CAN_RECORD_REGISTRY", None) if find_spec(name) else None
