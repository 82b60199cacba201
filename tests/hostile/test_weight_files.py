"""Files of weights that others made: headers that lie, tensors of any kind and shape, settings beside them."""

import io
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hostile.answers import answer, folder_in, refused
from hostile.budget import examples
from hostile.invented import damaged, json_files, json_values, numbers, texts
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from safetensors.torch import save_file
from tiny import tiny_source

from imprint.models.checkpoint.weights import read_header
from imprint.models.facts import MetaModel, ModelInfo
from imprint.results.external_lora import Adapters, read_external
from imprint.results.external_words import Words
from imprint.verbs.adopt.reading import named, read

LAYER = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
KEYS = [f"{LAYER}.lora_A.weight", f"{LAYER}.lora_B.weight", f"{LAYER}.alpha", "sks", "emb_params", "clip_l", "clip_g"]
KEYS += [f"lora_unet_{LAYER[5:].replace('.', '_')}.{end}" for end in ("lora_down.weight", "lora_up.weight", "alpha")]
KEYS += [
    f"{LAYER}.{end}" for end in ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "lokr_w1", "lokr_w2", "lokr_t2")
]
SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U8": 1, "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1}
TYPES = [*SIZES, "F4", "C64", "F32 ", "f32", "", "\x1b[31m"]


@pytest.fixture(scope="module")
def outline(tiny_sd: Path) -> MetaModel:
    return tiny_source(tiny_sd).meta_model()


@pytest.fixture(scope="module")
def facts(tiny_sd: Path) -> ModelInfo:
    return tiny_source(tiny_sd).facts()


def file_of(header: bytes, data: bytes, length: int | None = None) -> bytes:
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


shapes = st.one_of(
    st.sampled_from([[4, 8], [8, 4], [4], [16], [], [0], [0, 8], [1, 16]]), st.lists(st.integers(0, 9), max_size=5)
)


