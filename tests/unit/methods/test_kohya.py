"""Adapters by the names of other programs, which have several of our layers as one."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from families import load_tiny
from safetensors.torch import load_file
from torch import Tensor

from imprint.errors import UserError
from imprint.methods.kohya import DOWN, UP, KohyaAdapter, write_comfyui, write_kohya
from imprint.models.roles import DENOISER, TEXT

QUERY, KEY, VALUE = (f"transformer_blocks.0.attn.to_{one}" for one in "qkv")
ORIGIN = {"base_model": "tiny"}
JOINED = "double_blocks.0.img_attn.qkv"


def adapter(rank: int, alpha: float, width: int = 32) -> KohyaAdapter:
    return KohyaAdapter({DOWN: torch.randn(rank, width), UP: torch.randn(width, rank)}, alpha=alpha, rank=rank)


def change(own: KohyaAdapter) -> Tensor:
    return own.tensors[UP] @ own.tensors[DOWN] * (own.alpha / own.rank)


def written(
    choice: str, adapters: Mapping[str, KohyaAdapter], folder: Callable[[str], Path], file: Path
) -> dict[str, Tensor]:
    write = write_kohya if choice == "flux" else write_comfyui
    write(file, torch.float32, {DENOISER: adapters}, model=load_tiny(folder(choice)), origin=ORIGIN)
    return load_file(file)


@pytest.mark.parametrize("choice", ["flux", "flux2_klein"])
def test_what_is_one_layer_elsewhere_is_one_adapter(
    choice: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Ranks add up; a layer without an adapter has rows of zeros and no rank."""
    own = {QUERY: adapter(2, 3.0), VALUE: adapter(1, 0.5)}
    file = written(choice, own, tiny_folder, tmp_path / "lora.safetensors")
    if choice == "flux":
        name = f"lora_unet_{JOINED.replace('.', '_')}"
        down, up, alpha = (file.pop(f"{name}.{tensor}") for tensor in (DOWN, UP, "alpha"))
        assert float(alpha) == 3
    else:
        down, up = (file.pop(f"diffusion_model.{JOINED}.{tensor}.weight") for tensor in ("lora_A", "lora_B"))
    assert not file
    assert len(down) == 3
    rows = (up @ down).split(32)
    for row, layer in zip(rows, (QUERY, KEY, VALUE), strict=True):
        expected = change(own[layer]) if layer in own else torch.zeros(32, 32)
        assert torch.allclose(row, expected, atol=1e-6)
    assert not up[:32, 2:].any()
    assert not up[64:, :2].any()


def test_layers_that_share_a_matrix_share_it_in_the_file(tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    query, value = adapter(2, 2.0), adapter(2, 2.0)
    value = value._replace(tensors={**value.tensors, DOWN: query.tensors[DOWN]})
    file = written("flux", {QUERY: query, VALUE: value}, tiny_folder, tmp_path / "lora.safetensors")
    name = f"lora_unet_{JOINED.replace('.', '_')}"
    assert torch.equal(file[f"{name}.{DOWN}"], query.tensors[DOWN])
    rows = (file[f"{name}.{UP}"] @ file[f"{name}.{DOWN}"]).split(32)
    assert torch.allclose(rows[0], change(query), atol=1e-6)
    assert torch.allclose(rows[2], change(value), atol=1e-6)
    assert not rows[1].any()


def test_parts_without_names_are_refused(tiny_folder: Callable[[str], Path], tmp_path: Path) -> None:
    model = load_tiny(tiny_folder("flux2_klein"))
    for write in (write_kohya, write_comfyui):
        with pytest.raises(UserError, match=r"no names for adapters of text_encoder of FLUX\.2 klein"):
            write(tmp_path / "x.safetensors", torch.float32, {TEXT: {"a": adapter(1, 1)}}, model=model, origin=ORIGIN)
