"""Folders of models that others made: configurations, tokenizers, the headers of weights."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hostile.answers import answer, folder_in
from hostile.budget import examples
from hostile.invented import damaged, json_files
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from tiny import tiny_source

from imprint.models.facts import ModelInfo

CONFIGS = ["model_index.json", "unet/config.json", "vae/config.json", "text_encoder/config.json"]
CONFIGS += ["scheduler/scheduler_config.json"]
TOKENIZER = ["tokenizer/tokenizer_config.json", "tokenizer/vocab.json", "tokenizer/merges.txt"]
WEIGHTS = ["unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"]


def with_file(model: Path, name: str, content: bytes, folder: Path) -> Path:
    """The model with another content of this file."""
    copy = folder / "model"
    shutil.copytree(model, copy, copy_function=lambda source, place: Path(place).symlink_to(source))
    (copy / name).unlink(missing_ok=True)
    (copy / name).write_bytes(content)
    return copy


def check(model: Path) -> ModelInfo | None:
    """As a plan reads it, and where that takes it, as a training loads it."""
    facts = answer(lambda: tiny_source(model).facts(), "model", lines=3)
    if facts is not None:
        answer(lambda: tiny_source(model).meta_model(), "model", lines=3)
        answer(lambda: tiny_source(model).load(), "model", lines=3)
    return facts


def test_the_model_is_sound(ground: Path, tiny_sd: Path) -> None:
    with folder_in(ground) as folder:
        assert check(with_file(tiny_sd, "README.md", b"", folder)) is not None


@st.composite
def spoiled(draw: DrawFn, model: Path, names: list[str]) -> tuple[str, bytes]:
    name = draw(st.sampled_from(names))
    content = (model / name).read_bytes()
    changed: SearchStrategy[bytes] = damaged(st.just(content))
    return name, draw(json_files(json.loads(content)) if name.endswith(".json") else changed)


def edited(model: Path, name: str, **changes: Any) -> tuple[str, bytes]:
    return name, json.dumps({**json.loads((model / name).read_bytes()), **changes}).encode()


@examples(0.5)
@given(data=st.data())
def test_configurations(ground: Path, tiny_sd: Path, data: st.DataObject) -> None:
    name, content = data.draw(spoiled(tiny_sd, CONFIGS))
    with folder_in(ground) as folder:
        check(with_file(tiny_sd, name, content, folder))


@examples(0.25)
@given(data=st.data())
def test_tokenizers(ground: Path, tiny_sd: Path, data: st.DataObject) -> None:
    name, content = data.draw(spoiled(tiny_sd, TOKENIZER))
    with folder_in(ground) as folder:
        check(with_file(tiny_sd, name, content, folder))


@examples(0.25)
@given(data=st.data())
def test_weights(ground: Path, tiny_sd: Path, data: st.DataObject) -> None:
    name, content = data.draw(spoiled(tiny_sd, WEIGHTS))
    with folder_in(ground) as folder:
        check(with_file(tiny_sd, name, content, folder))


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("unet/config.json", {"layers_per_block": 2**31}),
        ("unet/config.json", {"transformer_layers_per_block": 2**31}),
        ("unet/config.json", {"block_out_channels": [8] * 100_000}),
        ("unet/config.json", {"cross_attention_dim": 2**40}),
        ("unet/config.json", {"attention_head_dim": 0}),
        ("vae/config.json", {"layers_per_block": 2**31}),
        ("vae/config.json", {"block_out_channels": [8] * 5000}),
        ("vae/config.json", {"block_out_channels": None}),
        ("text_encoder/config.json", {"num_hidden_layers": 2**31}),
        ("text_encoder/config.json", {"vocab_size": 2**60}),
        ("text_encoder/config.json", {"auto_map": {"AutoModel": "this.s"}, "architectures": ["this.s"]}),
        ("scheduler/scheduler_config.json", {"num_train_timesteps": 2**31}),
        ("scheduler/scheduler_config.json", {"beta_start": "a"}),
        ("scheduler/scheduler_config.json", {"_class_name": ["x"]}),
        ("scheduler/scheduler_config.json", {"prediction_type": []}),
        ("scheduler/scheduler_config.json", {"trained_betas": {"a": 1}}),
        ("model_index.json", {"unet": ["antigravity", "UNet2DConditionModel"]}),
        ("model_index.json", {"_class_name": {"a": "\x1b[2J"}}),
        (
            "tokenizer/tokenizer_config.json",
            {"tokenizer_class": "this", "auto_map": {"AutoTokenizer": ["this.s", None]}},
        ),
        ("tokenizer/tokenizer_config.json", {"model_max_length": 10**30}),
    ],
)
def test_what_is_told_of_a_network(ground: Path, tiny_sd: Path, name: str, changes: dict[str, Any]) -> None:
    with folder_in(ground) as folder:
        check(with_file(tiny_sd, *edited(tiny_sd, name, **changes), folder))
