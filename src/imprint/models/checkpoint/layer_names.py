"""What files of adapters call the layers of a model."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from imprint.models.base import DENOISER
from imprint.models.checkpoint.layout import Layout
from imprint.models.checkpoint.original_names import denoiser_name

# By peft's names, the library would not recognise some of a text encoder's adapters, or pass over them.
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
        """What the library calls the part: unet, text_encoder."""
        return self.layout.part(role).name

    def stock(self, role: str, name: str) -> str:
        """What the library's adapter files call a layer of a role, or the weight of a LoRA on it, by peft's name."""
        if role == DENOISER:
            return f"{self.part(role)}.{name}"
        # transformers before version 5.6 had this prefix inside all models; the files still have it
        name = f"{self.part(role)}.text_model.{name.removeprefix('text_model.')}"
        for ours, theirs in TEXT_ADAPTER_NAMES.items():
            name = name.replace(ours, theirs)
        return name

    def kohya(self, role: str, layer: str) -> str:
        """What kohya's scripts, and the programs that read their files, call a layer."""
        if role == DENOISER and self.layout.original_in_kohya:
            return self._flat(role, self._original(layer))
        return self._flat(role, self.stock(role, layer).partition(".")[2])

    def all(self, role: str, layer: str, *, alone: bool) -> Iterator[str]:
        """Every name by which some program's file may mean a layer; `alone`: also without the name of its part."""
        stock = self.stock(role, layer)
        rest = stock.partition(".")[2]
        for own in dict.fromkeys((rest, rest.removeprefix("text_model."))):
            yield f"{self.part(role)}.{own}"
            yield from self._flattened(role, own)
            if alone:
                yield own
                yield f"base_model.model.{own}"
        if role == DENOISER:
            yield from self._flattened(role, self._original(layer))

    def _flattened(self, role: str, name: str) -> Iterator[str]:
        own = self.layout.kohya[role]
        for prefix in (own, "lora_te1") if own == "lora_te" else (own,):  # some count a single text encoder, too
            for program in (prefix, prefix.replace("lora_", "lycoris_", 1)):
                yield f"{program}_{name.replace('.', '_')}"

    def _flat(self, role: str, name: str) -> str:
        return f"{self.layout.kohya[role]}_{name.replace('.', '_')}"

    def _original(self, layer: str) -> str:
        return denoiser_name(f"{layer}.", self.denoiser_config).removesuffix(".")
