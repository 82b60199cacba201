"""The names of a model's layers in files of adapters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imprint.models.checkpoint.layout import Layout

# The library does not read some of a text encoder's adapters under peft's names.
TEXT_ADAPTER_NAMES = {
    ".lora_A.": ".lora_linear_layer.down.",
    ".lora_B.": ".lora_linear_layer.up.",
    ".lora_magnitude_vector": ".lora_magnitude_vector.weight",
}


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

    def kohya(self, role: str, layer: str) -> str:
        """A layer's name in kohya's scripts, and the programs that read their files."""
        original = self._is_denoiser(role) and self.layout.original_in_kohya
        name = self._original(layer) if original else self.stock(role, layer).partition(".")[2]
        return flattened(self.layout.kohya[role], name)

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
            yield from self._flattened(role, own)
            if alone:
                yield own
                yield f"base_model.model.{own}"
        if self._is_denoiser(role):
            yield from self._flattened(role, self._original(layer))

    def _flattened(self, role: str, name: str) -> Iterator[str]:
        own = self.layout.kohya[role]
        for prefix in (own, "lora_te1") if own == "lora_te" else (own,):  # some count a single text encoder, too
            for program in (prefix, prefix.replace("lora_", "lycoris_", 1)):
                yield flattened(program, name)

    def _is_denoiser(self, role: str) -> bool:
        return role == self.layout.denoiser.role

    def _original(self, layer: str) -> str:
        return self.layout.original.layer(layer, self.denoiser_config)


def flattened(prefix: str, name: str) -> str:
    """A layer's name as kohya's scripts write it."""
    return f"{prefix}_{name.replace('.', '_')}"
