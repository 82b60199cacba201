"""Which files hold a part's weights."""

import pytest

from imprint.models.checkpoint.weights import pickles_of, safetensors_of, variants_of

NAMES = [
    "model_index.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.safetensors",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "unet/diffusion_pytorch_model.non_ema.safetensors",
    "unet/diffusion_pytorch_model.bin",
    "unet/diffusion_flax_model.msgpack",
    "text_encoder/model-00001-of-00002.safetensors",
    "text_encoder/model-00002-of-00002.safetensors",
    "text_encoder/model.safetensors.index.json",
    "text_encoder/model.fp16-00001-of-00002.safetensors",
    "text_encoder/model.fp16-00002-of-00002.safetensors",
    "other/unet/diffusion_pytorch_model.safetensors",
]


@pytest.mark.parametrize(
    ("part", "variant", "expected"),
    [
        ("unet", None, ["unet/diffusion_pytorch_model.safetensors"]),
        ("unet", "fp16", ["unet/diffusion_pytorch_model.fp16.safetensors"]),
        ("unet", "bf16", []),
        ("unet", "f.16", []),
        (
            "text_encoder",
            None,
            ["text_encoder/model-00001-of-00002.safetensors", "text_encoder/model-00002-of-00002.safetensors"],
        ),
        (
            "text_encoder",
            "fp16",
            [
                "text_encoder/model.fp16-00001-of-00002.safetensors",
                "text_encoder/model.fp16-00002-of-00002.safetensors",
            ],
        ),
        ("vae", None, []),
    ],
)
def test_safetensors(part: str, variant: str | None, expected: list[str]) -> None:
    assert safetensors_of(NAMES, part, variant) == expected


def test_pickles() -> None:
    assert pickles_of(NAMES, "unet", None) == ["unet/diffusion_pytorch_model.bin"]
    assert pickles_of(NAMES, "text_encoder", None) == []


def test_variants() -> None:
    assert variants_of(NAMES, "unet") == {None, "fp16", "non_ema"}
    assert variants_of(NAMES, "text_encoder") == {None, "fp16"}
