"""peft's adapters inside a network, and the files that hold their weights."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from imprint.files import write_atomically
from imprint.libraries.peft import forget_adapters, switched_off
from imprint.methods.model_spec import HASH, hash_of_tensors
from imprint.models.base import Format, Model
from imprint.models.finite import check_finite
from imprint.models.quantisation.layer import QuantisedLinear
from imprint.models.sharding import is_sharded

if TYPE_CHECKING:
    from peft.tuners.tuners_utils import BaseTunerLayer

NAME = "default"  # what peft calls an adapter that has no other name
LENGTH = 8  # bytes at a safetensors file's beginning that say how long its header is


def weights(part: nn.Module) -> dict[str, Tensor]:
    """The adapters' own weights, in float32 on the CPU, by peft's names."""
    from peft import get_peft_model_state_dict

    stored = get_peft_model_state_dict(part, adapter_name=NAME)
    return {name: tensor.detach().to("cpu", torch.float32).contiguous() for name, tensor in stored.items()}


def layers(part: nn.Module) -> dict[str, "BaseTunerLayer"]:
    """The layers that adapters wrap, by name."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    return {name: layer for name, layer in part.named_modules() if isinstance(layer, BaseTunerLayer)}


def without_adapters(part: nn.Module) -> AbstractContextManager[None]:
    """Within, the part computes as it would without them."""
    return switched_off(layers(part).values())


def merge(part: nn.Module, strength: float) -> None:
    """Puts plain layers in the adapters' place, with weights from the untuned (0) to the tuned (1) and beyond. Those of
    quantised layers are no longer quantised."""
    for name, layer in layers(part).items():
        _merge(part, name, layer, strength)
    forget_adapters(part)


def set_strength(part: nn.Module, strength: float) -> None:
    """Adapters that were just loaded count as much: they are merged. Beside quantised layers, which would take the
    memory of plain ones, they stay, unless they are more than a product (DoRA)."""
    if strength == 1.0:
        return
    for name, layer in layers(part).items():
        if isinstance(layer.get_base_layer(), QuantisedLinear) and not getattr(layer, "lora_variant", None):
            layer.scale_layer(strength)
        else:
            _merge(part, name, layer, strength)
    if not layers(part):
        forget_adapters(part)


@torch.no_grad()
def _merge(part: nn.Module, name: str, layer: Any, strength: float) -> None:
    if isinstance(layer.get_base_layer(), QuantisedLinear):
        layer.base_layer = layer.get_base_layer().dequantised()
    plain = layer.get_base_layer()
    untuned = plain.weight.detach().clone()
    layer.merge()
    plain.weight.copy_(torch.lerp(untuned, plain.weight, strength))
    part.set_submodule(name, plain)


def merge_exactly(parts: Iterable[nn.Module]) -> None:
    """For good, in parts that only generate from now on: pictures are the same but for rounding, and sooner made."""
    for part in parts:
        if _is_exact(part):
            merge(part, 1.0)


@contextmanager
def merged(parts: Iterable[nn.Module]) -> Iterator[None]:
    """While pictures are generated. Afterwards every weight is what it was, to the bit, and trains on."""
    wrapped = [layer for part in parts if _is_exact(part) for layer in layers(part).values()]
    before = [layer.get_base_layer().weight.detach().clone() for layer in wrapped]
    try:
        with torch.no_grad():
            for layer in wrapped:
                layer.merge()
        yield
    finally:
        with torch.no_grad():
            for layer, weight in zip(wrapped, before, strict=True):
                if layer.merged:
                    layer.unmerge()  # by subtraction, which leaves a rest
                layer.get_base_layer().weight.copy_(weight)


def _is_exact(part: nn.Module) -> bool:
    """Weights of less precision than float32 would lose some of what an adapter adds; quantised ones, nearly all. Of
    those that devices share, none has a product whole."""
    plain = [layer.get_base_layer() for layer in layers(part).values()]
    rounded = any(isinstance(layer, QuantisedLinear) or layer.weight.dtype != torch.float32 for layer in plain)
    return not (rounded or is_sharded(part))


def merged_formats(model: Model, roles: Sequence[str]) -> Mapping[str, Format]:
    """The model's own, with the adapters of these parts merged into the network."""

    def write(format: Format, path: Path, dtype: torch.dtype) -> None:
        for role in roles:
            merge(model.roles[role], 1.0)
        format.write(path, dtype)

    return {name: Format(format.name, partial(write, format)) for name, format in model.formats.items()}


def write_weights(file: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """The same content makes the same bytes. Raises UserError for values that the file's precision cannot hold, or that
    are no numbers."""
    check_finite(tensors, file)
    content = save(dict(tensors), metadata={**metadata, "format": "pt"})
    _write_with(file, content, {})


def add_metadata(file: Path, more: Mapping[str, str]) -> None:
    _write_with(file, file.read_bytes(), more)


def _write_with(file: Path, content: bytes, more: Mapping[str, str]) -> None:
    """Writes what the library made, with `more` metadata: in order, for the library's differs each time."""
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    header = json.loads(content[LENGTH:end])
    about = {**header["__metadata__"], **more}
    if HASH in about:
        about[HASH] = hash_of_tensors(content[end:])
    header["__metadata__"] = dict(sorted(about.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH)  # keeps the numbers behind it aligned
    own = len(text).to_bytes(LENGTH, "little") + text + content[end:]
    write_atomically(file, lambda temporary: temporary.write_bytes(own))
