"""Adapters and words of other programs: what they count by, what they are called, and what is refused."""

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
from families import FAMILIES
from safetensors.torch import save_file
from thin import CHOICES
from tiny import tiny_source
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.models.facts import MetaModel
from imprint.models.roles import DENOISER, TEXT
from imprint.results.external_lora import Adapters, read_external
from imprint.results.external_words import Words

LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
KEY = f"unet.{LAYER}"


@pytest.fixture(scope="module")
def outline(tiny_sd: Path) -> MetaModel:
    return tiny_source(tiny_sd).meta_model()


def lora(rank: int = 4, *, up_rank: int | None = None) -> dict[str, Tensor]:
    """A LoRA of one layer of the tiny model."""
    return {f"{KEY}.lora_A.weight": torch.randn(rank, 8), f"{KEY}.lora_B.weight": torch.randn(8, up_rank or rank)}


def read(file: Path, outline: MetaModel) -> Adapters:
    content = read_external(file, outline, partial=False)
    assert isinstance(content, Adapters)
    return content


def updates(content: Adapters) -> dict[tuple[str, str], Tensor]:
    return {
        (role, layer): factors.up_OR @ factors.down_RI
        for role, own in content.updates.items()
        for layer, factors in own.items()
    }


def refusal(tensors: Mapping[str, Tensor], outline: MetaModel, folder: Path, **about: str) -> str:
    save_file(dict(tensors), folder / "theirs.safetensors", about or None)
    with pytest.raises(UserError) as caught:
        read_external(folder / "theirs.safetensors", outline, partial=False)
    return str(caught.value)


PEFT = {
    "plain": {"r": 4, "lora_alpha": 2},
    "rslora": {"r": 4, "lora_alpha": 2, "use_rslora": True},
    "endings": {"r": 4, "lora_alpha": 4, "alpha_pattern": {"attn1.to_v": 3}, "rank_pattern": {"attn2.to_k": 2}},
    "regular expressions": {
        **{"r": 4, "lora_alpha": 8, "use_rslora": True},
        "alpha_pattern": {r"up_blocks\.\d+.*to_v": 3, ".*up_blocks.*": 5, "v": 100},
        "rank_pattern": {r".*attn[2]\.to_[kv]": 2},
    },
}


@pytest.mark.parametrize("settings", PEFT)
def test_a_peft_folder_counts_as_peft_counts_it(
    settings: str, tiny_sd: Path, outline: MetaModel, tmp_path: Path
) -> None:
    unet: Any = tiny_source(tiny_sd).load().roles[DENOISER]
    before = {name: weight.clone() for name, weight in unet.state_dict().items()}
    config = peft.LoraConfig(target_modules=["to_q", "to_k", "to_v"], init_lora_weights=False, **PEFT[settings])
    peft.get_peft_model(unet, config).save_pretrained(tmp_path / "unet")
    # of its own file: the order of its patterns, which counts, is not the one that they were given in
    tuned: Any = peft.PeftModel.from_pretrained(tiny_source(tiny_sd).load().roles[DENOISER], tmp_path / "unet")
    found = updates(read(tmp_path / "unet" / "adapter_model.safetensors", outline))
    merged = tuned.merge_and_unload().state_dict()
    changed = {name for name in before if not torch.equal(before[name], merged[name])}
    assert {f"{layer}.weight" for _, layer in found} == changed
    for (_, layer), update in found.items():
        theirs = merged[f"{layer}.weight"] - before[f"{layer}.weight"]
        torch.testing.assert_close(update, theirs, atol=1e-5, rtol=1e-4)


