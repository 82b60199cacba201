"""What other programs call a LoRA's tensors: diffusers and peft, kohya's scripts, A1111, LyCORIS."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from imprint.models.base import is_text
from imprint.models.facts import MetaModel
from imprint.models.roles import DENOISER
from imprint.results.low_rank import LYCORIS

# What follows a layer's name -> what kohya's scripts call that tensor.
ENDINGS = {
    r"\.lora_A(\.\w+)?\.weight": "lora_down.weight",
    r"\.lora_B(\.\w+)?\.weight": "lora_up.weight",
    r"(\.lora|_lora|\.lora_linear_layer)\.down\.weight": "lora_down.weight",
    r"(\.lora|_lora|\.lora_linear_layer)\.up\.weight": "lora_up.weight",
    r"\.(lora_down|lora_up|lora_mid)\.weight": r"\1.weight",
    r"\.alpha": "alpha",
    rf"\.({'|'.join(LYCORIS)})": r"\1",
}
UNREADABLE = {  # adapters that are no product of thin matrices, and what they are
    r"\.(dora_scale|lora_magnitude_vector(\.\w+)?(\.weight)?)$": "DoRA, whose readers disagree",
    r"\.(diff|diff_b|w_norm|b_norm)$": "whole differences of weights",
    r"\.oft_|\.boft_|oft_blocks": "OFT",
    r"\.on_input$": "IA3",
    r"^bundle_emb\.": "embeddings bundled with adapters",
}


class Place(NamedTuple):
    """Layers of ours that are one in the file, mostly a single one; with its rows in the other order if `swapped`."""

    role: str
    layers: tuple[str, ...]
    swapped: bool = False

    def __str__(self) -> str:
        return " and ".join(self.layers)


def split(key: str) -> tuple[str, str] | None:
    """(the layer as the file calls it, the tensor as kohya's scripts do), or None for no adapter's tensor."""
    for ending, own in ENDINGS.items():
        match = re.search(rf"{ending}$", key)
        if match:
            return key[: match.start()], match.expand(own) if "\\" in own else own
    return None


def places(meta: MetaModel, folder: str) -> Mapping[str, Place]:
    """Every layer that can have an adapter, by all its names in files. Names that do not say which of several text
    encoders they mean are those of the one that `folder`, in which the file lies, is called after; else of none."""
    single = sum(map(is_text, meta.roles)) == 1
    found: dict[str, Place] = {}
    for role, part in meta.roles.items():
        alone = single or not is_text(role) or meta.names.part(role) == folder
        for layer, module in part.named_modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                found |= dict.fromkeys(meta.names.all(role, layer, alone=alone), Place(role, (layer,)))
                joined = meta.names.all_joined(layer) if role == DENOISER else ()
                found |= {own.name: Place(role, own.parts, own.swapped) for own in joined}
    return found


def place_of(name: str, known: Mapping[str, Place]) -> Place | None:
    """The layer that a file means by `name`."""
    if name in known:
        return known[name]
    # diffusers' first LoRAs sat in attention processors, beside the layers
    beside = re.sub(r"\.processor\.to_(q|k|v|out)$", r".to_\1", name)
    return known.get(f"{beside}.0" if beside.endswith(".to_out") else beside)


def why_unreadable(key: str) -> str | None:
    return next((what for pattern, what in UNREADABLE.items() if re.search(pattern, key)), None)
