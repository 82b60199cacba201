"""The names of Z-Image in single files, which are those of Lumina's program."""

from collections.abc import Mapping, Sequence

from imprint.models.checkpoint.original_names import OriginalNames

BLOCKS = ("layers.{}", "noise_refiner.{}", "context_refiner.{}")


def _attention(block: str) -> Mapping[str, Sequence[str]]:
    return {
        f"{block}.attention.qkv": tuple(f"{block}.attention.to_{one}" for one in "qkv"),
        f"{block}.attention.out": (f"{block}.attention.to_out.0",),
        f"{block}.attention.q_norm": (f"{block}.attention.norm_q",),
        f"{block}.attention.k_norm": (f"{block}.attention.norm_k",),
    }


Z_IMAGE = OriginalNames(
    layers={
        **{theirs: ours for block in BLOCKS for theirs, ours in _attention(block).items()},
        "x_embedder": ("all_x_embedder.2-1",),
        "final_layer.linear": ("all_final_layer.2-1.linear",),
        "final_layer.adaLN_modulation.1": ("all_final_layer.2-1.adaLN_modulation.1",),
    },
    unused=("norm_final.weight",),
)
