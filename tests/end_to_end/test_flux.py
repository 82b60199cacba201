"""FLUX.1 from configuration to files: its loss, and what it learns opens in the stock library and comes back."""

from pathlib import Path

import pytest
import torch
from drawing import distance, stock
from results import CLOSE, by_the_library, drawn, exported, with_lora
from safetensors.torch import load_file, save_file
from small_runs import configure
from tiny import RESOLUTION
from tiny_flux import WIDTHS, tiny_flux_pipeline, tiny_flux_source

from imprint.config import compose
from imprint.errors import UserError
from imprint.launching.forecast import forecast
from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

FAST = ("hparams.clip=null", "hparams.steps=4")
ALL_LAYERS = "method.targets=[attention,text_stream,feed_forward,single_stream,modulation]"
JOINED = ("double_blocks_0_img_attn_qkv", "double_blocks_0_txt_attn_qkv", "single_blocks_1_linear1")
LEARNERS = {
    "lora": ["method=lora", "method.roles=[denoiser,text]", "method.lr=2e-2", "method.alpha=2"],
    "everywhere": ["method=lora", "method.lr=2e-2", "method.rank=4", "method.alpha=5", ALL_LAYERS],
    "word": ["method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1", "method.vectors=2"],
}


@pytest.fixture(scope="module")
def runs(tiny_flux: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: train(configure(tiny_flux, pictures, folder, *FAST, *settings)) for name, settings in LEARNERS.items()
    }


def test_the_plan_says_which_noise_is_trained(tiny_flux: Path, pictures: Path, tmp_path: Path) -> None:
    """Logit-normal through the schedule's shift at this resolution; without it half of the samples lie above .5."""
    (line,) = (line for line in forecast(configure(tiny_flux, pictures, tmp_path)) if "more noise than" in line)
    assert line.startswith("Half of the samples have more noise than 0.6")
    plain = forecast(configure(tiny_flux, pictures, tmp_path, "model.times.shift=null"))
    assert any("more noise than 0.50" in line for line in plain)
    # what the objective names goes before what the model says
    own = forecast(configure(tiny_flux, pictures, tmp_path, "+times@objective.times=mode", "objective.times.shift=3"))
    assert any("more noise than 0.75" in line for line in own)


@pytest.mark.parametrize("name", ["lora", "everywhere"])
def test_the_stock_pipeline_loads_all_of_a_lora(
    name: str, runs: dict[str, Run], tiny_flux: Path, tmp_path: Path
) -> None:
    ours = drawn([runs[name]], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(tiny_flux))) > 5 * CLOSE  # otherwise this would prove nothing
    pipeline = with_lora(tiny_flux, runs[name].result)
    assert distance(ours, by_the_library(pipeline)) <= CLOSE
    stored = {key.rpartition(".lora_")[0] for key in load_file(runs[name].result / "pytorch_lora_weights.safetensors")}
    parts = {"transformer": pipeline.transformer, "text_encoder": pipeline.text_encoder}
    loaded = [
        layer
        for part in parts.values()
        for layer, module in part.named_modules()
        if hasattr(module, "lora_A") and module.lora_A
    ]
    assert len(loaded) == len({name for name in stored if name.partition(".")[0] in parts})


