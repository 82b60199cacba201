"""The names of Krea AI's own program of Krea 2."""

from collections.abc import Mapping, Sequence

from imprint.models.checkpoint.original_names import OriginalNames

BLOCKS = {  # theirs, and ours
    "blocks.{}": "transformer_blocks.{}",
    "txtfusion.layerwise_blocks.{}": "text_fusion.layerwise_blocks.{}",
    "txtfusion.refiner_blocks.{}": "text_fusion.refiner_blocks.{}",
}
LAYERS = {
    "attn.wq": "attn.to_q",
    "attn.wk": "attn.to_k",
    "attn.wv": "attn.to_v",
    "attn.wo": "attn.to_out.0",
    "attn.gate": "attn.to_gate",
    "mlp.gate": "ff.gate",
    "mlp.up": "ff.up",
    "mlp.down": "ff.down",
}
NORMS = {
    "attn.qknorm.qnorm.scale": "attn.norm_q.weight",
    "attn.qknorm.knorm.scale": "attn.norm_k.weight",
    "prenorm.scale": "norm1.weight",
    "postnorm.scale": "norm2.weight",
}
ENDS: Mapping[str, Sequence[str]] = {
    "first": ("img_in",),
    "tmlp.0": ("time_embed.linear_1",),
    "tmlp.2": ("time_embed.linear_2",),
    "tproj.1": ("time_mod_proj",),
    "txtmlp.1": ("txt_in.linear_1",),
    "txtmlp.3": ("txt_in.linear_2",),
    "txtfusion.projector": ("text_fusion.projector",),
    "last.linear": ("final_layer.linear",),
}
MODULATION = "transformer_blocks.{}.scale_shift_table"

KREA_2 = OriginalNames(
    layers={
        **ENDS,
        **{f"{block}.{theirs}": (f"{own}.{ours}",) for block, own in BLOCKS.items() for theirs, ours in LAYERS.items()},
    },
    weights={
        **{f"{block}.{theirs}": f"{own}.{ours}" for block, own in BLOCKS.items() for theirs, ours in NORMS.items()},
        "blocks.{}.mod.lin": MODULATION,
        "txtmlp.0.scale": "txt_in.norm.weight",
        "last.norm.scale": "final_layer.norm.weight",
        "last.modulation.lin": "final_layer.scale_shift_table",
    },
    flat=(MODULATION,),
)
