"""The names of a model's layers in files of adapters."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imprint.models.checkpoint.layout import AdapterNames, Layout
from imprint.models.checkpoint.original_names import Joined

# The library does not read some of a text encoder's adapters under peft's names.
TEXT_ADAPTER_NAMES = {
    ".lora_A.": ".lora_linear_layer.down.",
    ".lora_B.": ".lora_linear_layer.up.",
    ".lora_magnitude_vector": ".lora_magnitude_vector.weight",
}
COMFYUI_PREFIX = "diffusion_model."  # of denoisers' layers
KOHYA_DENOISER = "lora_unet"  # whatever it is
SAME_ROLE = {"lora_te": ("lora_te1",), "lora_te3": ("lora_te2",)}  # some programs count other text encoders


@dataclass(frozen=True, kw_only=True)
class LayerNames:
    """`denoiser_config` is that of the denoiser."""

    layout: Layout
    denoiser_config: Mapping[str, Any]

    def part(self, role: str) -> str:
        """The library's name of the part: unet, text_encoder."""
        return self.layout.part(role).name

    def stock(self, role: str, name: str) -> str:
        """The name in the library's adapter files of a layer, or of a LoRA's weight, which is given by peft's name."""
        part = self.layout.part(role)
        name = f"{part.name}.{part.stored_prefix}{name.removeprefix(part.stored_prefix)}"
        if self._is_denoiser(role):
            return name
        for ours, theirs in TEXT_ADAPTER_NAMES.items():
            name = name.replace(ours, theirs)
        return name

    @property
    def has_kohya(self) -> bool:
        """Whether there are names of kohya's scripts for all layers."""
        return bool(self.layout.kohya)

    @property
    def kohya_roles(self) -> Collection[str]:
        """The parts whose layers kohya's scripts have names for."""
        return self.layout.kohya.keys()

    @property
    def comfyui(self) -> AdapterNames:
        """The names that ComfyUI reads."""
        return self.layout.comfyui

    def joins(self, names: AdapterNames) -> bool:
        """Whether a layer of a file by such names may consist of several of ours."""
        original = names == "original" or (names == "kohya" and self.layout.original_in_kohya)
        return original and self.layout.network is not None and self.layout.network.names.joins

    def kohya(self, role: str, layer: str) -> str:
        """A layer's name in kohya's scripts, and the programs that read their files."""
        return self.in_kohya(role, layer).name

    def in_kohya(self, role: str, layer: str) -> Joined:
        """As `kohya`, with the layers of ours that it consists of."""
        if self._is_denoiser(role) and self.layout.original_in_kohya:
            joined = self._original(layer)
        else:
            joined = Joined(self.stock(role, layer).partition(".")[2], (layer,))
        return joined._replace(name=flattened(self.layout.kohya[role], joined.name))

    def in_comfyui(self, layer: str) -> Joined:
        """A layer of the denoiser by ComfyUI's own names, with the layers of ours that it consists of."""
        joined = self._original(layer) if self.layout.comfyui == "original" else Joined(layer, (layer,))
        return joined._replace(name=f"{COMFYUI_PREFIX}{joined.name}")

    def in_peft(self, role: str, layer: str) -> list[str]:
        """Its names inside its part in any release of the libraries, which peft's settings for single layers go by."""
        own = self.stock(role, layer).partition(".")[2]
        return [own, *({layer, own.removeprefix(self.layout.part(role).stored_prefix)} - {own})]

    def all(self, role: str, layer: str, *, alone: bool) -> Iterator[str]:
        """Every name of a layer in files of any program; `alone`: also without the name of its part."""
        stock = self.stock(role, layer)
        rest = stock.partition(".")[2]
        for own in dict.fromkeys((rest, rest.removeprefix(self.layout.part(role).stored_prefix))):
            yield f"{self.part(role)}.{own}"
            yield from self._everywhere(role, own, alone=alone)
        if self._is_denoiser(role) and (self.layout.original or self.layout.network):
            joined = self._original(layer)
            if joined.is_plain:
                yield from self._everywhere(role, joined.name, alone=alone)

    def all_joined(self, layer: str) -> Iterator[Joined]:
        """The layer of the original program that consists of this one of the denoiser and of others, by every name."""
        if not self.layout.network:
            return
        joined = self._original(layer)
        if not joined.is_plain:
            for name in self._everywhere(self.layout.denoiser.role, joined.name, alone=True):
                yield joined._replace(name=name)

    def _everywhere(self, role: str, name: str, *, alone: bool) -> Iterator[str]:
        """A name with what programs put before it."""
        for prefix in self._prefixes(role):
            yield flattened(prefix, name)
        if self._is_denoiser(role) and self.layout.network:
            yield f"{COMFYUI_PREFIX}{name}"
            yield f"model.{COMFYUI_PREFIX}{name}"
        if alone:
            yield name
            yield f"base_model.model.{name}"

    def _prefixes(self, role: str) -> Iterator[str]:
        """Those that kohya's scripts and their like put before a flattened name."""
        own = self.layout.kohya.get(role, KOHYA_DENOISER if self._is_denoiser(role) else None)
        if own is None:
            return
        for prefix in (own, *SAME_ROLE.get(own, ())):
            yield prefix
            yield prefix.replace("lora_", "lycoris_", 1)
        if self._is_denoiser(role):
            yield f"lora_{self.part(role)}"
            yield "lycoris"

    def _is_denoiser(self, role: str) -> bool:
        return role == self.layout.denoiser.role

    def _original(self, layer: str) -> Joined:
        if self.layout.network is not None:
            return self.layout.network.names.layer(layer, self.denoiser_config)
        assert self.layout.original is not None
        return Joined(self.layout.original.layer(layer, self.denoiser_config), (layer,))


def flattened(prefix: str, name: str) -> str:
    """A layer's name as kohya's scripts write it."""
    return f"{prefix}_{name.replace('.', '_')}"