@st.composite
def tensors(draw: DrawFn, keys: list[str]) -> tuple[dict[str, Any], bytes]:
    """A header that is right, and the data."""
    header: dict[str, Any] = {}
    data = b""
    for key in keys:
        type, shape = draw(st.sampled_from(["F32"] * 6 + list(SIZES))), draw(shapes)
        size = SIZES[type] * int(torch.tensor(shape or [1]).prod())
        fill = draw(st.sampled_from([b"\0", b"\x3f", b"\xff", b"\x7f", b"\x00\x3c"]))
        header[key] = {"dtype": type, "shape": shape, "data_offsets": [len(data), len(data) + size]}
        data += (fill * (size // len(fill) + 1))[:size]
    return header, data


sound = st.lists(st.sampled_from(KEYS), min_size=1, max_size=4, unique=True).flatmap(tensors)
metadata = st.dictionaries(
    st.one_of(st.sampled_from(["trigger_words", "modelspec.trigger_phrase", "lora_adapter_metadata", "format"]), texts),
    st.one_of(texts, json_values.map(json.dumps)),
    max_size=3,
)


@st.composite
def with_lies(draw: DrawFn) -> bytes:
    """The header changed: types, sizes and places that are not so, a length that is none, keys that are there twice."""
    header, data = draw(sound)
    for tensor in header.values():
        match draw(st.sampled_from(["", "", "dtype", "shape", "data_offsets", "any"])):
            case "dtype":
                tensor["dtype"] = draw(st.one_of(st.sampled_from(TYPES), json_values))
            case "shape":
                tensor["shape"] = draw(st.one_of(st.lists(numbers, max_size=4), json_values))
            case "data_offsets":
                tensor["data_offsets"] = draw(st.one_of(st.lists(numbers, max_size=3), json_values))
            case "any":
                tensor.clear()
                tensor.update(draw(st.dictionaries(texts, json_values, max_size=2)))
    if draw(st.booleans()):
        header["__metadata__"] = draw(st.one_of(metadata, json_values))
    text = json.dumps(header)
    if draw(st.integers(0, 5)) == 0:
        text = text[:-1] + "," + text[1:]  # each key twice
    length = draw(st.one_of(st.none(), st.sampled_from([0, 1, len(text) - 1, 2**31, 2**63 - 1, 2**64 - 1])))
    return file_of(text.encode(), data, length)


def well_formed(found: tuple[dict[str, Any], bytes], about: Mapping[str, str]) -> bytes:
    header, data = found
    return file_of(json.dumps({"__metadata__": dict(about), **header}).encode(), data)


def check_read(folder: Path, name: str, outline: MetaModel, facts: ModelInfo, *, partial: bool) -> None:
    """As `imprint adopt` reads it: finite updates of layers that the model has, or vectors of its width."""
    content = answer(lambda: read_external(folder / name, outline, partial=partial), name)
    if isinstance(content, Adapters):
        for role, own in content.updates.items():
            for layer, factors in own.items():
                weight: Any = outline.roles[role].get_submodule(layer).weight
                assert (len(factors.up_OR), factors.down_RI.shape[1]) == (weight.shape[0], weight.shape[1:].numel())
                assert factors.up_OR.isfinite().all()
                assert factors.down_RI.isfinite().all()
    elif isinstance(content, Words):
        for own in content.vectors.values():
            assert {key: x.shape[1] for key, x in own.items()} == outline.widths
            assert all(x.isfinite().all() for x in own.values())
    if content is not None:
        found = answer(lambda: read([folder / name], outline, partial=partial), name)
        if found is not None:
            word = answer(lambda: named(found, "auto", "dog", [folder / name], facts), "dataset.identifier")
            assert word is None or word[0].isprintable()


@examples(4)
@given(
    content=st.one_of(with_lies(), damaged(with_lies()), st.builds(well_formed, sound, metadata)), partial=st.booleans()
)
@example(content=file_of(b"{}", b""), partial=True)
@example(content=file_of(b"", b"", 2**64 - 1), partial=True)
@example(content=file_of(b"[" * 100_000, b""), partial=True)
def test_safetensors(ground: Path, outline: MetaModel, facts: ModelInfo, content: bytes, partial: bool) -> None:
    with folder_in(ground) as folder:
        (folder / "theirs.safetensors").write_bytes(content)
        answer(lambda: read_header(folder / "theirs.safetensors", "theirs"), "theirs.safetensors")
        check_read(folder, "theirs.safetensors", outline, facts, partial=partial)


BOMBS = {
    "a product of two matrices": {"lokr_w1": [300, 300], "lokr_w2": [300, 300]},
    "many pairs of columns": {name: [8, 20_000] for name in ("hada_w1_a", "hada_w2_a")}
    | {name: [20_000, 8] for name in ("hada_w1_b", "hada_w2_b")},
    "many columns beside a matrix": {"lokr_w1": [8, 8], "lokr_w2_a": [1, 200_000], "lokr_w2_b": [200_000, 1]},
    "a convolution in three": {
        "lora_up.weight": [8, 1],
        "lora_down.weight": [1, 50_000],
        "lora_mid.weight": [50_000, 1, 1, 1],
    },
}


@pytest.mark.parametrize("shapes", BOMBS.values(), ids=list(BOMBS))
def test_what_small_matrices_stand_for_takes_no_memory(
    ground: Path, outline: MetaModel, facts: ModelInfo, shapes: dict[str, list[int]]
) -> None:
    """The module's fixture measures."""
    with folder_in(ground) as folder:
        save_file(
            {f"{LAYER}.{name}": torch.zeros(shape) for name, shape in shapes.items()}, folder / "theirs.safetensors"
        )
        check_read(folder, "theirs.safetensors", outline, facts, partial=False)


@pytest.mark.parametrize("alpha", [torch.ones(2), torch.ones(0), torch.ones(1, 1, 1), torch.tensor(float("nan"))])
def test_an_alpha_that_is_no_number(ground: Path, outline: MetaModel, facts: ModelInfo, alpha: torch.Tensor) -> None:
    with folder_in(ground) as folder:
        tensors = {"lora_A.weight": torch.ones(4, 8), "lora_B.weight": torch.ones(8, 4), "alpha": alpha}
        save_file({f"{LAYER}.{name}": x for name, x in tensors.items()}, folder / "theirs.safetensors")
        check_read(folder, "theirs.safetensors", outline, facts, partial=False)


PEFT = {
    "r": 4,
    "lora_alpha": 8,
    "use_rslora": True,
    "rank_pattern": {"to_q": 4},
    "alpha_pattern": {r".*attn1\.to_q": 2},
    "peft_type": "LORA",
}


def lora(**about: str) -> bytes:
    """Of rank 4, on one layer."""
    header = {
        f"{LAYER}.lora_A.weight": {"dtype": "F32", "shape": [4, 8], "data_offsets": [0, 128]},
        f"{LAYER}.lora_B.weight": {"dtype": "F32", "shape": [8, 4], "data_offsets": [128, 256]},
    }
    return well_formed((header, b"\x3c" * 256), about)


SLOW = {"r": 4, "alpha_pattern": {r"((\w+\.?)+)+!": 2}}  # so many ways to fail that trying all takes years
SLOWER = {"r": 4, "alpha_pattern": {".*" * 30 + "!": 2}}


@examples(2)
@given(content=json_files(PEFT))
@example(content=json.dumps(PEFT).encode())
@example(content=json.dumps(SLOW).encode())
@example(content=json.dumps(SLOWER).encode())
@example(content=json.dumps({**PEFT, "auto_mapping": {"base_model_class": "os.system"}}).encode())
def test_settings_beside_a_file(ground: Path, outline: MetaModel, facts: ModelInfo, content: bytes) -> None:
    with folder_in(ground) as folder:
        (folder / "adapter_config.json").write_bytes(content)
        (folder / "adapter_model.safetensors").write_bytes(lora(trigger_words="sks"))
        check_read(folder, "adapter_model.safetensors", outline, facts, partial=False)


@examples(2)
@given(content=json_files({f"unet.{key}": value for key, value in PEFT.items()}))
@example(content=json.dumps({f"unet.{key}": value for key, value in SLOW.items()}).encode())
def test_settings_inside_a_file(ground: Path, outline: MetaModel, facts: ModelInfo, content: bytes) -> None:
    with folder_in(ground) as folder:
        about = {"lora_adapter_metadata": content.decode("utf-8", "replace"), "trigger_words": "sks"}
        (folder / "theirs.safetensors").write_bytes(lora(**about))
        check_read(folder, "theirs.safetensors", outline, facts, partial=False)


class _Runs:
    def __reduce__(self) -> Any:
        return eval, ("__import__('antigravity')",)


def pickled(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


PICKLED = [
    pickled({f"{LAYER}.lora_A.weight": torch.ones(4, 8), f"{LAYER}.lora_B.weight": torch.ones(8, 4)}),
    pickled({"string_to_param": {"*": torch.ones(2, 16)}, "name": "sks"}),
    pickled({"<sks>": torch.ones(16)}),
    pickled({"state_dict": _Runs()}),
    pickled(_Runs()),
    pickle.dumps(_Runs()),
    pickle.dumps({"a": [1, "b"]}),
    pickled([torch.ones(2)]),
    pickled({"string_to_param": {}}),
    pickled({1: torch.ones(2, 16), ("a", "b"): torch.ones(3)}),
]


@examples(2)
@given(
    content=st.one_of(st.sampled_from(PICKLED), damaged(st.sampled_from(PICKLED)), st.binary(max_size=100)),
    name=st.sampled_from(["theirs.pt", "theirs.bin", "theirs.ckpt", "theirs.safetensors"]),
)
def test_pickles(ground: Path, outline: MetaModel, facts: ModelInfo, content: bytes, name: str) -> None:
    with folder_in(ground) as folder:
        (folder / name).write_bytes(content)
        check_read(folder, name, outline, facts, partial=True)


@given(name=texts)
def test_the_name_of_a_file_is_not_a_word_that_nobody_can_type(
    ground: Path, outline: MetaModel, facts: ModelInfo, name: str
) -> None:
    name = name.encode("utf-8", "surrogatepass").translate(None, b"/\0")[:150].decode("utf-8", "surrogateescape")
    assume(name not in ("", ".", ".."))
    with folder_in(ground) as folder:
        file = folder / f"{name}.pt"
        file.write_bytes(PICKLED[1])
        found = answer(lambda: read([file], outline, partial=False))
        if found is not None:
            word = answer(lambda: named(found, "auto", "dog", [file], facts), "dataset.identifier")
            assert word is None or word[0].isprintable()


def test_a_file_without_an_end_is_not_read(ground: Path, outline: MetaModel) -> None:
    """A header of the largest size that is allowed, which is not there."""
    with folder_in(ground) as folder:
        with (folder / "theirs.safetensors").open("wb") as file:
            file.write((100_000_000).to_bytes(8, "little"))
            file.truncate(1 << 40)
        refused(lambda: read_external(folder / "theirs.safetensors", outline, partial=False), "theirs.safetensors")
