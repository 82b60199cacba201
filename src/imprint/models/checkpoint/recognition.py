"""Which family a file was made for, by the names in it: weights of networks, and adapters for them."""

import re
from collections.abc import Iterable, Mapping

NUMBER = r"[._]\d+[._]"
UNETS = ("Stable Diffusion 1.x and 2.x", "Stable Diffusion XL")
UPSCALER = "Stable Diffusion x4 upscaler"  # whose names are those of Stable Diffusion 2.x
FLUXES = ("FLUX.1", "Chroma", "FLUX.2")
SD3 = "Stable Diffusion 3"
TRANSFORMERS = (*FLUXES, SD3, "Qwen-Image", "Z-Image", "Sana", "Krea 2")
# Names that only some families have, by their titles; of the patterns that fit a name the first counts.
OF_FAMILIES: Mapping[str, tuple[str, ...]] = {
    r"^lora_te_|^cond_stage_model\.": UNETS[:1],
    r"^lora_unet_(input|output|middle)_block|^conditioner\.": UNETS[1:],
    rf"(down|up|input|output)_blocks{NUMBER}|(mid|middle)_block[._]": UNETS,
    rf"joint_blocks{NUMBER}|text_encoder_3\.": (SD3,),
    rf"transformer_blocks{NUMBER}attn1": ("Sana",),
    rf"transformer_blocks{NUMBER}attn2": (SD3, "Sana"),
    r"(te2_|text_encoder_2\.)text_model": (UNETS[1], SD3),
    r"(te1_|text_encoder\.)text_model": (*UNETS, "FLUX.1", SD3),
    r"distilled_guidance_layer": ("Chroma",),
    rf"vector_in[._]|(img|txt)_mod[._]lin|single_(transformer_)?blocks{NUMBER}(modulation|norm[._]linear)": ("FLUX.1",),
    r"txtfusion|text_fusion": ("Krea 2",),
    r"stream_modulation|to_qkv_mlp_proj|ff(_context)?[._]linear_": ("FLUX.2",),
    rf"single_transformer_blocks{NUMBER}(proj|attn[._]to_[qkv]\b)": FLUXES[:2],
    rf"(double|single)_blocks{NUMBER}|single_transformer_blocks{NUMBER}": FLUXES,
    rf"transformer_blocks{NUMBER}(img|txt)_(mlp|mod)": ("Qwen-Image",),
    rf"transformer_blocks{NUMBER}norm1": ("FLUX.1", SD3),
    rf"transformer_blocks{NUMBER}ff(_context)?[._]net": (*FLUXES[:2], SD3),
    rf"(noise|context)_refiner{NUMBER}|[._]layers{NUMBER}(attention|feed_forward|adaLN)": ("Z-Image",),
    r"^transformer\.|^lora_transformer_|^diffusion_model\.": TRANSFORMERS,
}


def others_of(names: Iterable[str], own: str) -> str:
    """The families that the names belong to, where `own` is the title of another one; else nothing. Those are told that
    have all of the names; where none has, those of the name that says most."""
    of_names = {
        next((titles for pattern, titles in OF_FAMILIES.items() if re.search(pattern, name)), ()) for name in names
    }
    known = sorted((titles for titles in of_names if titles), key=lambda titles: (len(titles), titles))
    if not known:
        return ""
    own = UNETS[0] if own == UPSCALER else own
    found = [title for title in known[0] if all(title in titles for titles in known)] or known[0]
    return "" if any(own == title or own.startswith(f"{title} ") for title in found) else " or ".join(found)
