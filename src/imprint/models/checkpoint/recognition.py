"""Which family a file was made for, by the names in it: weights of networks, and adapters for them."""

import re
from collections.abc import Iterable, Mapping

NUMBER = r"[._]\d+[._]"
UNETS = ("Stable Diffusion 1.x and 2.x", "Stable Diffusion XL")
FLUXES = ("FLUX.1", "Chroma", "FLUX.2")
SD3 = "Stable Diffusion 3"
TRANSFORMERS = (*FLUXES, SD3, "Qwen-Image", "Z-Image")
# Names that only some families have, by their titles; of the patterns that fit a name the first counts.
OF_FAMILIES: Mapping[str, tuple[str, ...]] = {
    r"^lora_te_|^cond_stage_model\.": UNETS[:1],
    r"^lora_unet_(input|output|middle)_block|^conditioner\.": UNETS[1:],
    rf"(down|up|input|output)_blocks{NUMBER}|(mid|middle)_block[._]": UNETS,
    rf"joint_blocks{NUMBER}|transformer_blocks{NUMBER}attn2|text_encoder_3\.": (SD3,),
    r"(te2_|text_encoder_2\.)text_model": (UNETS[1], SD3),
    r"(te1_|text_encoder\.)text_model": (*UNETS, "FLUX.1", SD3),
    r"distilled_guidance_layer": ("Chroma",),
    rf"vector_in[._]|(img|txt)_mod[._]lin|single_(transformer_)?blocks{NUMBER}(modulation|norm[._]linear)": ("FLUX.1",),
    r"stream_modulation|to_qkv_mlp_proj|ff(_context)?[._]linear_": ("FLUX.2",),
    rf"(double|single)_blocks{NUMBER}|single_transformer_blocks{NUMBER}": FLUXES,
    rf"transformer_blocks{NUMBER}(img|txt)_(mlp|mod)": ("Qwen-Image",),
    rf"transformer_blocks{NUMBER}norm1": ("FLUX.1", SD3),
    rf"transformer_blocks{NUMBER}ff": (*FLUXES, SD3),
    rf"(noise|context)_refiner{NUMBER}|[._]layers{NUMBER}(attention|feed_forward|adaLN)": ("Z-Image",),
    r"^transformer\.|^lora_transformer_|^diffusion_model\.": TRANSFORMERS,
}


def others_of(names: Iterable[str], own: str) -> str:
    """The families that the names belong to, where `own` is the title of another one; else nothing. Of families whose
    names have much in common those are told that have all of these, if there are any."""
    of_names = dict.fromkeys(
        next((titles for pattern, titles in OF_FAMILIES.items() if re.search(pattern, name)), ()) for name in names
    )
    known = [titles for titles in of_names if titles]
    together = dict.fromkeys(title for titles in known for title in titles)
    found = [title for title in together if all(title in titles for titles in known)] or list(together)
    return "" if any(own == title or own.startswith(f"{title} ") for title in found) else " or ".join(found)
