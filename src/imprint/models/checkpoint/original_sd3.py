"""The names of Stability AI's own program of Stable Diffusion 3 and 3.5."""

from collections.abc import Mapping, Sequence

from imprint.models.checkpoint.original_names import OriginalNames

PICTURE, TEXT = "joint_blocks.{}.x_block", "joint_blocks.{}.context_block"
OURS = "transformer_blocks.{}"


def _attention(theirs: str, ours: str) -> Mapping[str, Sequence[str]]:
    return {
        f"{theirs}.qkv": tuple(f"{ours}.to_{one}" for one in "qkv"),
        f"{theirs}.proj": (f"{ours}.to_out.0",),
    }


def _embedder(theirs: str, ours: str) -> Mapping[str, Sequence[str]]:
    return {f"{theirs}.mlp.0": (f"{ours}.linear_1",), f"{theirs}.mlp.2": (f"{ours}.linear_2",)}


SD_3 = OriginalNames(
    layers={
        **_attention(f"{PICTURE}.attn", f"{OURS}.attn"),
        **_attention(f"{PICTURE}.attn2", f"{OURS}.attn2"),  # of 3.5 medium's first blocks
        f"{TEXT}.attn.qkv": tuple(f"{OURS}.attn.add_{one}_proj" for one in "qkv"),
        f"{TEXT}.attn.proj": (f"{OURS}.attn.to_add_out",),
        f"{PICTURE}.mlp.fc1": (f"{OURS}.ff.net.0.proj",),
        f"{PICTURE}.mlp.fc2": (f"{OURS}.ff.net.2",),
        f"{TEXT}.mlp.fc1": (f"{OURS}.ff_context.net.0.proj",),
        f"{TEXT}.mlp.fc2": (f"{OURS}.ff_context.net.2",),
        f"{PICTURE}.adaLN_modulation.1": (f"{OURS}.norm1.linear",),
        f"{TEXT}.adaLN_modulation.1": (f"{OURS}.norm1_context.linear",),
        **{f"{PICTURE}.{at}.ln_{one}": (f"{OURS}.{at}.norm_{one}",) for at in ("attn", "attn2") for one in "qk"},
        **{f"{TEXT}.attn.ln_{one}": (f"{OURS}.attn.norm_added_{one}",) for one in "qk"},
        **_embedder("t_embedder", "time_text_embed.timestep_embedder"),
        **_embedder("y_embedder", "time_text_embed.text_embedder"),
        "x_embedder.proj": ("pos_embed.proj",),
        "final_layer.linear": ("proj_out",),
        "final_layer.adaLN_modulation.1": ("norm_out.linear",),
    },
    weights={"pos_embed": "pos_embed.pos_embed"},
    # the text of the last block only gets there, and is normed as what leaves the network
    swapped=("norm_out.linear", "transformer_blocks.{last}.norm1_context.linear"),
)
