"""The names of Black Forest Labs' own programs: of FLUX.1, Chroma, which descends from it, and FLUX.2."""

from collections.abc import Mapping, Sequence

from imprint.models.checkpoint.original_names import OriginalNames

TWO_STREAMS: Mapping[str, Sequence[str]] = {  # of a picture and of its text
    "double_blocks.{}.img_attn.qkv": tuple(f"transformer_blocks.{{}}.attn.to_{one}" for one in "qkv"),
    "double_blocks.{}.img_attn.proj": ("transformer_blocks.{}.attn.to_out.0",),
    "double_blocks.{}.txt_attn.qkv": tuple(f"transformer_blocks.{{}}.attn.add_{one}_proj" for one in "qkv"),
    "double_blocks.{}.txt_attn.proj": ("transformer_blocks.{}.attn.to_add_out",),
}
FEED_FORWARD: Mapping[str, Sequence[str]] = {
    "double_blocks.{}.img_mlp.0": ("transformer_blocks.{}.ff.net.0.proj",),
    "double_blocks.{}.img_mlp.2": ("transformer_blocks.{}.ff.net.2",),
    "double_blocks.{}.txt_mlp.0": ("transformer_blocks.{}.ff_context.net.0.proj",),
    "double_blocks.{}.txt_mlp.2": ("transformer_blocks.{}.ff_context.net.2",),
}
ONE_STREAM: Mapping[str, Sequence[str]] = {
    "single_blocks.{}.linear1": (
        *(f"single_transformer_blocks.{{}}.attn.to_{one}" for one in "qkv"),
        "single_transformer_blocks.{}.proj_mlp",
    ),
    "single_blocks.{}.linear2": ("single_transformer_blocks.{}.proj_out",),
}
ENDS: Mapping[str, Sequence[str]] = {
    "img_in": ("x_embedder",),
    "txt_in": ("context_embedder",),
    "final_layer.linear": ("proj_out",),
}
NORMS = {
    "double_blocks.{}.img_attn.norm.query_norm.scale": "transformer_blocks.{}.attn.norm_q.weight",
    "double_blocks.{}.img_attn.norm.key_norm.scale": "transformer_blocks.{}.attn.norm_k.weight",
    "double_blocks.{}.txt_attn.norm.query_norm.scale": "transformer_blocks.{}.attn.norm_added_q.weight",
    "double_blocks.{}.txt_attn.norm.key_norm.scale": "transformer_blocks.{}.attn.norm_added_k.weight",
    "single_blocks.{}.norm.query_norm.scale": "single_transformer_blocks.{}.attn.norm_q.weight",
    "single_blocks.{}.norm.key_norm.scale": "single_transformer_blocks.{}.attn.norm_k.weight",
}
LAST: Mapping[str, Sequence[str]] = {"final_layer.adaLN_modulation.1": ("norm_out.linear",)}


def _embedder(theirs: str, ours: str) -> Mapping[str, Sequence[str]]:
    return {f"{theirs}.in_layer": (f"{ours}.linear_1",), f"{theirs}.out_layer": (f"{ours}.linear_2",)}


FLUX_1 = OriginalNames(
    layers={
        **TWO_STREAMS,
        **FEED_FORWARD,
        **ONE_STREAM,
        **ENDS,
        **LAST,
        **_embedder("time_in", "time_text_embed.timestep_embedder"),
        **_embedder("vector_in", "time_text_embed.text_embedder"),
        **_embedder("guidance_in", "time_text_embed.guidance_embedder"),
        "double_blocks.{}.img_mod.lin": ("transformer_blocks.{}.norm1.linear",),
        "double_blocks.{}.txt_mod.lin": ("transformer_blocks.{}.norm1_context.linear",),
        "single_blocks.{}.modulation.lin": ("single_transformer_blocks.{}.norm.linear",),
    },
    weights=NORMS,
    swapped=("norm_out.linear",),
)
CHROMA = OriginalNames(
    layers={
        **TWO_STREAMS,
        **FEED_FORWARD,
        **ONE_STREAM,
        **ENDS,
        **_embedder("distilled_guidance_layer.layers.{}", "distilled_guidance_layer.layers.{}"),
    },
    weights={**NORMS, "distilled_guidance_layer.norms.{}.scale": "distilled_guidance_layer.norms.{}.weight"},
)
FLUX_2 = OriginalNames(
    layers={
        **TWO_STREAMS,
        **ENDS,
        **LAST,
        **_embedder("time_in", "time_guidance_embed.timestep_embedder"),
        **_embedder("guidance_in", "time_guidance_embed.guidance_embedder"),
        "double_blocks.{}.img_mlp.0": ("transformer_blocks.{}.ff.linear_in",),
        "double_blocks.{}.img_mlp.2": ("transformer_blocks.{}.ff.linear_out",),
        "double_blocks.{}.txt_mlp.0": ("transformer_blocks.{}.ff_context.linear_in",),
        "double_blocks.{}.txt_mlp.2": ("transformer_blocks.{}.ff_context.linear_out",),
        "single_blocks.{}.linear1": ("single_transformer_blocks.{}.attn.to_qkv_mlp_proj",),
        "single_blocks.{}.linear2": ("single_transformer_blocks.{}.attn.to_out",),
        "double_stream_modulation_img.lin": ("double_stream_modulation_img.linear",),
        "double_stream_modulation_txt.lin": ("double_stream_modulation_txt.linear",),
        "single_stream_modulation.lin": ("single_stream_modulation.linear",),
    },
    weights=NORMS,
    swapped=("norm_out.linear",),
)