def test_what_dev_has_learned_is_drawn_on_a_distilled_checkpoint(
    runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The way to a few steps that training on the distilled one would undo."""
    folder = tmp_path_factory.mktemp("distilled")
    schnell = tiny_flux_pipeline(folder / "schnell", guidance=False, seed=1)
    ours = drawn([runs["everywhere"]], folder / "ours", f"base={schnell}", "guidance=1")
    assert distance(ours, by_the_library(with_lora(schnell, runs["everywhere"].result))) <= CLOSE
    assert distance(ours, by_the_library(stock(schnell))) > 2 * CLOSE


def adopted(file: Path, tiny_flux: Path, pictures: Path, outputs: Path) -> Run:
    settings = [f"files=[{file}]", "model=flux", f"model.source={tiny_flux}", f"model.resolution={RESOLUTION}"]
    settings += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={outputs}"]
    return adopt(compose("adopt", settings))


@pytest.mark.parametrize("format", ["stock", "comfyui"])
def test_a_lora_of_another_program_comes_back(
    format: str, runs: dict[str, Run], tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    """Of ComfyUI's names the layers are those of the original program, which joins some of ours."""
    file = runs["everywhere"].result / "pytorch_lora_weights.safetensors"
    if format == "comfyui":
        file = exported(runs["everywhere"], tmp_path / "theirs.safetensors", "format=comfyui")
        layers = {key.partition(".")[0] for key in load_file(file)}
        assert {f"lora_unet_{name}" for name in JOINED} <= layers
        assert not any("transformer_blocks" in layer for layer in layers)
    run = adopted(file, tiny_flux, pictures, tmp_path)
    ours = drawn([runs["everywhere"]], tmp_path / "first")
    assert distance(drawn([run], tmp_path / "back"), ours) <= CLOSE
    assert distance(by_the_library(with_lora(tiny_flux, run.result)), ours) <= CLOSE


def test_joined_adapters_that_were_split_are_as_large_as_before(
    runs: dict[str, Run], tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    """Out and back again: every layer has its own rank, and a file that shares a matrix shares it again."""
    file = exported(runs["everywhere"], tmp_path / "theirs.safetensors", "format=kohya")
    run = adopted(file, tiny_flux, pictures, tmp_path)
    before, after = (load_file(own.result / "pytorch_lora_weights.safetensors") for own in (runs["everywhere"], run))
    assert {name: x.shape for name, x in before.items()} == {name: x.shape for name, x in after.items()}
    shared = load_file(file)
    name = f"lora_unet_{JOINED[0]}"
    shared[f"{name}.lora_up.weight"] = torch.randn_like(shared[f"{name}.lora_up.weight"])
    save_file(shared, tmp_path / "shared.safetensors")
    once_more = adopted(tmp_path / "shared.safetensors", tiny_flux, pictures, tmp_path)
    again = exported(once_more, tmp_path / "again.safetensors", "format=kohya")
    assert load_file(again)[f"{name}.lora_down.weight"].shape == shared[f"{name}.lora_down.weight"].shape


def test_a_dreambooth_is_a_denoisers_file(
    tiny_flux: Path, pictures: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    run = train(configure(tiny_flux, pictures, tmp_path, *FAST, "method=dreambooth", "method.lr=1e-3"))
    file = exported(run, tmp_path / "flux.safetensors", "format=single_file")
    assert "double_blocks.0.img_attn.qkv.weight" in load_file(file)
    ours = drawn([run], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(tiny_flux))) > 5 * CLOSE
    model = tiny_flux_source(file, config=str(tiny_flux)).load()
    model.save_pipeline(tmp_path / "pipeline")
    assert distance(ours, by_the_library(stock(tmp_path / "pipeline"))) <= CLOSE
    # it is a base like any other
    lora = train(
        configure(file, pictures, tmp_path / "on", *FAST, *LEARNERS["lora"], "model=flux", f"model.config={tiny_flux}")
    )
    assert distance(drawn([lora], tmp_path / "lora"), ours) > CLOSE


def test_an_adapter_that_no_format_holds_is_refused(
    tiny_flux: Path, pictures: Path, runs: dict[str, Run], tmp_path: Path
) -> None:
    run = train(configure(tiny_flux, pictures, tmp_path, *FAST, "method=lora", "method.use_dora=true"))
    for format in ("kohya", "comfyui"):
        with pytest.raises(UserError, match=r"DoRA.*Use format=pipeline"):
            exported(run, tmp_path / f"{format}.safetensors", f"format={format}")
    with pytest.raises(UserError, match="text_encoder was trained, too"):
        exported(runs["lora"], tmp_path / "flux.safetensors", "format=single_file")
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_words_file_names_its_vocabularies(runs: dict[str, Run]) -> None:
    stored = load_file(runs["word"].result / "learned_embeds.safetensors")
    assert {name: tuple(rows.shape) for name, rows in stored.items()} == {
        name: (2, width) for name, width in WIDTHS.items()
    }