def test_a_peft_file_without_its_settings_is_told_of(
    outline: MetaModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "adapter_model.safetensors"
    save_file({key.removeprefix("unet."): x for key, x in lora().items()}, file)
    read(file, outline)
    assert "adapter_config.json" in caplog.text


DESCRIPTIONS = {
    "{not json": "no JSON",
    "[1]": "no JSON object",
    "[" * 100_000: "no JSON",
    json.dumps({"unet.r": "many"}): "r='many'",
    json.dumps({"unet.r": 0}): "r=0,",
    '{"unet.r": 4, "unet.lora_alpha": NaN}': "lora_alpha=nan",
    json.dumps({"unet.r": 4, "unet.alpha_pattern": {"(": 1}}): "alpha_pattern=",
    json.dumps({"unet.r": 4, "unet.alpha_pattern": {"to_q": None}}): "alpha_pattern=",
    json.dumps({"unet.r": 4, "unet.use_rslora": "no"}): "use_rslora='no'",
    json.dumps({"unet.r": 8, "unet.lora_alpha": 8}): "has rank 8, and its matrices have 4",
}


@pytest.mark.parametrize("description", DESCRIPTIONS, ids=list(DESCRIPTIONS.values()))
def test_a_description_that_nothing_can_count_by_is_one_line(
    description: str, outline: MetaModel, tmp_path: Path
) -> None:
    message = refusal(lora(), outline, tmp_path, lora_adapter_metadata=description)
    assert DESCRIPTIONS[description] in message
    assert "theirs.safetensors" in message
    assert len(message) < 500


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused(number: float, outline: MetaModel, tmp_path: Path) -> None:
    ruined = lora()
    ruined[f"{KEY}.lora_A.weight"][0, 0] = number
    assert "1 of its 1 adapters hold NaN" in refusal(ruined, outline, tmp_path)
    assert "hold NaN" in refusal({**lora(), f"{KEY}.alpha": torch.tensor(number)}, outline, tmp_path)
    assert "holds NaN" in refusal({"<toy>": torch.full((2, 16), number)}, outline, tmp_path)


def test_matrices_of_unlike_ranks_are_refused(outline: MetaModel, tmp_path: Path) -> None:
    assert "ranks 4 and 6" in refusal(lora(4, up_rank=6), outline, tmp_path)
    loha = {
        f"hada_w{side}_{part}": torch.ones(8, 4) if part == "a" else torch.ones(2, 8) for side in "12" for part in "ab"
    }
    assert "ranks 2 and 4" in refusal({f"{KEY}.{name}": x for name, x in loha.items()}, outline, tmp_path)


class ParameterDict(nn.Module):
    """As torch 1 pickled its own."""

    def __init__(self, rows_ND: Tensor) -> None:
        super().__init__()
        self.register_parameter("rows", nn.Parameter(rows_ND))
        self._parameters = OrderedDict({"*": self._parameters.pop("rows")})


ParameterDict.__module__ = "torch.nn.modules.container"


@pytest.mark.parametrize("release", [1, 2])
def test_a_word_of_the_original_program_is_read(
    release: int, outline: MetaModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_ND = torch.randn(2, 16)
    theirs: nn.Module = nn.ParameterDict({"*": nn.Parameter(rows_ND)})
    with monkeypatch.context() as patch:
        if release == 1:
            patch.setattr("torch.nn.modules.container.ParameterDict", ParameterDict)
            theirs = ParameterDict(rows_ND)
        torch.save({"string_to_token": {"*": torch.tensor(265)}, "string_to_param": theirs}, tmp_path / "toy.pt")
    content = read_external(tmp_path / "toy.pt", outline, partial=False)
    assert isinstance(content, Words)
    assert torch.equal(content.vectors[""]["clip_l"], rows_ND)


@pytest.mark.parametrize("family", ["sd1", "sd2"])
def test_stable_diffusion_is_adopted_under_its_original_names(
    family: str, thin_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """As some programs name its layers, and its one text encoder as the first of two."""
    outline = FAMILIES[CHOICES[family]].source(thin_folder(family)).meta_model()
    stored: dict[str, Tensor] = {}
    layers = {
        (role, layer): module
        for role, part in outline.roles.items()
        for layer, module in part.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }
    begin = {
        DENOISER: ("lora_unet_input", "lora_unet_middle", "lora_unet_out", "lora_unet_time_"),
        TEXT: "lora_te1_text",
    }
    for (role, layer), module in layers.items():
        name = next(own for own in outline.names.all(role, layer, alone=False) if own.startswith(begin[role]))
        out, into, *kernel = module.weight.shape
        stored[f"{name}.lora_down.weight"] = torch.randn(2, into, *kernel)
        stored[f"{name}.lora_up.weight"] = torch.randn(out, 2, *(1 for _ in kernel))
        stored[f"{name}.alpha"] = torch.tensor(1.0)
    assert "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q.alpha" in stored
    save_file(stored, tmp_path / "theirs.safetensors")
    assert updates(read(tmp_path / "theirs.safetensors", outline)).keys() == layers.keys()
