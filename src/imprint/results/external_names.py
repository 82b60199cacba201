"""What other programs call a LoRA's tensors: diffusers and peft, kohya's scripts, A1111, LyCORIS."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from torch import nn

from imprint.models.base import MetaModel, is_text
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
OF_OTHERS = {  # names that only other kinds of models have
    r"^lora_te_": "Stable Diffusion 1.x and 2.x",
    r"^lora_te2_|text_encoder_2\.|^lora_unet_(input|output|middle)_block": "Stable Diffusion XL",
    r"^lora_te3_|text_encoder_3\.": "Stable Diffusion 3",
    r"^lora_unet_(double|single)_blocks_|^transformer\.|^lora_transformer_": "Flux or Stable Diffusion 3",
    r"^diffusion_model\.": "a model in another program's layout",
}


class Place(NamedTuple):
    role: str
    layer: str


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
    return {
        name: Place(role, layer)
        for role, part in meta.roles.items()
        for layer, module in part.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
        for name in meta.names.all(role, layer, alone=single or not is_text(role) or meta.names.part(role) == folder)
    }


def place_of(name: str, known: Mapping[str, Place]) -> Place | None:
    """The layer that a file means by `name`."""
    if name in known:
        return known[name]
    # diffusers' first LoRAs sat in attention processors, beside the layers
    beside = re.sub(r"\.processor\.to_(q|k|v|out)$", r".to_\1", name)
    return known.get(f"{beside}.0" if beside.endswith(".to_out") else beside)


def why_unreadable(key: str) -> str | None:
    return next((what for pattern, what in UNREADABLE.items() if re.search(pattern, key)), None)


def whose(key: str, own: str) -> str | None:
    """The kind of model that a name belongs to, if it is another than `own`."""
    return next((what for pattern, what in OF_OTHERS.items() if what != own and re.search(pattern, key)), None)
